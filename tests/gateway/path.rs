//! The way through: what is forwarded, what is added, what is taken away; HTTP/1.1 and HTTP/2
//! on both sides.

use std::time::Duration;

use sumun_tests::{
    Client, FaultProxy, Gate, H2Client, H2Reply, H2Upstream, Reply, Step, Sumun, Upstream,
    eventually,
};

use crate::policies;

/// An upstream that answers `ok` and a gateway in front of it.
pub(crate) async fn plain() -> (Upstream, Sumun) {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    (upstream, sumun)
}

/// 32 hexadecimal digits of the trace and 16 of the parent, of a `traceparent` of version 00.
fn trace_parts(traceparent: &str) -> (String, String, String) {
    let parts: Vec<&str> = traceparent.split('-').collect();
    let [version, trace, parent, flags] = parts[..] else { panic!("traceparent {traceparent:?}") };
    assert_eq!((version, trace.len(), parent.len(), flags.len()), ("00", 32, 16, 2));
    (trace.to_owned(), parent.to_owned(), flags.to_owned())
}

#[tokio::test]
async fn a_call_goes_through_with_its_target_host_and_body_as_they_came() {
    let (upstream, sumun) = plain().await;
    let answer =
        sumun.call("POST", "/a/b?c=d&e=%20f", &[("x-own", "1"), ("x-own", "2")], b"a body").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    let seen = upstream.only_request();
    assert_eq!((seen.method(), seen.target()), ("POST", "/a/b?c=d&e=%20f"));
    assert_eq!(seen.head.word(2), "HTTP/1.1");
    assert_eq!(seen.all("host"), ["gateway.test"]);
    assert_eq!(seen.all("x-own"), ["1", "2"]);
    assert_eq!(seen.all("content-length"), ["6"]);
    assert_eq!(seen.body, b"a body");
    assert!(upstream.malformed().is_empty());
}

#[tokio::test]
async fn the_answer_comes_back_with_its_status_headers_and_body() {
    let headers = [("x-one", "1"), ("x-two", "a, b"), ("x-two", "c"), ("set-cookie", "k=v")];
    let upstream = Upstream::start(move |_| Reply::with(418, &headers, "short and stout")).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let answer = sumun.get("/").await;
    assert_eq!((answer.status, answer.text().as_str()), (418, "short and stout"));
    assert_eq!(answer.header("x-one"), Some("1"));
    assert_eq!(answer.all("x-two"), ["a, b", "c"]);
    assert_eq!(answer.header("content-length"), Some("15"));
    assert!(answer.header("proxy-status").is_none(), "the answer is the upstream's own: {answer}");
}

#[tokio::test]
async fn keep_alive_connections_are_used_again_on_both_sides() {
    let (upstream, sumun) = plain().await;
    let mut client = Client::connect(sumun.address()).await;
    for _ in 0..20 {
        let answer = client.exchange("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(answer.status, 200);
    }
    assert_eq!((upstream.request_count(), upstream.connection_count()), (20, 1));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::start(|request| Reply::ok(request.target())).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    let request = |n| format!("GET /{n} HTTP/1.1\r\nhost: a\r\n\r\n");
    client.send([0, 1, 2, 3, 4].map(request).concat()).await;
    for n in 0..5 {
        assert_eq!(client.answer().await.text(), format!("/{n}"));
    }
}

#[tokio::test]
async fn http_1_0_is_served_and_closed_after_the_answer() {
    let (upstream, sumun) = plain().await;
    let mut client = Client::connect(sumun.address()).await;
    let answer = client.exchange("GET / HTTP/1.0\r\nhost: a\r\n\r\n").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert_eq!(client.rest().await.0, b"");
    assert_eq!(upstream.only_request().head.word(2), "HTTP/1.1");
}

#[tokio::test]
async fn chunked_bodies_are_streamed_before_they_end() {
    let upstream = Upstream::start(|request| Reply::ok(&request.body)).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
        .await;
    eventually("the first chunk is upstream", sumun_tests::DEADLINE, async || {
        let seen = upstream.requests().first().map(|request| request.body.clone());
        if seen.as_deref() == Some(b"abc") { Ok(()) } else { Err(seen) }
    })
    .await;
    client.send("2\r\nde\r\n0\r\n\r\n").await;
    assert_eq!(client.answer().await.text(), "abcde");
    assert!(upstream.malformed().is_empty());
}

#[tokio::test]
async fn the_head_and_first_bytes_of_an_answer_come_before_its_end() {
    let gate = Gate::closed();
    let reply = Reply::chunked(&[])
        .then(Step::Chunk("first".into()))
        .then(Step::Wait(gate.clone()))
        .then(Step::Chunk("last".into()))
        .then(Step::LastChunk(Vec::new()));
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.head().await.expect("a head").header("transfer-encoding"), Some("chunked"));
    assert_eq!(client.take(10).await.expect("the first chunk"), b"5\r\nfirst\r\n");
    gate.open();
    assert_eq!(client.take(14).await.expect("the rest"), b"4\r\nlast\r\n0\r\n\r\n");
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let upstream =
        Upstream::start(|_| Reply::promise(20_000_000).then(Step::Fill(20_000_000))).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let answer = sumun.get("/").await;
    assert_eq!(answer.body.len(), 20_000_000);
}

#[tokio::test]
async fn an_answer_that_ends_with_the_connection_arrives_whole() {
    let reply = Reply::raw("HTTP/1.1 200 OK\r\n\r\nall there is").then(Step::Close);
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    assert_eq!(sumun.get("/").await.text(), "all there is");
}

#[tokio::test]
async fn head_is_forwarded_as_head_and_its_answer_has_no_body() {
    let reply = || Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 4711\r\n\r\n");
    let upstream = Upstream::start(move |request| match request.method() {
        "HEAD" => reply(),
        _ => Reply::ok("next"),
    })
    .await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    let answer = client.exchange("HEAD /h HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("4711")));
    let next = client.exchange("GET /n HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(next.text(), "next", "the connection is still in step");
    assert_eq!(upstream.requests()[0].method(), "HEAD");
}

#[tokio::test]
async fn statuses_without_body_pass() {
    let upstream = Upstream::start(|request| {
        Reply::raw(format!("HTTP/1.1 {} X\r\netag: \"a\"\r\n\r\n", &request.target()[1..]))
    })
    .await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    for status in [204, 304] {
        let request = format!("GET /{status} HTTP/1.1\r\nhost: a\r\n\r\n");
        let answer = client.exchange(request).await;
        assert_eq!((answer.status, answer.header("etag")), (status, Some("\"a\"")));
    }
}

#[tokio::test]
async fn expect_100_continue_is_answered_before_the_body_is_sent() {
    let upstream = Upstream::start(|request| Reply::ok(&request.body)).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    let head = "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n";
    client.send(head).await;
    let interim = client.head().await.expect("an interim answer");
    assert_eq!(interim.word(1), "100");
    client.send("body").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "body"));
}

#[tokio::test]
async fn interim_answers_are_never_taken_as_final() {
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n";
    let rest = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfinal";
    let upstream = Upstream::start(move |_| Reply::raw([early, rest].concat())).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    for _ in 0..2 {
        let answer = client.exchange("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "final"));
    }
}

#[tokio::test]
async fn trailers_pass_both_ways_over_http1() {
    let reply = Reply::chunked(&[("trailer", "x-sum")])
        .then(Step::Chunk("data".into()))
        .then(Step::LastChunk(vec![("x-sum".to_owned(), "7".to_owned())]));
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    let request = "POST / HTTP/1.1\r\nhost: a\r\nte: trailers\r\ntrailer: x-in\r\n\
                   transfer-encoding: chunked\r\n\r\n1\r\nz\r\n0\r\nx-in: 3\r\n\r\n";
    let answer = client.exchange(request).await;
    assert_eq!(answer.text(), "data");
    assert_eq!(answer.trailers, [("x-sum".to_owned(), "7".to_owned())]);
    assert_eq!(upstream.only_request().trailers, [("x-in".to_owned(), "3".to_owned())]);
}

// --- what is added -----------------------------------------------------------------------------

#[tokio::test]
async fn forwarded_headers_are_rebuilt_for_a_stranger() {
    let (upstream, sumun) = plain().await;
    let claims = [
        ("x-forwarded-for", "10.9.8.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.test"),
        ("x-forwarded-port", "444"),
        ("x-forwarded-prefix", "/evil"),
        ("forwarded", "for=10.9.8.7;host=evil.test"),
        ("x-real-ip", "10.9.8.7"),
    ];
    sumun.call("GET", "/", &claims, b"").await;
    let seen = upstream.only_request();
    assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.all("x-forwarded-proto"), ["http"]);
    assert_eq!(seen.all("x-forwarded-host"), ["gateway.test"]);
    let raw = String::from_utf8_lossy(&upstream.bytes_of(0)).to_lowercase();
    for claim in ["10.9.8.7", "evil", "444"] {
        assert!(!raw.contains(claim), "{claim} of a stranger went upstream:\n{raw}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::with()
        .policy("policy.yaml", &policies::to(&upstream.url()))
        .settings("trusted_proxies: [127.0.0.0/8]\n")
        .start()
        .await;
    let claims = [
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "public.test"),
    ];
    sumun.call("GET", "/", &claims, b"").await;
    let seen = upstream.only_request();
    // As one line or as two: RFC 9110 §5.3 makes no difference.
    assert_eq!(seen.all("x-forwarded-for").join(", "), "203.0.113.7, 127.0.0.1");
    assert_eq!(seen.all("x-forwarded-proto"), ["https"]);
    assert_eq!(seen.all("x-forwarded-host"), ["public.test"]);
    // Each by itself: many proxies say the scheme only.
    upstream.forget();
    sumun.call("GET", "/", &claims[..2], b"").await;
    let seen = upstream.only_request();
    assert_eq!(seen.all("x-forwarded-proto"), ["https"]);
    assert_eq!(seen.all("x-forwarded-host"), ["gateway.test"]);
}

#[tokio::test]
async fn via_is_added_on_the_way_there_and_the_origins_own_comes_back() {
    let upstream = Upstream::start(|_| Reply::with(200, &[("via", "1.1 origin")], "")).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let answer = sumun.call("GET", "/", &[("via", "1.0 before")], b"").await;
    let there = upstream.only_request().all("via").join(", ");
    let (first, own) = there.split_once(", ").expect("two entries");
    assert_eq!(first, "1.0 before");
    assert!(own.starts_with("1.1 ") && own.contains("sumun"), "{there}");
    let back = answer.all("via").join(", ");
    // A gateway may add itself to an answer (RFC 9110 §7.6.3); it may not take others away.
    assert!(back.starts_with("1.1 origin"), "{back}");
}

#[tokio::test]
async fn a_call_that_was_here_before_is_a_loop() {
    let (upstream, sumun) = plain().await;
    sumun.get("/").await;
    let via = upstream.only_request().header("via").expect("a Via").to_owned();
    let again = sumun.call("GET", "/", &[("via", &via)], b"").await;
    again.own(508);
    let among = format!("1.0 other, {via}, 2 third");
    sumun.call("GET", "/", &[("via", &among)], b"").await.own(508);
    assert_eq!(upstream.request_count(), 1);
    let other = sumun.call("GET", "/", &[("via", "1.1 other")], b"").await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn a_route_to_the_gateway_itself_ends_in_508() {
    let (upstream, proxy) = aimed_later().await;
    let sumun = Sumun::start(&policies::to(&proxy.url())).await;
    proxy.aim(sumun.address());
    let answer = sumun.get("/round").await;
    answer.own(508);
    assert_eq!(upstream.request_count(), 0);
    sumun.idle(sumun_tests::DEADLINE).await;
}

/// A proxy whose address is known before that of its target.
async fn aimed_later() -> (Upstream, FaultProxy) {
    let upstream = Upstream::plain().await;
    let proxy = FaultProxy::start(upstream.address()).await;
    (upstream, proxy)
}

#[tokio::test]
async fn traceparent_is_made_kept_or_replaced_by_its_rules() {
    let (upstream, sumun) = plain().await;
    let own = "0af7651916cd43dd8448eb211c80319c";
    let parent = "b7ad6b7169203331";
    let good = format!("00-{own}-{parent}-01");
    let zero = format!("00-{}-{parent}-01", "0".repeat(32));
    let upper = format!("00-{}-{parent}-01", own.to_uppercase());
    let cases =
        [None, Some(good.as_str()), Some(zero.as_str()), Some(upper.as_str()), Some("junk")];
    for traceparent in cases {
        let mut headers = vec![("tracestate", "vendor=1")];
        headers.extend(traceparent.map(|value| ("traceparent", value)));
        sumun.call("GET", "/", &headers, b"").await;
    }
    let seen: Vec<_> = upstream.requests();
    let parts: Vec<_> = seen
        .iter()
        .map(|request| trace_parts(request.header("traceparent").expect("one")))
        .collect();
    assert_eq!(parts[1].0, own, "the trace goes on");
    assert_ne!(parts[1].1, parent, "with a span of our own as the parent");
    assert_eq!(parts[1].2, "01", "and stays sampled");
    assert_eq!(seen[1].header("tracestate"), Some("vendor=1"));
    for restarted in [0, 2, 3, 4] {
        assert_ne!(parts[restarted].0, own, "{:?}", cases[restarted]);
        assert_ne!(parts[restarted].0, "0".repeat(32));
        assert_eq!(seen[restarted].header("tracestate"), None, "{:?}", cases[restarted]);
    }
}

#[tokio::test]
async fn orca_headers_are_read_and_removed() {
    let load = [("endpoint-load-metrics", "TEXT cpu_utilization=0.5"), ("x-kept", "1")];
    let upstream = Upstream::start(move |_| Reply::with(200, &load, "ok")).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let answer = sumun.get("/").await;
    assert_eq!(answer.header("x-kept"), Some("1"));
    assert!(answer.header("endpoint-load-metrics").is_none(), "{answer}");
    eventually("the signal is shown", sumun_tests::DEADLINE, async || {
        let metrics = sumun.metrics().await;
        match metrics.get("sumun_signal{upstream=\"up\",signal=\"cpu\"}") {
            Some(value) if (value - 0.5).abs() < 1e-9 => Ok(()),
            _ => Err(metrics.series("sumun_signal")),
        }
    })
    .await;
}

#[tokio::test]
async fn the_most_specific_route_wins_and_an_unknown_one_is_404() {
    let (one, two) =
        (Upstream::start(|_| Reply::ok("1")).await, Upstream::start(|_| Reply::ok("2")).await);
    let policy = format!(
        "version: 1\n\
         upstreams:\n  one: {{ endpoints: [\"{}\"] }}\n  two: {{ endpoints: [\"{}\"] }}\n\
         routes:\n\
         \x20 rest: {{ match: {{ path: /a/** }}, upstream: one }}\n\
         \x20 any: {{ match: {{ path: /a/* }}, upstream: one }}\n\
         \x20 exact: {{ match: {{ path: /a/b }}, upstream: two }}\n\
         \x20 post: {{ match: {{ path: /a/**, methods: [POST] }}, upstream: two }}\n\
         \x20 host: {{ match: {{ path: /a/**, host: \"*.special.test\" }}, upstream: two }}\n\
         \x20 flag: {{ match: {{ path: /a/**, headers: {{ x-flag: \"on\" }} }}, upstream: two }}\n",
        one.url(),
        two.url()
    );
    let sumun = Sumun::start(&policy).await;
    let text = async |method: &str, path: &str, headers: &[(&str, &str)]| {
        sumun.call(method, path, headers, b"").await.text()
    };
    assert_eq!(text("GET", "/a/b", &[]).await, "2");
    assert_eq!(text("GET", "/a/c", &[]).await, "1");
    assert_eq!(text("GET", "/a/c/d", &[]).await, "1");
    assert_eq!(text("POST", "/a/c/d", &[]).await, "2");
    assert_eq!(text("GET", "/a/c/d", &[("host", "X.Special.test:80")]).await, "2");
    assert_eq!(text("GET", "/a/c/d", &[("host", "special.test")]).await, "1");
    assert_eq!(text("GET", "/a/c/d", &[("x-flag", "on")]).await, "2");
    for path in ["/b", "/", "/ab"] {
        sumun.get(path).await.problem(404, "route_unknown");
    }
}

// --- HTTP/2 on either side ---------------------------------------------------------------------

#[tokio::test]
async fn http2_to_http1_with_body_and_trailers() {
    let reply = Reply::chunked(&[("x-back", "1")])
        .then(Step::Chunk("data".into()))
        .then(Step::LastChunk(vec![("x-sum".to_owned(), "7".to_owned())]));
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let client = H2Client::connect(sumun.address()).await;
    let headers = [("x-own", "1"), ("te", "trailers"), ("trailer", "x-in")];
    let answer = client.call("POST", "/p?q", &headers, b"body", &[("x-in", "3")]).await;
    let answer = answer.expect("an answer");
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"data"[..]));
    assert_eq!(answer.header("x-back"), Some("1"));
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!(answer.trailer("x-sum"), Some("7"));
    let seen = upstream.only_request();
    assert_eq!((seen.method(), seen.target(), seen.head.word(2)), ("POST", "/p?q", "HTTP/1.1"));
    assert_eq!(seen.all("host"), ["gateway.test"]);
    assert_eq!(seen.body, b"body");
    assert_eq!(seen.trailers, [("x-in".to_owned(), "3".to_owned())]);
    assert!(seen.header("via").is_some_and(|via| via.starts_with('2')), "{:?}", seen.head);
}

#[tokio::test]
async fn http1_to_http2_with_body_and_trailers() {
    let upstream = H2Upstream::start(|request| {
        let reply = H2Reply::status(200).header("x-back", "1").header("trailer", "x-sum");
        reply.data(request.body.clone()).trailer("x-sum", "7")
    })
    .await;
    let sumun = Sumun::start(&policies::to_h2(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    let request = "POST /p?q HTTP/1.1\r\nhost: Own.test\r\nte: trailers\r\nx-own: 1\r\n\
                   transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-in: 3\r\n\r\n";
    for _ in 0..2 {
        let answer = client.exchange(request).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "body"));
        assert_eq!(answer.header("x-back"), Some("1"));
        assert_eq!(answer.trailers, [("x-sum".to_owned(), "7".to_owned())]);
    }
    let seen = &upstream.requests()[0];
    assert_eq!(
        (seen.method.as_str(), seen.uri.path_and_query().expect("a path").as_str()),
        ("POST", "/p?q")
    );
    assert_eq!(seen.uri.authority().expect("an authority").as_str().to_lowercase(), "own.test");
    assert_eq!(seen.headers["x-own"], "1");
    for dropped in ["transfer-encoding", "connection", "keep-alive"] {
        assert!(!seen.headers.contains_key(dropped), "{:?}", seen.headers);
    }
    assert_eq!(seen.trailers.as_ref().expect("trailers")["x-in"], "3");
    assert_eq!(upstream.connection_count(), 1, "one connection carries both");
}

#[tokio::test]
async fn grpc_passes_from_http2_to_http2() {
    let upstream = H2Upstream::start(|request| H2Reply::grpc(&request.body[5..])).await;
    let sumun = Sumun::start(&policies::to_h2(&upstream.url())).await;
    let client = H2Client::connect(sumun.address()).await;
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let answer = client.call("POST", "/pkg.Service/Call", &headers, b"\0\0\0\0\x02hi", &[]).await;
    let answer = answer.expect("an answer");
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"\0\0\0\0\x02hi"[..]));
    assert_eq!(answer.trailer("grpc-status"), Some("0"));
    let seen = upstream.only_request();
    assert_eq!(seen.headers["te"], "trailers");
    assert_eq!(seen.headers["content-type"], "application/grpc");
}

#[tokio::test]
async fn many_streams_of_one_connection_are_served_at_once() {
    let gate = Gate::closed();
    let behind = gate.clone();
    let upstream = Upstream::start(move |_| Reply::ok("x").behind(&behind)).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let client = H2Client::connect(sumun.address()).await;
    let mut answers = Vec::new();
    for _ in 0..50 {
        let request = H2Client::request("GET", "/", &[]);
        answers.push(client.open(request, true).await.expect("a stream").0);
    }
    upstream.arrived(50).await;
    assert_eq!(upstream.in_flight_max(), 50);
    gate.open();
    for answer in answers {
        assert_eq!(sumun_tests::collect(answer).await.expect("an answer").status, 200);
    }
}

#[tokio::test]
async fn a_slow_drip_is_passed_on_without_a_timeout() {
    let pause = Duration::from_millis(20);
    let reply = Reply::promise(20).then(Step::Drip("y".repeat(20).into(), pause));
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let keys = format!("endpoints: [\"{}\"], timeout: {{ response: 250ms }}", upstream.url());
    let sumun = Sumun::start(&policies::policy(&keys, "")).await;
    assert_eq!(sumun.get("/").await.body.len(), 20, "400 ms in all, never 250 ms silent");
}
