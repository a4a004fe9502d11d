//! Logging in, roles, and the log of what was changed.

use super::*;

const JSON: (&str, &str) = ("content-type", "application/json");

impl Fixture {
    async fn login(&self, body: &str) -> Answer {
        self.call(Method::POST, "/api/v1/session", &[JSON], body).await
    }

    /// The cookie of a user whose password is the name.
    async fn cookie(&self, user: &str) -> String {
        let body = format!(r#"{{"user":"{user}","password":"{user}"}}"#);
        let answer = self.login(&body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.header("set-cookie").split(';').next().unwrap().to_owned()
    }

    /// The audit log, newest first: who, what, status.
    async fn audited(&self) -> Vec<(String, String, u64)> {
        let log = self.get("/api/v1/audit").await.json();
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
        let entries = log["entries"].as_array().unwrap().iter();
        entries
            .map(|entry| {
                (text(entry, "who"), text(entry, "what"), entry["status"].as_u64().unwrap())
            })
            .collect()
    }
}

#[tokio::test]
async fn the_token_of_the_login_link_becomes_a_session_and_ends_with_a_logout() {
    let fixture = Fixture::new().await;
    let answer = fixture.login(&format!(r#"{{"token":"{}"}}"#, fixture.token)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json(), serde_json::json!({"user":"token","role":"admin","read_only":false}));
    let set = answer.header("set-cookie").to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    let cookie = [("cookie", set.split(';').next().unwrap())];
    for path in ["/api/v1/session", "/api/v1/status", "/api/v1/audit"] {
        let answer = fixture.call(Method::GET, path, &cookie, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
    let out = fixture.call(Method::DELETE, "/api/v1/session", &cookie, "").await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    let after = fixture.call(Method::GET, "/api/v1/status", &cookie, "").await;
    assert_eq!(after.refusal(), (401, "unauthorized".to_owned()));
}

#[tokio::test]
async fn wrong_credentials_are_401_and_soon_429() {
    let fixture = Fixture::new().await;
    for body in [
        r#"{"token":"0000"}"#,
        r#"{"user":"vera","password":"eda"}"#,
        r#"{"user":"nobody","password":"nobody"}"#,
    ] {
        let answer = fixture.login(body).await;
        assert_eq!(answer.refusal(), (401, "login_failed".to_owned()), "{body}");
        assert_eq!(answer.header("set-cookie"), "");
    }
    for body in ["{}", r#"{"user":"vera"}"#, r#"{"token":"a","user":"b","password":"c"}"#] {
        assert_eq!(fixture.login(body).await.refusal().0, 400, "{body}");
    }
    let mut answer = fixture.login(r#"{"user":"vera","password":"1"}"#).await;
    for _ in 0..10 {
        answer = fixture.login(r#"{"user":"vera","password":"1"}"#).await;
    }
    assert_eq!(answer.refusal(), (429, "login_attempts".to_owned()));
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    let right = fixture.login(r#"{"user":"vera","password":"vera"}"#).await;
    assert_eq!(right.refusal().0, 429, "the right one is not tried either");
}

#[tokio::test]
async fn every_endpoint_asks_for_the_role_that_its_table_says() {
    let fixture = Fixture::new().await;
    let cookies = [
        (Role::Viewer, fixture.cookie("vera").await),
        (Role::Editor, fixture.cookie("eda").await),
        (Role::Admin, fixture.cookie("ada").await),
    ];
    let mut changing = 0;
    for ((_, needs, _), path) in api::endpoints().into_iter().zip(api_paths()) {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            if path == "/api/v1/session" && method == Method::DELETE {
                continue; // would end the session that is used
            }
            let least = match needs {
                guard::Needs::Oversee => Role::Admin,
                guard::Needs::Change if method != Method::GET => Role::Editor,
                _ => Role::Viewer,
            };
            changing += usize::from(least == Role::Editor);
            for (role, cookie) in &cookies {
                let headers = [("cookie", cookie.as_str())];
                let answer = fixture.call(method.clone(), &path, &headers, "").await;
                if answer.status == StatusCode::METHOD_NOT_ALLOWED {
                    continue;
                }
                let missing = answer.status == StatusCode::FORBIDDEN;
                assert_eq!(missing, *role < least, "{method} {path} as {role:?}");
                if missing {
                    assert_eq!(answer.refusal().1, "role_missing");
                }
            }
        }
    }
    assert!(changing >= 5, "{changing}");
    // A call without a body changes nothing, but a reservation is released without one.
    assert!(fixture.file("mail.yaml").contains("send:"));
}

#[tokio::test]
async fn a_change_is_logged_with_who_from_where_and_why_done_or_not() {
    let fixture = Fixture::new().await;
    let eda = fixture.cookie("eda").await;
    let vera = fixture.cookie("vera").await;
    let path = "/api/v1/functions/receive/concurrency";
    let headers = [("cookie", eda.as_str()), JSON, ("x-change-reason", "nightly import")];
    let done = fixture.call(Method::PUT, path, &headers, r#"{"reserved":310}"#).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text());
    let headers = [("cookie", vera.as_str()), JSON];
    let refused = fixture.call(Method::PUT, path, &headers, r#"{"reserved":1}"#).await;
    assert_eq!(refused.refusal(), (403, "role_missing".to_owned()));
    fixture.login(r#"{"user":"mallory","password":"x"}"#).await;
    // What changes nothing isn't logged.
    fixture.with_token(Method::POST, "/api/v1/policies:check", &[JSON], r#"{"files":{}}"#).await;
    let put = format!("PUT {path}");
    let login = || "login".to_owned();
    assert_eq!(
        fixture.audited().await,
        [
            ("mallory".to_owned(), login(), 401),
            ("vera".to_owned(), put.clone(), 403),
            ("eda".to_owned(), put, 200),
            ("vera".to_owned(), login(), 200),
            ("eda".to_owned(), login(), 200),
        ]
    );
    let log = fixture.get("/api/v1/audit?limit=3").await.json();
    assert_eq!(log["entries"].as_array().unwrap().len(), 3);
    assert_eq!(log["entries"][2]["why"], "nightly import");
    assert_eq!(fixture.get("/api/v1/audit?limit=x").await.refusal().0, 400);
    assert!(fixture.file("mail.yaml").contains("reserved: 310"));
}

#[tokio::test]
async fn a_wrong_token_beside_a_session_is_refused() {
    let fixture = Fixture::new().await;
    let cookie = fixture.cookie("ada").await;
    let headers = [("cookie", cookie.as_str()), ("authorization", "Bearer 0000")];
    let answer = fixture.call(Method::GET, "/api/v1/status", &headers, "").await;
    assert_eq!(answer.refusal().0, 401);
}

#[tokio::test]
async fn a_login_from_a_foreign_page_is_refused() {
    let fixture = Fixture::new().await;
    let body = format!(r#"{{"token":"{}"}}"#, fixture.token);
    let headers = [JSON, ("origin", "http://evil.example")];
    let answer = fixture.call(Method::POST, "/api/v1/session", &headers, &body).await;
    assert_eq!(answer.refusal(), (403, "origin_foreign".to_owned()));
    let form = [("content-type", "text/plain")];
    let answer = fixture.call(Method::POST, "/api/v1/session", &form, &body).await;
    assert_eq!(answer.refusal().0, 415);
}
