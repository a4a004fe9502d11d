//! One HTTP/2 connection: hyper's from its first byte to its last.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::connection::Connection;
use super::guard::Guard;
use super::serve::Service;
use super::streams::Streams;
use super::wire::Wire;
use crate::core::Core;

/// Receive window of one HTTP/2 stream, bytes: what a stalled upload may hold.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;

/// Receive window of one HTTP/2 connection, bytes.
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// Bytes one HTTP/2 stream may queue towards a client that doesn't read.
const SEND_BYTES_MAX: usize = 16 * 1024;

/// Resets that a peer may provoke before its connection is closed (rapid reset, CVE-2023-44487).
const RESETS_MAX: usize = 64;

/// Period of the pings that find dead HTTP/2 clients.
const PING_EVERY: Duration = Duration::from_secs(30);

/// Serves a connection to its end.
pub async fn serve(core: &Rc<Core>, connection: &Rc<Connection>, wire: Wire, calls: Service) {
    let limits = &core.shared.settings.limits;
    let mut builder = http2::Builder::new(Streams::new(core, connection));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BYTES_MAX)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(RESETS_MAX)
        .keep_alive_interval(PING_EVERY)
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
