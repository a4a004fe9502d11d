//! A scripted HTTP/1.1 upstream on raw TCP that keeps every byte it was sent.
//!
//! It begins listening in [`Upstream::start`] and ends when dropped. It counts connections,
//! requests and its own concurrency, so that a test need not believe the gateway's numbers.
//! Bytes that are not a well-formed request are kept in [`Upstream::malformed`] and end the
//! connection: that list must stay empty, whatever a client does.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use crate::eventually::eventually;
use crate::script::Reply;
use crate::wire::Head;

mod connection;

/// Requests that are kept; later ones are only counted.
const RECORDED_MAX: usize = 20_000;

/// Bytes that are kept of each connection.
const CONNECTION_BYTES_MAX: usize = 4 << 20;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The connection it came on, from 0.
    pub connection: usize,
    /// Its head.
    pub head: Head,
    /// Its body without chunk framing, as far as it has been read.
    pub body: Vec<u8>,
    /// Its trailer section.
    pub trailers: Vec<(String, String)>,
    /// Whether the body has been read to its end.
    pub complete: bool,
    /// When the head was complete.
    pub at: Instant,
}

// === impl Recorded ===

impl Recorded {
    /// The method.
    pub fn method(&self) -> &str {
        self.head.word(0)
    }

    /// The request target, byte for byte.
    pub fn target(&self) -> &str {
        self.head.word(1)
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// Every value of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.head.all(name)
    }
}

type Script = dyn Fn(&Recorded) -> Reply + Send + Sync;

/// A scripted upstream.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<tokio::task::JoinHandle<()>>,
}

struct Shared {
    script: Box<Script>,
    /// Whether bodies are read before the script is asked.
    reads_body: bool,
    log: Mutex<Log>,
    requests: AtomicUsize,
    in_flight: AtomicUsize,
    in_flight_max: AtomicUsize,
    open_connections: AtomicUsize,
    aborted: AtomicUsize,
}

#[derive(Default)]
struct Log {
    requests: Vec<Recorded>,
    /// Every byte of every connection.
    connections: Vec<Vec<u8>>,
    malformed: Vec<String>,
}

// === impl Upstream ===

impl Upstream {
    /// Answers each request by `script`, once its body has been read.
    pub async fn start(script: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) -> Self {
        Self::bind(free(), Box::new(script), true).await
    }

    /// Answers each request by `script` as soon as its head is there; the body stays unread
    /// but for [`Step::ReadBody`].
    pub async fn start_at_head(
        script: impl Fn(&Recorded) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::bind(free(), Box::new(script), false).await
    }

    /// As [`Upstream::start`] on a given address.
    pub async fn start_on(
        address: SocketAddr,
        script: impl Fn(&Recorded) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::bind(address, Box::new(script), true).await
    }

    /// Answers every request with 200 and `ok`.
    pub async fn plain() -> Self {
        Self::start(|_| Reply::ok("ok")).await
    }

    async fn bind(address: SocketAddr, script: Box<Script>, reads_body: bool) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port for the upstream");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            script,
            reads_body,
            log: Mutex::default(),
            requests: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            in_flight_max: AtomicUsize::new(0),
            open_connections: AtomicUsize::new(0),
            aborted: AtomicUsize::new(0),
        });
        let accepting = tokio::spawn(connection::accept(listener, Arc::clone(&shared)));
        Self { address, shared, accepting: Some(accepting) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The first 20,000 requests so far, in order of arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.log().requests.clone()
    }

    /// The only request so far.
    ///
    /// # Panics
    /// Where there was none, or more than one.
    pub fn only_request(&self) -> Recorded {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "exactly one request was expected upstream: {requests:#?}");
        requests.into_iter().next().expect("one")
    }

    /// Number of requests so far.
    pub fn request_count(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Number of connections so far.
    pub fn connection_count(&self) -> usize {
        self.shared.log().connections.len()
    }

    /// Every byte that came on a connection.
    pub fn bytes_of(&self, connection: usize) -> Vec<u8> {
        self.shared.log().connections[connection].clone()
    }

    /// Every byte that came at all, connection after connection.
    pub fn all_bytes(&self) -> Vec<u8> {
        self.shared.log().connections.concat()
    }

    /// What came and was not a well-formed HTTP/1.1 request.
    pub fn malformed(&self) -> Vec<String> {
        self.shared.log().malformed.clone()
    }

    /// Requests being answered now.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::SeqCst)
    }

    /// Most requests that were ever being answered at once.
    pub fn in_flight_max(&self) -> usize {
        self.shared.in_flight_max.load(Ordering::SeqCst)
    }

    /// Requests whose peer went away before the reply had ended.
    pub fn aborted(&self) -> usize {
        self.shared.aborted.load(Ordering::SeqCst)
    }

    /// Connections open now.
    pub fn open_connections(&self) -> usize {
        self.shared.open_connections.load(Ordering::SeqCst)
    }

    /// Forgets requests and bytes and counts requests from 0; concurrency stays.
    pub fn forget(&self) {
        let mut log = self.shared.log();
        self.shared.requests.store(0, Ordering::SeqCst);
        log.requests.clear();
        log.malformed.clear();
        for bytes in &mut log.connections {
            bytes.clear();
        }
    }

    /// Waits until `count` requests have arrived.
    pub async fn arrived(&self, count: usize) {
        let what = format!("{count} requests upstream");
        eventually(&what, crate::DEADLINE, async || {
            let seen = self.request_count();
            if seen >= count { Ok(()) } else { Err(seen) }
        })
        .await;
    }

    /// Waits until nothing is in flight.
    pub async fn idle(&self, deadline: Duration) {
        eventually("the upstream is idle", deadline, async || match self.in_flight() {
            0 => Ok(()),
            busy => Err(busy),
        })
        .await;
    }

    /// Stops: the port refuses, open connections are reset. Returns the address for a restart.
    pub async fn stop(mut self) -> SocketAddr {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // Aborting drops the listener and every connection task; then the port is free.
            accepting.await.ok();
        }
        self.address
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
        }
    }
}

fn free() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

// === impl Shared ===

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Keeps a request, where there is room, and returns its place.
    fn record(&self, request: Recorded) -> Option<usize> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let mut log = self.log();
        let place = log.requests.len();
        (place < RECORDED_MAX).then(|| {
            log.requests.push(request);
            place
        })
    }

    fn note_malformed(&self, what: String) {
        self.log().malformed.push(what);
    }
}
