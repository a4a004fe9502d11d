//! Calls that are exchanged in one piece beside the HTTP stack, on both sides: small ones, one after
//! the other on connections that are kept. Nobody can tell, and whatever needs more is served as ever.

use std::time::Duration;

use sumun_tests::{
    Client, DEADLINE, Gate, Recorded, Reply, Response, Step, Sumun, Upstream, eventually,
};

use crate::policies;

const PLAIN: &str = "GET /plain HTTP/1.1\r\nhost: a\r\n\r\n";
const ODD: &str = "GET /odd HTTP/1.1\r\nhost: a\r\n\r\n";

/// A gateway in front of an upstream that answers `/odd…` as told and everything else with its target;
/// and a connection on which the next call goes aside.
async fn warm(
    odd: impl Fn(&Recorded) -> Reply + Send + Sync + 'static,
) -> (Upstream, Sumun, Client) {
    let upstream = Upstream::start(move |request| {
        if request.target().starts_with("/odd") {
            odd(request)
        } else {
            Reply::ok(request.target())
        }
    })
    .await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    warm_up(&mut client).await;
    (upstream, sumun, client)
}

/// More than the calls that are not tried after one that was not whole.
async fn warm_up(client: &mut Client) {
    for _ in 0..12 {
        let answer = client.exchange(PLAIN).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "/plain"), "{answer}");
    }
}

/// What a client can tell of an answer.
fn told(answer: &Response) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let head = String::from_utf8_lossy(&answer.head.raw).into_owned();
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let fields = lines.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let mut fields: Vec<_> = fields.filter(|(name, _)| name != "date").collect();
    fields.sort();
    (answer.status, fields, answer.body.clone())
}

#[tokio::test]
async fn answers_of_every_kind_are_the_same_aside_and_through_the_stack() {
    let large = "y".repeat(9_000);
    let larger = "z".repeat(40_000);
    let odd = [
        Reply::ok(""),
        Reply::ok(&large),
        Reply::ok(&larger),
        Reply::with(404, &[("x-one", "1"), ("x-one", "2"), ("set-cookie", "a=b")], "not here"),
        Reply::with(200, &[("connection", "keep-alive"), ("keep-alive", "timeout=5")], "kept"),
        Reply::with(200, &[("connection", "close, x-own"), ("x-own", "1")], "last")
            .then(Step::Close),
        Reply::with(200, &[("connection", "x-own"), ("x-own", "1")], "named"),
        Reply::raw("HTTP/1.1 204 No Content\r\nx-one: 1\r\n\r\n"),
        Reply::raw("HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\ncontent-length: 70\r\n\r\n"),
        Reply::raw(
            "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        ),
        Reply::raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        Reply::chunked(&[("trailer", "x-sum")])
            .then(Step::Chunk("ab".into()))
            .then(Step::LastChunk(vec![("x-sum".into(), "1".into())])),
        Reply::raw("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nold").then(Step::Close),
        Reply::raw("HTTP/1.1 200 OK\r\n\r\nall there is").then(Step::Close),
        Reply::new().then(Step::Drip(
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nslow".into(),
            Duration::from_millis(1),
        )),
        Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc")
            .then(Step::Close),
        Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut").then(Step::Close),
    ];
    for (number, reply) in odd.into_iter().enumerate() {
        let scripted = reply.clone();
        let (upstream, sumun, mut client) = warm(move |_| scripted.clone()).await;
        client.send(ODD).await;
        let aside = client.response().await;
        // Calls with an upload are the stack's.
        let mut other = Client::connect(sumun.address()).await;
        other.send("GET /odd HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx").await;
        let through = other.response().await;
        match (&aside, &through) {
            (Ok(aside), Ok(through)) if aside.status != 502 => {
                assert_eq!(told(aside), told(through), "{number}");
            }
            (Ok(aside), Ok(through)) => assert_eq!(aside.status, through.status, "{number}"),
            (Err(_), Err(_)) => {}
            _ => panic!("{number}: {aside:?} aside, {through:?} through the stack"),
        }
        if aside.is_ok_and(|aside| aside.header("connection") != Some("close")) {
            warm_up(&mut client).await;
        }
        assert!(upstream.malformed().is_empty(), "{number}: {:?}", upstream.malformed());
    }
}

/// Refused: the route's rate is used up after one call, or its function is paused.
const REFUSING: [(&str, &str); 2] = [
    ("rps_over", "admission: { rps: { limit: 0.001, burst: 1 } }, class: batch"),
    ("quota_full", "function: paused"),
];

#[tokio::test]
async fn refusals_are_the_same_in_front_of_the_stack_and_through_it() {
    for (code, route) in REFUSING {
        let upstream = Upstream::start(|_| Reply::ok("x")).await;
        let sumun = Sumun::start(&format!(
            "version: 1\nupstreams: {{ up: {{ endpoints: [{}] }} }}\n\
             functions: {{ paused: {{ upstream: up, reserved: 0 }} }}\n\
             routes: {{ r: {{ match: {{ path: /** }}, {route}{} }} }}\n",
            upstream.url(),
            if route.contains("function") { "" } else { ", upstream: up" },
        ))
        .await;
        let mut client = Client::connect(sumun.address()).await;
        client.exchange(PLAIN).await; // the one that the rate has
        let through = "POST /plain HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx";
        let mut seen = Vec::new();
        for request in [PLAIN, through, PLAIN, through] {
            let answer = client.exchange(request).await;
            let mut problem = answer.problem(429, code);
            let trace_id = problem["trace_id"].take().as_str().unwrap().to_owned();
            let after_ms = problem["retry_after_ms"].take().as_u64().unwrap();
            let (status, mut fields, _) = told(&answer);
            let after = answer.header("retry-after").unwrap();
            assert_eq!(after, after_ms.div_ceil(1000).to_string());
            assert!(answer.header("ratelimit").unwrap().ends_with(&format!(";t={after}")));
            // These differ from call to call, and so may the length.
            fields.retain(|(name, _)| {
                !["retry-after", "ratelimit", "content-length"].contains(&name.as_str())
            });
            seen.push((status, fields, problem));
            // Both ways the call's record says the same, too.
            let path = format!("/api/v1/traces/{trace_id}");
            let told = eventually("the refusal's trace", DEADLINE, async || {
                let trace = sumun.admin("GET", &path, &[], b"").await;
                if trace.status == 200 { Ok(trace.json()) } else { Err(trace.status) }
            })
            .await;
            let text = told.to_string();
            assert!(text.contains(&format!("\"{after_ms}\"")), "{after_ms}: {text}");
            assert!(text.contains(code), "{text}");
        }
        assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
    }
}

#[tokio::test]
async fn a_head_in_pieces_is_answered_as_a_whole_one() {
    let (_upstream, sumun, mut kept) = warm(|_| Reply::ok("odd")).await;
    for at in 1..PLAIN.len() {
        let (begin, end) = PLAIN.split_at(at);
        let mut fresh = Client::connect(sumun.address()).await;
        for client in [&mut fresh, &mut kept] {
            client.send(begin).await;
            client.send(end).await;
            assert_eq!(client.answer().await.text(), "/plain", "split at {at}");
        }
    }
}

#[tokio::test]
async fn calls_of_all_kinds_follow_each_other_on_one_connection() {
    let (upstream, sumun, mut client) = warm(|request| match request.method() {
        "HEAD" => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n"),
        _ => Reply::ok(&request.body),
    })
    .await;
    let upload = "POST /odd HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
    let chunked = "POST /odd HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n0\r\n\r\n";
    let head = "HEAD /odd HTTP/1.1\r\nhost: a\r\n\r\n";
    for round in 0..3 {
        for (request, text) in
            [(PLAIN, "/plain"), (upload, "abc"), (PLAIN, "/plain"), (chunked, "abc")]
        {
            assert_eq!(client.exchange(request).await.text(), text, "{round}: {request}");
        }
        client.send([PLAIN, head, upload, PLAIN].concat()).await;
        assert_eq!(client.answer().await.text(), "/plain");
        let answer = client.response_to("HEAD").await.unwrap();
        assert_eq!((answer.header("content-length"), answer.body.len()), (Some("6"), 0));
        assert_eq!(client.answer().await.text(), "abc");
        assert_eq!(client.answer().await.text(), "/plain");
    }
    assert!(upstream.malformed().is_empty());
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_head_is_gone() {
    let (_upstream, sumun, mut client) = warm(|_| Reply::ok("odd")).await;
    client.send("GET /plain HTTP/1.1\r\nho").await;
    client.half_close().await;
    assert!(client.rest().await.0.is_empty());
    let mut fresh = Client::connect(sumun.address()).await;
    fresh.half_close().await;
    assert!(fresh.rest().await.0.is_empty());
    assert_eq!(Client::connect(sumun.address()).await.exchange(PLAIN).await.status, 200);
}

#[tokio::test]
async fn a_connection_that_ends_instead_of_an_answer_is_tried_anew_where_that_is_safe() {
    for (method, status, requests) in [("GET", 200, 2), ("POST", 502, 1)] {
        let ended = std::sync::atomic::AtomicBool::new(false);
        let (upstream, _sumun, mut client) = warm(move |_| {
            if ended.swap(true, std::sync::atomic::Ordering::Relaxed) {
                Reply::ok("again")
            } else {
                Reply::only(Step::Close)
            }
        })
        .await;
        upstream.forget();
        let request = format!("{method} /odd HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(client.exchange(request).await.status, status, "{method}");
        assert_eq!(upstream.request_count(), requests, "{method}");
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_idled_is_not_used() {
    let (upstream, _sumun, mut client) = warm(|_| Reply::ok("last").then(Step::Close)).await;
    for _ in 0..5 {
        assert_eq!(client.exchange(ODD).await.text(), "last");
        // Not repeated: it must find a connection that is there.
        let posted = "POST /plain HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n";
        eventually("the close is seen", DEADLINE, async || {
            let open = upstream.open_connections();
            if open == 0 { Ok(()) } else { Err(open) }
        })
        .await;
        assert_eq!(client.exchange(posted).await.status, 200);
    }
}

#[tokio::test]
async fn what_is_sent_behind_a_call_under_way_is_answered_in_its_turn() {
    let gate = Gate::closed();
    let opened = gate.clone();
    let (upstream, _sumun, mut client) = warm(move |_| Reply::ok("odd").behind(&opened)).await;
    upstream.forget();
    client.send(ODD).await;
    upstream.arrived(1).await;
    let (begin, end) = PLAIN.split_at(9);
    client.send([PLAIN, ODD, begin].concat()).await;
    gate.open();
    client.send([end, PLAIN].concat()).await;
    for text in ["odd", "/plain", "odd", "/plain", "/plain"] {
        assert_eq!(client.answer().await.text(), text);
    }
}

#[tokio::test]
async fn a_malformed_call_behind_one_under_way_is_refused_in_its_turn() {
    let gate = Gate::closed();
    let opened = gate.clone();
    let (upstream, _sumun, mut client) = warm(move |_| Reply::ok("odd").behind(&opened)).await;
    upstream.forget();
    client.send(ODD).await;
    upstream.arrived(1).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n").await;
    gate.open();
    assert_eq!(client.answer().await.text(), "odd");
    assert_eq!(client.answer().await.status, 400);
    assert!(client.rest().await.0.is_empty(), "nothing comes after it");
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_call() {
    let (upstream, sumun, mut client) = warm(|_| Reply::only(Step::Hang)).await;
    upstream.forget();
    client.send(ODD).await;
    upstream.arrived(1).await;
    drop(client);
    eventually("the upstream's connection is closed", DEADLINE, async || {
        let open = upstream.open_connections();
        if open == 0 { Ok(()) } else { Err(open) }
    })
    .await;
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn a_call_under_way_when_the_drain_begins_is_answered() {
    let gate = Gate::closed();
    let opened = gate.clone();
    let (upstream, mut sumun, mut client) = warm(move |_| Reply::ok("odd").behind(&opened)).await;
    upstream.forget();
    client.send(ODD).await;
    upstream.arrived(1).await;
    sumun.sigterm();
    eventually("no connection is accepted any more", DEADLINE, async || match Client::try_connect(
        sumun.address(),
    )
    .await
    {
        Ok(_) => Err("accepted"),
        Err(_) => Ok(()),
    })
    .await;
    gate.open();
    let answer = client.answer().await;
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("odd", Some("close")));
    assert!(sumun.wait_exit(DEADLINE).await.success());
}

/// The limit is one for the whole head, whoever reads which part of it.
#[tokio::test]
async fn half_a_head_late_and_then_silence_is_504_within_the_limit() {
    let upstream = Upstream::start(|request| match request.target() {
        "/odd" => Reply::raw("HTTP/1.1 200 OK\r\ncontent-")
            .after(Duration::from_millis(700))
            .then(Step::Hang),
        target => Reply::ok(target),
    })
    .await;
    let keys = format!("endpoints: [\"{}\"], timeout: {{ response: 1s }}", upstream.url());
    let sumun = Sumun::start(&policies::policy(&keys, "")).await;
    let mut client = Client::connect(sumun.address()).await;
    warm_up(&mut client).await;
    let began = std::time::Instant::now();
    client.exchange(ODD).await.problem(504, "upstream_timeout");
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(950), "{took:?}");
    assert!(took < Duration::from_millis(1400), "{took:?}");
    sumun.idle(DEADLINE).await;
}
