//! An upgraded connection: bytes both ways with bounded buffers until either side closes.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};

use super::connection::Tunnel;
use super::transport::Transport;
use crate::core::Core;

/// Buffer of one direction, bytes.
const BUFFER_BYTES: usize = 8 * 1024;

/// Runs the tunnel to its end; then the call that opened it is settled.
///
/// It ends when both sides have closed, either fails, or the drain's limit has passed.
pub async fn run(core: &Rc<Core>, client: Transport, client_early: Bytes, tunnel: Tunnel) {
    let mut client = Rewound { early: client_early, transport: client };
    let mut upstream = Rewound { early: tunnel.early, transport: tunnel.upstream };
    let copied = tokio::select! {
        copied = copy_bidirectional_with_sizes(&mut client, &mut upstream, BUFFER_BYTES, BUFFER_BYTES) => copied.ok(),
        () = core.shared.drain.cut() => None,
    };
    let mut settlement = tunnel.settlement;
    if let Some((sent, received)) = copied {
        settlement.record.request_bytes += sent;
        settlement.record.response_bytes += received;
        settlement.record.complete = true;
    }
}

/// A transport whose first bytes have already been read.
struct Rewound {
    early: Bytes,
    transport: Transport,
}

impl AsyncRead for Rewound {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.early.is_empty() {
            return Pin::new(&mut this.transport).poll_read(cx, buf);
        }
        let n = this.early.len().min(buf.remaining());
        buf.put_slice(&this.early.split_to(n));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().transport).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_shutdown(cx)
    }
}
