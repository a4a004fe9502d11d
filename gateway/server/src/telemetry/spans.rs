//! Spans on their way out of the path: fixed-size records in a bounded ring per core.
//!
//! A record begins when a call settles and ends when the background task has encoded it. Kept are
//! the sampled calls and, sampled or not, the *notable* ones: refused, failed, cut off, slow.
//! Bounds: [`RING_RECORDS`] a core; [`NOTABLE_PER_CORE`] and [`NOTABLE_PER_ROUTE`] a second, so that
//! a route that sheds thousands a second neither floods the receiver nor hides the others.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use http::Version;
use sumun_policy::policy::Class;
use tokio::sync::Notify;

use super::cells::Counter;
use super::labels::{method_index, method_label};
use super::meters::{RouteMeters, Verdict};
use super::record::{ATTEMPTS_MAX, Attempt, CacheResult, CallRecord, ShedRecord, Trace};
use crate::refusal::Code;

/// Records waiting on one core: 20 ms at 50,000 calls a second when all are sampled; the task is
/// woken when half are taken. At most 640 KiB a core, and only where traces are exported.
const RING_RECORDS: usize = 1024;

/// Notable calls kept a second on one core, and of one route on one core.
pub const NOTABLE_PER_CORE: u64 = 100;
/// See [`NOTABLE_PER_CORE`].
pub const NOTABLE_PER_ROUTE: u64 = 25;

/// Calls longer than this are notable.
pub const SLOW_NS: u64 = 1_000_000_000;

/// Bytes kept of a path; longer ones are cut.
const PATH_BYTES: usize = 192;

/// What a span needs of a finished call. It copies the path rather than share it: a shared slice
/// would hold the whole read buffer of its connection until it is exported.
#[derive(Debug)]
pub struct SpanRecord {
    pub(super) route: Option<Arc<RouteMeters>>,
    pub(super) trace: Trace,
    pub(super) started_ns: u64,
    pub(super) ended_ns: u64,
    pub(super) method: &'static str,
    pub(super) path: Path,
    pub(super) version: Version,
    pub(super) peer: IpAddr,
    pub(super) status: u16,
    pub(super) class: Class,
    pub(super) caller: Option<Box<str>>,
    pub(super) verdict: Verdict,
    pub(super) refusal: Option<Code>,
    pub(super) shed: Option<ShedRecord>,
    pub(super) shadow: Option<ShedRecord>,
    pub(super) cache: Option<CacheResult>,
    pub(super) cache_fwd: Option<&'static str>,
    pub(super) cache_detail: Option<&'static str>,
    pub(super) attempts: [Option<Attempt>; ATTEMPTS_MAX],
    pub(super) request_bytes: u64,
    pub(super) response_bytes: u64,
    pub(super) complete: bool,
    pub(super) revision: u64,
}

/// A path, cut at [`PATH_BYTES`], without its query: that may hold what must not be told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    len: u8,
    bytes: [u8; PATH_BYTES],
}

// === impl Path ===

impl Path {
    fn new(path: &str) -> Self {
        let len = path.floor_char_boundary(PATH_BYTES);
        let mut bytes = [0; PATH_BYTES];
        bytes[..len].copy_from_slice(&path.as_bytes()[..len]);
        Self { len: len as u8, bytes }
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or("")
    }
}

// === impl SpanRecord ===

impl SpanRecord {
    fn new(record: &CallRecord) -> Self {
        Self {
            verdict: Verdict::of(record),
            method: method_label(method_index(&record.method)),
            path: Path::new(record.path.path()),
            class: record.class,
            // Copied, as the path is: it too may share the connection's read buffer.
            caller: record.caller.as_ref().map(|caller| caller.as_str().into()),
            route: record.route.clone(),
            trace: record.trace,
            started_ns: record.started_ns,
            ended_ns: record.ended_ns,
            version: record.version,
            peer: record.peer,
            status: record.status,
            refusal: record.refusal,
            shed: record.shed,
            shadow: record.shadow,
            cache: record.cache,
            cache_fwd: record.cache_fwd,
            cache_detail: record.cache_detail,
            attempts: record.attempts.clone(),
            request_bytes: record.request_bytes,
            response_bytes: record.response_bytes,
            complete: record.complete,
            revision: record.revision,
        }
    }

    /// Spans it becomes: the call's and one for each attempt.
    pub(super) fn spans(&self) -> u64 {
        1 + self.attempts.iter().flatten().count() as u64
    }
}

fn spans_of(record: &CallRecord) -> u64 {
    1 + record.attempts.iter().flatten().count() as u64
}

/// Whether a call is worth keeping although it wasn't sampled.
fn is_notable(record: &CallRecord) -> bool {
    record.refusal.is_some()
        || record.shed.is_some()
        || record.status >= 500
        || !record.complete
        || record.ended_ns.saturating_sub(record.started_ns) > SLOW_NS
}

/// The path's end of a core's ring.
#[derive(Debug)]
pub(super) struct SpanRing {
    core: usize,
    sender: SyncSender<SpanRecord>,
    shared: Arc<RingState>,
    wake: Arc<Notify>,
    second: Counter,
    kept: Counter,
}

/// The task's end.
#[derive(Debug)]
pub(super) struct SpanDrain {
    receiver: Receiver<SpanRecord>,
    shared: Arc<RingState>,
}

/// Counters of a ring; each has one writer.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct RingState {
    /// Spans of calls that found no place.
    pub(super) dropped: Counter,
    taken: Counter,
}

/// A ring for `core`; `wake` is told when it is half full.
pub(super) fn ring(core: usize, wake: Arc<Notify>) -> (SpanRing, SpanDrain) {
    let (sender, receiver) = sync_channel(RING_RECORDS);
    let shared = Arc::new(RingState::default());
    let drain = SpanDrain { receiver, shared: Arc::clone(&shared) };
    let (second, kept) = Default::default();
    (SpanRing { core, sender, shared, wake, second, kept }, drain)
}

// === impl SpanRing ===

impl SpanRing {
    /// Keeps the call's spans where they are to be kept; never waits.
    pub(super) fn offer(&self, record: &CallRecord) {
        if !record.trace.sampled {
            if !is_notable(record) {
                return;
            }
            if !self.may_keep(record) {
                return self.shared.dropped.add(spans_of(record));
            }
        }
        match self.sender.try_send(SpanRecord::new(record)) {
            Ok(()) => {
                self.shared.taken.add(1);
                if self.shared.taken.get().is_multiple_of(RING_RECORDS as u64 / 2) {
                    self.wake.notify_one();
                }
            }
            Err(TrySendError::Full(record) | TrySendError::Disconnected(record)) => {
                self.shared.dropped.add(record.spans());
            }
        }
    }

    /// Whether the bounds on notable calls allow one more.
    fn may_keep(&self, record: &CallRecord) -> bool {
        let second = record.ended_ns / 1_000_000_000;
        if self.second.get() != second {
            self.second.set(second);
            self.kept.set(0);
        }
        let room = self.kept.get() < NOTABLE_PER_CORE
            && record
                .route
                .as_ref()
                .is_none_or(|route| route.may_keep(self.core, second, NOTABLE_PER_ROUTE));
        if room {
            self.kept.add(1);
        }
        room
    }
}

// === impl SpanDrain ===

impl SpanDrain {
    /// Up to `most` records that wait.
    pub(super) fn drain(&self, most: usize) -> impl Iterator<Item = SpanRecord> {
        self.receiver.try_iter().take(most)
    }

    /// The ring's counters; they outlive both ends.
    pub(super) fn state(&self) -> &Arc<RingState> {
        &self.shared
    }
}

#[cfg(test)]
mod tests;
