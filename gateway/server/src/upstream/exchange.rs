//! One attempt: a request over one connection, and the head of its answer.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use hyper::body::Incoming;
use sumun_policy::policy::Timeout;
use tokio::sync::oneshot;

use super::aside::{self, Aside};
use super::pool::{Connection1, Lease, Pool};
use super::receive::UpstreamBody;
use super::send::{Progress, RequestBody};
use crate::body::Body;
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
    /// Whether the request, if it may be sent twice, is kept for a second attempt.
    pub keep: bool,
    /// The request's body, seen from the call.
    pub sent: &'a Rc<Progress>,
}

/// An answer, its body still under way.
pub struct Answer {
    /// Head and body.
    pub response: Response<Body>,
    /// With a 101: the connection, once hyper lets go of it.
    pub upgraded: Option<oneshot::Receiver<(Transport, Bytes)>>,
}

/// An attempt without an answer.
pub struct Failed {
    /// What the client is told, where no other attempt follows.
    pub code: Code,
    /// RFC 9209 error type.
    pub error: &'static str,
    /// Whether it failed on a connection that had idled: the endpoint is not to blame.
    pub reused: bool,
}

impl Exchange<'_> {
    /// Takes the request, sends it and waits for the head of the answer. Where it fails and the request
    /// may be sent again, it is back in its place: nothing of it was written, or it does no harm twice.
    ///
    /// The place is the caller's, and what is rare is boxed: a future holds its arguments twice, and
    /// this one is made for every call.
    pub async fn run(self, request: &mut Option<Request<RequestBody>>) -> Result<Answer, Failed> {
        if !self.fresh
            && request.as_ref().is_some_and(aside::is_fit)
            && let Some(connection) = self.pool.lease_aside(self.core)
        {
            return self.run_aside(connection, request).await;
        }
        let (core, limit) = (self.core, self.timeout.connect);
        let lease = if request.as_ref().is_some_and(asks_upgrade) {
            Box::pin(self.pool.lease_upgradable(core, limit, self.fresh)).await
        } else {
            self.pool.lease(core, limit, self.fresh).await
        };
        let lease = match lease {
            Ok(lease) => lease,
            Err(error) => {
                tracing::debug!(endpoint = %self.pool.endpoint(), error = &error as &dyn std::error::Error, "connect failed");
                return Err(Failed {
                    code: Code::UpstreamUnreachable,
                    error: "destination_unavailable",
                    reused: false,
                });
            }
        };
        match lease {
            Lease::Http1(connection) => self.run_h1(connection, request).await,
            Lease::Http2 { sender, reused } => Box::pin(self.run_h2(sender, reused, request)).await,
        }
    }

    /// In one piece, by this task; else the rest is hyper's.
    async fn run_aside(
        self,
        connection: Connection1,
        request: &mut Option<Request<RequestBody>>,
    ) -> Result<Answer, Failed> {
        let begun = self.core.deadlines.tick();
        let tried = {
            let Some(request) = request else { return Err(nothing_to_send()) };
            to_h1(request);
            let mut aside = Aside::begin(self.core, &connection.line, request);
            let tried = self.head(self.timeout.response, aside.run()).await;
            tried.map(|tried| tried.map_err(|error| (error, aside.is_unsent())))
        };
        match tried {
            Some(Ok(Some(response))) => {
                self.pool.note_whole();
                self.pool.give_back(self.core, connection);
                if let Some(mut sent) = request.take() {
                    self.core.keep_fields(std::mem::take(sent.headers_mut()));
                }
                Ok(Answer { response, upgraded: None })
            }
            Some(Ok(None)) => {
                self.pool.leave_to_hyper();
                let keeps = self.keeps(request.as_ref());
                let waited = TICK.saturating_mul((self.core.deadlines.tick() - begun) as u32);
                let limit = self.timeout.response.saturating_sub(waited);
                let answer = Box::pin(self.send_h1(connection, request, limit)).await;
                // It was sent, though hyper has not written it.
                if answer.is_err() && !keeps {
                    *request = None;
                }
                answer
            }
            Some(Err((error, unsent))) => {
                if !unsent && !self.keeps(request.as_ref()) {
                    *request = None;
                }
                tracing::debug!(endpoint = %self.pool.endpoint(), error = &error as &dyn std::error::Error, "attempt failed");
                Err(reset(connection.reused))
            }
            None => {
                *request = None;
                Err(too_slow())
            }
        }
    }

    async fn run_h1(
        self,
        connection: Connection1,
        request: &mut Option<Request<RequestBody>>,
    ) -> Result<Answer, Failed> {
        if let Some(request) = request {
            to_h1(request);
            connection.line.borrow_mut().expect(request.method() == Method::HEAD);
        }
        let limit = self.timeout.response;
        self.send_h1(connection, request, limit).await
    }

    async fn send_h1(
        self,
        mut connection: Connection1,
        request: &mut Option<Request<RequestBody>>,
        limit: Duration,
    ) -> Result<Answer, Failed> {
        let reused = connection.reused;
        let spare = self.spare(request.as_ref());
        let (sending, asked_upgrade) = {
            let Some(request) = request.take() else { return Err(nothing_to_send()) };
            let asked_upgrade = asks_upgrade(&request);
            (connection.sender.try_send_request(request), asked_upgrade)
        };
        let response = match self.head(limit, sending).await {
            Some(Ok(response)) => response,
            Some(Err(mut error)) => {
                let failed = self.failed(error.error(), reused);
                *request = error.take_message().or_else(|| spare.map(|spare| *spare));
                return Err(failed);
            }
            None => return Err(too_slow()),
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // To the one protocol that was asked for, or to none (RFC 9110 §15.2.2).
            if !asked_upgrade || !headers::asks_websocket(response.headers()) {
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
        request: &mut Option<Request<RequestBody>>,
    ) -> Result<Answer, Failed> {
        let spare = self.spare(request.as_ref());
        let sending = {
            let Some(mut request) = request.take() else { return Err(nothing_to_send()) };
            to_h2(&mut request, self.pool.endpoint().tls);
            sender.try_send_request(request)
        };
        match self.head(self.timeout.response, sending).await {
            Some(Ok(response)) => {
                Ok(Answer { response: self.receive(response, None), upgraded: None })
            }
            Some(Err(mut error)) => {
                let failed = self.failed(error.error(), reused);
                // What comes back was made for HTTP/2.
                *request = spare.map(|spare| *spare).or_else(|| error.take_message());
                Err(failed)
            }
            None => Err(too_slow()),
        }
    }

    /// `None` once `limit`, what is left of the response timeout, has passed since the request last
    /// moved: an upload that does is bounded by the client's least rate instead.
    async fn head<F: Future>(&self, limit: Duration, sending: F) -> Option<F::Output> {
        let mut sending = std::pin::pin!(sending);
        let deadlines = &self.core.deadlines;
        let deadline = deadlines.after(limit);
        let (begun, limit) = (deadlines.tick(), ticks(limit));
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
    ) -> Response<Body> {
        let (core, sent) = (Rc::clone(self.core), Rc::clone(self.sent));
        let silence_max = self.timeout.response;
        response.map(|incoming| {
            let body = UpstreamBody::new(incoming, core, lease, sent, silence_max);
            Body::Upstream(Box::new(body))
        })
    }

    /// Whether a request is to be kept for a second attempt: idempotent (RFC 9110 §9.2.2) and without a
    /// body, it may be sent twice.
    fn keeps(&self, request: Option<&Request<RequestBody>>) -> bool {
        self.keep
            && request.is_some_and(|request| {
                request.body().is_empty()
                    && request.method().is_idempotent()
                    && !asks_upgrade(request)
            })
    }

    /// A copy for a second attempt, where the request is to be kept.
    fn spare(&self, request: Option<&Request<RequestBody>>) -> Option<Box<Request<RequestBody>>> {
        let request = request.filter(|request| self.keeps(Some(request)))?;
        let mut copy = Box::new(Request::new(RequestBody::Empty));
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.version_mut() = request.version();
        *copy.headers_mut() = request.headers().clone();
        Some(copy)
    }

    fn failed(&self, error: &hyper::Error, reused: bool) -> Failed {
        tracing::debug!(endpoint = %self.pool.endpoint(), error = error as &dyn std::error::Error, "attempt failed");
        if let Some(code) = self.sent.failed.get() {
            return Failed { code, error: "http_request_error", reused: true };
        }
        let failed = reset(reused);
        if error.is_parse() { Failed { error: "http_protocol_error", ..failed } } else { failed }
    }
}

fn asks_upgrade(request: &Request<RequestBody>) -> bool {
    request.headers().contains_key(header::UPGRADE)
}

fn reset(reused: bool) -> Failed {
    Failed { code: Code::UpstreamReset, error: "connection_terminated", reused }
}

fn too_slow() -> Failed {
    Failed { code: Code::UpstreamTimeout, error: "http_response_timeout", reused: false }
}

/// A defect: the request was taken before.
fn nothing_to_send() -> Failed {
    Failed { code: Code::NoEndpoint, error: "proxy_internal_error", reused: false }
}

fn malformed() -> Failed {
    Failed { code: Code::UpstreamReset, error: "http_upgrade_failed", reused: false }
}

/// HTTP/1.1 towards the upstream: origin form, `Host`, one `Cookie` line (RFC 9113 §8.2.3), and framing
/// of whatever body there is: hyper leaves one of unknown length out where the method is GET or HEAD.
fn to_h1(request: &mut Request<RequestBody>) {
    let from_h2 = request.version() == http::Version::HTTP_2;
    *request.version_mut() = http::Version::HTTP_11;
    if from_h2 {
        headers::join_cookies(request.headers_mut());
        if request.body().is_empty() && headers::expects_content(request.method()) {
            let zero = HeaderValue::from_static("0");
            request.headers_mut().entry(header::CONTENT_LENGTH).or_insert(zero);
        }
    }
    if !request.body().is_empty() && !request.headers().contains_key(header::CONTENT_LENGTH) {
        let chunked = HeaderValue::from_static("chunked");
        request.headers_mut().insert(header::TRANSFER_ENCODING, chunked);
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
    for ends_here in [header::UPGRADE, header::CONNECTION, header::TRANSFER_ENCODING] {
        request.headers_mut().remove(ends_here);
    }
}
