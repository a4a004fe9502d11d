//! Spans on their way out of the path: fixed-size records in a bounded ring per core.
//!
//! A record begins when a call settles and ends when the background task has encoded it, or with its
//! place among the recent traces. Kept are the sampled calls and, sampled or not, the *notable* ones:
//! refused, failed, cut off, slow. Bounds: an [`Intake`] a core; [`NOTABLE_PER_CORE`] and
//! [`NOTABLE_PER_ROUTE`] a second, so that a route that sheds thousands a second neither floods the
//! receiver nor hides the others.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use http::Version;
use sumun_policy::policy::Class;
use tokio::sync::Notify;

use super::cells::Counter;
use super::labels::{method_index, method_label};
use super::meters::Verdict;
use super::record::{Attempt, CacheResult, CallRecord, RoutePlace, ShedRecord, Trace};
use super::sampling::Sampler;
use crate::refusal::Code;

/// Records waiting on one core: 20 ms at 50,000 calls a second when all are sampled; the task is
/// woken when half are taken. At most 352 KiB a core, and only where traces are exported.
const EXPORTED_RECORDS: usize = 1024;

/// Records waiting on one core where nothing is exported: what [`NOTABLE_PER_CORE`] and
/// [`SAMPLED_PER_CORE`] let in in a second, and some. At most 88 KiB a core.
const LOCAL_RECORDS: usize = 256;

/// Sampled calls a second on one core where nothing is exported: the page shows the newest few, and
/// callers that sample everything must not cost more than that.
const SAMPLED_PER_CORE: u64 = 100;

/// Notable calls kept a second on one core, and of one route on one core.
pub const NOTABLE_PER_CORE: u64 = 100;
/// See [`NOTABLE_PER_CORE`].
pub const NOTABLE_PER_ROUTE: u64 = 25;

/// Calls longer than this are notable.
pub const SLOW_NS: u64 = 1_000_000_000;

/// Bytes kept of a path; longer ones are cut.
const PATH_BYTES: usize = 192;

/// Bytes of a path that the record itself has room for: most are shorter.
const PATH_BYTES_WITHIN: usize = 54;

/// What a span needs of a finished call. It copies the path rather than share it: a shared slice
/// would hold the whole read buffer of its connection until it is exported. What few calls have is
/// kept apart: the ring has room for a thousand records.
#[derive(Debug)]
pub struct SpanRecord {
    pub(super) place: Option<Arc<RoutePlace>>,
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
    pub(super) retry_after_ms: u32,
    /// What was seen and compared, where that refused the call or would have.
    limit: Option<Box<ShedRecord>>,
    pub(super) is_shed: bool,
    is_shed_in_shadow: bool,
    pub(super) cache: Option<CacheResult>,
    pub(super) cache_fwd: Option<&'static str>,
    pub(super) cache_detail: Option<&'static str>,
    first: Option<Attempt>,
    retry: Option<Box<Attempt>>,
    pub(super) request_bytes: u64,
    pub(super) response_bytes: u64,
    pub(super) complete: bool,
    pub(super) revision: u64,
}

/// What was decided of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Told {
    /// `admit`, `refuse`, `stale` or `none`.
    pub(super) decision: &'static str,
    /// The code of the refusal, or of the one that would have been.
    pub(super) reason: Option<&'static str>,
    /// What was seen and compared.
    pub(super) limit: Option<ShedRecord>,
    /// Whether it was only counted.
    pub(super) shadow: bool,
}

/// A path, cut at [`PATH_BYTES`], without its query: that may hold what must not be told.
#[derive(Debug)]
pub(super) enum Path {
    Short { len: u8, bytes: [u8; PATH_BYTES_WITHIN] },
    Long(Box<str>),
}

// === impl Path ===

impl Path {
    fn new(path: &str) -> Self {
        let path = &path[..path.floor_char_boundary(PATH_BYTES)];
        let mut bytes = [0; PATH_BYTES_WITHIN];
        match bytes.get_mut(..path.len()) {
            Some(room) => {
                room.copy_from_slice(path.as_bytes());
                Self::Short { len: path.len() as u8, bytes }
            }
            None => Self::Long(path.into()),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Short { len, bytes } => {
                std::str::from_utf8(&bytes[..usize::from(*len)]).unwrap_or("")
            }
            Self::Long(path) => path,
        }
    }
}

// === impl SpanRecord ===

impl SpanRecord {
    fn new(record: &CallRecord) -> Self {
        let [first, retry] = &record.attempts;
        Self {
            verdict: Verdict::of(record),
            method: method_label(method_index(&record.method)),
            path: Path::new(record.path.path()),
            class: record.class,
            // Copied, as the path is: it too may share the connection's read buffer.
            caller: record.caller.as_ref().map(|caller| caller.as_str().into()),
            place: record.route.as_ref().map(|route| Arc::clone(&route.place)),
            trace: record.trace,
            started_ns: record.started_ns,
            ended_ns: record.ended_ns,
            version: record.version,
            peer: record.peer,
            status: record.status,
            refusal: record.refusal,
            retry_after_ms: record.retry_after_ms,
            limit: record.shed.or(record.shadow).map(Box::new),
            is_shed: record.shed.is_some(),
            is_shed_in_shadow: record.shadow.is_some(),
            cache: record.cache,
            cache_fwd: record.cache_fwd,
            cache_detail: record.cache_detail,
            first: first.clone(),
            retry: retry.clone().map(Box::new),
            request_bytes: record.request_bytes,
            response_bytes: record.response_bytes,
            complete: record.complete,
            revision: record.revision,
        }
    }

    /// The route's name; `None` where none matched.
    pub(super) fn route_name(&self) -> Option<&str> {
        self.place.as_ref().map(|place| place.name.as_str())
    }

    /// What was decided, as reports have it.
    pub(super) fn told(&self) -> Told {
        let limit = self.limit.as_deref().copied();
        let shadow = !self.is_shed && self.is_shed_in_shadow;
        Told {
            // In shadow mode: what would have been, as the metrics have it.
            decision: if self.is_shed_in_shadow { "refuse" } else { self.verdict.decision() },
            reason: self.refusal.or(limit.map(|limit| limit.code)).map(Code::as_str),
            limit,
            shadow,
        }
    }

    /// Tries at endpoints, in order.
    pub(super) fn attempts(&self) -> impl Iterator<Item = &Attempt> + Clone {
        self.first.iter().chain(self.retry.as_deref())
    }

    /// Spans it becomes: the call's and one for each attempt.
    pub(super) fn spans(&self) -> u64 {
        1 + self.attempts().count() as u64
    }

    /// Memory beside itself, bytes. What it shares with the policy counts for nothing.
    pub(super) fn bytes_beside(&self) -> usize {
        let path = if let Path::Long(path) = &self.path { path.len() } else { 0 };
        path + self.caller.as_ref().map_or(0, |caller| caller.len())
            + self.limit.as_deref().map_or(0, size_of_val)
            + self.retry.as_deref().map_or(0, size_of_val)
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

/// How much goes through one core's ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intake {
    /// Records that may wait.
    records: usize,
    /// Sampled calls taken a second; what is beyond counts as not sampled.
    sampled_per_second: u64,
    /// What is sampled beside what the trace says of itself.
    sampler: Sampler,
}

// === impl Intake ===

impl Intake {
    /// All that is sampled, to be exported.
    pub(super) fn exported() -> Self {
        let sampler = Sampler::pass_on();
        Self { records: EXPORTED_RECORDS, sampled_per_second: u64::MAX, sampler }
    }

    /// Some of it, to be kept here. The traces' own word is not changed by that: what upstreams
    /// record stays the caller's decision.
    pub(super) fn local(sampler: Sampler) -> Self {
        Self { records: LOCAL_RECORDS, sampled_per_second: SAMPLED_PER_CORE, sampler }
    }
}

/// The path's end of a core's ring.
#[derive(Debug)]
pub(super) struct SpanRing {
    core: usize,
    sender: SyncSender<SpanRecord>,
    intake: Intake,
    shared: Arc<RingState>,
    wake: Arc<Notify>,
    /// What was taken in the second that runs.
    taken: Taken,
}

/// What one core took in one second.
#[derive(Debug, Default)]
struct Taken {
    second: Counter,
    notable: Counter,
    /// Of these, calls that no route matches.
    unrouted: Counter,
    sampled: Counter,
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
pub(super) fn ring(core: usize, wake: Arc<Notify>, intake: Intake) -> (SpanRing, SpanDrain) {
    let (sender, receiver) = sync_channel(intake.records);
    let shared = Arc::new(RingState::default());
    let drain = SpanDrain { receiver, shared: Arc::clone(&shared) };
    (SpanRing { core, sender, intake, shared, wake, taken: Taken::default() }, drain)
}

// === impl SpanRing ===

impl SpanRing {
    /// Keeps the call's spans where they are to be kept; never waits.
    pub(super) fn offer(&self, record: &CallRecord) {
        if !self.is_sampled(record) {
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
                if self.shared.taken.get().is_multiple_of(self.intake.records as u64 / 2) {
                    self.wake.notify_one();
                }
            }
            Err(TrySendError::Full(record) | TrySendError::Disconnected(record)) => {
                self.shared.dropped.add(record.spans());
            }
        }
    }

    /// Whether the call counts as sampled, and there is room for one more of those.
    fn is_sampled(&self, record: &CallRecord) -> bool {
        let Intake { sampled_per_second, sampler, .. } = self.intake;
        if !record.trace.sampled && !sampler.keeps(record.trace.trace_id, None) {
            return false;
        }
        if sampled_per_second == u64::MAX {
            return true;
        }
        self.taken.turn_to(second_of(record));
        self.taken.sampled.add_under(sampled_per_second)
    }

    /// Whether the bounds on notable calls allow one more.
    fn may_keep(&self, record: &CallRecord) -> bool {
        let second = second_of(record);
        self.taken.turn_to(second);
        if self.taken.notable.get() >= NOTABLE_PER_CORE {
            return false;
        }
        let room = match &record.route {
            Some(route) => route.meters.may_keep(self.core, second, NOTABLE_PER_ROUTE),
            None => self.taken.unrouted.add_under(NOTABLE_PER_ROUTE),
        };
        room && self.taken.notable.add_under(NOTABLE_PER_CORE)
    }
}

fn second_of(record: &CallRecord) -> u64 {
    record.ended_ns / 1_000_000_000
}

// === impl Taken ===

impl Taken {
    fn turn_to(&self, second: u64) {
        if self.second.get() != second {
            self.second.set(second);
            for counter in [&self.notable, &self.unrouted, &self.sampled] {
                counter.set(0);
            }
        }
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
