//! The router, call by call, over a real policy folder and a real snapshot.

mod changes;
mod contract;
mod entering;
mod listening;
mod past;
mod seeing;
mod traces;
mod watched;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use serde_json::Value;
use sumun_engine::live::Live;
use sumun_engine::snapshot::Snapshot;
use sumun_engine::time::Moment;
use tokio::sync::mpsc;
use tower::ServiceExt;

use self::watched::{TRACE_ID, Watched};
use super::watch::{Forgetting, Purge, Purged};
use super::*;
use crate::reload::{Apply, Source};
use crate::settings::Role;
use crate::telemetry::traces::{Kind, Wanted};

const MAIL: &str = "\
version: 1
# the whole gateway
pool: { total: 1000, unreserved_min: 100 }
upstreams:
  mailbox: { endpoints: [http://127.0.0.1:9101, http://127.0.0.1:9102], workers_max: 200 }
functions:
  receive: { upstream: mailbox, reserved: 300 }   # nightly import
  send:
    upstream: mailbox   # shares
routes:
  mail-receive:
    match: { methods: [POST], path: /mail/receive/** }
    function: receive
    class: batch
    admission: { mode: shadow, rps: { limit: 500 }, workers: { enter: 85% } }
  mail-list:
    match: { methods: [GET], path: /mail/list/** }
    upstream: mailbox
";

/// Everybody's password is his name, hashed at the least cost there is.
fn users() -> Vec<crate::settings::User> {
    use argon2::password_hash::PasswordHasher as _;
    let cheap = argon2::Params::new(8, 1, 1, None).unwrap();
    let hasher = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, cheap);
    [("vera", Role::Viewer), ("eda", Role::Editor), ("ada", Role::Admin)]
        .map(|(name, role)| crate::settings::User {
            name: name.to_owned(),
            role,
            hash: hasher.hash_password(name.as_bytes()).unwrap().to_string(),
        })
        .into()
}

struct Fixture {
    folder: tempfile::TempDir,
    watched: Arc<Watched>,
    reload: Reload,
    token: String,
    desk: Arc<Desk>,
    router: Router,
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The status and the code of a refusal, which must be problem+json.
    fn refusal(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        (self.status.as_u16(), problem["code"].as_str().unwrap().to_owned())
    }
}

impl Fixture {
    async fn new() -> Self {
        Self::with(false).await
    }

    async fn with(read_only: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let policies = folder.path().join("policies");
        std::fs::create_dir(&policies).unwrap();
        std::fs::write(policies.join("mail.yaml"), MAIL).unwrap();
        let watched = Arc::new(Watched {
            snapshot: ArcSwapOption::empty(),
            live: Live::new(),
            readiness: Mutex::new(Readiness::Ready),
            purged: Mutex::default(),
            wanted: Mutex::default(),
        });
        let running = Arc::clone(&watched);
        let apply: Apply = Arc::new(move |loaded| {
            let next = running.snapshot.load().as_ref().map_or(0, |s| s.revision) + 1;
            let revision = loaded.revision.unwrap_or(next);
            let now = Moment::from_nanos(1);
            let snapshot = Snapshot::compile(loaded.policy, revision, &running.live, now);
            running.snapshot.store(Some(Arc::new(snapshot)));
            revision
        });
        let (_, hangups) = mpsc::channel(1);
        let reload = Reload::start(Source::Folder(policies), folder.path(), apply, hangups);
        reload.now().await.unwrap();
        let (token, _) = Token::open(folder.path()).unwrap();
        let text = std::fs::read_to_string(folder.path().join(TOKEN_FILE)).unwrap();
        let desk = Arc::new(Desk {
            watch: Arc::clone(&watched) as Arc<dyn Watch>,
            reload: reload.clone(),
            token,
            events: Arc::default(),
            previews: Arc::new(Semaphore::new(1)),
            login: Login::new(users()),
            sessions: Sessions::default(),
            audit: Audit::new(folder.path()),
            read_only,
            address: "127.0.0.1:9900".parse().unwrap(),
        });
        let router = router(Arc::clone(&desk));
        Self { folder, watched, reload, token: text.trim().to_owned(), desk, router }
    }

    /// A call with a valid `Host` and whatever else is given; `Host` may be given too.
    async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "127.0.0.1:9900");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let method = request.method().clone();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = match parts.headers.get("content-type") {
            Some(media) if media == "text/event-stream" => first_events(body).await,
            _ => body.collect().await.unwrap().to_bytes().to_vec(),
        };
        let answer = Answer { status: parts.status, headers: parts.headers, body };
        contract::hold(&method, path, &answer);
        answer
    }

    /// A call with the token.
    async fn with_token(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let headers = [&[("authorization", bearer.as_str())], headers].concat();
        self.call(method, path, &headers, body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.with_token(Method::GET, path, &[], "").await
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join("policies").join(name)).unwrap()
    }
}

/// The beginning of a stream that has no end: what to do when it breaks, and one event.
async fn first_events(mut body: Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..2 {
        let Some(frame) = body.frame().await else { break };
        bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    bytes
}

/// Every path of the API with its variable segment filled in.
fn api_paths() -> Vec<String> {
    api::endpoints()
        .into_iter()
        .map(|(path, _, _)| {
            let path = path.replace("routes/{name}", "routes/mail-list");
            format!(
                "/api{}",
                path.replace("{name}", "receive")
                    .replace("{file}", "mail.yaml")
                    .replace("{id}", "1")
                    .replace("{trace_id}", TRACE_ID)
            )
        })
        .collect()
}

const METHODS: [Method; 6] =
    [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS];

#[tokio::test]
async fn without_the_token_every_endpoint_is_401_whatever_the_method() {
    let fixture = Fixture::new().await;
    let wrong = format!("Bearer {}", "0".repeat(64));
    let almost = format!("Bearer {}", &fixture.token[..63]);
    let basic = format!("Basic {}", fixture.token);
    let paths = api_paths().into_iter().chain(["/api/v1/none".to_owned(), "/api/".to_owned()]);
    for path in paths {
        for method in METHODS {
            if path == "/api/v1/session" && method == Method::POST {
                continue; // the login itself
            }
            for credentials in ["", "Bearer ", "Bearer", &wrong, &almost, &basic] {
                let headers = [("authorization", credentials)];
                let answer = fixture.call(method.clone(), &path, &headers, "").await;
                assert_eq!(answer.refusal(), (401, "unauthorized".to_owned()), "{method} {path}");
                assert!(answer.header("www-authenticate").starts_with("Bearer"));
            }
        }
    }
    assert_eq!(fixture.file("mail.yaml"), MAIL);
}

#[tokio::test]
async fn a_foreign_host_is_refused_everywhere_even_with_the_token() {
    let fixture = Fixture::new().await;
    let open = ["/livez", "/readyz", "/metrics", "/"].map(str::to_owned);
    for path in api_paths().into_iter().chain(open) {
        for host in
            ["evil.example", "127.0.0.1.evil.example:9900", "10.0.0.1:9900", "", "a@localhost"]
        {
            let answer = fixture.with_token(Method::GET, &path, &[("host", host)], "").await;
            assert_eq!(answer.refusal(), (403, "host_unknown".to_owned()), "{host} {path}");
        }
        for host in ["localhost:9900", "127.0.0.1:9900", "[::1]:9900", "LOCALHOST", "127.0.0.1"] {
            let answer = fixture.with_token(Method::GET, &path, &[("host", host)], "").await;
            assert_ne!(answer.status, StatusCode::FORBIDDEN, "{host} {path}");
        }
        let two = [("host", "localhost"), ("host", "evil.example")];
        let answer = fixture.with_token(Method::GET, &path, &two, "").await;
        assert_eq!(answer.refusal().0, 403);
    }
}

#[tokio::test]
async fn other_methods_are_405_and_say_which_are_allowed() {
    let fixture = Fixture::new().await;
    let open = ["/livez", "/readyz", "/metrics", "/"].map(str::to_owned);
    for path in api_paths().into_iter().chain(open) {
        for method in [Method::PATCH, Method::from_bytes(b"BREW").unwrap()] {
            let answer = fixture.with_token(method.clone(), &path, &[], "").await;
            let refusal = answer.refusal();
            assert_eq!(refusal, (405, "method_not_allowed".to_owned()), "{method} {path}");
            assert!(!answer.header("allow").is_empty(), "{method} {path}");
        }
    }
    // State never changes on GET.
    for path in ["/api/v1/cache:purge", "/api/v1/functions/receive/concurrency"] {
        assert_eq!(fixture.get(path).await.refusal().0, 405);
    }
}

#[tokio::test]
async fn changes_from_foreign_pages_are_refused_even_with_the_token() {
    let fixture = Fixture::new().await;
    let json = ("content-type", "application/json");
    for foreign in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", "https://127.0.0.1:9900"),
        ("origin", "http://127.0.0.1:8080"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let headers = [json, foreign];
        let answer = fixture
            .with_token(Method::POST, "/api/v1/cache:purge", &headers, "{\"all\":true}")
            .await;
        assert_eq!(answer.refusal(), (403, "origin_foreign".to_owned()), "{foreign:?}");
    }
    assert!(fixture.watched.purged.lock().is_empty());
    for own in [("origin", "http://127.0.0.1:9900"), ("sec-fetch-site", "same-origin")] {
        let headers = [json, own];
        let answer = fixture
            .with_token(Method::POST, "/api/v1/cache:purge", &headers, "{\"all\":true}")
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{own:?}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_protecting_headers() {
    let fixture = Fixture::new().await;
    for path in ["/livez", "/readyz", "/metrics", "/api/v1/status", "/api/v1/none", "/", "/none.js"]
    {
        let answer = fixture.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}");
        let stored = answer.header("cache-control");
        assert!(stored == "no-store" || (path == "/" && stored == "no-cache"), "{path}: {stored}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let fixture = Fixture::new().await;
    for path in ["/api/v1/traces/", "/api/v2/status", "/api"] {
        assert_eq!(fixture.get(path).await.refusal(), (404, "not_found".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn health_and_metrics_are_open() {
    let fixture = Fixture::new().await;
    for (path, text) in [("/livez", "live\n"), ("/readyz", "ready\n"), ("/metrics", "sumun_up 1\n")]
    {
        let answer = fixture.call(Method::GET, path, &[], "").await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, text));
        let head = fixture.call(Method::HEAD, path, &[], "").await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    }
    let metrics = fixture.call(Method::GET, "/metrics", &[], "").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4");
    *fixture.watched.readiness.lock() = Readiness::NotReady(Cow::Borrowed("draining"));
    let answer = fixture.call(Method::GET, "/readyz", &[], "").await;
    assert_eq!((answer.status, answer.text()), (StatusCode::SERVICE_UNAVAILABLE, "draining\n"));
    let status = fixture.get("/api/v1/status").await.json();
    assert_eq!((&status["ready"], &status["reason"]), (&false.into(), &"draining".into()));
}
