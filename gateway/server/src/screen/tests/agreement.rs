//! The screen and hyper read the same messages out of the same bytes.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

use super::corpus;

/// More than any case, so that nobody waits for anybody.
const PIPE_BYTES: usize = 1024 * 1024;

/// How many heads a hyper server finds in the stream.
async fn count_heads(stream: &[u8]) -> usize {
    let heads = Arc::new(AtomicUsize::new(0));
    let (mut client, server) = tokio::io::duplex(PIPE_BYTES);
    let counted = Arc::clone(&heads);
    let answer = service_fn(move |request: Request<Incoming>| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            // A body that ends too early is an error here, and no matter.
            let _ = Limited::new(request.into_body(), PIPE_BYTES).collect().await;
            let mut answer = Response::new(Empty::<Bytes>::new());
            // A CONNECT that is granted would make a tunnel of the rest.
            *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            Ok::<_, Infallible>(answer)
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.max_headers(128).half_close(true);
    let serve = builder.serve_connection(TokioIo::new(server), answer);
    let call = async {
        client.write_all(stream).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answers = Vec::new();
        client.read_to_end(&mut answers).await.unwrap();
    };
    // How the connection ends does not matter, only how many requests were in it.
    let _ = tokio::join!(serve, call);
    heads.load(Ordering::Relaxed)
}

#[tokio::test]
async fn hyper_finds_as_many_requests_as_the_corpus_says() {
    for case in corpus::valid_requests() {
        let heads = timeout(Duration::from_secs(10), count_heads(&case.bytes)).await;
        assert_eq!(heads.unwrap_or(usize::MAX).to_string(), case.word, "{}", case.name);
    }
}

/// Answers two requests: with the case, then with a status that no case has.
async fn answer_two(mut server: DuplexStream, answer: &[u8]) {
    for answer in [answer, b"HTTP/1.1 299 Next\r\nContent-Length: 0\r\n\r\n"] {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(server.read_u8().await.unwrap());
        }
        server.write_all(answer).await.unwrap();
    }
}

/// Reads the answer with a hyper client; then the status of the next one on the same connection.
async fn status_after(method: &str, client: DuplexStream) -> u16 {
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_headers(128);
    let (mut sender, connection) = builder.handshake(TokioIo::new(client)).await.unwrap();
    let talk = async move {
        let request = |method| {
            Request::builder().method(method).uri("/").body(Empty::<Bytes>::new()).unwrap()
        };
        let first = sender.send_request(request(method)).await.unwrap();
        Limited::new(first.into_body(), PIPE_BYTES).collect().await.unwrap();
        sender.ready().await.unwrap();
        sender.send_request(request("GET")).await.unwrap().status().as_u16()
    };
    let (_, status) = tokio::join!(connection, talk);
    status
}

#[tokio::test]
async fn hyper_ends_a_reusable_answer_where_the_screen_does() {
    for case in corpus::valid_responses().iter().filter(|case| case.code == "reusable") {
        let (client, server) = tokio::io::duplex(PIPE_BYTES);
        let both = async {
            tokio::join!(answer_two(server, &case.bytes), status_after(case.word, client)).1
        };
        let status = timeout(Duration::from_secs(10), both).await;
        assert_eq!(status.unwrap_or_default(), 299, "{}", case.name);
    }
}
