//! Upstreams that refuse, reset, hang, cut and come back; what is tried again and what is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sumun_tests::{
    Broken, Client, DEADLINE, FaultProxy, H2Client, H2Reply, H2Upstream, Load, Mode, Reply, Step,
    Sumun, Upstream, eventually, frame,
};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::policies;

/// Two endpoints in one upstream.
fn two(first: &str, second: &str) -> String {
    let keys = format!("endpoints: [\"{first}\", \"{second}\"], timeout: {{ response: 5s }}");
    policies::policy(&keys, "")
}

/// An upstream that answers `reply` and a gateway in front of it.
async fn scripted(reply: Reply) -> (Upstream, Sumun) {
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    (upstream, sumun)
}

#[tokio::test]
async fn a_refused_connection_is_a_quick_502() {
    let address = Upstream::plain().await.stop().await;
    let sumun = Sumun::start(&policies::to(&format!("http://{address}"))).await;
    for method in ["GET", "POST"] {
        let began = Instant::now();
        let answer = sumun.call(method, "/", &[], b"").await;
        let took = began.elapsed();
        // Once its only endpoint is known to be down, there is none to use.
        match answer.status {
            503 => answer.problem(503, "no_endpoint"),
            _ => answer.problem(502, "upstream_unreachable"),
        };
        let why = answer.header("proxy-status").unwrap_or_default();
        assert!(why.contains("error="), "{why}");
        assert!(took < Duration::from_millis(250), "{took:?}");
    }
}

#[tokio::test]
async fn an_upstream_that_comes_back_is_used_within_a_second() {
    let upstream = Upstream::plain().await;
    let url = upstream.url();
    let address = upstream.stop().await;
    let sumun = Sumun::start(&policies::to(&url)).await;
    for _ in 0..20 {
        assert!(sumun.get("/").await.status >= 502);
    }
    let _back = Upstream::start_on(address, |_| Reply::ok("back")).await;
    let began = Instant::now();
    eventually("served again", DEADLINE, async || match sumun.get("/").await.status {
        200 => Ok(()),
        status => Err(status),
    })
    .await;
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_reset_before_the_head_is_502_upstream_reset() {
    for reply in [
        Reply::only(Step::Reset),
        Reply::only(Step::Close),
        Reply::raw("HTTP/1.1 200 OK\r\nconte").then(Step::Reset),
        Reply::raw("HTTP/1.1 200 OK\r\nconte").then(Step::Close),
        Reply::raw("HTTP/1.1 100 Continue\r\n\r\n").then(Step::Close),
    ] {
        let what = format!("{reply:?}");
        let (upstream, sumun) = scripted(reply).await;
        let answer = sumun.call("POST", "/", &[], b"x").await;
        assert_eq!(answer.status, 502, "{what}: {answer}");
        answer.problem(502, "upstream_reset");
        assert_eq!(upstream.request_count(), 1, "{what}: a POST is sent exactly once");
        sumun.idle(DEADLINE).await;
    }
}

#[tokio::test]
async fn an_upstream_that_dies_in_the_body_never_looks_complete() {
    let (part, cut) = (Step::Bytes("part".into()), [Step::Close, Step::Reset]);
    for end in cut {
        for begin in [
            Reply::promise(100).then(part.clone()),
            Reply::chunked(&[]).then(Step::Chunk("part".into())),
        ] {
            // The pause lets the head go first; either order must look cut.
            let reply = begin.then(Step::Pause(Duration::from_millis(50))).then(end.clone());
            let what = format!("{reply:?}");
            let (_upstream, sumun) = scripted(reply).await;
            let mut client = Client::connect(sumun.address()).await;
            client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
            match client.response().await {
                Err(Broken::Closed | Broken::Cut | Broken::Reset) => {}
                Ok(answer) if answer.status == 502 => {}
                other => panic!("{what}: {other:?}"),
            }
            let h2 = H2Client::connect(sumun.address()).await;
            match h2.call("GET", "/", &[], b"", &[]).await {
                Err(_) => {}
                Ok(answer) => assert_eq!(answer.status, 502, "{what}"),
            }
            sumun.idle(DEADLINE).await;
        }
    }
}

/// To HTTP/1.0 an answer without a length ends with its connection: only a reset says "cut".
#[tokio::test]
async fn an_upstream_that_dies_in_the_body_never_looks_complete_to_http_1_0_either() {
    let reply = Reply::chunked(&[]).then(Step::Chunk("part".into())).then(Step::Close);
    let (_upstream, sumun) = scripted(reply).await;
    for _ in 0..10 {
        let mut client = Client::connect(sumun.address()).await;
        client.send("GET / HTTP/1.0\r\nhost: a\r\n\r\n").await;
        let (bytes, end) = client.rest().await;
        let text = String::from_utf8_lossy(&bytes);
        assert!(end == Broken::Reset || text.contains(" 502 "), "{end:?} after {text}");
    }
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn an_http2_upstream_that_resets_the_stream_cuts_the_answer() {
    let upstream =
        H2Upstream::start(|_| H2Reply::ok("part").reset(h2::Reason::INTERNAL_ERROR)).await;
    let sumun = Sumun::start(&policies::to_h2(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    match client.response().await {
        Err(Broken::Closed | Broken::Cut | Broken::Reset) => {}
        Ok(answer) if answer.status == 502 => {}
        other => panic!("{other:?}"),
    }
    sumun.idle(DEADLINE).await;
}

/// hyper takes a reset without an error for the end of the stream.
#[tokio::test]
async fn an_http2_upstream_that_resets_without_an_error_cuts_the_answer_too() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut seen = Vec::new();
        let asked = |seen: &[u8]| {
            let frames = frame::parse(seen.get(frame::PREFACE.len()..).unwrap_or_default());
            frames.iter().any(|seen| seen.kind == frame::kind::HEADERS)
        };
        stream.write_all(&frame::frame(frame::kind::SETTINGS, 0, 0, &[])).await.expect("sent");
        while !asked(&seen) {
            stream.read_buf(&mut seen).await.expect("a request");
        }
        let head = frame::block(&[(":status", "200")]);
        let answer = [
            frame::frame(frame::kind::SETTINGS, 1, 0, &[]),
            frame::headers(1, frame::END_HEADERS, &head),
            frame::frame(frame::kind::DATA, 0, 1, b"part"),
            frame::frame(frame::kind::RST_STREAM, 0, 1, &[0; 4]),
        ];
        stream.write_all(&answer.concat()).await.expect("sent");
        stream.read_to_end(&mut seen).await.ok();
    });
    let sumun = Sumun::start(&policies::to_h2(&url)).await;
    let mut client = Client::connect(sumun.address()).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    match client.response().await {
        Err(Broken::Closed | Broken::Cut | Broken::Reset) => {}
        Ok(answer) if answer.status == 502 => {}
        other => panic!("{other:?}"),
    }
    upstream.abort();
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn an_answer_is_waited_for_from_the_end_of_its_upload() {
    let answers = Reply::new().then(Step::ReadBody);
    let answers = answers.then(Step::Pause(Duration::from_millis(700)));
    let answers = answers.then(Reply::ok("late, not too late").steps.remove(0));
    let upstream = Upstream::start_at_head(move |_| answers.clone()).await;
    let keys = format!("endpoints: [\"{}\"], timeout: {{ response: 1s }}", upstream.url());
    let sumun = Sumun::start(&policies::policy(&keys, "")).await;
    let mut client = Client::connect(sumun.address()).await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 7\r\n\r\n").await;
    for byte in "upload!".bytes() {
        tokio::time::sleep(Duration::from_millis(130)).await; // a slow client: 910 ms in all
        client.send([byte]).await;
    }
    assert_eq!(client.answer().await.status, 200);
}

/// The upstream answers whole, and neither reads the upload nor closes.
#[tokio::test]
async fn a_call_that_is_answered_before_its_upload_ends_keeps_no_connection() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let answers = async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.read_u8().await.expect("a request");
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nenough";
            stream.write_all(answer).await.expect("an answer");
            kept.push(stream);
        }
    };
    let upstream = tokio::spawn(answers);
    let sumun = Sumun::start(&policies::to(&url)).await;
    let before = sumun.fd_count();
    for _ in 0..3 {
        let client = Client::connect(sumun.address()).await;
        let mut client = client.deadline(Duration::from_secs(1));
        client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000000\r\n\r\n").await;
        // More than all sockets on the way hold.
        client.send(vec![b'x'; 40_000_000]).await;
        client.reset();
    }
    eventually("both sides' connections are closed", DEADLINE, async || {
        let open = sumun.fd_count();
        if open <= before { Ok(()) } else { Err((before, open)) }
    })
    .await;
    upstream.abort();
}

#[tokio::test]
async fn an_upstream_that_never_answers_is_504_in_time() {
    let upstream = Upstream::start(|_| Reply::only(Step::Hang)).await;
    let keys = format!("endpoints: [\"{}\"], timeout: {{ response: 500ms }}", upstream.url());
    let sumun = Sumun::start(&policies::policy(&keys, "")).await;
    let began = Instant::now();
    let answer = sumun.call("POST", "/", &[], b"x").await;
    let took = began.elapsed();
    answer.problem(504, "upstream_timeout");
    assert!(took >= Duration::from_millis(480) && took < Duration::from_secs(1), "{took:?}");
    assert_eq!(upstream.request_count(), 1);
    upstream.idle(DEADLINE).await;
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn an_upstream_that_falls_silent_in_the_body_is_cut_in_time() {
    let upstream =
        Upstream::start(|_| Reply::promise(100).then(Step::Fill(10)).then(Step::Hang)).await;
    let keys = format!("endpoints: [\"{}\"], timeout: {{ response: 500ms }}", upstream.url());
    let sumun = Sumun::start(&policies::policy(&keys, "")).await;
    let began = Instant::now();
    let mut client = Client::connect(sumun.address()).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let broken = client.response().await.expect_err("a cut answer");
    assert!(matches!(broken, Broken::Cut | Broken::Reset), "{broken:?}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn a_host_that_takes_no_connection_is_given_up_after_the_connect_limit() {
    // A listener with a full backlog: the kernel drops further SYNs.
    let full =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let any: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
    full.bind(&any.into()).expect("bound");
    full.listen(0).expect("listening");
    let address = full.local_addr().expect("an address").as_socket().expect("an IP address");
    let mut fill = Vec::new();
    loop {
        let connect = tokio::net::TcpStream::connect(address);
        match tokio::time::timeout(Duration::from_millis(200), connect).await {
            Ok(stream) => fill.push(stream),
            Err(_) => break,
        }
        assert!(fill.len() < 50, "the backlog fills up");
    }
    let keys = format!("endpoints: [\"http://{address}\"], timeout: {{ connect: 300ms }}");
    let sumun = Sumun::start(&policies::policy(&keys, "")).await;
    let began = Instant::now();
    let answer = sumun.call("POST", "/", &[], b"x").await;
    assert!(matches!(answer.status, 502 | 504), "{answer}");
    answer.own(answer.status);
    assert!(began.elapsed() < Duration::from_millis(1200), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_post_is_tried_exactly_once_and_a_get_at_most_once_elsewhere() {
    let (broken, good) =
        (Upstream::start(|_| Reply::only(Step::Reset)).await, Upstream::plain().await);
    let sumun = Sumun::start(&two(&broken.url(), &good.url())).await;
    let mut failed = 0;
    for n in 0..40 {
        let answer = sumun.call("POST", &format!("/post/{n}"), &[], b"x").await;
        failed += usize::from(answer.status == 502);
        assert!(matches!(answer.status, 200 | 502), "{answer}");
    }
    assert_eq!(broken.request_count(), failed, "each that met the broken one is a 502");
    assert_eq!(good.request_count(), 40 - failed, "and was not sent again");
    broken.forget();
    good.forget();
    for n in 0..40 {
        let answer = sumun.get(&format!("/get/{n}")).await;
        assert_eq!(answer.status, 200, "{answer}");
    }
    assert_eq!(good.request_count(), 40);
    assert!(broken.request_count() <= 40);
}

#[tokio::test]
async fn a_connection_that_died_unused_is_no_failure() {
    // Each connection is closed right after its answer, without a word.
    let upstream = Upstream::start(|_| Reply::ok("once").then(Step::Close)).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    for n in 0..50 {
        let (method, body) = if n % 2 == 0 { ("GET", &b""[..]) } else { ("POST", &b"x"[..]) };
        let answer = sumun.call(method, "/", &[], body).await;
        assert_eq!(answer.status, 200, "call {n}: {answer}");
        // The upstream's end is on the wire before the next call.
        eventually("closed", DEADLINE, async || match upstream.open_connections() {
            0 => Ok(()),
            open => Err(open),
        })
        .await;
    }
    assert_eq!(upstream.request_count(), 50);
}

#[tokio::test]
async fn a_connection_that_dies_when_used_again_is_retried_for_get_only() {
    // The second request of each connection meets a close: the classic keep-alive race.
    let served = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&served);
    let last_connection = AtomicUsize::new(usize::MAX);
    let upstream = Upstream::start(move |request| {
        if last_connection.swap(request.connection, Ordering::SeqCst) == request.connection {
            return Reply::only(Step::Close);
        }
        seen.fetch_add(1, Ordering::SeqCst);
        Reply::ok("first")
    })
    .await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    // One client connection stays with one worker and so with one pool.
    let mut client = Client::connect(sumun.address()).await;
    for n in 0..10 {
        let answer = client.exchange("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(answer.status, 200, "GET {n}: {answer}");
    }
    upstream.forget();
    let before = served.load(Ordering::SeqCst);
    let mut lost = 0;
    for n in 0..10 {
        let request = format!("POST /{n} HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx");
        let answer = client.exchange(request).await;
        assert!(matches!(answer.status, 200 | 502), "{answer}");
        lost += usize::from(answer.status == 502);
    }
    let targets: Vec<String> = upstream.requests().iter().map(|r| r.target().to_owned()).collect();
    let mut once = targets.clone();
    once.dedup();
    assert_eq!(targets, once, "no POST was sent twice");
    assert_eq!(served.load(Ordering::SeqCst) - before, 10 - lost);
}

#[tokio::test]
async fn a_broken_endpoint_costs_few_calls_beside_a_good_one() {
    let dead = Upstream::plain().await.stop().await;
    let good = Upstream::plain().await;
    let sumun = Sumun::start(&two(&format!("http://{dead}"), &good.url())).await;
    let tally = Load::get(sumun.address(), "/").connections(4).total(400).run().await;
    tally.assert_all(200);
}

#[tokio::test]
async fn a_hung_network_ends_in_504_and_heals() {
    let upstream = Upstream::plain().await;
    let proxy = FaultProxy::start(upstream.address()).await;
    let keys = format!("endpoints: [\"{}\"], timeout: {{ response: 400ms }}", proxy.url());
    let sumun = Sumun::start(&policies::policy(&keys, "")).await;
    assert_eq!(sumun.get("/").await.status, 200);
    proxy.set(Mode::StallDown);
    sumun.call("POST", "/", &[], b"x").await.problem(504, "upstream_timeout");
    proxy.set(Mode::Pass);
    eventually("served again", Duration::from_secs(3), async || {
        match sumun.get("/").await.status {
            200 => Ok(()),
            status => Err(status),
        }
    })
    .await;
    proxy.reset_all().await;
    eventually("served after resets", Duration::from_secs(3), async || {
        match sumun.get("/").await.status {
            200 => Ok(()),
            status => Err(status),
        }
    })
    .await;
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_call_upstream() {
    let upstream = Upstream::start(|_| Reply::only(Step::Hang)).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    upstream.arrived(1).await;
    let began = Instant::now();
    client.reset();
    upstream.idle(Duration::from_secs(2)).await;
    assert!(began.elapsed() < Duration::from_millis(700), "{:?}", began.elapsed());
    assert_eq!(upstream.aborted(), 1);
    sumun.idle(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn what_is_left_of_an_upload_to_nowhere_is_read_or_ends_the_connection() {
    let address = Upstream::plain().await.stop().await;
    let sumun = Sumun::start(&policies::to(&format!("http://{address}"))).await;
    for (length, goes_on) in [(10, true), (60_000, true), (200_000, false)] {
        let mut client = Client::connect(sumun.address()).await;
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
        client.send(head).await;
        let answer = client.answer().await;
        answer.own(answer.status);
        let told = (!goes_on).then_some("close");
        assert_eq!(answer.header("connection"), told, "{length}: {answer}");
        client.send(vec![b'x'; length]).await;
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(client.response().await.is_ok(), goes_on, "{length}");
    }
    sumun.idle(DEADLINE).await;
}
