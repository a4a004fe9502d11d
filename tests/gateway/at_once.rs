//! Calls that are answered in front of the HTTP stack: a connection over its limit, call after call.
//! Nobody can tell by the answers, and whatever else comes on that connection is served as ever.

use sumun_tests::{Client, Response, Sumun, Upstream};

use crate::policies;

const REFUSED: &str = "GET /batch/x HTTP/1.1\r\nhost: a\r\n\r\n";
const SERVED: &str = "GET /page/x HTTP/1.1\r\nhost: a\r\n\r\n";

/// A gateway whose `/batch/**` refuses from now on, beside `/page/**`.
async fn refusing() -> (Upstream, Sumun) {
    let upstream = Upstream::plain().await;
    let policy = format!(
        "version: 1\n\
         upstreams:\n  up: {{ {} }}\n\
         routes:\n\
         \x20 job: {{ match: {{ path: /batch/** }}, upstream: up, class: batch, admission: {{ rps: {{ limit: 0.01, burst: 1 }} }} }}\n\
         \x20 kept: {{ match: {{ path: /kept/** }}, upstream: up, cache: {{ fresh_for: 1h }} }}\n\
         \x20 page: {{ match: {{ path: /page/** }}, upstream: up }}\n",
        policies::upstream(&upstream.url())
    );
    let sumun = Sumun::start(&policy).await;
    assert_eq!(sumun.get("/batch/first").await.status, 200);
    (upstream, sumun)
}

/// Names of the fields, in order, without those that a call may have or not.
fn names(answer: &Response) -> Vec<String> {
    let head = String::from_utf8_lossy(&answer.head.raw).into_owned();
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.map(|(name, _)| name.to_owned()).collect()
}

#[tokio::test]
async fn a_call_refused_at_once_is_answered_and_counted_like_the_first_one() {
    const CALLS: usize = 20;
    let (upstream, sumun) = refusing().await;
    let mut client = Client::connect(sumun.address()).await;
    let first = client.exchange(REFUSED).await;
    for _ in 1..CALLS {
        let next = client.exchange(REFUSED).await;
        let (was, is) = (first.problem(429, "rps_over"), next.problem(429, "rps_over"));
        assert_eq!(names(&next), names(&first));
        assert_ne!(was["trace_id"], is["trace_id"], "each call has its own trace");
        assert_eq!(was["policy"], is["policy"]);
        assert_eq!(next.header("content-length"), Some(&*next.body.len().to_string()));
        assert!(next.header("date").is_some_and(|date| date.ends_with(" GMT")), "{next}");
    }
    let refused = "sumun_admission_total{route=\"job\",decision=\"refuse\"}";
    let counted = sumun.metric(refused).await;
    assert!((counted - CALLS as f64).abs() < 0.1, "{counted} of {CALLS}");
    assert_eq!(upstream.request_count(), 1, "the one that was admitted");
}

#[tokio::test]
async fn what_comes_after_a_refusal_is_served_as_ever() {
    let (upstream, sumun) = refusing().await;
    let head_only = "HEAD /batch/x HTTP/1.1\r\nhost: a\r\n\r\n";
    let posted = "POST /batch/x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
    let chunked = "POST /page/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n0\r\n\r\n";
    let kept = "GET /kept/x HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut client = Client::connect(sumun.address()).await;
    for _ in 0..3 {
        for (method, request, status) in [
            ("GET", REFUSED, 429),
            ("GET", REFUSED, 429),
            ("GET", SERVED, 200), // begun in front, ended by the HTTP stack
            ("GET", REFUSED, 429),
            ("POST", posted, 429),
            ("GET", REFUSED, 429),
            ("HEAD", head_only, 429),
            ("GET", REFUSED, 429),
            ("POST", chunked, 200),
            ("GET", REFUSED, 429),
            ("GET", kept, 200),
            ("GET", kept, 200),
        ] {
            client.send(request).await;
            let answer = client.response_to(method).await.expect("an answer");
            assert_eq!(answer.status, status, "{request}{answer}");
        }
    }
    // Several at once, and one in two parts, answered in their order.
    client.send([REFUSED, SERVED, REFUSED, posted, REFUSED].concat()).await;
    for status in [429, 200, 429, 429, 429] {
        assert_eq!(client.answer().await.status, status);
    }
    let (begin, end) = REFUSED.split_at(20);
    client.send(begin).await;
    client.send(end).await;
    assert_eq!(client.answer().await.status, 429);
    assert!(upstream.malformed().is_empty(), "{:?}", upstream.malformed());
}

#[tokio::test]
async fn a_malformed_head_and_an_end_after_a_refusal_end_the_connection() {
    let (_upstream, sumun) = refusing().await;
    for (last, status) in [
        ("GET /batch/x HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        ("GET /batch/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 429),
        ("GET /batch/%2e%2e/x HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ] {
        let mut client = Client::connect(sumun.address()).await;
        assert_eq!(client.exchange(REFUSED).await.status, 429);
        assert_eq!(client.exchange(REFUSED).await.status, 429);
        let answer = client.exchange(last).await;
        assert_eq!(answer.status, status, "{last}{answer}");
        assert_eq!(answer.header("connection"), Some("close"), "{answer}");
        client.send(REFUSED).await;
        assert!(client.rest().await.0.is_empty(), "nothing is read after it");
    }
}

/// What of a refused call's body is still to come is read, within bounds: its connection goes on.
#[tokio::test]
async fn a_body_that_comes_after_its_refusal_does_not_cost_the_connection() {
    let (upstream, sumun) = refusing().await;
    upstream.forget();
    let large = "x".repeat(60_000);
    let chunks = format!("5\r\nhello\r\nea60\r\n{large}\r\n0\r\nx-sum: 1\r\n\r\n");
    let mut client = Client::connect(sumun.address()).await;
    for (framing, body) in [
        ("content-length: 60000", large.as_str()),
        ("transfer-encoding: chunked", chunks.as_str()),
        ("content-length: 5", "hello"),
        ("transfer-encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
    ] {
        let head = format!("POST /batch/x HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n");
        let (begin, end) = body.split_at(body.len() / 2);
        for parts in [
            vec![head.clone() + body],
            vec![head.clone(), body.to_owned()],
            vec![head.clone() + begin, end.to_owned()],
            vec![head + body + SERVED + REFUSED],
        ] {
            let followed = parts.len() == 1 && parts[0].ends_with(REFUSED);
            let mut parts = parts.into_iter();
            client.send(parts.next().expect("a first part")).await;
            let refused = client.answer().await;
            refused.problem(429, "rps_over");
            assert_eq!(refused.header("connection"), None, "{framing}");
            for part in parts {
                client.send(part).await;
            }
            if followed {
                assert_eq!(client.answer().await.status, 200);
                assert_eq!(client.answer().await.status, 429);
            }
            assert_eq!(client.exchange(REFUSED).await.status, 429, "{framing}");
            assert_eq!(client.exchange(SERVED).await.status, 200, "{framing}");
        }
    }
    for seen in upstream.requests() {
        assert!(seen.method() == "GET" && seen.target() == "/page/x", "{seen:?}");
    }
    assert!(upstream.malformed().is_empty(), "{:?}", upstream.malformed());
}

#[tokio::test]
async fn a_body_that_is_too_large_or_does_not_come_ends_the_connection() {
    let (upstream, sumun) = refusing().await;
    upstream.forget();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(65_536));
    for (framing, body) in [
        ("content-length: 100000", SERVED.to_owned()),
        ("content-length: 500", SERVED.to_owned()),
        ("transfer-encoding: chunked", "5\r\nhel".to_owned()),
        ("transfer-encoding: chunked", chunk.repeat(4)),
        // Whether a body comes or the next call, only the client knows.
        ("content-length: 5\r\nexpect: 100-continue", String::new()),
    ] {
        let mut client = Client::connect(sumun.address()).await;
        let head = format!("POST /batch/x HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n");
        client.send(head).await;
        let refused = client.answer().await;
        refused.problem(429, "rps_over");
        if framing == "content-length: 100000" {
            assert_eq!(refused.header("connection"), Some("close"));
        }
        assert!(refused.interim.is_empty(), "nobody is asked to go on: {framing}");
        client.send(body).await;
        client.send(SERVED).await;
        assert!(client.rest().await.0.is_empty(), "{framing}");
    }
    assert_eq!(upstream.request_count(), 0, "{:?}", upstream.requests());
    sumun.idle(sumun_tests::DEADLINE).await;
}
