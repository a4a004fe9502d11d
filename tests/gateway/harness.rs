//! The harness itself: what the other tests believe about it, shown without the gateway.

use std::time::{Duration, Instant};

use sumun_tests::wire::{BodyDecoder, Framing, Head, request_framing};
use sumun_tests::{
    Actuator, Broken, Client, FaultProxy, Gate, H2Client, H2Reply, H2Upstream, Load, Metrics, Mode,
    Reply, Step, Upstream, call, eventually, frame, get,
};

const SHORT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn an_upstream_keeps_the_exact_bytes_it_was_sent() {
    let upstream = Upstream::plain().await;
    let request = b"POST /a?b HTTP/1.1\r\nhost: h\r\nX-Odd:  v \r\ncontent-length: 3\r\n\r\nxyz";
    let answer = Client::connect(upstream.address()).await.exchange(request).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    let seen = upstream.only_request();
    assert_eq!((seen.method(), seen.target(), seen.body.as_slice()), ("POST", "/a?b", &b"xyz"[..]));
    assert_eq!(seen.header("x-odd"), Some("v"));
    assert!(seen.complete);
    assert_eq!(upstream.bytes_of(0), request);
    assert!(upstream.malformed().is_empty());
}

#[tokio::test]
async fn an_upstream_reads_chunks_and_trailers_and_keeps_the_connection() {
    let upstream = Upstream::plain().await;
    let mut client = Client::connect(upstream.address()).await;
    let chunked = "PUT / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 5\r\n\r\n";
    client.exchange(chunked).await;
    client.exchange("GET /next HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let requests = upstream.requests();
    assert_eq!(requests[0].body, b"abcde");
    assert_eq!(requests[0].trailers, [("x-sum".to_owned(), "5".to_owned())]);
    assert_eq!((requests[1].target(), requests[1].connection), ("/next", 0));
    assert_eq!(upstream.connection_count(), 1);
}

#[tokio::test]
async fn malformed_requests_are_noted_by_the_upstream() {
    let hostile: [&[u8]; 8] = [
        b"GET / HTTP/1.1\nhost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost : h\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: h\r\n folded\r\n\r\n",
        b"GET /\r\nhost: h\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\nx",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    ];
    for bytes in hostile {
        let upstream = Upstream::plain().await;
        let mut client = Client::connect(upstream.address()).await;
        client.send(bytes).await;
        client.half_close().await;
        client.rest().await;
        assert_eq!(upstream.malformed().len(), 1, "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[tokio::test]
async fn scripts_reset_cut_and_hang_where_they_say() {
    let cases = [
        (Reply::only(Step::Reset), Broken::Reset),
        (Reply::only(Step::Close), Broken::Closed),
        (Reply::raw("HTTP/1.1 200").then(Step::Close), Broken::Cut),
        (Reply::promise(10).then(Step::Fill(5)).then(Step::Close), Broken::Cut),
        (Reply::promise(10).then(Step::Fill(5)).then(Step::HalfClose), Broken::Cut),
        (Reply::only(Step::Hang), Broken::Late),
        (Reply::raw("SSH-2.0-x\r\n\r\n"), Broken::Malformed(String::new())),
    ];
    for (reply, expected) in cases {
        let what = format!("{reply:?}");
        let upstream = Upstream::start(move |_| reply.clone()).await;
        let mut client = Client::connect(upstream.address()).await.deadline(SHORT / 10);
        client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
        match client.response().await {
            Err(Broken::Malformed(_)) if matches!(expected, Broken::Malformed(_)) => {}
            other => assert_eq!(other.expect_err("a broken answer"), expected, "{what}"),
        }
    }
}

#[tokio::test]
async fn a_reset_comes_after_the_bytes_before_it() {
    let reply = || Reply::promise(100).then(Step::Fill(5)).then(Step::Pause(SHORT / 50));
    let upstream = Upstream::start(move |_| reply().then(Step::Reset)).await;
    let mut client = Client::connect(upstream.address()).await;
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!(client.head().await.expect("a head").header("content-length"), Some("100"));
    assert_eq!(client.take(5).await.expect("the bytes that were sent"), b"xxxxx");
    assert_eq!(client.rest().await.1, Broken::Reset);
}

#[tokio::test]
async fn an_upstream_counts_its_own_concurrency_and_who_left() {
    let gate = Gate::closed();
    let behind = gate.clone();
    let upstream = Upstream::start(move |_| Reply::ok("late").behind(&behind)).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut client = Client::connect(upstream.address()).await;
        client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
        clients.push(client);
    }
    upstream.arrived(5).await;
    assert_eq!((upstream.in_flight(), upstream.in_flight_max()), (5, 5));
    clients.pop().expect("five").reset();
    drop(clients.pop());
    eventually("two have left", SHORT, async || match upstream.in_flight() {
        3 => Ok(()),
        other => Err(other),
    })
    .await;
    assert_eq!(upstream.aborted(), 2);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.answer().await.text(), "late");
    }
    upstream.idle(SHORT).await;
    assert_eq!(upstream.aborted(), 2);
}

#[tokio::test]
async fn a_client_sees_interim_answers_trailers_and_no_body_of_head() {
    let chunked = Reply::raw("HTTP/1.1 103 Early\r\nlink: x\r\n\r\n");
    let body = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n";
    let chunked = chunked
        .then(Step::Bytes(body.into()))
        .then(Step::LastChunk(vec![("x-t".to_owned(), "1".to_owned())]));
    let upstream = Upstream::start(move |request| match request.method() {
        "HEAD" => Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n"),
        _ => chunked.clone(),
    })
    .await;
    let answer = get(upstream.address(), "/").await;
    assert_eq!(answer.interim.len(), 1);
    assert_eq!((answer.text().as_str(), answer.trailers[0].1.as_str()), ("hi", "1"));
    let head = call(upstream.address(), "HEAD", "/", &[], b"").await;
    assert_eq!((head.header("content-length"), head.body.len()), (Some("7"), 0));
}

#[tokio::test]
async fn a_stopped_upstream_refuses_and_comes_back() {
    let upstream = Upstream::plain().await;
    let address = upstream.address();
    assert_eq!(upstream.stop().await, address);
    assert!(Client::try_connect(address).await.is_err());
    let again = Upstream::start_on(address, |_| Reply::ok("again")).await;
    assert_eq!(get(again.address(), "/").await.text(), "again");
}

#[tokio::test]
async fn an_upstream_asked_at_the_head_leaves_the_body_unread() {
    let early = Reply::with(413, &[("connection", "close")], "").then(Step::Close);
    let upstream = Upstream::start_at_head(move |_| early.clone()).await;
    let mut client = Client::connect(upstream.address()).await;
    client.send("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1000\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 413);
    assert!(!upstream.only_request().complete);
}

#[tokio::test]
async fn an_echo_sends_back_what_comes() {
    let switch = Reply::raw("HTTP/1.1 101 Switching Protocols\r\n\r\n").then(Step::Echo);
    let upstream = Upstream::start(move |_| switch.clone()).await;
    let mut client = Client::connect(upstream.address()).await;
    assert_eq!(client.exchange("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.status, 101);
    client.send("ping").await;
    assert_eq!(client.take(4).await.expect("an echo"), b"ping");
}

#[tokio::test]
async fn the_proxy_passes_stalls_resets_and_slows() {
    let upstream = Upstream::plain().await;
    let proxy = FaultProxy::start(upstream.address()).await;
    let request = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";
    let mut client = Client::connect(proxy.address()).await.deadline(SHORT / 20);
    assert_eq!(client.exchange(request).await.status, 200);

    for stall in [Mode::StallDown, Mode::StallUp, Mode::Hang] {
        let before = upstream.request_count();
        proxy.set(stall);
        client.send(request).await;
        assert_eq!(client.response().await.expect_err("stalled"), Broken::Late, "{stall:?}");
        let arrived = upstream.request_count() - before;
        assert_eq!(arrived, usize::from(stall == Mode::StallDown), "{stall:?}");
        proxy.set(Mode::Pass);
        assert_eq!(client.answer().await.status, 200, "what was stalled arrives");
    }

    proxy.reset_all().await;
    assert_eq!(client.rest().await.1, Broken::Reset);
    let mut client = Client::connect(proxy.address()).await;
    proxy.set(Mode::Delay(Duration::from_millis(60)));
    let began = Instant::now();
    assert_eq!(client.exchange(request).await.status, 200);
    assert!(began.elapsed() >= Duration::from_millis(120), "a pause each way");
    proxy.set(Mode::Rate(400));
    let began = Instant::now();
    assert_eq!(client.exchange(request).await.status, 200);
    assert!(began.elapsed() >= Duration::from_millis(100), "rated");
}

#[tokio::test]
async fn load_counts_by_status_and_notices_losses() {
    let upstream = Upstream::start(|request| match request.target() {
        "/cut" => Reply::only(Step::Close),
        "/busy" => Reply::with(429, &[], "no"),
        _ => Reply::ok("yes"),
    })
    .await;
    let address = upstream.address();
    let tally = Load::requests(address, |_, turn| {
        let path = if turn % 4 == 0 { "/busy" } else { "/" };
        format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n").into_bytes()
    });
    let tally = tally.connections(4).total(100).run().await;
    assert_eq!((tally.count(200), tally.count(429)), (75, 25));
    assert_eq!(upstream.connection_count(), 4);
    let lost = Load::get(address, "/cut").total(3).run().await;
    assert_eq!(lost.broken, [Broken::Closed, Broken::Closed, Broken::Closed]);
    let wrong = Load::get(address, "/").total(2).look(|_| Err("wrong".to_owned())).run().await;
    assert_eq!(wrong.wrong.len(), 2);
}

#[tokio::test]
async fn http2_passes_bodies_trailers_and_resets() {
    let upstream = H2Upstream::start(|request| match request.uri.path() {
        "/reset" => H2Reply::ok("part").reset(h2::Reason::INTERNAL_ERROR),
        "/empty" => H2Reply::status(204),
        _ => H2Reply::grpc(&request.body),
    })
    .await;
    let client = H2Client::connect(upstream.address()).await;
    let sent = client.call("POST", "/a", &[("te", "trailers")], b"hello", &[("x-sum", "5")]).await;
    let answer = sent.expect("an answer");
    assert_eq!((answer.status, &answer.body[5..]), (200, &b"hello"[..]));
    assert_eq!(answer.trailer("grpc-status"), Some("0"));
    let seen = upstream.only_request();
    assert_eq!(seen.trailers.expect("trailers").get("x-sum").expect("x-sum"), "5");
    assert!(client.get("/empty").await.ended_with_headers);
    let reset = client.call("GET", "/reset", &[], b"", &[]).await.expect_err("a reset stream");
    assert_eq!(reset.reason(), Some(h2::Reason::INTERNAL_ERROR));
    assert_eq!(upstream.connection_count(), 1);
}

#[tokio::test]
async fn http2_frames_by_hand_are_understood() {
    let upstream = H2Upstream::start(|_| H2Reply::ok("hi")).await;
    let mut client = Client::connect(upstream.address()).await.deadline(SHORT / 10);
    let long = "v".repeat(300);
    let block = frame::get("/by-hand", &[("x-long", &long)]);
    client.send([frame::opening(), frame::headers(1, frame::END_STREAM, &block)].concat()).await;
    let (bytes, _) = client.rest().await;
    let frames = frame::parse(&bytes);
    let data: Vec<_> = frames.iter().filter(|frame| frame.kind == frame::kind::DATA).collect();
    assert_eq!(data[0].payload, b"hi");
    assert_eq!(upstream.only_request().headers["x-long"], long);
}

#[tokio::test]
async fn an_actuator_says_what_the_test_set() {
    let actuator = Actuator::start(|_| Reply::ok("call")).await;
    actuator.set(180.0, 200.0, 0.5);
    let scrape = get(actuator.upstream().address(), "/actuator/prometheus").await;
    let metrics = Metrics::parse(&scrape.text());
    assert_eq!(metrics.get("tomcat_threads_busy_threads"), Some(180.0));
    assert_eq!(metrics.get("tomcat_threads_config_max_threads"), Some(200.0));
    actuator.reply(Reply::with(500, &[], ""));
    assert_eq!(get(actuator.upstream().address(), "/actuator/prometheus").await.status, 500);
    assert_eq!(get(actuator.upstream().address(), "/x").await.text(), "call");
    assert_eq!(actuator.calls().len(), 1);
}

#[test]
fn metrics_are_found_by_name_and_some_labels() {
    let metrics = Metrics::parse(
        "# TYPE a counter\na{x=\"1\",y=\"q\\\"{}\"} 3\na{y=\"r\",x=\"1\"} 4 1700000000\nb +Inf\n",
    );
    assert_eq!(metrics.get("a{x=\"1\"}"), Some(7.0));
    assert_eq!(metrics.get("a{y=\"q\\\"{}\"}"), Some(3.0));
    assert_eq!(metrics.get("a{x=\"2\"}"), None);
    assert_eq!(metrics.get("b"), Some(f64::INFINITY));
    assert_eq!(metrics.label_values("a", "x"), ["1"]);
}

#[test]
fn the_parser_repairs_nothing() {
    let head = Head::parse(b"GET / HTTP/1.1\r\na: 1\r\nA: 2\r\n\r\nrest").expect("well-formed");
    let head = head.expect("whole");
    assert_eq!((head.all("a"), head.raw.len()), (vec!["1", "2"], 30));
    assert_eq!(request_framing(&head), Ok(Framing::Length(0)));
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    assert_eq!(
        decoder.decode(b"1;x=y\r\na\r\n").expect_err("an extension").0,
        "chunk size \"1;x=y\""
    );
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    assert_eq!(decoder.decode(b"5\r\nab"), Ok(5));
    assert_eq!(decoder.decode(b"cde\r\n0\r\n\r\nGET"), Ok(10));
    assert!(decoder.is_done());
    assert_eq!(decoder.body, b"abcde");
}
