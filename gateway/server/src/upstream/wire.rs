//! The bytes of one connection to an upstream, screened on their way into hyper.
//!
//! hyper repairs some ambiguous answers; here they fail the connection instead. Whether the
//! connection may be used again is decided by the screen too: only after an answer that ended
//! exactly, with nothing behind it.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::listen::transport::Transport;
use crate::screen::ResponseScreen;

/// One HTTP/1 connection's screen, shared by its wire and its lease.
pub type Line = Rc<RefCell<ResponseScreen>>;

/// One upstream connection as hyper sees it.
pub struct UpstreamWire {
    transport: Transport,
    /// `None` for HTTP/2.
    line: Option<Line>,
}

impl UpstreamWire {
    /// Takes a connected transport.
    pub fn new(transport: Transport, line: Option<Line>) -> Self {
        Self { transport, line }
    }

    /// The transport, once hyper has let go of it.
    pub fn into_transport(self) -> Transport {
        self.transport
    }
}

impl AsyncRead for UpstreamWire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let from = buf.filled().len();
        ready!(Pin::new(&mut this.transport).poll_read(cx, buf))?;
        if let Some(line) = &this.line
            && let Err(violation) = line.borrow_mut().watch(&buf.filled()[from..])
        {
            buf.set_filled(from);
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidData,
                violation.kind.code(),
            )));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for UpstreamWire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().transport).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().transport).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_shutdown(cx)
    }
}
