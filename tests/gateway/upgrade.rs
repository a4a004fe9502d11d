//! Upgrades: WebSocket tunnels on routes that allow them, and nowhere else.

use sumun_tests::{Broken, Client, DEADLINE, Reply, Step, Sumun, Upstream, eventually};

use crate::policies;

const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\n\
                         upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Accepts the handshake and echoes.
fn accepts() -> Reply {
    Reply::raw(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    )
    .then(Step::Echo)
}

/// A policy with one function of one slot and a WebSocket route.
fn one_slot(url: &str) -> String {
    policies::function(url, "reserved: 1")
        .replace("function: fn }", "function: fn, websocket: true }")
}

async fn in_use(sumun: &Sumun) -> f64 {
    sumun.metric("sumun_function_concurrency{function=\"fn\",kind=\"in_use\"}").await
}

#[tokio::test]
async fn a_websocket_tunnel_carries_bytes_both_ways_and_holds_one_permit_until_it_closes() {
    let upstream = Upstream::start(|_| accepts()).await;
    let sumun = Sumun::start(&one_slot(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    let answer = client.exchange(HANDSHAKE).await;
    assert_eq!(answer.status, 101, "{answer}");
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(answer.header("upgrade").map(str::to_lowercase).as_deref(), Some("websocket"));
    let seen = upstream.only_request();
    assert_eq!(seen.header("upgrade").map(str::to_lowercase).as_deref(), Some("websocket"));
    assert_eq!(seen.header("sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    for message in [&b"\x81\x02hi"[..], &vec![0xff; 70_000], b"GET / HTTP/1.1\r\n\r\n"] {
        client.send(message).await;
        assert_eq!(client.take(message.len()).await.expect("an echo"), message);
    }
    assert!((in_use(&sumun).await - 1.0).abs() < f64::EPSILON, "{}", in_use(&sumun).await);
    sumun.get("/other").await.problem(429, "quota_full");
    drop(client);
    sumun.idle(DEADLINE).await;
    upstream.idle(DEADLINE).await;
    let again = Client::connect(sumun.address()).await.exchange(HANDSHAKE).await;
    assert_eq!(again.status, 101);
}

#[tokio::test]
async fn a_tunnel_ends_when_the_upstream_closes() {
    let upstream = Upstream::start(|_| {
        let mut reply = accepts();
        reply.steps.pop();
        reply.then(Step::Bytes("bye".into())).then(Step::Close)
    })
    .await;
    let sumun = Sumun::start(&one_slot(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    assert_eq!(client.exchange(HANDSHAKE).await.status, 101);
    let (bytes, end) = client.rest().await;
    assert_eq!((bytes.as_slice(), end), (&b"bye"[..], Broken::Closed));
    // A tunnel is half-closed like any TCP connection; this client follows.
    drop(client);
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn a_tunnel_reset_by_either_side_frees_its_permit() {
    let upstream = Upstream::start(|_| accepts()).await;
    let sumun = Sumun::start(&one_slot(&upstream.url())).await;
    for _ in 0..20 {
        let mut client = Client::connect(sumun.address()).await;
        assert_eq!(client.exchange(HANDSHAKE).await.status, 101);
        client.reset();
        sumun.idle(DEADLINE).await;
    }
    upstream.idle(DEADLINE).await;
    let resets = Upstream::start(|_| {
        let mut reply = accepts();
        reply.steps.pop();
        reply.then(Step::Reset)
    })
    .await;
    let sumun = Sumun::start(&one_slot(&resets.url())).await;
    for _ in 0..20 {
        let mut client = Client::connect(sumun.address()).await;
        client.send(HANDSHAKE).await;
        client.rest().await;
        sumun.idle(DEADLINE).await;
    }
}

#[tokio::test]
async fn a_refused_handshake_is_an_answer_like_any_other() {
    let upstream = Upstream::start(|_| Reply::with(403, &[], "no")).await;
    let sumun = Sumun::start(&one_slot(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    let answer = client.exchange(HANDSHAKE).await;
    assert_eq!((answer.status, answer.text().as_str()), (403, "no"));
    assert_eq!(client.exchange("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.status, 403);
}

#[tokio::test]
async fn point_02_upgrade_is_dropped_where_the_route_is_no_websocket_route() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let answer = Client::connect(sumun.address()).await.exchange(HANDSHAKE).await;
    assert_eq!(answer.status, 200);
    let seen = upstream.only_request();
    assert!(seen.header("upgrade").is_none(), "{:?}", seen.head);
    let named = seen.all("connection").join(",").to_lowercase();
    assert!(!named.contains("upgrade"), "{named}");
}

#[tokio::test]
async fn point_02_h2c_is_never_an_upgrade() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&one_slot(&upstream.url())).await;
    let request = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\n\
                   upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    let answer = Client::connect(sumun.address()).await.exchange(request).await;
    assert_eq!(answer.status, 200);
    let seen = upstream.only_request();
    assert!(
        seen.header("upgrade").is_none() && seen.header("http2-settings").is_none(),
        "{:?}",
        seen.head
    );
}

#[tokio::test]
async fn point_02_a_101_that_nobody_asked_for_is_a_502() {
    let upstream = Upstream::start(|_| accepts()).await;
    let sumun = Sumun::start(&one_slot(&upstream.url())).await;
    sumun.get("/").await.own(502);
    sumun.idle(DEADLINE).await;
    let plain = Sumun::start(&policies::to(&upstream.url())).await;
    Client::connect(plain.address()).await.exchange(HANDSHAKE).await.own(502);
    eventually("the upstream's connections are gone", DEADLINE, async || {
        match upstream.in_flight() {
            0 => Ok(()),
            open => Err(open),
        }
    })
    .await;
}
