use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;

use super::{Caller, Outcome, outcome};
use crate::demo::serve::{self, Answer, Service};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
        .collect()
}

#[test]
fn a_refusal_says_when_to_come_back() {
    let check = |pairs: &[_], body: &str, quota: bool, after_ms: u64| {
        let got = outcome(StatusCode::TOO_MANY_REQUESTS, &headers(pairs), body.as_bytes());
        let after = Duration::from_millis(after_ms);
        assert_eq!(got, Outcome::Refused { quota, after }, "{body}");
    };
    let after = [("retry-after", "2")];
    check(&after, r#"{"code":"workers_over","retry_after_ms":1250}"#, false, 1_250);
    check(&after, r#"{"code":"quota_full"}"#, true, 2_000);
    check(&[], "", false, 1_000);
    check(&[("retry-after", "86400")], "", false, 30_000);
    check(&[("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")], "", false, 0);
}

#[test]
fn a_hit_is_one_whatever_stands_around_it() {
    for (value, hit) in [
        ("sumun; hit", true),
        ("sumun;hit;ttl=12", true),
        ("origin; fwd=miss, sumun; hit", true),
        ("sumun; fwd=miss; stored", false),
        ("hit", false),
    ] {
        let got = outcome(StatusCode::OK, &headers(&[("cache-status", value)]), b"");
        assert_eq!(got, Outcome::Done { hit }, "{value}");
    }
}

#[test]
fn anything_else_failed() {
    for status in [StatusCode::NOT_FOUND, StatusCode::BAD_GATEWAY, StatusCode::GATEWAY_TIMEOUT] {
        assert_eq!(outcome(status, &HeaderMap::new(), b""), Outcome::Failed);
    }
}

/// Answers 200, every third time with `Connection: close`.
struct Gateway(AtomicU32);

impl Service for Gateway {
    async fn answer(&self, _: Request<Bytes>) -> Answer {
        let mut answer = Response::new(Full::new(Bytes::from_static(b"answer")));
        if self.0.fetch_add(1, Ordering::SeqCst) % 3 == 2 {
            answer.headers_mut().insert("connection", HeaderValue::from_static("close"));
        }
        answer
    }
}

#[tokio::test]
async fn calls_go_on_over_closed_and_refused_connections() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let gateway = Arc::new(Gateway(AtomicU32::new(0)));
    let served = tokio::spawn(serve::run(listener, gateway.clone()));
    let mut caller = Caller::new(address);
    for _ in 0..10 {
        let request = Request::get("/mail/list/inbox").body(Full::default()).unwrap();
        assert_eq!(caller.call(request).await, Outcome::Done { hit: false });
    }
    assert_eq!(gateway.0.load(Ordering::SeqCst), 10);
    served.abort();
    assert!(served.await.unwrap_err().is_cancelled());
    let request = Request::get("/mail/list/inbox").body(Full::default()).unwrap();
    assert_eq!(caller.call(request).await, Outcome::Failed);
    assert!(caller.connection.is_none());
}
