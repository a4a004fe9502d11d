//! The bytes of one connection to an upstream, screened on their way into hyper.
//!
//! hyper repairs some ambiguous answers; here they fail the connection instead. Whether the
//! connection may be used again is decided by the screen too: only after an answer that ended
//! exactly, with nothing behind it.
//!
//! A lease shares the line with hyper, since an exchange may be tried aside first ([`super::aside`]).
//! While it is, hyper sees nothing of the connection; where it turns out to be hyper's, hyper reads
//! what was read, and what it writes of the request was sent.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::listen::transport::Transport;
use crate::screen::{ResponseScreen, Violation};

/// One connection's stream, shared by its wire and its lease.
pub type Line = Rc<RefCell<Stream>>;

/// The bytes of one connection.
pub struct Stream {
    /// `None` once it was taken out.
    transport: Option<Transport>,
    /// `None` for HTTP/2.
    screen: Option<ResponseScreen>,
    /// An exchange is under way that hyper knows nothing of.
    aside: bool,
    /// Read aside, and screened: hyper's to read first.
    read_aside: Bytes,
    /// The request that hyper is about to write has been sent aside.
    sent_aside: bool,
}

/// One upstream connection as hyper sees it.
pub struct UpstreamWire(Line);

// === impl Stream ===

impl Stream {
    /// Takes a connected transport.
    pub fn new(transport: Transport, screen: Option<ResponseScreen>) -> Line {
        Rc::new(RefCell::new(Self {
            transport: Some(transport),
            screen,
            aside: false,
            read_aside: Bytes::new(),
            sent_aside: false,
        }))
    }

    /// A request is about to be sent; `head_request`: its method is HEAD.
    pub fn expect(&mut self, head_request: bool) {
        if let Some(screen) = &mut self.screen {
            screen.expect(head_request);
        }
    }

    /// Whether the last answer ended exactly, and nothing followed.
    pub fn reusable(&self) -> bool {
        self.screen.as_ref().is_some_and(ResponseScreen::reusable) && self.read_aside.is_empty()
    }

    /// Whether nothing has come on an idle connection, neither bytes nor its end: a look, without a
    /// system call where the kernel has told of nothing.
    pub fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut buf = ReadBuf::new(&mut byte);
        self.poll_read_raw(&mut Context::from_waker(Waker::noop()), &mut buf).is_pending()
    }

    /// Begins an exchange that hyper knows nothing of.
    pub fn begin_aside(&mut self) {
        self.expect(false);
        self.aside = true;
    }

    /// Ends it: the answer was whole.
    pub fn end_aside(&mut self) {
        self.aside = false;
    }

    /// Ends it: hyper is to send the request, all of which was sent, and reads `bytes` first.
    pub fn hand_over(&mut self, bytes: Bytes) {
        (self.aside, self.sent_aside, self.read_aside) = (false, true, bytes);
    }

    /// Writes, aside.
    pub fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_transport(|transport| transport.poll_write(cx, bytes))
    }

    /// Sees to it that what was written is on its way, aside.
    pub fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_transport(|transport| transport.poll_flush(cx))
    }

    /// Reads, aside; what `buf` holds afterwards has passed the screen.
    pub fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let from = buf.filled().len();
        ready!(self.poll_read_raw(cx, buf))?;
        if let Some(screen) = &mut self.screen
            && let Err(violation) = screen.watch(&buf.filled()[from..])
        {
            buf.set_filled(from);
            return Poll::Ready(Err(broken(&violation)));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read_raw(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_transport(|transport| transport.poll_read(cx, buf))
    }

    /// Whether what hyper writes now was sent: a head without body, which it keeps in one buffer and
    /// writes in one go. It has looked for the answer before that, so it is woken to look again.
    fn was_sent(&mut self, cx: &Context<'_>) -> bool {
        let sent = std::mem::take(&mut self.sent_aside);
        if sent {
            cx.waker().wake_by_ref();
        }
        sent
    }

    #[inline]
    fn poll_transport<T>(
        &mut self,
        poll: impl FnOnce(Pin<&mut Transport>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.transport {
            Some(transport) => poll(Pin::new(transport)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

fn broken(violation: &Violation) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, violation.kind.code())
}

// === impl UpstreamWire ===

impl UpstreamWire {
    /// hyper's end of a line.
    pub fn new(line: &Line) -> Self {
        Self(Rc::clone(line))
    }

    /// The transport, once hyper has let go of it.
    pub fn into_transport(self) -> Option<Transport> {
        self.0.borrow_mut().transport.take()
    }
}

impl AsyncRead for UpstreamWire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let line = &mut *self.0.borrow_mut();
        // What comes now answers a request that hyper has not written yet.
        if line.aside || line.sent_aside {
            return Poll::Pending;
        }
        if !line.read_aside.is_empty() {
            let n = line.read_aside.len().min(buf.remaining());
            buf.put_slice(&line.read_aside[..n]);
            line.read_aside.advance(n);
            return Poll::Ready(Ok(()));
        }
        line.poll_receive(cx, buf)
    }
}

impl AsyncWrite for UpstreamWire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let line = &mut *self.0.borrow_mut();
        if line.was_sent(cx) {
            return Poll::Ready(Ok(buf.len()));
        }
        line.poll_transport(|transport| transport.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let line = &mut *self.0.borrow_mut();
        if line.was_sent(cx) {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        line.poll_transport(|transport| transport.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.borrow().transport.as_ref().is_some_and(Transport::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_sent(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_transport(|transport| transport.poll_shutdown(cx))
    }
}
