//! Bounds on what a client may send, and for how long: sizes, counts, deadlines, descriptors.

use std::time::{Duration, Instant};

use sumun_tests::{
    Broken, Client, DEADLINE, H2Client, Load, Reply, Step, Sumun, Upstream, eventually,
};

use crate::policies;

/// A gateway with these limits in front of an upstream that answers `ok`.
async fn limited(limits: &str) -> (Upstream, Sumun) {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::with()
        .policy("policy.yaml", &policies::to(&upstream.url()))
        .settings(&format!("limits: {{ {limits} }}\n"))
        .start()
        .await;
    (upstream, sumun)
}

#[tokio::test]
async fn a_head_over_its_bytes_is_refused() {
    let (upstream, sumun) = limited("header_bytes: 8KiB").await;
    let fits = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "v".repeat(7_000));
    let over = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "v".repeat(9_000));
    assert_eq!(Client::connect(sumun.address()).await.exchange(fits).await.status, 200);
    let refused = Client::connect(sumun.address()).await.exchange(over).await;
    assert_eq!(refused.status, 431, "{refused}");
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn a_connection_over_the_bound_is_told_so_and_counted() {
    let (upstream, sumun) = limited("connections: 2").await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(sumun.address()).await;
        assert_eq!(client.exchange("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.status, 200);
        held.push(client);
    }
    let refused = sumun.get("/").await;
    let problem = refused.problem(503, "gateway_overloaded");
    assert_eq!(problem["route"], serde_json::Value::Null);
    assert_eq!(refused.header("retry-after"), Some("1"), "{refused}");
    assert_eq!(upstream.request_count(), 2);
    let counted = sumun.metric("sumun_refused_total{code=\"gateway_overloaded\"}").await;
    assert!((counted - 1.0).abs() < 0.1, "{counted}");
    drop(held);
    eventually("there is room again", DEADLINE, async || match sumun.get("/").await.status {
        200 => Ok(()),
        other => Err(other),
    })
    .await;
}

#[tokio::test]
async fn a_head_over_its_fields_is_refused() {
    let (upstream, sumun) = limited("headers: 20").await;
    let request = |fields: usize| {
        let lines = "x-same: v\r\n".repeat(fields);
        format!("GET / HTTP/1.1\r\nhost: a\r\n{lines}\r\n")
    };
    assert_eq!(Client::connect(sumun.address()).await.exchange(request(19)).await.status, 200);
    let refused = Client::connect(sumun.address()).await.exchange(request(40)).await;
    assert_eq!(refused.status, 431, "{refused}");
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn a_declared_body_over_its_limit_is_413_and_never_forwarded() {
    let (upstream, sumun) = limited("max_body: 1KiB").await;
    let fits = sumun.call("POST", "/", &[], &[b'x'; 1024]).await;
    assert_eq!(fits.status, 200);
    let mut client = Client::connect(sumun.address()).await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1025\r\n\r\n").await;
    client.answer().await.problem(413, "body_too_large");
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn a_chunked_body_over_its_limit_never_becomes_whole_upstream() {
    let (upstream, sumun) = limited("max_body: 1KiB").await;
    let mut client = Client::connect(sumun.address()).await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for _ in 0..3 {
        client.send(format!("200\r\n{}\r\n", "x".repeat(512))).await;
    }
    client.send("0\r\n\r\n").await;
    client.answer().await.problem(413, "body_too_large");
    for seen in upstream.requests() {
        assert!(!seen.complete, "{:?}", seen.head);
    }
    upstream.idle(DEADLINE).await;
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn point_08_a_slow_head_is_cut() {
    let (upstream, sumun) = limited("header_time: 1s").await;
    let began = Instant::now();
    let mut client = Client::connect(sumun.address()).await;
    client.send("GET / HTTP/1.1\r\nhost:").await;
    let (bytes, end) = client.rest().await;
    let took = began.elapsed();
    assert_ne!(end, Broken::Late);
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(3), "{took:?}");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 408 "), "{text}");
    assert!(upstream.all_bytes().is_empty());
}

#[tokio::test]
async fn point_08_a_body_under_the_least_rate_is_cut() {
    let (upstream, sumun) = limited("body_rate: 1KiB").await;
    let mut client = Client::connect(sumun.address()).await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n").await;
    let began = Instant::now();
    // A byte now and then: never idle, always too slow.
    let cut = loop {
        if client.try_send("x").await.is_err() || client.has_heard() {
            break began.elapsed();
        }
        assert!(began.elapsed() < DEADLINE, "a drip of 20 bytes a second goes on for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
        if let Some(seen) = upstream.requests().first() {
            assert!(!seen.complete);
        }
    };
    assert!(cut >= Duration::from_secs(4) && cut < Duration::from_secs(9), "{cut:?}");
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn point_08_an_idle_connection_is_closed() {
    let (_upstream, sumun) = limited("idle: 1s").await;
    let mut client = Client::connect(sumun.address()).await;
    assert_eq!(client.exchange("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.status, 200);
    let h2 = H2Client::connect(sumun.address()).await;
    assert_eq!(h2.get("/").await.status, 200);
    let began = Instant::now();
    assert_ne!(client.rest().await.1, Broken::Late);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    h2.ended().await.ok();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

/// A client whose streams take 16 KiB unless they are read.
async fn narrow(sumun: &Sumun) -> H2Client {
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(16 * 1024).initial_connection_window_size(1024 * 1024);
    H2Client::connect_with(sumun.address(), &builder).await
}

/// A stream whose window stays shut, beside others that go on.
#[tokio::test]
async fn point_08_a_stream_that_is_not_read_is_reset_and_frees_its_call() {
    let upstream = Upstream::start(|seen| match seen.target() {
        "/large" => Reply::promise(1_000_000).then(Step::Fill(1_000_000)),
        _ => Reply::ok("ok"),
    })
    .await;
    let sumun = Sumun::with()
        .policy("policy.yaml", &policies::function(&upstream.url(), "reserved: 2"))
        .settings("limits: { idle: 1s }\n")
        .start()
        .await;
    let client = narrow(&sumun).await;
    let opened = client.open(H2Client::request("GET", "/large", &[]), true).await;
    let answer = opened.expect("a stream").0.await.expect("a head");
    assert_eq!(answer.status(), 200);
    eventually("the call is freed", DEADLINE, async || {
        assert_eq!(client.get("/small").await.status, 200);
        let used =
            sumun.metric("sumun_function_concurrency{function=\"fn\",kind=\"in_use\"}").await;
        if used < 0.5 { Ok(()) } else { Err(used) }
    })
    .await;
    let mut body = answer.into_body();
    let error = sumun_tests::read_all(&mut body).await.expect_err("a cut answer");
    assert!(error.is_reset(), "{error}");
    upstream.idle(DEADLINE).await;
    assert_eq!(client.get("/small").await.status, 200);
}

/// What is there at once waits for its client as long as what streams, and no longer.
#[tokio::test]
async fn point_08_a_stored_answer_that_is_not_read_is_reset_too() {
    let body = "x".repeat(500_000);
    let upstream = Upstream::start(move |_| {
        Reply::with(200, &[("cache-control", "max-age=600"), ("etag", "\"1\"")], &body)
    })
    .await;
    let sumun = Sumun::with()
        .policy("policy.yaml", &policies::to_with(&upstream.url(), "cache: {}"))
        .settings("limits: { idle: 1s }\n")
        .start()
        .await;
    let client = narrow(&sumun).await;
    assert_eq!(sumun.get("/large").await.body.len(), 500_000);
    assert_eq!(sumun.call("GET", "/large", &[], b"").await.body.len(), 500_000);
    assert_eq!(upstream.request_count(), 1, "it is stored");
    let opened = client.open(H2Client::request("GET", "/large", &[]), true).await;
    let answer = opened.expect("a stream").0.await.expect("a head");
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body();
    // Nothing is given back: the window stays shut.
    let ended = async {
        loop {
            match body.data().await {
                Some(Ok(_)) => {}
                other => return other.map(|data| data.expect_err("a cut answer").is_reset()),
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(5), ended).await;
    assert_eq!(ended.expect("the stream is reset in time"), Some(true));
    assert_eq!(upstream.request_count(), 1, "it was the stored one");
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn point_08_slow_clients_do_not_slow_others() {
    let (_upstream, sumun) = limited("header_time: 5s").await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut client = Client::connect(sumun.address()).await;
        client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-le").await;
        slow.push(client);
    }
    let tally = Load::get(sumun.address(), "/").connections(4).total(200).run().await;
    tally.assert_all(200);
    assert!(tally.slowest < Duration::from_millis(500), "{:?}", tally.slowest);
}

#[tokio::test]
async fn streams_of_one_connection_are_bounded() {
    let upstream = Upstream::start(|_| Reply::only(Step::Hang)).await;
    let sumun = Sumun::with()
        .policy("policy.yaml", &policies::to(&upstream.url()))
        .settings("limits: { h2_streams: 10 }\n")
        .start()
        .await;
    let client = H2Client::connect(sumun.address()).await;
    let mut answers = Vec::new();
    for _ in 0..10 {
        let request = H2Client::request("GET", "/", &[]);
        answers.push(client.open(request, true).await.expect("a stream").0);
    }
    upstream.arrived(10).await;
    let one_more = client.open(H2Client::request("GET", "/", &[]), true);
    let waited = tokio::time::timeout(Duration::from_millis(300), one_more).await;
    if let Ok(opened) = waited {
        // The library may queue it; the gateway must not see it.
        drop(opened);
    }
    assert_eq!(upstream.in_flight_max(), 10);
}

#[tokio::test]
async fn point_13_running_out_of_descriptors_neither_spins_nor_stays() {
    let upstream = Upstream::plain().await;
    let starting = Sumun::with().policy("policy.yaml", &policies::to(&upstream.url()));
    let sumun = starting.descriptors_max(160).start().await;
    let mut held = Vec::new();
    for _ in 0..300 {
        held.extend(Client::try_connect(sumun.address()).await.ok());
    }
    // The admin plane has its reserve.
    let live = sumun.admin_anonymous("GET", "/livez", &[], b"").await;
    assert_eq!(live.status, 200, "{live}");
    let before = sumun.cpu_ticks();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(1) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let spent = sumun.cpu_ticks() - before;
    assert!(spent < 50, "{spent} of 100 ticks spent doing nothing");
    drop(held);
    eventually("served again", Duration::from_secs(3), async || {
        let Ok(mut client) = Client::try_connect(sumun.address()).await else {
            return Err("refused".to_owned());
        };
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        // Until it has seen the others go, there is still no room: a 503.
        match client.response().await {
            Ok(answer) if answer.status == 200 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}
