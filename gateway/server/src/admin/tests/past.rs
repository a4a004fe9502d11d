//! Revisions, restores and changes for a time, as the API shows them.

use super::*;

const YAML: (&str, &str) = ("content-type", "application/yaml");

impl Fixture {
    async fn put(&self, headers: &[(&str, &str)], text: &str) -> Answer {
        let headers = [&[YAML, ("if-match", "*")], headers].concat();
        self.with_token(Method::PUT, "/api/v1/policies/mail.yaml", &headers, text).await
    }
}

#[tokio::test]
async fn a_revision_says_who_why_and_what_and_can_come_back() {
    let fixture = Fixture::new().await;
    let lower = MAIL.replace("limit: 500", "limit: 400");
    let answer = fixture.put(&[("x-change-reason", "too much mail")], &lower).await;
    assert_eq!((answer.status, &answer.json()["revision"]), (StatusCode::OK, &2.into()));
    let list = fixture.get("/api/v1/revisions").await.json();
    let ids: Vec<_> = list["revisions"].as_array().unwrap().iter().map(|r| &r["id"]).collect();
    assert_eq!(ids, [2, 1]);
    assert_eq!(list["revisions"][0]["author"], "token");
    let older = fixture.get("/api/v1/revisions?before=2&limit=5").await.json();
    assert_eq!(older["revisions"][0]["cause"], "folder");

    let two = fixture.get("/api/v1/revisions/2").await.json();
    assert_eq!((&two["reason"], &two["previous"]), (&"too much mail".into(), &1.into()));
    assert_eq!(two["diff"][0], "route mail-receive: rps limit 500 → 400");
    assert_eq!(two["changed"]["mail.yaml"]["before"], MAIL);
    assert_eq!(two["changed"]["mail.yaml"]["after"], lower);

    let back = fixture.with_token(Method::POST, "/api/v1/revisions/1:restore", &[], "").await;
    assert_eq!(back.json(), serde_json::json!({"revision": 3, "of": 1}));
    assert_eq!(fixture.file("mail.yaml"), MAIL);
    for (method, path) in [
        (Method::GET, "/api/v1/revisions/9"),
        (Method::GET, "/api/v1/revisions/x"),
        (Method::POST, "/api/v1/revisions/9:restore"),
        (Method::POST, "/api/v1/revisions/1:remove"),
        (Method::POST, "/api/v1/revisions/1"),
    ] {
        let answer = fixture.with_token(method.clone(), path, &[], "").await;
        assert_eq!(answer.refusal(), (404, "not_found".to_owned()), "{method} {path}");
    }
    assert_eq!(fixture.get("/api/v1/revisions?before=x").await.refusal().0, 400);
}

#[tokio::test]
async fn a_change_for_a_time_is_listed_until_it_is_kept() {
    let fixture = Fixture::new().await;
    let lower = MAIL.replace("limit: 500", "limit: 400");
    for wrong in ["30", "0s", "8d", "soon", "200h"] {
        let answer = fixture.put(&[("x-revert-after", wrong)], &lower).await;
        assert_eq!(answer.refusal().0, 400, "{wrong}");
    }
    assert_eq!(fixture.file("mail.yaml"), MAIL);
    let answer = fixture.put(&[("x-revert-after", "30m")], &lower).await;
    assert_eq!(answer.status, StatusCode::OK);
    let list = fixture.get("/api/v1/reverts").await.json();
    let waiting = &list["reverts"][0];
    assert_eq!((&waiting["file"], &waiting["removes"]), (&"mail.yaml".into(), &false.into()));
    assert_eq!(waiting["by"]["name"], "token");
    let keep =
        async || fixture.with_token(Method::DELETE, "/api/v1/reverts/mail.yaml", &[], "").await;
    assert_eq!(keep().await.status, StatusCode::NO_CONTENT);
    assert_eq!(keep().await.refusal().0, 404);
    assert_eq!(fixture.get("/api/v1/reverts").await.json()["reverts"], serde_json::json!([]));
    let remove = [("if-match", "*"), ("x-revert-after", "30m")];
    let path = "/api/v1/policies/mail.yaml";
    assert_eq!(fixture.with_token(Method::DELETE, path, &remove, "").await.refusal().0, 400);
}

#[tokio::test]
async fn what_is_read_only_is_not_restored() {
    let fixture = Fixture::with(true).await;
    let path = "/api/v1/revisions/1:restore";
    let answer = fixture.with_token(Method::POST, path, &[], "").await;
    assert_eq!(answer.refusal(), (403, "read_only".to_owned()));
}
