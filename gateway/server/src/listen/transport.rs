//! A byte stream, plain or TLS: the same type for clients and upstreams.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// Silence on a watched connection before its peer's kernel is asked for a sign of life.
const PEER_SILENCE: Duration = Duration::from_mins(1);

/// A connected byte stream.
pub enum Transport {
    /// TCP.
    Plain(TcpStream),
    /// TLS over TCP. Boxed: its state is a kilobyte that plain connections need not carry.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// Closes with a reset: what was sent is not all there was to send.
    pub fn reset(self) {
        // Where it can't be set the connection closes all the same.
        let _ = SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO));
    }

    /// Lets the kernel find out whether the peer is still there, for connections without deadlines.
    pub fn watch_peer(&self) {
        let probes = TcpKeepalive::new()
            .with_time(PEER_SILENCE)
            .with_interval(PEER_SILENCE / 6)
            .with_retries(3);
        // Where it can't be set, the peer's end is noticed when something is sent to it.
        let _ = SockRef::from(self.tcp()).set_tcp_keepalive(&probes);
    }

    /// The client's certificate, DER, where TLS has asked for one and verified it.
    pub fn client_certificate(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => {
                let chain = stream.get_ref().1.peer_certificates()?;
                chain.first().map(AsRef::as_ref)
            }
        }
    }

    /// Whether there may be something to read; where not, the task is woken once there is. Over TLS it
    /// may always be: what was read may lie decrypted.
    pub fn is_readable(&self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Plain(stream) => stream.poll_read_ready(cx).is_ready(),
            Self::Tls(_) => true,
        }
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

macro_rules! each {
    ($self:ident, $io:ident => $body:expr) => {
        match $self.get_mut() {
            Self::Plain(stream) => {
                let $io = Pin::new(stream);
                $body
            }
            Self::Tls(stream) => {
                let $io = Pin::new(stream.as_mut());
                $body
            }
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, io => io.poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => io.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => io.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => io.poll_shutdown(cx))
    }
}
