//! An upgraded connection: bytes both ways with bounded buffers until either side closes.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use super::connection::Tunnel;
use super::transport::Transport;
use crate::core::Core;

/// Buffer of one direction, bytes.
const BUFFER_BYTES: usize = 8 * 1024;

/// How long one side may go on after the other has closed: enough to say goodbye.
const HALF_CLOSED_TIME_MAX: Duration = Duration::from_secs(5);

/// Runs the tunnel to its end; then the call that opened it is settled.
///
/// It ends when both sides have closed, a while after one has, when either fails, or when the
/// drain's limit has passed.
pub async fn run(core: &Rc<Core>, client: Transport, client_early: Bytes, tunnel: Tunnel) {
    let mut settlement = tunnel.settlement;
    let (from_client, to_client) = tokio::io::split(client);
    let (from_upstream, to_upstream) = tokio::io::split(tunnel.upstream);
    let (sent, received) = (Cell::new(0), Cell::new(0));
    let mut up = pin!(copy(client_early, from_client, to_upstream, &sent));
    let mut down = pin!(copy(tunnel.early, from_upstream, to_client, &received));
    let both = async {
        let (first, rest) = tokio::select! {
            ended = &mut up => (ended, Rest::Down),
            ended = &mut down => (ended, Rest::Up),
        };
        // A failed side leaves the other nothing to wait for.
        first.ok()?;
        let limit = core.deadlines.after(HALF_CLOSED_TIME_MAX);
        let expired = poll_fn(|cx| limit.poll_expired(cx));
        match rest {
            Rest::Up => tokio::select! { ended = &mut up => ended.ok(), () = expired => Some(()) },
            Rest::Down => {
                tokio::select! { ended = &mut down => ended.ok(), () = expired => Some(()) }
            }
        }
    };
    let ended = tokio::select! {
        ended = both => ended,
        () = core.shared.drain.cut() => None,
    };
    settlement.record.request_bytes += sent.get();
    settlement.record.response_bytes += received.get();
    settlement.record.complete = ended.is_some();
}

/// Which direction is still open.
enum Rest {
    Up,
    Down,
}

/// Copies one direction to its end, then closes it.
async fn copy(
    early: Bytes,
    mut from: ReadHalf<Transport>,
    mut to: WriteHalf<Transport>,
    bytes: &Cell<u64>,
) -> io::Result<()> {
    to.write_all(&early).await?;
    bytes.set(early.len() as u64);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let n = from.read(&mut buffer).await?;
        if n == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..n]).await?;
        to.flush().await?;
        bytes.set(bytes.get() + n as u64);
    }
}
