//! What connections cost. The figures hold for the built binary whatever its profile: they are
//! buffers, not code; the test says which profile it measured.

use std::time::Duration;

use sumun_tests::{Client, DEADLINE, H2Client, Reply, Step, Sumun, Upstream, eventually};

use crate::policies;

/// The memory once it has stopped moving, KiB: the same to 1 % over ten looks.
async fn settled_kib(sumun: &Sumun) -> u64 {
    let mut last = 0;
    let mut calm = 0;
    eventually("memory settles", DEADLINE, async || {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = sumun.anonymous_kib();
        calm = if now.abs_diff(last) * 100 <= now { calm + 1 } else { 0 };
        last = now;
        if calm >= 10 { Ok(now) } else { Err(now) }
    })
    .await
}

/// A gateway that has served enough for its pools, caches and allocator to be warm.
async fn warm(upstream: &Upstream) -> Sumun {
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let load = sumun_tests::Load::get(sumun.address(), "/warm");
    load.connections(16).total(500).run().await.assert_all(200);
    sumun
}

/// What each of `count` things costs over `before`, KiB, once all of them stand still. The allocator
/// gives back what the way there needed (buffers that grew, for one) some seconds later: a figure
/// over `most` has until then.
async fn each_kib(sumun: &Sumun, before: u64, count: u64, most: f64, what: &str) {
    settled_kib(sumun).await;
    let cost = || (sumun.anonymous_kib().saturating_sub(before)) as f64 / count as f64;
    let each = eventually(what, Duration::from_secs(20), async || match cost() {
        each if each <= most => Ok(each),
        each => Err(format!("{each:.1} KiB each, at most {most}")),
    })
    .await;
    eprintln!("{}: {each:.1} KiB for each {what}", profile());
}

fn profile() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "release" }
}

#[tokio::test]
async fn point_09_a_client_that_never_reads_costs_at_most_128_kib() {
    const CLIENTS: u64 = 100;
    const LENGTH: u64 = 4 << 20;
    let upstream = Upstream::start(|request| match request.target() {
        "/warm" => Reply::ok("ok"),
        _ => Reply::promise(LENGTH).then(Step::Fill(LENGTH)),
    })
    .await;
    let sumun = warm(&upstream).await;
    let before = settled_kib(&sumun).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = Client::connect_narrow(sumun.address(), 4096).await;
        client.send("GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await;
        clients.push(client);
    }
    upstream.arrived(500 + CLIENTS as usize).await;
    each_kib(&sumun, before, CLIENTS, 128.0, "client that never reads").await;
    // They finish when they go on reading.
    let mut client = clients.pop().expect("a hundred");
    assert_eq!(client.answer().await.body.len() as u64, LENGTH);
    drop(clients);
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn point_09_a_stream_that_is_never_read_costs_at_most_128_kib() {
    const STREAMS: u64 = 100;
    let upstream = Upstream::start(|request| match request.target() {
        "/warm" => Reply::ok("ok"),
        _ => Reply::promise(4 << 20).then(Step::Fill(4 << 20)),
    })
    .await;
    let sumun = warm(&upstream).await;
    let before = settled_kib(&sumun).await;
    let mut builder = h2::client::Builder::new();
    // The connection's window stands wide open, so that each stream is bounded by its own.
    builder.initial_connection_window_size(64 << 20).initial_window_size(1 << 20);
    let client = H2Client::connect_with(sumun.address(), &builder).await;
    let mut bodies = Vec::new();
    for _ in 0..STREAMS {
        let opened = client.open(H2Client::request("GET", "/big", &[]), true).await;
        bodies.push(opened.expect("a stream").0);
    }
    upstream.arrived(500 + STREAMS as usize).await;
    each_kib(&sumun, before, STREAMS, 128.0, "stream that is never read").await;
}

#[tokio::test]
async fn point_09_an_upload_that_is_never_read_costs_at_most_128_kib() {
    const CLIENTS: u64 = 50;
    let upstream = Upstream::start_at_head(|request| match request.target() {
        "/warm" => Reply::ok("ok"),
        _ => Reply::only(Step::Wait(sumun_tests::Gate::closed())),
    })
    .await;
    let proxy = sumun_tests::FaultProxy::start(upstream.address()).await;
    let sumun = Sumun::start(&policies::to(&proxy.url())).await;
    let load = sumun_tests::Load::get(sumun.address(), "/warm");
    load.connections(16).total(500).run().await.assert_all(200);
    proxy.set(sumun_tests::Mode::StallUp);
    let before = settled_kib(&sumun).await;
    let mut uploads = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let address = sumun.address();
        uploads.spawn(async move {
            let mut client = Client::connect(address).await.deadline(Duration::from_mins(1));
            client.send("POST /up HTTP/1.1\r\nhost: a\r\ncontent-length: 4194304\r\n\r\n").await;
            client.send(vec![b'x'; 4 << 20]).await;
        });
    }
    // The sockets fill up, then nothing moves.
    eventually("the uploads are connected", DEADLINE, async || {
        let open = sumun.fd_count();
        if open as u64 >= CLIENTS * 2 { Ok(()) } else { Err(open) }
    })
    .await;
    each_kib(&sumun, before, CLIENTS, 128.0, "upload that is never read").await;
}

#[tokio::test]
async fn a_thousand_idle_connections_cost_at_most_20_kib_each() {
    const CONNECTIONS: u64 = 1000;
    let upstream = Upstream::plain().await;
    let sumun = warm(&upstream).await;
    let before = settled_kib(&sumun).await;
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = Client::connect(sumun.address()).await;
        let answer = client.exchange("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(answer.status, 200);
        idle.push(client);
    }
    each_kib(&sumun, before, CONNECTIONS, 20.0, "idle connection").await;
}
