//! The data listener: one socket per core on the same address (`SO_REUSEPORT`), own accept loop.
//!
//! Begins when the gateway is ready, ends when the drain has announced itself. Connections over
//! `limits.connections` get a 503 and are closed; an accept that fails for want of descriptors waits
//! instead of spinning.

pub mod connection;
pub mod early;
mod guard;
mod http1;
mod http2;
mod serve;
pub mod streams;
pub mod tls;
pub mod transport;
pub mod tunnel;
pub mod turnstile;
pub mod upload;
mod wire;

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use self::transport::Transport;
pub use self::wire::REFUSED_PATH;
use crate::core::Core;
use crate::hex;
use crate::refusal::Code;

/// Connections the kernel may hold that no worker has accepted yet.
const BACKLOG: i32 = 4096;

/// Wait after a failed accept: descriptors come back when connections close, not by trying again.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(20);

/// Connections accepted in a row before other work goes on: each brings a call, and a storm of them
/// must not hold up those that run.
const ACCEPTS_MAX: u32 = 32;

/// What a client over the bound on connections gets, up to its trace id. Written without reading its
/// request.
const OVER_THE_BOUND: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\n\
    proxy-status: sumun; error=connection_limit_reached; details=\"gateway_overloaded\"\r\n\
    retry-after: 1\r\nconnection: close\r\ncontent-length: 209\r\n\r\n\
    {\"type\":\"urn:sumun:problem:gateway_overloaded\",\"title\":\"Service Unavailable\",\
    \"status\":503,\"detail\":\"too many connections\",\"code\":\"gateway_overloaded\",\"route\":null,\
    \"trace_id\":\"";

/// Binds one listening socket per worker. Port 0: the first socket picks, the others follow.
pub fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<StdListener>> {
    let mut bound = address;
    let mut sockets = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = bind_one(bound)?;
        bound = socket.local_addr()?;
        sockets.push(socket);
    }
    Ok(sockets)
}

fn bind_one(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts until the drain stops it, then once more for what the kernel already holds.
pub async fn accept(core: Rc<Core>, listener: StdListener) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut in_a_row = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = core.shared.drain.stopped() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                admit(&core, stream, peer);
                in_a_row += 1;
                if in_a_row == ACCEPTS_MAX {
                    in_a_row = 0;
                    tokio::task::yield_now().await;
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "accept failed, waiting");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
    let std = listener.into_std()?;
    loop {
        match std.accept() {
            Ok((stream, peer)) => {
                stream.set_nonblocking(true)?;
                admit(&core, TcpStream::from_std(stream)?, peer);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(_) => return Ok(()), // there is none left
        }
    }
}

/// Errors that concern the connection only, not the listener (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

fn admit(core: &Rc<Core>, stream: TcpStream, peer: SocketAddr) {
    let core = Rc::clone(core);
    if let Some(counted) = Counted::new(&core.shared.connections, core.shared.connections_max) {
        let open = (counted, core.connections.token());
        tokio::task::spawn_local(async move {
            let _open = open;
            // Small answers go out at once; hyper batches head and body itself.
            let _ = stream.set_nodelay(true);
            serve(core, stream, peer).await;
        });
        return;
    }
    core.telemetry.refuse_unread(Code::GatewayOverloaded);
    // Within TLS nothing can be said before a handshake, which is what there is no room for.
    if core.shared.tls.is_none() {
        refuse(&stream, core.telemetry.begin_in(None).trace_id);
    }
}

/// Tells one client that there is no room. Bounded: what doesn't fit the socket's buffer is not sent.
fn refuse(stream: &TcpStream, trace_id: u128) {
    let _ = stream.try_write(&over_the_bound(trace_id));
    // A close with bytes unread is a reset, which may overtake the answer.
    let _ = stream.try_read(&mut [0; 4096]);
}

fn over_the_bound(trace_id: u128) -> Vec<u8> {
    [OVER_THE_BOUND, &hex::of_u128(trace_id), b"\"}"].concat()
}

/// Serves one client to its end.
async fn serve(core: Rc<Core>, stream: TcpStream, peer: SocketAddr) {
    let (transport, h2) = match core.shared.tls.clone() {
        None => (Transport::Plain(stream), None),
        // Boxed: a room that an open connection need not have.
        Some(acceptor) => match Box::pin(shake_hands(&core, acceptor, stream)).await {
            Some((transport, h2)) => (transport, Some(h2)),
            None => return,
        },
    };
    serve::serve(core, transport, peer, h2).await;
}

/// The TLS handshake, and whether HTTP/2 was chosen in it; `None` where it fails or takes too long.
async fn shake_hands(
    core: &Core,
    acceptor: TlsAcceptor,
    stream: TcpStream,
) -> Option<(Transport, bool)> {
    let shaking = async {
        let mut stream = acceptor.accept(stream).await?;
        stream.flush().await?;
        io::Result::Ok(stream)
    };
    let stream =
        core.deadlines.within(core.shared.settings.limits.header_time, shaking).await?.ok()?;
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Some((Transport::Tls(Box::new(stream.into())), h2))
}

/// One connection in the bound; dropping it makes room.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(connections: &Arc<AtomicUsize>, max: usize) -> Option<Self> {
        let mut now = connections.load(Ordering::Relaxed);
        loop {
            if now >= max {
                return None;
            }
            match connections.compare_exchange_weak(
                now,
                now + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(Self(Arc::clone(connections))),
                Err(seen) => now = seen,
            }
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
