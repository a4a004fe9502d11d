//! A call that is answered at once, in front of the HTTP stack.
//!
//! A refusal under load has no body to read, no upstream to wait for and nothing to stream: parsing,
//! dispatching and encoding it as if it might have costs more than deciding it. So where a connection's
//! last call was answered at once, its next one is read here, out of the bytes that the screen has
//! passed, and goes the same path as every call; an answer that is there at once is written as it is.
//! Whatever needs more — a body in either direction, an upstream, an upgrade, a pipeline, the end of
//! the connection — is hyper's: it reads the same bytes, and gets what the path has begun.
//!
//! Begins with a head that came whole, alone and in one read while nothing else was under way on its
//! connection; ends with the bytes of its answer. Bounds: a body of [`BODY_BYTES_MAX`], one call
//! begun for hyper.

use std::cell::Cell;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;

use super::connection::Connection;
use crate::core::Core;
use crate::headers;
use crate::path::settle::Settled;
use crate::path::{self, Serving};

/// Bytes of a body that is written with its head: a refusal and a small hit. A larger one is handed
/// on piece by piece.
const BODY_BYTES_MAX: usize = 2048;

/// Room for the head of an answer; most take 300 to 500 bytes.
const HEAD_BYTES: usize = 640;

/// The calls of one HTTP/1 connection: where the wire and hyper's service meet.
pub struct Calls {
    core: Rc<Core>,
    connection: Rc<Connection>,
    /// Whether the last call was answered at once, and so the next one may be.
    at_once: Cell<bool>,
    /// Begun by the wire; hyper reads its head next.
    begun: Cell<Option<Box<Serving>>>,
    /// An empty map with room, for the next head.
    fields: Cell<HeaderMap>,
}

// === impl Calls ===

impl Calls {
    /// Before the first call.
    pub fn new(core: &Rc<Core>, connection: &Rc<Connection>) -> Rc<Self> {
        Rc::new(Self {
            core: Rc::clone(core),
            connection: Rc::clone(connection),
            at_once: Cell::new(false),
            begun: Cell::new(None),
            fields: Cell::default(),
        })
    }

    /// A call that hyper has read.
    pub fn serve(&self, request: Request<Incoming>) -> Serving {
        if let Some(begun) = self.begun.take() {
            return *begun;
        }
        let request = request.map(|body| {
            let is_empty = http_body::Body::is_end_stream(&body);
            (!is_empty).then_some(body)
        });
        self.begin(request)
    }

    /// Whether the next read may be the head of a call to be answered here: nothing of an earlier
    /// one is left, neither here nor in hyper, and the connection goes on after it.
    pub fn may_answer(&self) -> bool {
        self.at_once.get()
            && self.connection.calls.get() == 0
            && self.connection.stalled_tick.get() == 0
            && !self.core.shared.drain.is_draining()
    }

    /// The whole answer to the call that `bytes` are the head of; `None`: it is hyper's, and may have
    /// begun. `bytes` have passed the screen, and hyper must see them next.
    pub fn answer(&self, bytes: &[u8]) -> Option<Bytes> {
        let request = read(bytes, self.fields.take())?;
        match self.begin(request) {
            Serving::Now(Some(mut answer)) => {
                let Some(written) = self.write(&mut answer) else {
                    self.begun.set(Some(Box::new(Serving::Now(Some(answer)))));
                    return None;
                };
                let mut fields = std::mem::take(answer.headers_mut());
                fields.clear();
                self.fields.set(fields);
                Some(written)
            }
            later => {
                self.begun.set(Some(Box::new(later)));
                None
            }
        }
    }

    fn begin(&self, request: Request<Option<Incoming>>) -> Serving {
        let serving = path::serve(Rc::clone(&self.core), Rc::clone(&self.connection), request);
        self.at_once.set(matches!(serving, Serving::Now(_)));
        serving
    }

    /// The answer's bytes, where it is whole and the connection goes on after it. Takes its body.
    fn write(&self, answer: &mut Response<Settled>) -> Option<Bytes> {
        let status = answer.status();
        // What these have for a body is the protocol's to say.
        if status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        {
            return None;
        }
        let length = answer.body().whole().filter(|bytes| *bytes <= BODY_BYTES_MAX)?;
        let mut text = BytesMut::with_capacity(HEAD_BYTES + length);
        let mut number = itoa::Buffer::new();
        text.extend_from_slice(b"HTTP/1.1 ");
        text.extend_from_slice(status.as_str().as_bytes());
        text.extend_from_slice(b" ");
        text.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
        text.extend_from_slice(b"\r\n");
        let mut dated = false;
        for (name, value) in answer.headers() {
            match *name {
                header::CONNECTION | header::TRANSFER_ENCODING => return None,
                header::CONTENT_LENGTH => continue,
                header::DATE => dated = true,
                _ => {}
            }
            put_field(&mut text, name.as_str(), value.as_bytes());
        }
        put_field(&mut text, "content-length", number.format(length).as_bytes());
        if !dated {
            put_field(&mut text, "date", &self.core.http_date.text(self.core.deadlines.tick()));
        }
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(&answer.body_mut().take_whole());
        Some(text.freeze())
    }
}

fn put_field(text: &mut BytesMut, name: &str, value: &[u8]) {
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

/// The request that `bytes` are: one head, without body, that says nothing about its connection.
/// `None` for everything else. The screen has looked at every byte; this only cuts.
fn read(bytes: &[u8], mut fields: HeaderMap) -> Option<Request<Option<Incoming>>> {
    let shared = Bytes::copy_from_slice(bytes);
    let end = memchr::memchr(b'\r', bytes)?;
    let line = bytes[..end].strip_suffix(b" HTTP/1.1")?;
    let space = memchr::memchr(b' ', line)?;
    let method = Method::from_bytes(&line[..space]).ok()?;
    let target = space + 1;
    // An answer to HEAD tells the length of a body that it doesn't have.
    if method == Method::HEAD || line.get(target) != Some(&b'/') {
        return None;
    }
    let uri = Uri::from_maybe_shared(shared.slice(target..line.len())).ok()?;
    let mut at = end + 2;
    while bytes.get(at..)? != b"\r\n" {
        let end = at + memchr::memchr(b'\r', &bytes[at..])?;
        let colon = at + memchr::memchr(b':', &bytes[at..end])?;
        let name = HeaderName::from_bytes(&bytes[at..colon]).ok()?;
        if headers::is_hop_by_hop(name.as_str()) {
            return None;
        }
        // Optional white space (RFC 9110 §5.6.3); the screen lets no other by.
        let value = shared.slice_ref(shared[colon + 1..end].trim_ascii());
        let value = HeaderValue::from_maybe_shared(value).ok()?;
        fields.append(name, value);
        at = end + 2;
    }
    let mut request = Request::new(None);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = fields;
    Some(request)
}

#[cfg(test)]
mod tests;
