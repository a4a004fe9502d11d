//! An exchange in one piece, beside the HTTP stack.
//!
//! Most requests to a service have no body, and most answers are small: a head and its body in one
//! read. For those the machinery of a stack — a task a connection, channels for the request, the head
//! and the body — costs more than the exchange. So on a connection that has idled, a request without a
//! body is written and its answer read here, by the call's own task. What has come is screened as all
//! answers are; where it is the whole answer, it is cut into head and body, and the connection is free.
//! Everything else — a body that is still under way, chunks, interim answers, the end of the
//! connection — is hyper's: it gets the request, which it need not send, and reads what was read.
//!
//! Begins with a lease, ends with the first read. Bounds: an answer of [`ANSWER_BYTES_MAX`]; after one
//! that was not whole, the next [`CALLS_BESIDE_MIN`] calls to that endpoint don't try, twice as many
//! after each further one, [`CALLS_BESIDE_MAX`] at most.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use tokio::io::ReadBuf;

use super::send::RequestBody;
use super::wire::Line;
use crate::body::Body;
use crate::core::Core;

/// Bytes of an answer, head and body: what hyper would read at once, too.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Calls to an endpoint that are hyper's from their beginning, after one that turned out to be: a
/// failed try costs about a quarter of a call.
pub(super) const CALLS_BESIDE_MIN: u32 = 8;

/// The same where none was whole lately.
pub(super) const CALLS_BESIDE_MAX: u32 = 128;

/// Room for the head of a request; most take 300 to 500 bytes.
const HEAD_BYTES: usize = 512;

/// One exchange that is tried aside.
pub(super) struct Aside<'a> {
    core: &'a Core,
    line: &'a Line,
    head: Vec<u8>,
    /// Bytes of the head that were sent.
    sent: usize,
    flushed: bool,
}

/// Whether a request may be tried aside: it has no body, and its answer will have nothing unusual.
pub(super) fn is_fit(request: &Request<RequestBody>) -> bool {
    request.body().is_empty()
        && *request.method() != Method::HEAD
        && !request.headers().contains_key(header::UPGRADE)
}

// === impl Aside ===

impl<'a> Aside<'a> {
    /// Begins; `request` is written as it is.
    pub(super) fn begin(core: &'a Core, line: &'a Line, request: &Request<RequestBody>) -> Self {
        line.borrow_mut().begin_aside();
        Self { core, line, head: text(request, core.take_text()), sent: 0, flushed: false }
    }

    /// Whether nothing of the request has left.
    pub(super) fn is_unsent(&self) -> bool {
        self.sent == 0
    }

    /// The whole answer; `None`: the exchange is hyper's from here on. Where it fails, the connection
    /// can't be used any more.
    pub(super) async fn run(&mut self) -> io::Result<Option<Response<Body>>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Response<Body>>>> {
        let mut line = self.line.borrow_mut();
        while self.sent < self.head.len() {
            match ready!(line.poll_send(cx, &self.head[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.sent += n,
            }
        }
        if !self.flushed {
            ready!(line.poll_sent(cx))?;
            self.flushed = true;
            self.core.keep_text(std::mem::take(&mut self.head));
        }
        let mut scratch = self.core.scratch.borrow_mut();
        let mut buf = ReadBuf::new(&mut scratch);
        ready!(line.poll_receive(cx, &mut buf))?;
        if buf.filled().is_empty() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        let bytes = Bytes::copy_from_slice(buf.filled());
        let answer = if line.reusable() { read(&bytes, self.core.take_fields()) } else { None };
        match answer {
            Some(_) => line.end_aside(),
            None => line.hand_over(bytes),
        }
        Poll::Ready(Ok(answer))
    }
}

/// The head of a request in origin form.
fn text(request: &Request<RequestBody>, mut text: Vec<u8>) -> Vec<u8> {
    let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    text.reserve(HEAD_BYTES);
    for part in [request.method().as_str(), " ", target, " HTTP/1.1\r\n"] {
        text.extend_from_slice(part.as_bytes());
    }
    for (name, value) in request.headers() {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// The answer that `bytes` are, where they are one final answer on a connection that goes on. The
/// screen has looked at every byte and found its end; this only cuts.
fn read(bytes: &Bytes, mut fields: HeaderMap) -> Option<Response<Body>> {
    let end = memchr::memchr(b'\r', bytes)?;
    let status = bytes[..end].strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let status = StatusCode::from_bytes(status).ok().filter(|code| !code.is_informational())?;
    let mut at = end + 2;
    while bytes.get(at..at + 2)? != b"\r\n" {
        let end = at + memchr::memchr(b'\r', &bytes[at..])?;
        let colon = at + memchr::memchr(b':', &bytes[at..end])?;
        let name = HeaderName::from_bytes(&bytes[at..colon]).ok()?;
        // Optional white space (RFC 9110 §5.6.3); the screen lets no other by.
        let value = bytes.slice_ref(bytes[colon + 1..end].trim_ascii());
        let goes_on = match name {
            header::CONNECTION => value.eq_ignore_ascii_case(b"keep-alive"),
            header::TRANSFER_ENCODING | header::UPGRADE => false,
            _ => true,
        };
        if !goes_on {
            return None;
        }
        fields.append(name, HeaderValue::from_maybe_shared(value).ok()?);
        at = end + 2;
    }
    let body = bytes.slice(at + 2..);
    let mut answer = Response::new(if body.is_empty() { Body::Empty } else { Body::Full(body) });
    *answer.status_mut() = status;
    *answer.version_mut() = Version::HTTP_11;
    *answer.headers_mut() = fields;
    Some(answer)
}

#[cfg(test)]
mod tests;
