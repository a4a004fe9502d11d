//! Idle and shared connections of one worker to one endpoint.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use sumun_policy::policy::{Endpoint, Protocol};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::aside::{CALLS_BESIDE_MAX, CALLS_BESIDE_MIN};
use super::connect::{ConnectError, connect};
use super::send::RequestBody;
use super::wire::{Line, Stream, UpstreamWire};
use crate::core::{Core, LocalExec};
use crate::deadline::ticks;
use crate::listen::transport::Transport;
use crate::screen::{HeadLimits, ResponseScreen};

/// Idle connections kept per endpoint and worker. As many as nginx's benchmarks use; each costs a
/// descriptor and about 10 KiB.
const IDLE_MAX: usize = 1024;

/// How long a connection may idle: below Tomcat's default keep-alive of 20 s, so that we close first.
const IDLE_TIME_MAX: Duration = Duration::from_secs(15);

/// Read and write buffers of one HTTP/1 connection to an upstream, and the largest answer head, bytes.
const H1_BUFFER_BYTES: usize = 16 * 1024;

/// Fields of an answer head: hyper's own bound; more would put its tables on the heap.
const H1_HEADERS_MAX: usize = 100;

/// Receive window of one HTTP/2 stream, bytes.
const H2_STREAM_WINDOW_BYTES: u32 = 64 * 1024;

/// Receive window of one HTTP/2 connection, bytes. Shared by its streams, so a few readers that
/// don't read can't stop the others.
const H2_CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// Bytes one HTTP/2 stream may queue towards an upstream that doesn't read.
const H2_SEND_BYTES_MAX: usize = 16 * 1024;

/// Period of the pings that find dead HTTP/2 upstreams.
const H2_PING_EVERY: Duration = Duration::from_secs(10);

/// All pools of one worker. Bounded by the endpoints of the policies in use.
#[derive(Default)]
pub struct Pools(RefCell<HashMap<(Endpoint, Protocol), Rc<Pool>>>);

/// Connections of one worker to one endpoint.
pub struct Pool {
    endpoint: Endpoint,
    protocol: Protocol,
    idle: RefCell<Vec<Idle>>,
    /// The HTTP/2 connection all calls share.
    shared: RefCell<Option<http2::SendRequest<RequestBody>>>,
    /// What the last handshake yielded: whether to look for a shared connection first.
    speaks_h2: Cell<bool>,
    /// Calls that are not to be tried aside, since one was not whole.
    beside: Cell<u32>,
    /// How many there were after the last one; 0: the last that was tried was whole.
    beside_last: Cell<u32>,
}

struct Idle {
    connection: Connection1,
    since: u64,
}

/// One HTTP/1 connection, used by one call at a time.
pub struct Connection1 {
    pub(super) sender: http1::SendRequest<RequestBody>,
    pub(super) line: Line,
    /// What becomes of the connection after a 101.
    pub(super) upgraded: Option<oneshot::Receiver<(Transport, Bytes)>>,
    /// Whether it has carried a call before: only then may a failure mean "closed meanwhile".
    pub(super) reused: bool,
    /// What drives it; `None` once it may outlive the lease.
    task: Option<AbortHandle>,
}

/// A connection for one call.
pub enum Lease {
    /// Its own until the answer has ended.
    Http1(Connection1),
    /// Shared with other calls; `reused`: it was there before this call.
    Http2 {
        /// Its sending side.
        sender: http2::SendRequest<RequestBody>,
        /// Whether a failure may mean "closed meanwhile".
        reused: bool,
    },
}

// === impl Pools ===

impl Pools {
    /// The pool of an endpoint; made when first asked for.
    pub fn of(&self, endpoint: &Endpoint, protocol: Protocol) -> Rc<Pool> {
        let key = (endpoint.clone(), protocol);
        let mut pools = self.0.borrow_mut();
        Rc::clone(pools.entry(key).or_insert_with(|| Rc::new(Pool::new(endpoint, protocol))))
    }

    /// Closes what has idled too long and forgets pools that no plan names. Once a second.
    pub fn prune(&self, now_tick: u64) {
        let mut pools = self.0.borrow_mut();
        for pool in pools.values() {
            pool.prune(now_tick);
        }
        pools.retain(|_, pool| Rc::strong_count(pool) > 1);
    }
}

// === impl Pool ===

impl Pool {
    fn new(endpoint: &Endpoint, protocol: Protocol) -> Self {
        Self {
            endpoint: endpoint.clone(),
            protocol,
            idle: RefCell::new(Vec::new()),
            shared: RefCell::new(None),
            speaks_h2: Cell::new(protocol == Protocol::Http2),
            beside: Cell::new(0),
            beside_last: Cell::new(0),
        }
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// A connection within `limit`: a reused one unless `fresh`, else a new one.
    pub async fn lease(
        &self,
        core: &Core,
        limit: Duration,
        fresh: bool,
    ) -> Result<Lease, ConnectError> {
        let leasing = async {
            match if fresh { None } else { self.reuse(core).await } {
                Some(lease) => Ok(lease),
                // Boxed: rare, and much larger than the rest.
                None => Box::pin(self.connect(core)).await,
            }
        };
        core.deadlines.within(limit, leasing).await.unwrap_or(Err(ConnectError::Timeout))
    }

    /// A connection that can be upgraded, within `limit`: one of HTTP/1.1, also where ALPN would yield
    /// HTTP/2.
    pub async fn lease_upgradable(
        &self,
        core: &Core,
        limit: Duration,
        fresh: bool,
    ) -> Result<Lease, ConnectError> {
        if !self.endpoint.tls || self.protocol != Protocol::Auto {
            return self.lease(core, limit, fresh).await;
        }
        let connecting = async {
            let shared = &core.shared;
            let connected =
                connect(&self.endpoint, Protocol::Http1, &shared.connector, &shared.own).await;
            shake_hands_h1(connected?.0).await.map(Lease::Http1)
        };
        core.deadlines.within(limit, connecting).await.unwrap_or(Err(ConnectError::Timeout))
    }

    /// Takes a connection back after an answer that ended exactly.
    pub fn give_back(&self, core: &Core, mut connection: Connection1) {
        let mut idle = self.idle.borrow_mut();
        if connection.line.borrow().reusable()
            && !connection.sender.is_closed()
            && idle.len() < IDLE_MAX
        {
            connection.reused = true;
            idle.push(Idle { connection, since: core.deadlines.tick() });
        }
    }

    /// A connection that has idled, for a call to be tried aside: where there is one, and the last
    /// calls were not hyper's.
    pub(super) fn lease_aside(&self, core: &Core) -> Option<Connection1> {
        if let Some(left) = self.beside.get().checked_sub(1) {
            self.beside.set(left);
            return None;
        }
        let oldest = oldest(core.deadlines.tick());
        loop {
            let Idle { connection, since } = self.idle.borrow_mut().pop()?;
            if since >= oldest && connection.is_usable() {
                return Some(connection);
            }
        }
    }

    /// A call that was tried aside was whole.
    pub(super) fn note_whole(&self) {
        self.beside_last.set(0);
    }

    /// A call that was tried aside is hyper's.
    pub(super) fn leave_to_hyper(&self) {
        let calls = (self.beside_last.get() * 2).clamp(CALLS_BESIDE_MIN, CALLS_BESIDE_MAX);
        self.beside_last.set(calls);
        self.beside.set(calls);
    }

    async fn reuse(&self, core: &Core) -> Option<Lease> {
        if self.speaks_h2.get() {
            let sender = self.shared.borrow().clone();
            if let Some(mut sender) = sender
                && sender.ready().await.is_ok()
            {
                return Some(Lease::Http2 { sender, reused: true });
            }
        }
        let oldest = oldest(core.deadlines.tick());
        loop {
            let Idle { mut connection, since } = self.idle.borrow_mut().pop()?;
            if since >= oldest
                && connection.is_usable()
                && (connection.sender.is_ready() || connection.sender.ready().await.is_ok())
            {
                return Some(Lease::Http1(connection));
            }
        }
    }

    async fn connect(&self, core: &Core) -> Result<Lease, ConnectError> {
        let (transport, h2) =
            connect(&self.endpoint, self.protocol, &core.shared.connector, &core.shared.own)
                .await?;
        self.speaks_h2.set(h2);
        if h2 {
            let sender = shake_hands_h2(transport).await?;
            *self.shared.borrow_mut() = Some(sender.clone());
            Ok(Lease::Http2 { sender, reused: false })
        } else {
            shake_hands_h1(transport).await.map(Lease::Http1)
        }
    }

    fn prune(&self, now_tick: u64) {
        let oldest = oldest(now_tick);
        self.idle.borrow_mut().retain(|idle| idle.since >= oldest && idle.connection.is_usable());
        let mut shared = self.shared.borrow_mut();
        if shared.as_ref().is_some_and(http2::SendRequest::is_closed) {
            *shared = None;
        }
    }
}

/// The tick since which a connection may have idled.
fn oldest(now_tick: u64) -> u64 {
    now_tick.saturating_sub(ticks(IDLE_TIME_MAX))
}

// === impl Connection1 ===

impl Connection1 {
    /// Whether it is still there after it has idled. hyper may not know: who exchanged something aside
    /// was the last to be told what comes.
    fn is_usable(&self) -> bool {
        !self.sender.is_closed() && self.line.borrow_mut().is_quiet()
    }

    /// After a 101: where the connection comes out once hyper lets go of it.
    pub(super) fn upgrade(mut self) -> Option<oneshot::Receiver<(Transport, Bytes)>> {
        self.task = None;
        self.upgraded.take()
    }
}

impl Drop for Connection1 {
    /// Nobody will use it again, so it closes now, whatever its other direction waits for: an
    /// upstream that answers early and then neither reads nor closes would keep it for ever.
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn shake_hands_h1(transport: Transport) -> Result<Connection1, ConnectError> {
    let limits = HeadLimits { head_bytes_max: H1_BUFFER_BYTES, headers_max: H1_HEADERS_MAX };
    let line = Stream::new(transport, Some(ResponseScreen::new(limits)));
    let wire = UpstreamWire::new(&line);
    let (sender, mut connection) = http1::Builder::new()
        .max_buf_size(H1_BUFFER_BYTES)
        .handshake(TokioIo::new(wire))
        .await
        .map_err(ConnectError::Http)?;
    let (upgraded, upgrade) = oneshot::channel();
    let driven = tokio::task::spawn_local(async move {
        // A failure shows in the call that uses the connection.
        if poll_fn(|cx| connection.poll_without_shutdown(cx)).await.is_ok() {
            let parts = connection.into_parts();
            if let Some(transport) = parts.io.into_inner().into_transport() {
                // Nobody takes it unless a 101 was accepted: then the connection closes here.
                let _ = upgraded.send((transport, parts.read_buf));
            }
        }
    });
    let task = Some(driven.abort_handle());
    Ok(Connection1 { sender, line, upgraded: Some(upgrade), reused: false, task })
}

async fn shake_hands_h2(
    transport: Transport,
) -> Result<http2::SendRequest<RequestBody>, ConnectError> {
    let (sender, connection) = http2::Builder::new(LocalExec)
        .timer(TokioTimer::new())
        .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(H2_SEND_BYTES_MAX)
        .max_header_list_size(H1_BUFFER_BYTES as u32)
        .keep_alive_interval(H2_PING_EVERY)
        .keep_alive_timeout(H2_PING_EVERY)
        .handshake(TokioIo::new(UpstreamWire::new(&Stream::new(transport, None))))
        .await
        .map_err(ConnectError::Http)?;
    tokio::task::spawn_local(async move {
        // A failure shows in the calls that use the connection.
        let _ = connection.await;
    });
    Ok(sender)
}
