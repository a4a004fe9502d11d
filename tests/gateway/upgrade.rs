//! Upgrades: WebSocket tunnels on routes that allow them, and nowhere else.

use std::sync::Arc;

use sumun_tests::{Broken, Client, DEADLINE, Gate, Reply, Step, Sumun, Upstream, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::{policies, tls};

const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\n\
                         upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n\
                      upgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Accepts the handshake and echoes.
fn accepts() -> Reply {
    Reply::raw(SWITCH).then(Step::Echo)
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

/// A client that has more to say is not watched for its end: the 101 finds it gone.
#[tokio::test]
async fn a_client_that_has_left_when_the_101_comes_frees_its_permit() {
    let gate = Gate::closed();
    let reply = accepts().behind(&gate);
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let sumun = Sumun::start(&one_slot(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    client.send(format!("{HANDSHAKE}GET / HTTP/1.1\r\nhost: a\r\n\r\n")).await;
    upstream.arrived(1).await;
    client.reset();
    gate.open();
    sumun.idle(DEADLINE).await;
    upstream.idle(DEADLINE).await;
    let again = Client::connect(sumun.address()).await.exchange(HANDSHAKE).await;
    assert_eq!(again.status, 101);
}

/// Bytes that came before the 101 belong to the tunnel, wherever the gateway held them.
#[tokio::test]
async fn what_the_client_says_before_the_101_goes_into_the_tunnel() {
    for early in ["", "GET / HT", "GET /whole HTTP/1.1\r\nhost: a\r\n\r\nGET /par"] {
        let gate = Gate::closed();
        let reply = accepts().behind(&gate);
        let upstream = Upstream::start(move |_| reply.clone()).await;
        let sumun = Sumun::start(&one_slot(&upstream.url())).await;
        let mut client = Client::connect(sumun.address()).await;
        client.send(format!("{HANDSHAKE}{early}")).await;
        upstream.arrived(1).await;
        gate.open();
        assert_eq!(client.head().await.expect("a 101").word(1), "101");
        client.send("late").await;
        let said = format!("{early}late");
        let heard = client.take(said.len()).await.expect("an echo");
        assert_eq!(String::from_utf8_lossy(&heard), said);
    }
}

/// What is neither a request nor, before the 101, a tunnel's bytes is never turned into either.
#[tokio::test]
async fn a_client_that_says_nonsense_before_the_101_gets_no_tunnel() {
    let gate = Gate::closed();
    let reply = accepts().behind(&gate);
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let sumun = Sumun::start(&one_slot(&upstream.url())).await;
    let mut client = Client::connect(sumun.address()).await;
    client.send([HANDSHAKE.as_bytes(), b"\x81\x02hi"].concat()).await;
    upstream.arrived(1).await;
    gate.open();
    client.rest().await;
    sumun.idle(DEADLINE).await;
    upstream.idle(DEADLINE).await;
    let sent = String::from_utf8_lossy(&upstream.all_bytes()).into_owned();
    assert!(!sent.contains("sumun-refused"), "{sent}");
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

/// A switch to something else than was asked for is none (RFC 9110 §15.2.2).
#[tokio::test]
async fn point_02_a_101_to_another_protocol_is_a_502() {
    for fields in [
        "connection: upgrade\r\nupgrade: h2c\r\n",
        "connection: upgrade\r\nupgrade: websocket, h2c\r\n",
        "upgrade: websocket\r\n",
        "connection: upgrade\r\n",
        "",
    ] {
        let switch = format!("HTTP/1.1 101 Switching Protocols\r\n{fields}\r\nopaque");
        let reply = Reply::raw(switch).then(Step::Echo);
        let upstream = Upstream::start(move |_| reply.clone()).await;
        let sumun = Sumun::start(&one_slot(&upstream.url())).await;
        let mut client = Client::connect(sumun.address()).await;
        client.exchange(HANDSHAKE).await.own(502);
        client.send("late").await;
        client.half_close().await;
        assert!(client.rest().await.0.is_empty(), "{fields}");
        sumun.idle(DEADLINE).await;
        upstream.idle(DEADLINE).await;
        let heard = String::from_utf8_lossy(&upstream.all_bytes()).into_owned();
        assert!(!heard.contains("late"), "{fields}: {heard}");
    }
}

/// An upstream over TLS that would rather speak HTTP/2, and echoes where it is asked for a WebSocket.
async fn echoes_over_tls(identity: tls::Identity) -> u16 {
    let key = identity.signing_key.serialize_der();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![identity.cert.der().clone()], key)
        .expect("an identity");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await.expect("a handshake");
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
                    while let Some(Ok((_, mut respond))) = connection.accept().await {
                        respond.send_response(http::Response::new(()), true).expect("an answer");
                    }
                    return;
                }
                let mut buffer = vec![0; 4096];
                let _head = stream.read(&mut buffer).await.expect("a request");
                stream.write_all(SWITCH.as_bytes()).await.expect("a switch");
                while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                    stream.write_all(&buffer[..n]).await.expect("an echo");
                }
            });
        }
    });
    port
}

/// HTTP/2 has no `Upgrade`, so a WebSocket gets a connection that has.
#[tokio::test]
async fn a_websocket_to_an_upstream_that_prefers_http2_goes_over_http1() {
    let (identity, folder) = (tls::identity("localhost"), tempfile::tempdir().expect("a folder"));
    tls::write(&identity, &folder, "upstream");
    let roots = folder.path().join("upstream.cert").display().to_string();
    let url = format!("https://localhost:{}", echoes_over_tls(identity).await);
    let sumun = Sumun::with()
        .policy("policy.yaml", &policies::to_with(&url, "websocket: true"))
        .environment("SSL_CERT_FILE", &roots)
        .start()
        .await;
    for _ in 0..2 {
        assert_eq!(sumun.get("/plain").await.status, 200, "over HTTP/2");
        let mut client = Client::connect(sumun.address()).await;
        assert_eq!(client.exchange(HANDSHAKE).await.status, 101);
        client.send("hello").await;
        assert_eq!(client.take(5).await.expect("an echo"), b"hello");
    }
}

/// Calls go on under a reload, and the connections of the old policy with them.
#[tokio::test]
async fn a_change_of_protocol_holds_though_the_endpoint_is_in_use() {
    let (identity, folder) = (tls::identity("localhost"), tempfile::tempdir().expect("a folder"));
    tls::write(&identity, &folder, "upstream");
    let roots = folder.path().join("upstream.cert").display().to_string();
    let url = format!("https://localhost:{}", echoes_over_tls(identity).await);
    let policy = policies::to(&url);
    let sumun = Sumun::with()
        .policy("policy.yaml", &policy)
        .settings("workers: 1\n")
        .environment("SSL_CERT_FILE", &roots)
        .start()
        .await;
    let mut client = Client::connect(sumun.address()).await;
    let request = "GET /plain HTTP/1.1\r\nhost: a\r\n\r\n";
    assert_eq!(client.exchange(request).await.status, 200, "over HTTP/2");
    sumun.write_policy("policy.yaml", policy.replace("endpoints:", "protocol: http1, endpoints:"));
    sumun.sighup();
    eventually("asked over HTTP/1.1, where it switches", DEADLINE, async || {
        match client.exchange(request).await.status {
            502 => Ok(()),
            status => Err(status),
        }
    })
    .await;
}
