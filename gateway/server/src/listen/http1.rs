//! One HTTP/1 connection.
//!
//! Its calls are read and answered in front of hyper where they are small and whole; hyper is made
//! when it is first needed.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::connection::{Connection, Tunnel};
use super::early::Calls;
use super::guard::Guard;
use super::serve::{Service, leave};
use super::transport::Transport;
use super::tunnel;
use super::upload::Rest;
use super::wire::SharedWire;
use crate::core::Core;

/// Least bound that hyper accepts for an HTTP/1 connection's buffers, bytes. The bound itself is that
/// of a request head; bodies are held to less by the wire.
const BUFFER_BYTES_MIN: usize = 8 * 1024;

/// What hyper has of a connection.
type Hyper = http1::Connection<TokioIo<SharedWire>, Service>;

/// Serves a connection to its end.
pub async fn serve(
    core: &Rc<Core>,
    connection: &Rc<Connection>,
    wire: SharedWire,
    calls: Rc<Calls>,
) {
    let mut hyper: Option<Box<Hyper>> = None;
    let mut guard = Guard::new(core, connection);
    let mut leaving = pin!(leave(core));
    let (mut left, mut asked) = (false, false);
    // Boxed, and only once there is a drain: an idle connection need not have room for it.
    let mut cut = None;
    let served = poll_fn(|cx| {
        let stopping = core.shared.drain.is_stopping();
        // The end of the drain wakes this task, and the call under way tells its client.
        if stopping
            && !core.cut.get()
            && cut
                .get_or_insert_with(|| Box::pin(core.shared.drain.cut()))
                .as_mut()
                .poll(cx)
                .is_ready()
        {
            core.cut.set(true);
        }
        // Asked once, so that the drain wakes this task, and then when it has something to say: each
        // question takes a lock that all workers share. Not while a call is under way, or an answer on
        // its way, that hyper does not know of: it would close at once.
        let is_busy = || calls.is_under_way() || wire.is_sending();
        let ask = !left && (!asked || (stopping && !is_busy()));
        asked = true;
        if ask && leaving.as_mut().poll(cx).is_ready() {
            left = true;
            let Some(hyper) = &mut hyper else { return Poll::Ready(Some(Ok(()))) };
            Pin::new(&mut **hyper).graceful_shutdown();
            wire.wake();
        }
        if guard.poll_cut(cx).is_ready() {
            return Poll::Ready(None);
        }
        let was_busy = stopping && !left && is_busy();
        loop {
            if wire.poll_calls(cx).is_pending() {
                if was_busy && !is_busy() {
                    cx.waker().wake_by_ref(); // to ask now
                }
                return Poll::Pending;
            }
            let hyper = hyper.get_or_insert_with(|| Box::new(begin(core, &wire, &calls)));
            match hyper.poll_without_shutdown(cx) {
                Poll::Pending if wire.rests() => {}
                polled => {
                    if polled.is_pending() {
                        Rest::read_on(connection, &core.deadlines, cx);
                    }
                    return polled.map(Some);
                }
            }
        }
    })
    .await;
    // Also where it failed: a tunnel left here would hold its connection, and that the tunnel.
    let tunnel = connection.tunnel.take();
    drop(guard);
    let taken = hyper.map(|hyper| hyper.into_parts().read_buf).unwrap_or_default();
    if let Some(Ok(())) = served {
        // Boxed: rooms that an idle connection need not have.
        Box::pin(part(core, wire, taken, tunnel)).await;
    } else if connection.cut.get()
        && let Some(wire) = wire.into_inner()
    {
        wire.into_transport().reset();
    }
}

/// What comes after the last call: a tunnel, or an orderly close.
async fn part(core: &Rc<Core>, mut wire: SharedWire, taken: Bytes, tunnel: Option<Tunnel>) {
    if tunnel.is_none() {
        let closing = poll_fn(|cx| Pin::new(&mut wire).poll_shutdown(cx));
        let _ = core.deadlines.within(Duration::from_secs(1), closing).await;
    }
    let Some(wire) = wire.into_inner() else { return };
    match tunnel {
        Some(tunnel) => {
            if let Some((client, early)) = wire.into_tunnel(taken) {
                tunnel::run(core, client, early, tunnel).await;
            }
        }
        None => linger(core, wire.into_transport()).await,
    }
}

fn begin(core: &Core, wire: &SharedWire, calls: &Rc<Calls>) -> Hyper {
    let limits = &core.shared.settings.limits;
    http1::Builder::new()
        .half_close(false)
        .header_read_timeout(None) // the guard's, without a timer per call
        .max_headers(limits.headers)
        .max_header_size(limits.header_bytes.max(BUFFER_BYTES_MIN))
        .max_buf_size(limits.header_bytes.max(BUFFER_BYTES_MIN))
        .serve_connection(TokioIo::new(wire.clone()), Service(Rc::clone(calls)))
}

/// Reads what the client still sends, within bounds, so that a close does not reset the connection
/// before the client has read its answer (RFC 9112 §9.6).
async fn linger(core: &Core, mut client: Transport) {
    /// Most bytes that are read and dropped.
    const BYTES_MAX: usize = 256 * 1024;
    /// Longest that this takes.
    const TIME_MAX: Duration = Duration::from_millis(500);
    let drop_rest = async {
        let mut scratch = [0; 4096];
        let mut dropped = 0;
        while let Ok(n @ 1..) = client.read(&mut scratch).await {
            dropped += n;
            if dropped > BYTES_MAX {
                break;
            }
        }
    };
    core.deadlines.within(TIME_MAX, drop_rest).await;
}
