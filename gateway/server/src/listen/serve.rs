//! One client connection from its first byte to its last.
//!
//! The protocol is told by ALPN on TLS, else by the first bytes (HTTP/2 by prior knowledge, RFC 9113
//! §3.3). One coarse deadline per connection guards all its time limits: it is looked at when it
//! fires, not armed per call.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt;

use super::connection::{Connection, Unreadable};
use super::early::Calls;
use super::streams::Streams;
use super::transport::Transport;
use super::tunnel;
use super::turnstile::Place;
use super::wire::Wire;
use crate::core::Core;
use crate::deadline::{Deadline, TICK, ticks};
use crate::path;
use crate::path::settle::Settled;
use crate::screen::{HeadLimits, RequestScreen};

/// The first bytes of every HTTP/2 connection (RFC 9113 §3.4).
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Least bound that hyper accepts for an HTTP/1 connection's buffers, bytes. The bound itself is that
/// of a request head; bodies are held to less by the wire.
const H1_BUFFER_BYTES_MIN: usize = 8 * 1024;

/// Receive window of one HTTP/2 stream, bytes: what a stalled upload may hold.
const H2_STREAM_WINDOW_BYTES: u32 = 64 * 1024;

/// Receive window of one HTTP/2 connection, bytes.
const H2_CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// Bytes one HTTP/2 stream may queue towards a client that doesn't read.
const H2_SEND_BYTES_MAX: usize = 16 * 1024;

/// Resets that a peer may provoke before its connection is closed (rapid reset, CVE-2023-44487).
const H2_RESETS_MAX: usize = 64;

/// How long an idle HTTP/1 connection is still listened to once accepts have stopped: far longer
/// than a request takes to come once its client has begun to send it.
const DRAIN_GRACE: Duration = Duration::from_millis(500);

/// Period of the pings that find dead HTTP/2 clients.
const H2_PING_EVERY: Duration = Duration::from_secs(30);

/// Serves one accepted connection to its end.
pub async fn serve(
    core: Rc<Core>,
    transport: Transport,
    peer: std::net::SocketAddr,
    h2: Option<bool>,
) {
    let mut transport = transport;
    let told = tokio::select! {
        biased;
        told = sniff(&core, &mut transport, h2) => told,
        () = leave(&core) => None,
    };
    let Some((h2, sniffed)) = told else { return };
    let limits = &core.shared.settings.limits;
    let tls = matches!(transport, Transport::Tls(_));
    let connection = Connection::new(peer, tls, h2, core.deadlines.tick());
    let connection = Rc::new(connection.with_certificate(transport.client_certificate()));
    let screen = (!h2).then(|| {
        Box::new(RequestScreen::new(HeadLimits {
            head_bytes_max: limits.header_bytes,
            headers_max: limits.headers,
        }))
    });
    let wire =
        Wire::new(transport, sniffed, Rc::clone(&connection), core.deadlines.clone(), screen);
    let calls = Calls::new(&core, &connection);
    if h2 {
        serve_h2(&core, &connection, wire, Service(calls)).await;
    } else {
        let wire = wire.with_calls(Rc::clone(&calls), Place::new(&core.turnstile));
        serve_h1(&core, &connection, wire, Service(calls)).await;
    }
}

/// Which protocol the client speaks, with what was read to tell. `None` where it doesn't say so in
/// time: it may idle before its first byte, but what has begun must come on.
async fn sniff(
    core: &Core,
    transport: &mut Transport,
    known: Option<bool>,
) -> Option<(bool, Bytes)> {
    if let Some(h2) = known {
        return Some((h2, Bytes::new()));
    }
    let (limits, deadlines) = (&core.shared.settings.limits, &core.deadlines);
    let mut bytes = BytesMut::with_capacity(H2_PREFACE.len());
    deadlines.within(limits.idle, sniff_more(transport, &mut bytes)).await?.ok()?;
    let rest = async {
        while bytes.len() < H2_PREFACE.len() && H2_PREFACE.starts_with(&bytes) {
            sniff_more(transport, &mut bytes).await?;
        }
        io::Result::Ok(())
    };
    deadlines.within(limits.header_time, rest).await?.ok()?;
    Some((bytes == H2_PREFACE, bytes.freeze()))
}

async fn sniff_more(transport: &mut Transport, bytes: &mut BytesMut) -> io::Result<()> {
    let mut left = transport.take((H2_PREFACE.len() - bytes.len()) as u64);
    match left.read_buf(bytes).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

async fn serve_h1(core: &Rc<Core>, connection: &Rc<Connection>, wire: Wire, calls: Service) {
    let limits = &core.shared.settings.limits;
    let mut builder = http1::Builder::new();
    builder
        .half_close(false)
        .header_read_timeout(None) // the guard's, without a timer per call
        .max_headers(limits.headers)
        .max_header_size(limits.header_bytes.max(H1_BUFFER_BYTES_MIN))
        .max_buf_size(limits.header_bytes.max(H1_BUFFER_BYTES_MIN));
    let early = Rc::clone(&calls.0);
    let mut hyper = builder.serve_connection(TokioIo::new(wire), calls);
    let mut guard = Guard::new(core, connection);
    let mut leaving = std::pin::pin!(leave(core));
    let mut cut = std::pin::pin!(core.shared.drain.cut());
    let (mut left, mut asked) = (false, false);
    let served = poll_fn(|cx| {
        let stopping = core.shared.drain.is_stopping();
        // The end of the drain wakes this task, and the call under way says so to its client.
        if stopping && !core.cut.get() && cut.as_mut().poll(cx).is_ready() {
            core.cut.set(true);
        }
        // Asked once, so that the drain wakes this task, and then when it has something to say: each
        // question takes a lock that all workers share. Not while a call is under way that hyper does
        // not know of: it would close at once, and its answer closes the connection anyway.
        let ask = !left && (!asked || stopping) && !early.is_under_way();
        asked = true;
        if ask && leaving.as_mut().poll(cx).is_ready() {
            left = true;
            Pin::new(&mut hyper).graceful_shutdown();
        }
        if guard.poll_cut(cx).is_ready() {
            return Poll::Ready(None);
        }
        hyper.poll_without_shutdown(cx).map(Some)
    })
    .await;
    // Also where it failed: a tunnel left here would hold its connection, and that the tunnel.
    let tunnel = connection.tunnel.take();
    let parts = hyper.into_parts();
    let mut wire = parts.io.into_inner();
    let Some(Ok(())) = served else {
        if connection.cut.get() {
            wire.into_transport().reset();
        }
        return;
    };
    if let Some(tunnel) = tunnel {
        drop(guard);
        if let Some((client, early)) = wire.into_tunnel(parts.read_buf) {
            tunnel::run(core, client, early, tunnel).await;
        }
    } else {
        let closing = poll_fn(|cx| tokio::io::AsyncWrite::poll_shutdown(Pin::new(&mut wire), cx));
        let _ = core.deadlines.within(Duration::from_secs(1), closing).await;
        linger(core, wire.into_transport()).await;
    }
}

/// Returns when an idle HTTP/1 connection is to be closed: a while after accepts have stopped, since
/// one that was just accepted, or whose client is just writing, has a request coming. Its answer
/// says `Connection: close`.
async fn leave(core: &Core) {
    core.shared.drain.stopped().await;
    let grace = core.deadlines.after(DRAIN_GRACE);
    poll_fn(|cx| grace.poll_expired(cx)).await;
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

async fn serve_h2(core: &Rc<Core>, connection: &Rc<Connection>, wire: Wire, calls: Service) {
    let limits = &core.shared.settings.limits;
    let mut builder = http2::Builder::new(Streams::new(core, connection));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
        .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(H2_SEND_BYTES_MAX)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(H2_RESETS_MAX)
        .max_local_error_reset_streams(H2_RESETS_MAX)
        .keep_alive_interval(H2_PING_EVERY)
        .keep_alive_timeout(limits.header_time);
    let mut hyper = std::pin::pin!(builder.serve_connection(TokioIo::new(wire), calls));
    let mut guard = Guard::new(core, connection);
    let mut leaving = std::pin::pin!(core.shared.drain.begun());
    let (mut left, mut asked) = (false, false);
    // Whether it ended well or not, the streams have been told by hyper.
    let _ = poll_fn(|cx| {
        let ask = !left && (!asked || core.shared.drain.is_draining());
        asked = true;
        if ask && leaving.as_mut().poll(cx).is_ready() {
            left = true;
            hyper.as_mut().graceful_shutdown();
        }
        if guard.poll_cut(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        hyper.as_mut().poll(cx)
    })
    .await;
}

/// Holds all time limits of one connection.
struct Guard {
    deadline: Deadline,
    connection: Rc<Connection>,
    core: Rc<Core>,
    header_ticks: u64,
    idle_ticks: u64,
}

impl Guard {
    fn new(core: &Rc<Core>, connection: &Rc<Connection>) -> Self {
        let limits = &core.shared.settings.limits;
        let first = limits.header_time.min(limits.idle);
        Self {
            deadline: core.deadlines.after(first),
            connection: Rc::clone(connection),
            core: Rc::clone(core),
            header_ticks: ticks(limits.header_time),
            idle_ticks: ticks(limits.idle),
        }
    }

    /// Ready when the connection is to be cut without a word; a slow head is refused instead.
    fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.deadline.poll_expired(cx).is_ready() {
            let (connection, now) = (&self.connection, self.core.deadlines.tick());
            let mut next = self.header_ticks.min(self.idle_ticks);
            let mut due = |since: u64, limit: u64| {
                let left = (since + limit).saturating_sub(now);
                next = next.min(left.max(1));
                left == 0
            };
            let head = connection.head_tick.get();
            let stalled = connection.stalled_tick.get();
            if head != 0 && connection.refused.get().is_none() && due(head, self.header_ticks) {
                connection.refused.set(Some(Unreadable::TooSlow));
                cx.waker().wake_by_ref();
            }
            if stalled != 0 && due(stalled, self.idle_ticks) {
                return Poll::Ready(());
            }
            if connection.calls.get() == 0 && due(connection.moved_tick.get(), self.idle_ticks) {
                return Poll::Ready(());
            }
            self.deadline.reset(TICK * u32::try_from(next).unwrap_or(u32::MAX));
        }
        Poll::Pending
    }
}

impl Drop for Guard {
    /// A panic between an accepted upgrade and its tunnel frees the call like any other end.
    fn drop(&mut self) {
        drop(self.connection.tunnel.take());
    }
}

/// The service hyper calls: the request path, bound to this connection.
struct Service(Rc<Calls>);

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Settled>;
    type Error = std::convert::Infallible;
    type Future = path::Serving;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.0.serve(request)
    }
}
