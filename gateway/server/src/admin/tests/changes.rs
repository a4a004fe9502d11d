//! Policy files and reservations.

use serde_json::json;

use super::*;

const YAML: (&str, &str) = ("content-type", "application/yaml");
const JSON: (&str, &str) = ("content-type", "application/json");
const MAIL_PATH: &str = "/api/v1/policies/mail.yaml";

async fn put(fixture: &Fixture, path: &str, headers: &[(&str, &str)], text: &str) -> Answer {
    let headers = [&[YAML], headers].concat();
    fixture.with_token(Method::PUT, path, &headers, text).await
}

#[tokio::test]
async fn a_file_is_read_as_it_is_with_its_tag() {
    let fixture = Fixture::new().await;
    let answer = fixture.get(MAIL_PATH).await;
    assert_eq!((answer.text(), answer.header("content-type")), (MAIL, "application/yaml"));
    let etag = answer.header("etag");
    assert!(etag.starts_with('"') && etag.len() == 34, "{etag}");
    let list = fixture.get("/api/v1/policies").await.json();
    let file = json!({"file": "mail.yaml", "etag": etag, "bytes": MAIL.len()});
    assert_eq!(
        list,
        json!({"ok": true, "revision": 1, "read_only": false, "files": [file], "problems": []})
    );

    let known = [("if-none-match", etag)];
    let again = fixture.with_token(Method::GET, MAIL_PATH, &known, "").await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    for path in ["none.yaml", "..%2fadmin.token", "%2e%2e%2fadmin.token", ".mail.yaml.new"] {
        let answer = fixture.get(&format!("/api/v1/policies/{path}")).await;
        assert_eq!(answer.refusal(), (404, "not_found".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_write_needs_to_know_what_it_replaces() {
    let fixture = Fixture::new().await;
    let etag = fixture.get(MAIL_PATH).await.header("etag").to_owned();
    let new = MAIL.replace("reserved: 300", "reserved: 200");

    let blind = put(&fixture, MAIL_PATH, &[], &new).await;
    assert_eq!(blind.refusal(), (428, "precondition_required".to_owned()));
    for stale in
        [("if-match", "\"0\""), ("if-none-match", "*"), ("if-match", &*format!("W/{etag}"))]
    {
        let conflict = put(&fixture, MAIL_PATH, &[stale], &new).await;
        assert_eq!(conflict.refusal(), (412, "policy_changed".to_owned()), "{stale:?}");
        assert_eq!(conflict.header("etag"), etag);
    }
    let both = [("if-match", etag.as_str()), ("if-none-match", "*")];
    let unclear = put(&fixture, MAIL_PATH, &both, &new).await;
    assert_eq!(unclear.refusal(), (400, "bad_request".to_owned()));
    assert_eq!(fixture.file("mail.yaml"), MAIL);

    let headers = [("if-match", etag.as_str()), ("x-change-reason", "less")];
    let written = put(&fixture, MAIL_PATH, &headers, &new).await;
    assert_eq!(written.json(), json!({"file": "mail.yaml", "revision": 2}));
    assert_ne!(written.header("etag"), etag);
    assert_eq!(fixture.file("mail.yaml"), new);
    assert_eq!(fixture.get("/api/v1/functions/receive").await.json()["reserved"], 200);
    let lost = put(&fixture, MAIL_PATH, &[("if-match", &etag)], MAIL).await;
    assert_eq!(lost.refusal().0, 412);
}

#[tokio::test]
async fn with_problems_nothing_is_written() {
    let fixture = Fixture::new().await;
    for text in ["version: 1\nrutes: {}\n", "version: 1\n\u{1}", "", "a: [", "version: 2\n"] {
        let answer = put(&fixture, MAIL_PATH, &[("if-match", "*")], text).await;
        assert_eq!(answer.refusal(), (422, "policy_problems".to_owned()), "{text}");
        let problem = answer.json()["problems"][0].clone();
        let keys: Vec<&String> = problem.as_object().unwrap().keys().collect();
        for key in ["file", "line", "column", "message", "help"] {
            assert!(keys.contains(&&key.to_owned()), "{problem}");
        }
        assert_eq!(problem["file"], "mail.yaml");
    }
    let bearer = format!("Bearer {}", fixture.token);
    let request = Request::put(MAIL_PATH)
        .header("host", "localhost")
        .header("authorization", bearer)
        .header("content-type", "application/yaml")
        .header("if-match", "*")
        .body(Body::from(vec![b'a', 0xff]))
        .unwrap();
    let response = fixture.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(fixture.file("mail.yaml"), MAIL);
    assert_eq!(fixture.reload.status().revision, 1);
    assert!(fixture.reload.status().ok, "what was refused is not what the folder says");
}

#[tokio::test]
async fn files_come_and_go_by_tame_names_only() {
    let fixture = Fixture::new().await;
    let text = "version: 1\nupstreams: { b: { endpoints: [http://127.0.0.1:9] } } # mine\n";
    let new = [("if-none-match", "*")];
    let created = put(&fixture, "/api/v1/policies/b.yaml", &new, text).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(fixture.file("b.yaml"), text);
    let again = put(&fixture, "/api/v1/policies/b.yaml", &new, text).await;
    assert_eq!(again.refusal().0, 412);
    for name in ["..%2fb.yaml", "B.yaml", "b.json", ".b.yaml", "%2fetc%2fb.yaml", "b%00.yaml"] {
        let path = format!("/api/v1/policies/{name}");
        assert_eq!(put(&fixture, &path, &new, text).await.refusal().0, 400, "{name}");
        let gone = fixture.with_token(Method::DELETE, &path, &[("if-match", "*")], "").await;
        assert_eq!(gone.refusal().0, 404, "{name}");
    }
    let form = [("content-type", "text/plain"), ("if-match", "*")];
    let answer = fixture.with_token(Method::PUT, MAIL_PATH, &form, text).await;
    assert_eq!(answer.refusal().0, 415);

    let path = "/api/v1/policies/b.yaml";
    let blind = fixture.with_token(Method::DELETE, path, &[], "").await;
    assert_eq!(blind.refusal().0, 428);
    let etag = created.header("etag");
    let gone = fixture.with_token(Method::DELETE, path, &[("if-match", etag)], "").await;
    assert_eq!(gone.json(), json!({"file": "b.yaml", "revision": 3}));
    assert_eq!(fixture.get(path).await.refusal().0, 404);
    let twice = fixture.with_token(Method::DELETE, path, &[("if-match", "*")], "").await;
    assert_eq!(twice.refusal().0, 404);
    // Without its last upstream the policy would be none.
    let last = fixture.with_token(Method::DELETE, MAIL_PATH, &[("if-match", "*")], "").await;
    assert_eq!((last.refusal().0, fixture.file("mail.yaml").as_str()), (422, MAIL));
}

#[tokio::test]
async fn bodies_are_bounded() {
    let fixture = Fixture::new().await;
    for bytes in [input::BODY_BYTES_MAX + 1, sumun_policy::FILE_BYTES_MAX + 1] {
        let text = "#".repeat(bytes);
        let answer = put(&fixture, MAIL_PATH, &[("if-match", "*")], &text).await;
        assert_eq!(answer.refusal(), (413, "body_too_large".to_owned()));
    }
}

#[tokio::test]
async fn a_draft_is_checked_and_nothing_changes() {
    let fixture = Fixture::new().await;
    let check = async |files: Value| {
        let body = json!({ "files": files }).to_string();
        let path = "/api/v1/policies:check";
        fixture.with_token(Method::POST, path, &[JSON], &body).await.json()
    };
    let draft = MAIL.replace("reserved: 300", "reserved: 200");
    let answer = check(json!({"mail.yaml": draft})).await;
    assert_eq!(answer["problems"], json!([]));
    let diff = answer["diff"].as_array().unwrap();
    assert!(diff.len() == 1 && diff[0].as_str().unwrap().contains("receive"), "{answer}");
    assert_eq!(check(json!({"mail.yaml": MAIL})).await, json!({"problems": [], "diff": []}));
    assert_eq!(check(json!({})).await, json!({"problems": [], "diff": []}));

    // A file of a folder may refer to the others, which stay.
    let route = "version: 1\nroutes: { b: { match: { path: /b }, upstream: mailbox } }\n";
    let answer = check(json!({"b.yaml": route})).await;
    assert_eq!(answer["problems"], json!([]), "{answer}");
    let answer = check(json!({"b.yaml": route, "mail.yaml": null})).await;
    assert_eq!(answer["problems"][0]["line"], 2, "{answer}");
    let answer = check(json!({"mail.yaml": "version: 1\nrutes: {}\n"})).await;
    assert_eq!((&answer["problems"][0]["line"], &answer["diff"]), (&json!(2), &json!([])));
    let answer = check(json!({"../x.yaml": ""})).await;
    assert!(answer["problems"][0]["message"].as_str().unwrap().contains("no name"), "{answer}");
    assert_eq!((fixture.file("mail.yaml").as_str(), fixture.reload.status().revision), (MAIL, 1));
}

#[tokio::test]
async fn a_reservation_is_written_back_to_its_line() {
    let fixture = Fixture::new().await;
    let path = |name: &str| format!("/api/v1/functions/{name}/concurrency");
    let set = async |name: &str, body: &str| {
        fixture.with_token(Method::PUT, &path(name), &[JSON], body).await
    };
    let answer = set("receive", "{\"reserved\": 250}").await;
    let wanted =
        json!({"function": "receive", "reserved": 250, "file": "mail.yaml", "revision": 2});
    assert_eq!(answer.json(), wanted);
    let first = MAIL.replace("reserved: 300", "reserved: 250");
    assert_eq!(fixture.file("mail.yaml"), first);
    assert_eq!(fixture.get("/api/v1/functions/receive").await.json()["reserved"], 250);
    assert_eq!(fixture.get("/api/v1/functions").await.json()["pool"]["unreserved"], 750);

    assert_eq!(set("send", "{\"reserved\": 0}").await.json()["reserved"], 0);
    let second = first.replace("# shares\n", "# shares\n    reserved: 0\n");
    assert_eq!(fixture.file("mail.yaml"), second);
    let released = fixture.with_token(Method::DELETE, &path("send"), &[], "").await;
    assert_eq!(released.json()["reserved"], Value::Null);
    assert_eq!(fixture.file("mail.yaml"), first);

    // 1000 − 950 leaves less than unreserved_min.
    let refused = set("receive", "{\"reserved\": 950}").await;
    assert_eq!(refused.refusal(), (422, "policy_problems".to_owned()));
    assert!(!refused.json()["problems"].as_array().unwrap().is_empty());
    for (name, body, status) in [
        ("none", "{\"reserved\": 1}", 404),
        ("receive", "{\"reserved\": -1}", 400),
        ("receive", "{\"reserved\": 1.5}", 400),
        ("receive", "{\"reserve\": 1}", 400),
        ("receive", "{}", 400),
    ] {
        assert_eq!(set(name, body).await.refusal().0, status, "{name} {body}");
    }
    assert_eq!(fixture.file("mail.yaml"), first);
    assert_eq!(fixture.reload.status().revision, 4);
}

#[tokio::test]
async fn read_only_refuses_every_change() {
    let fixture = Fixture::with(true).await;
    let text = MAIL.replace("300", "200");
    for (method, path, body) in [
        (Method::PUT, MAIL_PATH, text.as_str()),
        (Method::DELETE, MAIL_PATH, ""),
        (Method::PUT, "/api/v1/functions/receive/concurrency", "{\"reserved\":1}"),
        (Method::DELETE, "/api/v1/functions/receive/concurrency", ""),
        (Method::POST, "/api/v1/cache:purge", "{\"all\":true}"),
    ] {
        let kind = if path == MAIL_PATH { YAML } else { JSON };
        let headers = [kind, ("if-match", "*")];
        let answer = fixture.with_token(method.clone(), path, &headers, body).await;
        assert_eq!(answer.refusal(), (403, "read_only".to_owned()), "{method} {path}");
    }
    assert_eq!(fixture.file("mail.yaml"), MAIL);
    assert!(fixture.watched.purged.lock().is_empty());
    let check = json!({"files": {"mail.yaml": text}}).to_string();
    let path = "/api/v1/policies:check";
    let answer = fixture.with_token(Method::POST, path, &[JSON], &check).await;
    assert_eq!(answer.status, StatusCode::OK);
}
