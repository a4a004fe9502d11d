//! The bytes of one client connection on their way into and out of hyper.
//!
//! On HTTP/1 every byte passes the [`RequestScreen`] first. hyper repairs some ambiguous requests;
//! a proxy that forwards a repaired request is a smuggling tool. So an incomplete head is held back
//! here (at most `limits.header_bytes`), and a malformed one never reaches the parser: in its place
//! hyper gets a harmless request that the path answers with the refusal, in its turn among pipelined
//! calls, and nothing after it is read.
//!
//! While hyper waits for a head it rests, and calls are served without it ([`calls`]).

mod calls;

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, Take};

use super::connection::{Connection, Unreadable};
use super::early::Calls;
use super::transport::Transport;
use super::turnstile::Place;
use crate::deadline::Deadlines;
use crate::screen::{Malformed, Part, RequestScreen};

/// Bytes of one read: one less than a power of two, since hyper doubles its buffer when a read has
/// filled it, and every piece of a body that waits somewhere pins the buffer it was read into.
const READ_BYTES_MAX: usize = 16 * 1024 - 1;

/// Bytes of an answer's body that may wait to be written before more of it is asked for: two pieces
/// of an upstream's read, so that they leave in one write. This bounds what a client that stops
/// reading holds, however large hyper's own bound must be for a large head.
pub const WINDOW_BYTES: usize = 32 * 1024;

/// Bytes of a head and its body that are put together before they are written: copying so few is
/// cheaper for the kernel than gathering them. A refusal and a small hit fit.
const JOINED_BYTES_MAX: usize = 2048;

/// Path of the request that stands in for a malformed one. Only answered with a refusal, and only
/// on a connection that is refused; elsewhere it is a path like any other.
pub const REFUSED_PATH: &str = "/.well-known/sumun-refused";

const REFUSED_REQUEST: &[u8] = b"GET /.well-known/sumun-refused HTTP/1.1\r\nhost: refused\r\n\r\n";

/// One client connection as hyper sees it.
pub struct Wire {
    transport: Take<Transport>,
    connection: Rc<Connection>,
    deadlines: Deadlines,
    /// `None` for HTTP/2, whose framing the h2 crate checks.
    screen: Option<Box<RequestScreen>>,
    /// Bytes read while the protocol was being told; screened when read again.
    sniffed: Bytes,
    /// A head that has not come whole.
    held: BytesMut,
    /// Screened bytes that hyper has not taken yet.
    ready: BytesMut,
    /// Where calls may be answered at once, and where they wait to be read; `None` for HTTP/2.
    calls: Option<(Rc<Calls>, Place)>,
    /// Such an answer, until the socket has taken all of it, and how much it took.
    unsent: Vec<u8>,
    sent: usize,
    /// The transport may hold bytes that it has taken: TLS encrypts more than the socket takes.
    unflushed: bool,
    /// hyper waits for a head and has nothing else to do.
    rests: bool,
    /// While it rested the client has closed, or the transport failed: it is told when it reads.
    ended: Option<io::Result<()>>,
    state: State,
}

/// A client connection that hyper has, and that is served without it while it rests.
#[derive(Clone)]
pub struct SharedWire(Rc<RefCell<Wire>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The stand-in request has been queued; nothing more is read.
    Refused,
    /// The body in flight turned out malformed.
    BodyBroken(Malformed),
}

impl Wire {
    /// Takes a transport, what has been read of it, and the screen for HTTP/1.
    pub fn new(
        transport: Transport,
        sniffed: Bytes,
        connection: Rc<Connection>,
        deadlines: Deadlines,
        screen: Option<Box<RequestScreen>>,
    ) -> Self {
        Self {
            transport: transport.take(READ_BYTES_MAX as u64),
            connection,
            deadlines,
            screen,
            sniffed,
            held: BytesMut::new(),
            ready: BytesMut::new(),
            calls: None,
            unsent: Vec::new(),
            sent: 0,
            unflushed: false,
            rests: false,
            ended: None,
            state: State::Open,
        }
    }

    /// Answers calls where it can while hyper rests, as it does from the beginning, and reads them when
    /// it is their turn: HTTP/1 only.
    #[must_use]
    pub fn with_calls(self, calls: Rc<Calls>, place: Place) -> SharedWire {
        let wire = Self { calls: Some((calls, place)), rests: true, ..self };
        SharedWire(Rc::new(RefCell::new(wire)))
    }

    /// The transport, once hyper has let go of it.
    pub fn into_transport(self) -> Transport {
        self.transport.into_inner()
    }

    /// The transport and what was read from it and not acted on, `taken` by hyper first: with an
    /// accepted upgrade that is the tunnel's. `None` where some of it could be neither a request nor
    /// told apart from one.
    pub fn into_tunnel(self, taken: Bytes) -> Option<(Transport, Bytes)> {
        if self.state != State::Open || self.connection.refused.get().is_some() {
            return None;
        }
        let kept = [&taken[..], &self.ready, &self.held, &self.sniffed];
        let early =
            if kept[1..].iter().all(|part| part.is_empty()) { taken } else { kept.concat().into() };
        Some((self.transport.into_inner(), early))
    }

    /// Puts the stand-in request in the place of what is being read.
    fn refuse(&mut self, why: Unreadable) {
        self.held = BytesMut::new();
        self.ready.extend_from_slice(REFUSED_REQUEST);
        self.connection.refused.set(Some(why));
        self.connection.head_tick.set(0);
        self.state = State::Refused;
    }

    fn read_raw(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let before = buf.filled().len();
        if self.sniffed.is_empty() {
            self.transport.set_limit(READ_BYTES_MAX as u64);
            ready!(Pin::new(&mut self.transport).poll_read(cx, buf))?;
        } else {
            let n = self.sniffed.len().min(buf.remaining());
            buf.put_slice(&self.sniffed.split_to(n));
        }
        let n = buf.filled().len() - before;
        // HTTP/2 also moves without a call: pings, ours among them, must not keep it from idling.
        if n > 0 && self.screen.is_some() {
            self.connection.moved_tick.set(self.deadlines.tick());
        }
        Poll::Ready(Ok(n))
    }

    /// Screens what has just been read (`buf` from `from` on); leaves in `buf` what hyper may see.
    fn screen_read(&mut self, buf: &mut ReadBuf<'_>, from: usize) {
        let Some(screen) = self.screen.as_deref_mut() else { return };
        let fresh = &buf.filled()[from..];
        match screen.watch(fresh) {
            Ok(()) => {
                let partial = screen.partial_head_bytes();
                if self.held.is_empty() && partial == 0 {
                    return; // whole messages, or a body: nothing to hold back
                }
                self.held.extend_from_slice(fresh);
                buf.set_filled(from);
                let whole = self.held.len() - partial;
                if whole > 0 {
                    self.ready.unsplit(self.held.split_to(whole));
                    self.connection.head_tick.set(0);
                }
                if partial == 0 {
                    self.held = BytesMut::new();
                } else if self.connection.head_tick.get() == 0 {
                    self.connection.head_tick.set(self.deadlines.tick().max(1));
                }
            }
            Err(violation) => {
                // What was held began an earlier, complete message; else it is the violating head.
                if violation.valid > 0 {
                    self.ready.unsplit(self.held.split());
                    self.ready.extend_from_slice(&fresh[..violation.valid]);
                }
                buf.set_filled(from);
                match violation.part {
                    Part::Head => self.refuse(Unreadable::Malformed(violation.kind)),
                    Part::Body => self.state = State::BodyBroken(violation.kind),
                }
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.ready.is_empty() {
                let n = this.ready.len().min(buf.remaining());
                buf.put_slice(&this.ready[..n]);
                this.ready.advance(n);
                if this.ready.is_empty() {
                    this.ready = BytesMut::new(); // rare path: give the memory back
                }
                return Poll::Ready(Ok(()));
            }
            match this.state {
                // The connection's guard refuses by setting the cell.
                State::Open => {
                    if let Some(why) = this.connection.refused.get() {
                        this.refuse(why);
                        continue;
                    }
                }
                // The connection ends with the answer to the stand-in; no further byte is wanted.
                State::Refused => return Poll::Pending,
                State::BodyBroken(kind) => {
                    this.connection.refused.set(Some(Unreadable::Malformed(kind)));
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        kind.code(),
                    )));
                }
            }
            if let Some(ended) = &mut this.ended {
                return Poll::Ready(std::mem::replace(ended, Ok(())));
            }
            ready!(this.poll_sent(cx))?;
            let from = buf.filled().len();
            let begins = this.is_between_messages();
            if begins && this.may_answer() {
                this.rests = true;
                return Poll::Pending; // `poll_calls` wakes this task when there is something to read
            }
            if begins {
                ready!(this.poll_pass(cx));
            }
            if ready!(this.read_raw(cx, buf))? == 0 {
                return Poll::Ready(Ok(())); // end of stream; a head held back dies with it
            }
            if begins {
                this.note_read();
            }
            this.screen_read(buf, from);
            if buf.filled().len() > from {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl Wire {
    /// Whether no part of a message has been read and what comes next is a head.
    #[inline]
    fn is_between_messages(&self) -> bool {
        self.state == State::Open
            && self.held.is_empty()
            && self.screen.as_ref().is_some_and(|screen| screen.at_message_boundary())
    }

    /// Ready when the socket has taken all answers that were given in front of hyper: answers leave in
    /// the order of their calls, and nobody asks faster than he reads.
    #[inline]
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unsent.is_empty() { Poll::Ready(Ok(())) } else { self.poll_send(cx) }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.unsent.len() {
            let rest = &self.unsent[self.sent..];
            let result = Pin::new(self.transport.get_mut()).poll_write(cx, rest);
            match ready!(self.written(result))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.sent += n,
            }
        }
        self.sent = 0;
        let text = std::mem::take(&mut self.unsent);
        if let Some((calls, _)) = &self.calls {
            calls.keep_text(text);
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when the socket has taken all that the transport has: only then does anybody wait for
    /// something else.
    #[inline]
    fn poll_flushed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(self.transport.get_mut()).poll_flush(cx);
        let stalled = &self.connection.stalled_tick;
        match &flushed {
            Poll::Ready(Ok(())) => {
                self.unflushed = false;
                stalled.set(0);
            }
            Poll::Pending if stalled.get() == 0 => stalled.set(self.deadlines.tick().max(1)),
            Poll::Pending | Poll::Ready(Err(_)) => {}
        }
        flushed
    }

    fn written(&mut self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let tick = self.deadlines.tick();
        match &result {
            Poll::Ready(Ok(n)) => {
                self.unflushed = true;
                if self.screen.is_some() {
                    self.connection.moved_tick.set(tick);
                }
                self.connection.stalled_tick.set(0);
                self.connection.note_written(*n);
            }
            Poll::Pending if self.connection.stalled_tick.get() == 0 => {
                self.connection.stalled_tick.set(tick.max(1));
            }
            Poll::Pending | Poll::Ready(Err(_)) => {}
        }
        result
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_sent(cx))?;
        let result = Pin::new(this.transport.get_mut()).poll_write(cx, buf);
        this.written(result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_sent(cx))?;
        let transport = Pin::new(this.transport.get_mut());
        let result = match bufs {
            [one] => transport.poll_write(cx, one),
            _ => match join(bufs, &mut [0; JOINED_BYTES_MAX]) {
                Some(joined) => transport.poll_write(cx, joined),
                None => transport.poll_write_vectored(cx, bufs),
            },
        };
        this.written(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.get_ref().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_sent(cx))?;
        this.poll_flushed(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_sent(cx))?;
        Pin::new(this.transport.get_mut()).poll_shutdown(cx)
    }
}

// === impl SharedWire ===

impl SharedWire {
    /// The wire, once hyper has let go of it; `None` before.
    pub fn into_inner(self) -> Option<Wire> {
        Rc::into_inner(self.0).map(RefCell::into_inner)
    }

    fn pinned<T>(self: Pin<&mut Self>, with: impl FnOnce(Pin<&mut Wire>) -> T) -> T {
        with(Pin::new(&mut self.0.borrow_mut()))
    }
}

impl AsyncRead for SharedWire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.pinned(|wire| wire.poll_read(cx, buf))
    }
}

impl AsyncWrite for SharedWire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pinned(|wire| wire.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pinned(|wire| wire.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned(|wire| wire.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned(|wire| wire.poll_shutdown(cx))
    }
}

/// The buffers one after the other, where they fit.
fn join<'a>(bufs: &[io::IoSlice<'_>], joined: &'a mut [u8; JOINED_BYTES_MAX]) -> Option<&'a [u8]> {
    let mut len = 0;
    for buf in bufs {
        joined.get_mut(len..len + buf.len())?.copy_from_slice(buf);
        len += buf.len();
    }
    Some(&joined[..len])
}

#[cfg(test)]
mod tests;
