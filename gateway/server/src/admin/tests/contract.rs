//! The API does what its document says: each operation of it, with each role, from each side.

use super::*;
use crate::admin::api::openapi::document;

/// An operation of the document, with a path that can be called.
struct Told {
    method: Method,
    path: String,
    operation: Value,
}

impl Told {
    fn role(&self) -> Option<Role> {
        match self.operation["x-role"].as_str() {
            None => None,
            Some("viewer") => Some(Role::Viewer),
            Some("editor") => Some(Role::Editor),
            Some("admin") => Some(Role::Admin),
            Some(other) => panic!("no role: {other}"),
        }
    }
}

/// The document's path as a call of the fixture's policy.
fn callable(path: &str) -> String {
    let path = path.replace("routes/{name}", "routes/mail-list").replace("{name}", "receive");
    let path = path.replace("{trace_id}", TRACE_ID);
    path.replace("{file}", "mail.yaml").replace("{id}", "1")
}

/// Everything the gateway's own answer to `openapi.json` tells.
async fn told(fixture: &Fixture) -> Vec<Told> {
    let document = fixture.get("/api/v1/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
            all.push(Told { method, path: callable(path), operation: operation.clone() });
        }
    }
    assert!(all.len() >= 25, "{}", all.len());
    all
}

/// How a change of a policy file is written, so that what refuses it is never its form.
const HARMLESS: [(&str, &str); 1] = [("if-match", "\"nothing\"")];

#[tokio::test]
async fn the_document_has_every_path_and_method_of_the_table_and_no_other() {
    let fixture = Fixture::with(true).await; // read-only: nothing that is called changes anything
    let told = told(&fixture).await;
    for path in api_paths() {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            // The one path whose verb is a part of its segment.
            let restores = method == Method::POST && path == "/api/v1/revisions/1";
            let path = if restores { format!("{path}:restore") } else { path.clone() };
            let is_told = told.iter().any(|told| told.method == method && told.path == path);
            let answer = fixture.with_token(method.clone(), &path, &HARMLESS, "").await;
            let is_there = answer.status != StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(is_told, is_there, "{method} {path}: {}", answer.status);
        }
    }
    for Told { method, path, .. } in &told {
        let served = path.strip_suffix(":restore").unwrap_or(path);
        assert!(api_paths().iter().any(|known| known == served), "{method} {path}");
    }
}

#[tokio::test]
async fn every_operation_needs_a_login_and_its_role() {
    let fixture = Fixture::new().await;
    for Told { method, path, operation } in told(&fixture).await {
        let told = Told { method: method.clone(), path: path.clone(), operation };
        let Some(least) = told.role() else {
            assert_eq!((method, path.as_str()), (Method::POST, "/api/v1/session"));
            assert_eq!(told.operation["security"], serde_json::json!([]));
            continue;
        };
        let cookie = ("cookie", "sumun_session=0000");
        for headers in [&[][..], &[cookie], &[("authorization", "Bearer 0000")]] {
            let answer = fixture.call(method.clone(), &path, headers, "").await;
            assert_eq!(answer.refusal(), (401, "unauthorized".to_owned()), "{method} {path}");
        }
        for (role, user) in [(Role::Viewer, "vera"), (Role::Editor, "eda"), (Role::Admin, "ada")] {
            // A new one for each: one of the operations ends it.
            let identity = session::Identity { name: user.into(), role };
            let set = fixture.desk.sessions.begin(identity).unwrap();
            let cookie = set.to_str().unwrap().split(';').next().unwrap().to_owned();
            let headers = [&HARMLESS[..], &[("cookie", &cookie)]].concat();
            let answer = fixture.call(method.clone(), &path, &headers, "").await;
            let refused = answer.status == StatusCode::FORBIDDEN;
            assert_eq!(refused, role < least, "{method} {path} as {role:?}: {}", answer.status);
            if refused {
                assert_eq!(answer.refusal().1, "role_missing");
            }
        }
    }
}

#[tokio::test]
async fn no_operation_is_for_a_foreign_host_and_no_change_for_a_foreign_page() {
    let fixture = Fixture::new().await;
    let before = fixture.file("mail.yaml");
    for Told { method, path, .. } in told(&fixture).await {
        for host in ["evil.example", "evil.example:9900", "127.0.0.1.evil.example"] {
            let answer = fixture.with_token(method.clone(), &path, &[("host", host)], "").await;
            assert_eq!(answer.refusal(), (403, "host_unknown".to_owned()), "{method} {path}");
        }
        for foreign in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")] {
            let headers = [HARMLESS[0], foreign];
            let answer = fixture.with_token(method.clone(), &path, &headers, "").await;
            if method == Method::GET {
                // Reading is guarded by what the browser keeps from other pages.
                assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
                assert_eq!(answer.header("access-control-allow-origin"), "");
            } else {
                let refusal = answer.refusal();
                assert_eq!(refusal, (403, "origin_foreign".to_owned()), "{method} {path}");
            }
        }
    }
    assert_eq!(fixture.file("mail.yaml"), before);
    assert!(fixture.watched.purged.lock().is_empty());
}

/// Holds one answer to the document: its status, its media type and the code of its problem.
/// Every call of every test of this folder passes here.
pub(super) fn hold(method: &Method, path: &str, answer: &Answer) {
    static DOCUMENT: std::sync::LazyLock<Value> = std::sync::LazyLock::new(document::write);
    let path = path.split('?').next().unwrap_or_default();
    let method = method.as_str().to_ascii_lowercase();
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let Some((_, methods)) = paths.iter().find(|(template, _)| fits(template, path)) else {
        return; // Not of the API, or not there.
    };
    let Some(operation) = methods.get(&method) else {
        // `/api/v1/revisions/1` can be written with any verb behind it; only one is known.
        return;
    };
    let status = answer.status.as_str();
    let told = &operation["responses"][status];
    assert!(told.is_object(), "{method} {path}: {status} is not in the document");
    let media = answer.header("content-type").split(';').next().unwrap_or_default();
    let content = &told["content"];
    assert_eq!(content.is_object(), !media.is_empty(), "{method} {path}: {status} {media}");
    assert!(content.is_null() || content[media].is_object(), "{method} {path}: {status} {media}");
    if media == "application/problem+json" {
        let code = &answer.json()["code"];
        let codes = told["x-codes"].as_array().unwrap();
        assert!(codes.contains(code), "{method} {path}: {status} {code} is not in the document");
    }
}

/// Whether a path is of a template; a variable stands for one segment, or for its beginning.
fn fits(template: &str, path: &str) -> bool {
    let (mut told, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (told.next(), given.next()) {
            (None, None) => return true,
            (Some(told), Some(given)) => match told.split_once('}') {
                Some((_, rest)) if rest.is_empty() && !given.contains(':') => {}
                Some((_, rest)) if !rest.is_empty() && given.ends_with(rest) => {}
                None if told == given => {}
                _ => return false,
            },
            _ => return false,
        }
    }
}
