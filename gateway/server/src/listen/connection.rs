//! What is known about one client connection, shared by its wire, its calls and its guard.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use http::HeaderValue;

use super::streams::HandedTick;
use super::transport::Transport;
use super::upload::Rest;
use super::wire::WINDOW_BYTES;
use crate::authority::Authority;
use crate::callers::certificate::CertificateNames;
use crate::path::settle::Settlement;
use crate::screen::Malformed;

/// One client connection. Lives from accept to close on one core.
pub struct Connection {
    /// The client's address as the socket sees it.
    pub peer: SocketAddr,
    /// `X-Forwarded-For` of this connection, made once.
    pub forwarded_for: HeaderValue,
    /// Whether it is TLS.
    pub tls: bool,
    /// The names in its client certificate, where one was asked for.
    pub certificate: Option<CertificateNames>,
    /// Whether it speaks HTTP/2: a refusal then ends a stream, not the connection.
    pub h2: bool,
    /// Calls begun and not settled.
    pub calls: Cell<u32>,
    /// Tick of the last settled call, on HTTP/1 also of the last byte that moved in either direction.
    pub moved_tick: Cell<u64>,
    /// Tick at which an incomplete request head began; 0: none.
    pub head_tick: Cell<u64>,
    /// Tick since which the client takes no bytes although there are some; 0: it takes them.
    pub stalled_tick: Cell<u64>,
    /// Why the rest of this connection is never read: the next request is answered with this.
    pub refused: Cell<Option<Unreadable>>,
    /// Set by an accepted upgrade: what to do with the bytes once hyper lets go of the connection.
    pub tunnel: RefCell<Option<Tunnel>>,
    /// HTTP/2: while one of its streams is polled, when that stream's answer was last handed on.
    pub stream: RefCell<Option<HandedTick>>,
    /// Whom the last call asked for: mostly the next one asks for the same.
    pub asked: RefCell<Option<Rc<Authority>>>,
    /// HTTP/1: whether the last answer was small and whole, and so the next may be, as may the first.
    pub whole: Cell<bool>,
    /// An answer without a length was cut: only a reset tells the client so.
    pub cut: Cell<bool>,
    /// HTTP/1: a body that nobody reads, to be out of the next request's way.
    pub rest: RefCell<Option<Rest>>,
    /// HTTP/1: such a body is too large to be read, so the connection ends with the answer under way.
    pub ends: Cell<bool>,
    /// Bytes of the answer under way that hyper was handed and the socket has not taken.
    unwritten: Cell<usize>,
    /// The answer's body, waiting for the socket to take some.
    waiting: RefCell<Option<Waker>>,
}

/// Why the rest of a connection is never read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Its bytes are not HTTP, or ambiguous.
    Malformed(Malformed),
    /// A head took longer than `limits.header_time`.
    TooSlow,
}

/// The other end of an upgraded connection. Its permits are freed when the tunnel closes.
pub struct Tunnel {
    /// The upstream's side, without HTTP.
    pub upstream: Transport,
    /// Bytes the upstream sent behind its 101.
    pub early: bytes::Bytes,
    /// The call that opened it.
    pub settlement: Box<Settlement>,
}

impl Connection {
    /// A new connection, accepted at `tick`.
    pub fn new(peer: SocketAddr, tls: bool, h2: bool, tick: u64) -> Self {
        let address = peer.ip().to_canonical().to_string();
        Self {
            peer,
            // An IP address is made of visible ASCII only.
            forwarded_for: HeaderValue::from_str(&address)
                .unwrap_or_else(|_| HeaderValue::from_static("unknown")),
            tls,
            certificate: None,
            h2,
            calls: Cell::new(0),
            moved_tick: Cell::new(tick),
            head_tick: Cell::new(0),
            stalled_tick: Cell::new(0),
            refused: Cell::new(None),
            tunnel: RefCell::new(None),
            stream: RefCell::new(None),
            asked: RefCell::new(None),
            whole: Cell::new(true),
            cut: Cell::new(false),
            rest: RefCell::new(None),
            ends: Cell::new(false),
            unwritten: Cell::new(0),
            waiting: RefCell::new(None),
        }
    }

    /// With the client certificate that the handshake has verified, DER.
    #[must_use]
    pub fn with_certificate(self, der: Option<&[u8]>) -> Self {
        Self { certificate: der.map(CertificateNames::read), ..self }
    }

    /// HTTP/1: ready when more of an answer's body may be handed to hyper, whose own bound is as
    /// large as the largest request head. HTTP/2 has its windows.
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.h2 || self.unwritten.get() < WINDOW_BYTES {
            return Poll::Ready(());
        }
        *self.waiting.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Bytes of a body were handed to hyper.
    pub fn note_handed(&self, bytes: usize) {
        self.unwritten.set(self.unwritten.get() + bytes);
    }

    /// The socket took bytes. Heads count too, though they were not noted: a few hundred bytes that
    /// the window is exceeded by.
    pub fn note_written(&self, bytes: usize) {
        let left = self.unwritten.get().saturating_sub(bytes);
        self.unwritten.set(left);
        if left < WINDOW_BYTES
            && let Some(waiting) = self.waiting.take()
        {
            waiting.wake();
        }
    }
}
