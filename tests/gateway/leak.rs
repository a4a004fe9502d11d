//! The leak matrix: however a call ends, its slot, its permit and its descriptors come back.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sumun_tests::{Client, DEADLINE, H2Client, Reply, Step, Sumun, Upstream, eventually};

/// Times that each cell of the matrix is run before the numbers are looked at.
const TIMES: usize = 10;

/// How the client leaves.
#[derive(Clone, Copy, Debug)]
enum Leave {
    Reset,
    HalfClose,
    SlowReader,
    Http2Reset,
    Http2Cut,
}

/// How far the call has come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    BeforeHeaders,
    MidBody,
}

const LENGTH: u64 = 8 << 20;

/// An upstream that never ends a call at `at` by itself, and a gateway with a function of 64 slots.
async fn fixture(at: At) -> (Upstream, Sumun) {
    let reply = match at {
        At::BeforeHeaders => Reply::only(Step::Hang),
        At::MidBody => Reply::promise(LENGTH).then(Step::Fill(LENGTH / 2)).then(Step::Hang),
    };
    let upstream = Upstream::start(move |request| match request.target() {
        "/now" => Reply::ok("ok"),
        _ => reply.clone(),
    })
    .await;
    let sumun = Sumun::start(&guarded(&upstream.url(), "5s")).await;
    (upstream, sumun)
}

/// Calls that are answered, after which the next one is read beside the HTTP stack, and sent so.
async fn warm_up(client: &mut Client) {
    for _ in 0..3 {
        assert_eq!(client.exchange("GET /now HTTP/1.1\r\nhost: a\r\n\r\n").await.status, 200);
    }
}

/// A function, a worker threshold and a class that is counted, so that every guard is held.
fn guarded(url: &str, response: &str) -> String {
    format!(
        "version: 1\n\
         upstreams:\n  up:\n    endpoints: [\"{url}\"]\n    timeout: {{ response: {response} }}\n    \
         workers_max: 1000\n\
         functions:\n  fn: {{ upstream: up, reserved: 64 }}\n\
         routes:\n  all: {{ match: {{ path: /** }}, function: fn, class: batch, \
         admission: {{ workers: {{ enter: 90% }} }} }}\n"
    )
}

/// Everything is back: in flight, slots, the upstream's own count; then the next call is served.
async fn all_back(sumun: &Sumun, upstream: &Upstream, fds: usize, what: &str) {
    eventually(what, Duration::from_secs(6), async || match upstream.in_flight() {
        0 => Ok(()),
        left => Err(left),
    })
    .await;
    sumun.idle(Duration::from_secs(6)).await;
    eventually(what, Duration::from_secs(6), async || {
        let open = sumun.fd_count();
        if open <= fds + 8 { Ok(()) } else { Err((open, fds)) }
    })
    .await;
}

async fn leave_over_http1(sumun: &Sumun, upstream: &Upstream, leave: Leave, at: At, n: usize) {
    let mut client = Client::connect_narrow(sumun.address(), 8 * 1024).await;
    if n % 2 == 1 {
        warm_up(&mut client).await;
    }
    let before = upstream.request_count();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    upstream.arrived(before + 1).await;
    if at == At::MidBody {
        client.head().await.expect("a head");
        client.take(1000).await.expect("some of the body");
    }
    match leave {
        Leave::Reset => client.reset(),
        Leave::HalfClose => {
            client.half_close().await;
            drop(client);
        }
        _ => drop(client),
    }
}

async fn leave_over_http2(sumun: &Sumun, upstream: &Upstream, leave: Leave, at: At) {
    let before = upstream.request_count();
    let client = H2Client::connect(sumun.address()).await;
    let opened = client.open(H2Client::request("GET", "/", &[]), true).await;
    let (answer, mut stream) = opened.expect("a stream");
    upstream.arrived(before + 1).await;
    let body = match at {
        At::BeforeHeaders => None,
        At::MidBody => {
            let mut body = answer.await.expect("a head").into_body();
            body.data().await.expect("some").expect("of the body");
            Some(body)
        }
    };
    match leave {
        Leave::Http2Reset => {
            stream.send_reset(h2::Reason::CANCEL);
            // The connection stays: what is freed is freed by the reset alone.
            upstream.idle(DEADLINE).await;
            sumun.idle(DEADLINE).await;
        }
        _ => client.cut(),
    }
    drop(body);
}

#[tokio::test]
async fn every_way_a_client_leaves_frees_everything() {
    for at in [At::BeforeHeaders, At::MidBody] {
        let (upstream, sumun) = fixture(at).await;
        let fds = sumun.fd_count();
        for leave in
            [Leave::Reset, Leave::HalfClose, Leave::SlowReader, Leave::Http2Reset, Leave::Http2Cut]
        {
            for n in 0..TIMES {
                match leave {
                    Leave::Http2Reset | Leave::Http2Cut => {
                        leave_over_http2(&sumun, &upstream, leave, at).await;
                    }
                    _ => leave_over_http1(&sumun, &upstream, leave, at, n).await,
                }
            }
            all_back(&sumun, &upstream, fds, &format!("{leave:?} {at:?}")).await;
        }
    }
}

#[tokio::test]
async fn every_way_an_upstream_fails_frees_everything() {
    let begin = || Reply::promise(1000).then(Step::Fill(10));
    let cases = [
        ("reset before headers", Reply::only(Step::Reset)),
        ("close before headers", Reply::only(Step::Close)),
        ("hang before headers", Reply::only(Step::Hang)),
        ("reset in the head", Reply::raw("HTTP/1.1 2").then(Step::Reset)),
        ("hang in the head", Reply::raw("HTTP/1.1 2").then(Step::Hang)),
        ("no HTTP", Reply::raw("SSH-2.0\r\n\r\n")),
        ("reset in the body", begin().then(Step::Reset)),
        ("close in the body", begin().then(Step::Close)),
        ("half-close in the body", begin().then(Step::HalfClose)),
        ("hang in the body", begin().then(Step::Hang)),
        ("broken chunk", Reply::chunked(&[]).then(Step::Bytes("zz\r\n".into()))),
    ];
    let replies: Vec<Reply> = cases.iter().map(|(_, reply)| reply.clone()).collect();
    let upstream = Upstream::start(move |request| match request.target()[1..].parse::<usize>() {
        Ok(case) => replies[case].clone(),
        Err(_) => Reply::ok("ok"),
    })
    .await;
    let sumun = Sumun::start(&guarded(&upstream.url(), "400ms")).await;
    assert_eq!(sumun.get("/ok").await.status, 200);
    let fds = sumun.fd_count();
    for (case, (name, _)) in cases.iter().enumerate() {
        let mut calls = tokio::task::JoinSet::new();
        for n in 0..TIMES {
            let address = sumun.address();
            calls.spawn(async move {
                if n % 2 == 0 {
                    let mut client = Client::connect(address).await;
                    client.send(format!("GET /{case} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
                    client.response().await.map(|answer| answer.status).ok()
                } else {
                    let client = H2Client::connect(address).await;
                    let answer = client.call("POST", &format!("/{case}"), &[], b"x", &[]).await;
                    answer.map(|answer| answer.status).ok()
                }
            });
        }
        for status in calls.join_all().await {
            assert!(status.is_none_or(|status| status >= 500), "{name}: {status:?}");
        }
        all_back(&sumun, &upstream, fds, name).await;
    }
    eventually("served again", DEADLINE, async || match sumun.get("/ok").await.status {
        200 => Ok(()),
        status => Err(status),
    })
    .await;
}

#[tokio::test]
async fn a_client_that_leaves_in_its_own_body_frees_everything() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&guarded(&upstream.url(), "5s")).await;
    let fds = sumun.fd_count();
    for n in 0..TIMES {
        let mut client = Client::connect(sumun.address()).await;
        let framing = ["content-length: 1000", "transfer-encoding: chunked"][n % 2];
        client.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n5\r\nhello")).await;
        upstream.arrived(n + 1).await;
        if n % 3 == 0 {
            client.reset();
        }
    }
    let h2 = H2Client::connect(sumun.address()).await;
    for n in 0..TIMES {
        let opened = h2.open(H2Client::request("POST", "/", &[]), false).await;
        let (_answer, mut stream) = opened.expect("a stream");
        stream.send_data(Bytes::from_static(b"part"), false).expect("sent");
        upstream.arrived(TIMES + n + 1).await;
        stream.send_reset(h2::Reason::CANCEL);
    }
    all_back(&sumun, &upstream, fds + 1, "left in the request's body").await;
    for seen in upstream.requests() {
        assert!(!seen.complete, "a cut body never looks whole: {seen:?}");
    }
}

/// 10⁵ cancels at random moments, over streams and over sockets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_random_cancels_leave_nothing_behind() {
    const STREAMS: u64 = 90_000;
    const SOCKETS: u64 = 10_000;
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    // Some calls end by themselves, some need the cancel, some are in their body.
    let upstream = Upstream::start(|request| match request.target() {
        "/now" => Reply::ok("ok"),
        "/body" => Reply::promise(100_000).then(Step::Fill(40_000)).then(Step::Hang),
        _ => Reply::only(Step::Hang),
    })
    .await;
    let sumun = Sumun::with().policy("policy.yaml", &guarded(&upstream.url(), "30s")).start().await;
    let fds = sumun.fd_count();
    let began = Instant::now();
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..8 {
        let address = sumun.address();
        let mut random = fastrand::Rng::with_seed(seed.wrapping_add(worker));
        workers.spawn(async move { cancel_streams(address, STREAMS / 8, &mut random).await });
    }
    for worker in 8..16 {
        let address = sumun.address();
        let mut random = fastrand::Rng::with_seed(seed.wrapping_add(worker));
        workers.spawn(async move {
            for _ in 0..SOCKETS / 8 {
                cancel_socket(address, &mut random).await;
            }
            SOCKETS / 8
        });
    }
    let cancelled: u64 = workers.join_all().await.iter().sum();
    assert_eq!(cancelled, STREAMS + SOCKETS);
    all_back(&sumun, &upstream, fds, "after 100,000 cancels").await;
    assert!(began.elapsed() < Duration::from_secs(90), "{:?}", began.elapsed());
    let pool = sumun.admin_get("/api/v1/functions").await;
    assert!(pool.to_string().contains("\"in_use\":0"), "{pool}");
    assert!(!pool.to_string().contains("\"in_use\":1"), "{pool}");
    assert_eq!(sumun.get("/now").await.status, 200);
}

const PATHS: [&str; 3] = ["/now", "/body", "/hang"];

/// Opens streams and resets each after a random while. A connection that the gateway gives up
/// (too many resets) is replaced: that cancels its streams as well.
async fn cancel_streams(
    address: std::net::SocketAddr,
    count: u64,
    random: &mut fastrand::Rng,
) -> u64 {
    let mut client = H2Client::connect(address).await;
    let mut cancelled = 0;
    let mut open = std::collections::VecDeque::new();
    while cancelled < count {
        let path = PATHS[random.usize(..PATHS.len())];
        let Ok(opened) = client.open(H2Client::request("GET", path, &[]), true).await else {
            cancelled += open.drain(..).count() as u64;
            client = H2Client::connect(address).await;
            continue;
        };
        open.push_back(opened);
        // Resets come after between none and a dozen later streams, and a breath now and then.
        while open.len() > random.usize(..12) {
            let Some((_answer, mut stream)) = open.pop_front() else { break };
            stream.send_reset(h2::Reason::CANCEL);
            cancelled += 1;
        }
        if random.u8(..) < 40 {
            tokio::task::yield_now().await;
        }
        if random.u8(..) == 0 {
            tokio::time::sleep(Duration::from_millis(random.u64(..5))).await;
        }
    }
    count
}

async fn cancel_socket(address: std::net::SocketAddr, random: &mut fastrand::Rng) {
    let mut client = Client::connect(address).await;
    let path = PATHS[random.usize(..PATHS.len())];
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    if random.u8(..4) == 0 {
        // The next one is read in front of the HTTP stack; a full function refuses some of these.
        for _ in 0..2 {
            client.exchange("GET /now HTTP/1.1\r\nhost: a\r\n\r\n").await;
        }
    }
    let sent = random.usize(1..=request.len());
    client.send(&request[..sent]).await;
    match random.u8(..4) {
        0 => {}
        1 => tokio::task::yield_now().await,
        _ => tokio::time::sleep(Duration::from_micros(random.u64(..3000))).await,
    }
    if random.bool() {
        client.reset();
    }
}
