//! One simulated caller: a keep-alive connection to the gateway, one call at a time.
//!
//! Begins without a connection; makes one when it calls, keeps it while it works, and drops it
//! after any failure or when a call takes longer than [`CALL_TIME_MAX`].

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

/// Longest time of one call with its body; the example policies let an upstream take 30 s.
const CALL_TIME_MAX: Duration = Duration::from_secs(35);

/// Most bytes of an answer that are read; the demo's own are under 4 KiB.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Longest wait that a `Retry-After` may ask for, so that one odd answer does not end a caller.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// Wait that a refusal without `Retry-After` is given.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

/// A caller.
#[derive(Debug)]
pub(super) struct Caller {
    gateway: SocketAddr,
    connection: Option<Connection>,
}

/// Ends with its driver when dropped.
#[derive(Debug)]
struct Connection {
    send: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
}

/// How a call ended, as its caller sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 2xx or 3xx.
    Done {
        /// Whether the gateway's cache answered.
        hit: bool,
    },
    /// 429: come back after this.
    Refused {
        /// Whether a function's quota refused, and not a threshold.
        quota: bool,
        /// When to come back.
        after: Duration,
    },
    /// Any other answer, or none.
    Failed,
}

// === impl Caller ===

impl Caller {
    /// A caller of the gateway at this address.
    pub(super) fn new(gateway: SocketAddr) -> Self {
        Self { gateway, connection: None }
    }

    /// Makes one call and reads its answer whole.
    pub(super) async fn call(&mut self, request: Request<Full<Bytes>>) -> Outcome {
        // Taken out, so that it is gone if this future is dropped or the call fails.
        let connection = self.connection.take();
        let called = tokio::time::timeout(CALL_TIME_MAX, self.exchange(connection, request)).await;
        match called {
            Ok(Some((outcome, connection))) => {
                self.connection = connection;
                outcome
            }
            Ok(None) | Err(_) => Outcome::Failed,
        }
    }

    async fn exchange(
        &self,
        kept: Option<Connection>,
        mut request: Request<Full<Bytes>>,
    ) -> Option<(Outcome, Option<Connection>)> {
        let mut connection = match Connection::still_open(kept).await {
            Some(kept) => kept,
            None => Connection::open(self.gateway).await?,
        };
        let host = self.gateway.to_string().parse().ok()?;
        request.headers_mut().insert(header::HOST, host);
        let answer = connection.send.send_request(request).await.ok()?;
        let (head, body) = answer.into_parts();
        let body = read(body).await?;
        let outcome = outcome(head.status, &head.headers, &body);
        let closing = head.headers.get(header::CONNECTION).is_some_and(|value| value == "close");
        Some((outcome, (!closing).then_some(connection)))
    }
}

// === impl Connection ===

impl Connection {
    /// The kept connection, unless the gateway closed it while nobody called.
    async fn still_open(kept: Option<Self>) -> Option<Self> {
        let mut kept = kept?;
        kept.send.ready().await.ok()?;
        Some(kept)
    }

    async fn open(gateway: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(gateway).await.ok()?;
        let _ = stream.set_nodelay(true);
        let (send, connection) = handshake(TokioIo::new(stream)).await.ok()?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection of the demo's load ended early");
            }
        });
        Some(Self { send, driver: driver.abort_handle() })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

async fn read(body: Incoming) -> Option<Bytes> {
    Some(Limited::new(body, ANSWER_BYTES_MAX).collect().await.ok()?.to_bytes())
}

/// What an answer means to its caller.
fn outcome(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Outcome {
    if status == StatusCode::TOO_MANY_REQUESTS {
        let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let exact = problem["retry_after_ms"].as_u64().map(Duration::from_millis);
        let after = exact.or_else(|| retry_after(headers)).unwrap_or(RETRY_AFTER_DEFAULT);
        let quota = problem["code"] == "quota_full";
        return Outcome::Refused { quota, after: after.min(RETRY_AFTER_MAX) };
    }
    if status.is_success() || status.is_redirection() {
        return Outcome::Done { hit: hit(headers) };
    }
    Outcome::Failed
}

/// `Retry-After` in either of its forms (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// Whether `Cache-Status` (RFC 9211) says that a cache on the way answered.
fn hit(headers: &HeaderMap) -> bool {
    headers.get_all("cache-status").iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|cache| cache.split(';').skip(1).any(|member| member.trim() == "hit"))
    })
}

#[cfg(test)]
mod tests;
