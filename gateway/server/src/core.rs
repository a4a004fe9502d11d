//! What one worker owns, and what all of them share.
//!
//! A worker is a thread with its own current-thread runtime, listening socket, connection pool,
//! deadlines and counters: on the path cores meet only in the engine's atomic words, the store and
//! the policy pointer.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use sumun_engine::time::Moment;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::task::TaskTracker;

use crate::callers::Callers;
use crate::callers::token::Tokens;
use crate::clock::Clock;
use crate::date::HttpDate;
use crate::deadline::Deadlines;
use crate::drain::Drain;
use crate::listen::turnstile::Turnstile;
use crate::plan::{CorePlan, Plan};
use crate::recording::{CoreRecorder, Recording};
use crate::settings::Settings;
use crate::store::Cache;
use crate::telemetry::CoreTelemetry;
use crate::upstream::{ANSWER_BYTES_MAX, Pools};

/// Maps of fields that a worker keeps for the next messages: as many as calls begin at once. About
/// 100 KiB, where all are as large as they may be.
const FIELD_MAPS_MAX: usize = 16;

/// Fields that a map has room for, where it is kept; most messages have less than half as many.
const FIELDS_MAX: usize = 64;

/// Room that a worker keeps for the text of the next message: what is written by it is at most a body
/// of 8 KiB and its head.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Heads are kept side by side in rooms of this size, bytes: one allocation for some twenty of them. A
/// call that goes on holds the room of its head.
const HEADS_BYTES: usize = 4 * 1024;

/// What all workers share.
pub struct Shared {
    /// How this process runs.
    pub settings: Settings,
    /// The time.
    pub clock: Clock,
    /// Tells callers apart.
    pub callers: Arc<Callers>,
    /// The policy in force, replaced whole.
    pub plan: Arc<ArcSwap<Plan>>,
    /// The shared cache.
    pub cache: Cache,
    /// What is kept of calls, where anything is.
    pub recording: Option<Arc<Recording>>,
    /// Where the process is between running and gone.
    pub drain: Drain,
    /// TLS of the data listener.
    pub tls: Option<TlsAcceptor>,
    /// TLS towards upstreams.
    pub connector: TlsConnector,
    /// The gateway's pseudonym in `Via`; unique per process, so that a loop is told from a chain.
    pub pseudonym: String,
    /// Client connections open.
    pub connections: Arc<AtomicUsize>,
    /// Bound on client connections: the setting, or what the process's descriptors allow.
    pub connections_max: usize,
    /// Addresses that no upstream may resolve to: the gateway's own.
    pub own: Vec<SocketAddr>,
}

/// One worker's own.
pub struct Core {
    /// What it shares with the others.
    pub shared: Arc<Shared>,
    /// Its counters, rings and sampler.
    pub telemetry: CoreTelemetry,
    /// Whose head it reads next.
    pub turnstile: Rc<Turnstile>,
    /// Its deadlines.
    pub deadlines: Deadlines,
    /// Its connections to upstreams.
    pub pools: Pools,
    /// Its client connections: the drain waits for them.
    pub connections: TaskTracker,
    /// `Via` of calls that came by HTTP/1.0, HTTP/1.1 and HTTP/2.
    pub via: [HeaderValue; 3],
    /// Its end of the recording.
    pub recorder: Option<CoreRecorder>,
    /// What it knows of callers' tokens.
    pub tokens: RefCell<Tokens>,
    /// `Date` of answers that it writes itself.
    pub http_date: HttpDate,
    /// Where a head or an answer is read before it is known how large it is.
    pub scratch: RefCell<Box<[u8]>>,
    /// Empty maps with room, for the fields of the next messages.
    fields: RefCell<Vec<HeaderMap>>,
    /// Where the next message is written.
    text: Cell<Vec<u8>>,
    /// Where the next head is kept.
    heads: RefCell<BytesMut>,
    /// Revalidations under way that no client waits for.
    pub revalidations: Cell<u32>,
    /// Whether the drain is at its end: whoever has no answer yet is told so.
    pub cut: Cell<bool>,
    plan: RefCell<Plans>,
}

/// The plan in force as this worker last saw it: what all share, and its own view of that.
struct Plans {
    shared: arc_swap::Cache<Arc<ArcSwap<Plan>>, Arc<Plan>>,
    own: Rc<CorePlan>,
}

impl Core {
    /// A worker's own, on the worker's thread.
    pub fn new(shared: Arc<Shared>, telemetry: CoreTelemetry) -> Self {
        let deadlines = Deadlines::default();
        let turnstile = Rc::new(Turnstile::new(shared.clock));
        let pools = Pools::default();
        let own = Rc::new(CorePlan::new(shared.plan.load_full(), &pools));
        let plan = Plans { shared: arc_swap::Cache::new(Arc::clone(&shared.plan)), own };
        let via = ["1.0", "1.1", "2"].map(|version| {
            // The pseudonym is made of token characters.
            HeaderValue::from_str(&format!("{version} {}", shared.pseudonym))
                .unwrap_or_else(|_| HeaderValue::from_static("1.1 sumun"))
        });
        let recorder = shared.recording.as_ref().and_then(|recording| recording.recorder());
        Self {
            shared,
            telemetry,
            turnstile,
            deadlines,
            pools,
            connections: TaskTracker::new(),
            via,
            recorder,
            tokens: RefCell::default(),
            http_date: HttpDate::default(),
            scratch: RefCell::new(vec![0; ANSWER_BYTES_MAX].into()),
            fields: RefCell::default(),
            text: Cell::default(),
            heads: RefCell::default(),
            revalidations: Cell::new(0),
            cut: Cell::new(false),
            plan: RefCell::new(plan),
        }
    }

    /// Now.
    pub fn now(&self) -> Moment {
        self.shared.clock.now()
    }

    /// An empty map, with room where one was kept.
    pub fn take_fields(&self) -> HeaderMap {
        self.fields.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps the map of a message that is over: one that grows field by field is filled several times.
    pub fn keep_fields(&self, mut fields: HeaderMap) {
        let mut kept = self.fields.borrow_mut();
        if kept.len() < FIELD_MAPS_MAX && fields.capacity() <= FIELDS_MAX {
            fields.clear();
            kept.push(fields);
        }
    }

    /// Where a message may be written: empty, with room where some was kept.
    pub fn take_text(&self) -> Vec<u8> {
        self.text.take()
    }

    /// Keeps the room of a message that was sent.
    pub fn keep_text(&self, mut text: Vec<u8>) {
        if text.capacity() <= TEXT_BYTES_MAX {
            text.clear();
            self.text.set(text);
        }
    }

    /// Keeps the head of a message for as long as somebody holds a part of it.
    pub fn keep_head(&self, bytes: &[u8]) -> Bytes {
        if bytes.len() > HEADS_BYTES / 4 {
            return Bytes::copy_from_slice(bytes);
        }
        let mut room = self.heads.borrow_mut();
        if room.capacity() < bytes.len() {
            room.reserve(HEADS_BYTES); // the same room again, where nobody holds a part of it
        }
        room.extend_from_slice(bytes);
        room.split().freeze()
    }

    /// The plan in force; a call keeps what it got until its end.
    pub fn plan(&self) -> Rc<CorePlan> {
        let Plans { shared, own } = &mut *self.plan.borrow_mut();
        let newest = shared.load();
        if !Arc::ptr_eq(newest, own.shared()) {
            *own = Rc::new(CorePlan::new(Arc::clone(newest), &self.pools));
        }
        Rc::clone(own)
    }
}

/// Spawns hyper's tasks on the worker's own runtime.
#[derive(Clone, Copy, Debug)]
pub struct LocalExec;

impl<F> hyper::rt::Executor<F> for LocalExec
where
    F: Future + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}
