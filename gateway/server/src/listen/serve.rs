//! One client connection from its first byte to its last.
//!
//! The protocol is told by ALPN on TLS, else by the first bytes (HTTP/2 by prior knowledge, RFC 9113
//! §3.3).

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::io::AsyncReadExt;

use super::connection::Connection;
use super::early::Calls;
use super::transport::Transport;
use super::turnstile::Place;
use super::wire::Wire;
use super::{http1, http2};
use crate::core::Core;
use crate::path;
use crate::path::settle::Settled;
use crate::screen::{HeadLimits, RequestScreen};

/// The first bytes of every HTTP/2 connection (RFC 9113 §3.4).
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long an idle HTTP/1 connection is still listened to once accepts have stopped: far longer
/// than a request takes to come once its client has begun to send it.
const DRAIN_GRACE: Duration = Duration::from_millis(500);

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
        Box::pin(http2::serve(&core, &connection, wire, Service(calls))).await;
    } else {
        let wire = wire.with_calls(Rc::clone(&calls), Place::new(&core.turnstile));
        http1::serve(&core, &connection, wire, calls).await;
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

/// Returns when an idle HTTP/1 connection is to be closed: a while after accepts have stopped, since
/// one that was just accepted, or whose client is just writing, has a request coming. Its answer
/// says `Connection: close`.
pub async fn leave(core: &Core) {
    core.shared.drain.stopped().await;
    let grace = core.deadlines.after(DRAIN_GRACE);
    poll_fn(|cx| grace.poll_expired(cx)).await;
}

/// The service hyper calls: the request path, bound to this connection.
pub struct Service(pub Rc<Calls>);

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Settled>;
    type Error = std::convert::Infallible;
    type Future = path::Serving;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.0.serve(request)
    }
}
