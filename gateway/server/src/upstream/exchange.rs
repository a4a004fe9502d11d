//! One attempt: a request over one connection, and the head of its answer.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header};
use hyper::body::Incoming;
use sumun_policy::policy::Timeout;
use tokio::sync::oneshot;

use super::pool::{Connection1, Lease, Pool};
use super::receive::UpstreamBody;
use super::send::{Progress, RequestBody};
use crate::core::Core;
use crate::deadline::{TICK, ticks};
use crate::headers;
use crate::listen::transport::Transport;
use crate::refusal::Code;

/// What to send, where, and how long to wait.
pub struct Exchange<'a> {
    /// The worker.
    pub core: &'a Rc<Core>,
    /// The endpoint's connections.
    pub pool: &'a Rc<Pool>,
    /// Time limits.
    pub timeout: Timeout,
    /// Whether a reused connection is out of the question.
    pub fresh: bool,
    /// The request's body, seen from the call.
    pub sent: &'a Rc<Progress>,
}

/// An answer, its body still under way.
pub struct Answer {
    /// Head and body.
    pub response: Response<UpstreamBody>,
    /// With a 101: the connection, once hyper lets go of it.
    pub upgraded: Option<oneshot::Receiver<(Transport, Bytes)>>,
}

/// An attempt without an answer.
pub struct Failed {
    /// What the client is told, where no other attempt follows.
    pub code: Code,
    /// RFC 9209 error type.
    pub error: &'static str,
    /// The request, where none of it was written.
    pub unsent: Option<Request<RequestBody>>,
    /// Whether it failed on a connection that had idled: the endpoint is not to blame.
    pub reused: bool,
}

impl Exchange<'_> {
    /// Sends the request and waits for the head of the answer.
    pub async fn run(self, request: Request<RequestBody>) -> Result<Answer, Failed> {
        let lease = match self.pool.lease(self.core, self.timeout.connect, self.fresh).await {
            Ok(lease) => lease,
            Err(error) => {
                tracing::debug!(endpoint = %self.pool.endpoint(), error = &error as &dyn std::error::Error, "connect failed");
                return Err(Failed {
                    code: Code::UpstreamUnreachable,
                    error: "destination_unavailable",
                    unsent: Some(request),
                    reused: false,
                });
            }
        };
        match lease {
            Lease::Http1(connection) => self.run_h1(connection, request).await,
            Lease::Http2 { sender, reused } => self.run_h2(sender, reused, request).await,
        }
    }

    async fn run_h1(
        self,
        mut connection: Connection1,
        mut request: Request<RequestBody>,
    ) -> Result<Answer, Failed> {
        to_h1(&mut request);
        let asked_upgrade = request.headers().contains_key(header::UPGRADE);
        connection.line.borrow_mut().expect(request.method() == Method::HEAD);
        let reused = connection.reused;
        let sending = connection.sender.try_send_request(request);
        let response = match self.head(sending).await {
            Some(Ok(response)) => response,
            Some(Err(mut error)) => {
                let unsent = error.take_message();
                return Err(self.failed(error.error(), unsent, reused));
            }
            None => return Err(too_slow()),
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            if !asked_upgrade {
                return Err(malformed());
            }
            return Ok(Answer {
                response: self.receive(response, None),
                upgraded: connection.upgrade(),
            });
        }
        let lease = Some((connection, Rc::clone(self.pool)));
        Ok(Answer { response: self.receive(response, lease), upgraded: None })
    }

    async fn run_h2(
        self,
        mut sender: hyper::client::conn::http2::SendRequest<RequestBody>,
        reused: bool,
        mut request: Request<RequestBody>,
    ) -> Result<Answer, Failed> {
        to_h2(&mut request, self.pool.endpoint().tls);
        let sending = sender.try_send_request(request);
        match self.head(sending).await {
            Some(Ok(response)) => {
                Ok(Answer { response: self.receive(response, None), upgraded: None })
            }
            Some(Err(mut error)) => {
                let unsent = error.take_message();
                Err(self.failed(error.error(), unsent, reused))
            }
            None => Err(too_slow()),
        }
    }

    /// `None` once the response timeout has passed since the request last moved: an upload that does
    /// is bounded by the client's least rate instead.
    async fn head<F: Future>(&self, sending: F) -> Option<F::Output> {
        let mut sending = std::pin::pin!(sending);
        let deadlines = &self.core.deadlines;
        let deadline = deadlines.after(self.timeout.response);
        let (begun, limit) = (deadlines.tick(), ticks(self.timeout.response));
        poll_fn(|cx| match sending.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => {
                while deadline.poll_expired(cx).is_ready() {
                    let waited = deadlines.tick() - self.sent.moved_tick.get().max(begun);
                    if waited >= limit {
                        return Poll::Ready(None);
                    }
                    deadline.reset(TICK * u32::try_from(limit - waited).unwrap_or(u32::MAX));
                }
                Poll::Pending
            }
        })
        .await
    }

    fn receive(
        &self,
        response: Response<Incoming>,
        lease: Option<(Connection1, Rc<Pool>)>,
    ) -> Response<UpstreamBody> {
        let (core, sent) = (Rc::clone(self.core), Rc::clone(self.sent));
        let silence_max = self.timeout.response;
        response.map(|incoming| UpstreamBody::new(incoming, core, lease, sent, silence_max))
    }

    fn failed(
        &self,
        error: &hyper::Error,
        unsent: Option<Request<RequestBody>>,
        reused: bool,
    ) -> Failed {
        tracing::debug!(endpoint = %self.pool.endpoint(), error = error as &dyn std::error::Error, "attempt failed");
        if let Some(code) = self.sent.failed.get() {
            return Failed { code, error: "http_request_error", unsent: None, reused: true };
        }
        Failed {
            code: Code::UpstreamReset,
            error: if error.is_parse() { "http_protocol_error" } else { "connection_terminated" },
            unsent,
            reused,
        }
    }
}

fn too_slow() -> Failed {
    Failed {
        code: Code::UpstreamTimeout,
        error: "http_response_timeout",
        unsent: None,
        reused: false,
    }
}

fn malformed() -> Failed {
    Failed { code: Code::UpstreamReset, error: "http_upgrade_failed", unsent: None, reused: false }
}

/// HTTP/1.1 towards the upstream: origin form, `Host`, one `Cookie` line (RFC 9113 §8.2.3).
fn to_h1(request: &mut Request<RequestBody>) {
    let from_h2 = request.version() == http::Version::HTTP_2;
    *request.version_mut() = http::Version::HTTP_11;
    if from_h2 {
        headers::join_cookies(request.headers_mut());
    }
}

/// HTTP/2 towards the upstream: `:authority` from `Host`, no connection-specific fields.
fn to_h2(request: &mut Request<RequestBody>, tls: bool) {
    *request.version_mut() = http::Version::HTTP_2;
    let host = request.headers_mut().remove(header::HOST);
    let path = request.uri().path_and_query().cloned();
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if tls { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP });
    // `open` has checked the authority's grammar; an empty one is left out.
    parts.authority = host.and_then(|host| http::uri::Authority::try_from(host.as_bytes()).ok());
    parts.path_and_query = path;
    if parts.authority.is_some()
        && let Ok(uri) = Uri::from_parts(parts)
    {
        *request.uri_mut() = uri;
    }
    request.headers_mut().remove(header::UPGRADE);
    request.headers_mut().remove(header::CONNECTION);
}
