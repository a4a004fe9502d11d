//! The screen and hyper read the same messages out of the same bytes.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
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
