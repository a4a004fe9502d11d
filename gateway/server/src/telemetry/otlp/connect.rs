//! Connections to receivers: plain or TLS, by the same means as connections to upstreams.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use sumun_policy::policy::{Endpoint, Protocol};
use tokio_rustls::TlsConnector;

use crate::listen::transport::Transport;
use crate::upstream::{ConnectError, connect};

/// Connects to the host of a URL.
#[derive(Clone)]
pub(super) struct Connect {
    /// HTTP/2 for gRPC, else HTTP/1.1.
    protocol: Protocol,
    tls: TlsConnector,
}

/// A connection to a receiver.
pub(super) struct Line(TokioIo<Transport>);

/// No connection to the receiver.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    /// The URL names no host.
    #[error("the receiver's URL names no host")]
    Host,
    /// The connection.
    #[error("cannot connect to the receiver")]
    Connect(#[from] ConnectError),
}

// === impl Connect ===

impl Connect {
    pub(super) fn new(protocol: Protocol, tls: TlsConnector) -> Self {
        Self { protocol, tls }
    }
}

impl std::fmt::Debug for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl tower::Service<Uri> for Connect {
    type Response = Line;
    type Error = LineError;
    type Future = Pin<Box<dyn Future<Output = Result<Line, LineError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), LineError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let Self { protocol, tls } = self.clone();
        Box::pin(async move {
            let endpoint = endpoint(&url).ok_or(LineError::Host)?;
            let (transport, _) = connect(&endpoint, protocol, &tls, &[]).await?;
            Ok(Line(TokioIo::new(transport)))
        })
    }
}

fn endpoint(url: &Uri) -> Option<Endpoint> {
    let tls = url.scheme_str() == Some("https");
    let host = url.host()?.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_u16().unwrap_or(if tls { 443 } else { 80 });
    Some(Endpoint { tls, host: host.into(), port })
}

// === impl Line ===

impl Read for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl Write for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
