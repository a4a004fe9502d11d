//! A call whose answer is small and whole, in front of the HTTP stack.
//!
//! A refusal under load has no body to read and nothing to stream, and most calls to a service are not
//! much more: parsing, dispatching and encoding them as if they might be costs more than deciding
//! them. So where a connection's last answer was whole, its next call is read here, out of the bytes
//! that the screen has passed, and goes the same path as every call; an answer that is there as a whole
//! is written as it is. Whatever needs more — a body of the request, a large or streamed one of the
//! answer, an upgrade, the end of the connection — is hyper's: it reads the same bytes, and gets what
//! the path has begun.
//!
//! Begins with a head that came whole and alone while nothing else was under way on its connection;
//! ends with the bytes of its answer. Bounds: a body of [`BODY_BYTES_MAX`]; one call under way, or
//! begun for hyper.

use std::cell::{Cell, RefCell, RefMut};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;

use super::connection::Connection;
use super::upload::Upload;
use crate::core::Core;
use crate::headers;
use crate::path::settle::Settled;
use crate::path::{self, Serving};

/// Bytes of a body that is written with its head, by copying it. A larger one is handed on piece by
/// piece.
const BODY_BYTES_MAX: usize = 8 * 1024;

/// Room for the head of an answer; most take 300 to 500 bytes.
const HEAD_BYTES: usize = 640;

/// The calls of one HTTP/1 connection: where the wire and hyper's service meet.
pub struct Calls {
    core: Rc<Core>,
    connection: Rc<Connection>,
    /// Waits for its upstream.
    under_way: RefCell<Option<UnderWay>>,
    /// Begun here; hyper reads its head next.
    begun: Cell<Option<Box<Serving>>>,
}

/// A call that was read here.
struct UnderWay {
    call: path::Later,
    /// What it was read from.
    head: Bytes,
}

/// What becomes of a call that was read here.
pub enum Early {
    /// The text of its answer.
    Answered(Vec<u8>),
    /// It is under way.
    Later,
    /// It is hyper's, which must see its head next.
    ForHyper(Bytes),
}

/// What has become of the call under way.
pub enum Ended {
    /// The text of its answer.
    Answered(Vec<u8>),
    /// Its head: its answer is hyper's to write.
    ForHyper(Bytes),
}

// === impl Calls ===

impl Calls {
    /// Before the first call.
    pub fn new(core: &Rc<Core>, connection: &Rc<Connection>) -> Rc<Self> {
        Rc::new(Self {
            core: Rc::clone(core),
            connection: Rc::clone(connection),
            under_way: RefCell::default(),
            begun: Cell::new(None),
        })
    }

    /// A call that hyper has read.
    pub fn serve(&self, request: Request<Incoming>) -> Serving {
        if let Some(begun) = self.begun.take() {
            return *begun;
        }
        self.begin(Upload::of(request, &self.connection))
    }

    /// Whether the next read may be the head of a call to be answered here: nothing of an earlier
    /// one is left, neither here nor in hyper, and the connection goes on after it.
    pub fn may_answer(&self) -> bool {
        self.connection.whole.get()
            && self.connection.calls.get() == 0
            && self.connection.stalled_tick.get() == 0
            && self.connection.rest.borrow().is_none()
            && !self.core.shared.drain.is_draining()
    }

    /// Whether a call that was read here waits for its upstream: hyper takes the connection for idle.
    pub fn is_under_way(&self) -> bool {
        self.under_way.borrow().is_some()
    }

    /// The call that `head` is the head of. It has passed the screen.
    pub fn answer(&self, head: Bytes) -> Early {
        let Some(request) = read(&head, self.core.take_fields()) else {
            return Early::ForHyper(head);
        };
        match self.begin(request) {
            Serving::Now(Some(answer)) => match self.write_or_leave(answer) {
                Some(text) => Early::Answered(text),
                None => Early::ForHyper(head),
            },
            Serving::Refused(Some(refused)) => {
                let mut text = self.core.take_text();
                let answer = refused.write(&mut text).map(|()| text);
                match answer.or_else(|answer| self.write_or_leave(*answer).ok_or(())) {
                    Ok(text) => Early::Answered(text),
                    Err(()) => Early::ForHyper(head),
                }
            }
            Serving::Later(call) => {
                *self.under_way.borrow_mut() = Some(UnderWay { call, head });
                Early::Later
            }
            never @ (Serving::Now(None) | Serving::Refused(None)) => {
                self.begun.set(Some(Box::new(never)));
                Early::ForHyper(head)
            }
        }
    }

    /// Where what comes next is read.
    pub fn scratch(&self) -> RefMut<'_, Box<[u8]>> {
        self.core.scratch.borrow_mut()
    }

    /// A head that was read there.
    pub fn head(&self, bytes: &[u8]) -> Bytes {
        self.core.keep_head(bytes)
    }

    /// Keeps the room of an answer that was sent.
    pub fn keep_text(&self, text: Vec<u8>) {
        self.core.keep_text(text);
    }

    /// Ready when the call under way has an answer.
    pub fn poll_under_way(&self, cx: &mut Context<'_>) -> Poll<Option<Ended>> {
        let mut under_way = self.under_way.borrow_mut();
        let Some(UnderWay { call, head }) = &mut *under_way else { return Poll::Ready(None) };
        let answer = ready!(Pin::as_mut(call).poll(cx));
        let head = std::mem::take(head);
        *under_way = None;
        Poll::Ready(Some(match self.write_or_leave(answer) {
            Some(text) => Ended::Answered(text),
            None => Ended::ForHyper(head),
        }))
    }

    /// The client has left: its call ends, whatever it waits for.
    pub fn drop_under_way(&self) {
        let left = self.under_way.borrow_mut().take();
        drop(left);
    }

    fn begin(&self, request: Request<Option<Upload>>) -> Serving {
        path::serve(Rc::clone(&self.core), Rc::clone(&self.connection), request)
    }

    /// Writes the answer; or keeps it for hyper.
    fn write_or_leave(&self, mut answer: Response<Settled>) -> Option<Vec<u8>> {
        if let Some(text) = self.write(&mut answer) {
            self.core.keep_fields(std::mem::take(answer.headers_mut()));
            return Some(text);
        }
        self.begun.set(Some(Box::new(Serving::Now(Some(answer)))));
        None
    }

    /// The answer's text, where it is whole and the connection goes on after it. Takes its body.
    fn write(&self, answer: &mut Response<Settled>) -> Option<Vec<u8>> {
        let (status, length) = (answer.status(), whole(answer)?);
        let mut text = self.core.take_text();
        text.reserve(HEAD_BYTES + length);
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
        Some(text)
    }
}

/// The length of an answer's body, bytes, where that may be written here.
pub fn whole(answer: &Response<Settled>) -> Option<usize> {
    let status = answer.status();
    // What these have for a body is the protocol's to say.
    let usual = !status.is_informational()
        && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    answer.body().whole().filter(|bytes| usual && *bytes <= BODY_BYTES_MAX)
}

fn put_field(text: &mut Vec<u8>, name: &str, value: &[u8]) {
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

/// The request that `bytes` are: one head, without body, that says nothing about its connection.
/// `None` for everything else. The screen has looked at every byte; this only cuts.
fn read(bytes: &Bytes, mut fields: HeaderMap) -> Option<Request<Option<Upload>>> {
    let end = memchr::memchr(b'\r', bytes)?;
    let line = bytes[..end].strip_suffix(b" HTTP/1.1")?;
    let space = memchr::memchr(b' ', line)?;
    let method = Method::from_bytes(&line[..space]).ok()?;
    let target = space + 1;
    // An answer to HEAD tells the length of a body that it doesn't have.
    if method == Method::HEAD || line.get(target) != Some(&b'/') {
        return None;
    }
    let uri = Uri::from_maybe_shared(bytes.slice(target..line.len())).ok()?;
    let mut at = end + 2;
    while bytes.get(at..)? != b"\r\n" {
        let end = at + memchr::memchr(b'\r', &bytes[at..])?;
        let colon = at + memchr::memchr(b':', &bytes[at..end])?;
        let name = HeaderName::from_bytes(&bytes[at..colon]).ok()?;
        if headers::is_hop_by_hop(name.as_str()) {
            return None;
        }
        // Optional white space (RFC 9110 §5.6.3); the screen lets no other by.
        let value = bytes.slice_ref(bytes[colon + 1..end].trim_ascii());
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
