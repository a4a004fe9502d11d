//! The accept loop of a demo service: HTTP/1.1, keep-alive, bounded in every direction.
//!
//! Begins with a bound socket and ends when its future is dropped, which drops every connection.

use std::convert::Infallible;
use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Connections of one service at once. Tomcat's default is 8,192; a demo's gateway needs few.
pub(super) const CONNECTIONS_MAX: usize = 1_024;

/// Bytes of a request body that are read; more is answered 413. Mails of the demo have 2 KiB.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Buffer of a connection in each direction.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// How long a connection may take over a request's head, and how long it may be idle. Tomcat's
/// default for both is 60 s.
const HEAD_TIME_MAX: Duration = Duration::from_mins(1);

/// Pause after a failed accept (mostly: out of descriptors), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A demo service: one answer for one request whose body has been read.
pub(super) trait Service: Send + Sync + 'static {
    /// Answers a request.
    fn answer(&self, request: Request<Bytes>) -> impl Future<Output = Answer> + Send;
}

/// What a demo service answers.
pub(super) type Answer = Response<Full<Bytes>>;

/// Serves `service` on `listener` until dropped.
pub(super) async fn run(listener: TcpListener, service: Arc<impl Service>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "a demo service cannot use its socket");
            return;
        }
    };
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Owned here, so that dropping this future ends every connection.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let service = service.clone();
                connections.spawn(async move {
                    connection(stream, service).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a demo service cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: tokio::net::TcpStream, service: Arc<impl Service>) {
    // Small answers: do not wait for more to send.
    let _ = stream.set_nodelay(true);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(|request: Request<Incoming>| {
                let service = &service;
                async move {
                    let (head, body) = request.into_parts();
                    let answer = match Limited::new(body, BODY_BYTES_MAX).collect().await {
                        Ok(body) => {
                            service.answer(Request::from_parts(head, body.to_bytes())).await
                        }
                        Err(_) => empty(StatusCode::PAYLOAD_TOO_LARGE),
                    };
                    Ok::<_, Infallible>(answer)
                }
            }),
        )
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to a demo service ended early");
    }
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

/// A 200 with this JSON.
pub(super) fn json(value: &serde_json::Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(value.to_string())));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
