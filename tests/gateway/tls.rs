//! TLS on the data listener: ALPN, both protocols, client certificates.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sumun_tests::wire::Head;
use sumun_tests::{Broken, Client, DEADLINE, Reply, Sumun, Upstream, within};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::policies;

pub(crate) type Identity = rcgen::CertifiedKey<rcgen::KeyPair>;

pub(crate) fn identity(name: &str) -> Identity {
    rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("a certificate")
}

/// Writes an identity as PEM files into a folder.
pub(crate) fn write(identity: &Identity, folder: &TempDir, name: &str) {
    let path = |end: &str| folder.path().join(format!("{name}.{end}"));
    fs::write(path("cert"), identity.cert.pem()).expect("written");
    fs::write(path("key"), identity.signing_key.serialize_pem()).expect("written");
}

/// A gateway with this identity; `more` are more keys of `tls`.
pub(crate) async fn secured(
    upstream: &Upstream,
    server: &Identity,
    folder: &TempDir,
    more: &str,
) -> Sumun {
    write(server, folder, "server");
    let path = folder.path().display();
    Sumun::with()
        .policy("policy.yaml", &policies::to(&upstream.url()))
        .settings(&format!("tls: {{ cert: {path}/server.cert, key: {path}/server.key{more} }}\n"))
        .start()
        .await
}

/// A handshake that trusts `server` only and offers one protocol.
pub(crate) async fn connect(
    address: SocketAddr,
    server: &Identity,
    client: Option<&Identity>,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(server.cert.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots);
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let chain: Vec<CertificateDer<'static>> = vec![client.cert.der().clone()];
            let key = PrivateKeyDer::try_from(client.signing_key.serialize_der()).expect("a key");
            builder.with_client_auth_cert(chain, key).expect("a client identity")
        }
    };
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    // Small buffers, so that little is under way to a client that doesn't read.
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(16 * 1024)?;
    let stream = socket.connect(address).await?;
    let name = ServerName::try_from("gateway.test").expect("a name");
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    within("a TLS handshake", DEADLINE, handshake).await
}

/// One GET over HTTP/1.1; the head of the answer.
pub(crate) async fn exchange(stream: &mut TlsStream<TcpStream>) -> std::io::Result<Head> {
    stream.write_all(b"GET /x HTTP/1.1\r\nhost: gateway.test\r\n\r\n").await?;
    let mut bytes = Vec::new();
    loop {
        if let Ok(Some(head)) = Head::parse(&bytes) {
            return Ok(head);
        }
        if within("an answer", DEADLINE, stream.read_buf(&mut bytes)).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

#[tokio::test]
async fn http1_and_http2_are_served_over_tls_as_alpn_says() {
    let (upstream, folder) = (Upstream::plain().await, tempfile::tempdir().expect("a folder"));
    let server = identity("gateway.test");
    let sumun = secured(&upstream, &server, &folder, "").await;
    let mut one = connect(sumun.address(), &server, None, "http/1.1").await.expect("a handshake");
    assert_eq!(one.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(exchange(&mut one).await.expect("an answer").word(1), "200");
    let two = connect(sumun.address(), &server, None, "h2").await.expect("a handshake");
    assert_eq!(two.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) = h2::client::handshake(two).await.expect("HTTP/2");
    tokio::spawn(connection);
    let request = http::Request::get("https://gateway.test/y").body(()).expect("a request");
    let (answer, _) = sender.send_request(request, true).expect("a stream");
    assert_eq!(within("an answer", DEADLINE, answer).await.expect("an answer").status(), 200);
    for seen in upstream.requests() {
        assert_eq!(seen.all("x-forwarded-proto"), ["https"], "{:?}", seen.head);
    }
    assert_eq!(upstream.request_count(), 2);
}

#[tokio::test]
async fn plain_http_on_the_tls_port_reaches_nobody() {
    let (upstream, folder) = (Upstream::plain().await, tempfile::tempdir().expect("a folder"));
    let server = identity("gateway.test");
    let sumun = secured(&upstream, &server, &folder, "").await;
    let mut client = Client::connect(sumun.address()).await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_ne!(client.rest().await.1, Broken::Late);
    assert!(upstream.all_bytes().is_empty());
    let mut good = connect(sumun.address(), &server, None, "http/1.1").await.expect("a handshake");
    assert_eq!(exchange(&mut good).await.expect("an answer").word(1), "200");
}

#[tokio::test]
async fn a_client_certificate_is_required_where_an_authority_is_named() {
    let (upstream, folder) = (Upstream::plain().await, tempfile::tempdir().expect("a folder"));
    let (server, known, stranger) =
        (identity("gateway.test"), identity("client.test"), identity("stranger.test"));
    write(&known, &folder, "client");
    let more = format!(", client_ca: {}/client.cert", folder.path().display());
    let sumun = secured(&upstream, &server, &folder, &more).await;
    for client in [None, Some(&stranger)] {
        // TLS 1.3 tells the client only once it reads.
        let refused = match connect(sumun.address(), &server, client, "http/1.1").await {
            Err(_) => true,
            Ok(mut stream) => exchange(&mut stream).await.is_err(),
        };
        assert!(refused);
    }
    assert!(upstream.all_bytes().is_empty());
    let stream = connect(sumun.address(), &server, Some(&known), "http/1.1").await;
    let head = exchange(&mut stream.expect("a handshake")).await.expect("an answer");
    assert_eq!(head.word(1), "200");
}

/// Sends calls, each in a segment of its own, once the ones before have reached the upstream; stops where
/// the gateway waits for its client to read. Tells how many were sent.
async fn send_unread(
    stream: &mut TlsStream<TcpStream>,
    upstream: &Upstream,
    calls: usize,
) -> std::io::Result<usize> {
    upstream.forget();
    for number in 1..=calls {
        stream.write_all(b"GET /x HTTP/1.1\r\nhost: gateway.test\r\n\r\n").await?;
        stream.flush().await?;
        let arrived = tokio::time::timeout(Duration::from_secs(1), upstream.arrived(number));
        if arrived.await.is_err() {
            return Ok(number);
        }
    }
    Ok(calls)
}

/// Reads so many answers, each with this body.
async fn read_answers(stream: &mut TlsStream<TcpStream>, answers: usize, body: &str) {
    let (mut got, mut room) = (Vec::new(), vec![0; 64 * 1024]);
    let mut read = 0;
    while read < answers {
        let n = within("more of the answers", DEADLINE, stream.read(&mut room))
            .await
            .expect("readable");
        assert_ne!(n, 0, "closed after {read} of {answers} answers");
        got.extend_from_slice(&room[..n]);
        while let Some(head) = got.windows(4).position(|four| four == b"\r\n\r\n")
            && let end = head + 4 + body.len()
            && got.len() >= end
        {
            assert!(got.starts_with(b"HTTP/1.1 200 ") && got[..end].ends_with(body.as_bytes()));
            got.drain(..end);
            read += 1;
        }
    }
    assert!(got.is_empty());
}

/// TLS takes more than the socket does: what it has left must be sent without another call.
#[tokio::test]
async fn a_client_that_reads_late_gets_every_answer_to_its_end() {
    const CALLS_MAX: usize = 10_000;
    let body = "x".repeat(8_000);
    let scripted = body.clone();
    let upstream = Upstream::start(move |_| Reply::ok(&scripted)).await;
    let folder = tempfile::tempdir().unwrap();
    let server = identity("gateway.test");
    let sumun = secured(&upstream, &server, &folder, "").await;
    let connect = async || connect(sumun.address(), &server, None, "http/1.1").await.unwrap();
    let mut stream = connect().await;
    let held = send_unread(&mut stream, &upstream, CALLS_MAX).await.unwrap();
    assert!(held < CALLS_MAX, "nothing holds the gateway back");
    read_answers(&mut stream, held, &body).await;
    // Somewhere before that the socket is full, and TLS is not.
    for fewer in 1..=12 {
        let mut stream = connect().await;
        let sent = send_unread(&mut stream, &upstream, held - fewer).await.unwrap();
        read_answers(&mut stream, sent, &body).await;
    }
    sumun.idle(DEADLINE).await;
}
