//! Recent traces, kept in this process for the admin page: what was refused, failed or slow, and some
//! of the rest.
//!
//! A call's spans come here once it has settled, from the cores' rings, whether or not traces are
//! exported, and go when newer ones of their kind need the room. Bounds, of each kind:
//! [`RECORDS_MAX`], [`BYTES_MAX`] and [`KEPT_PER_SECOND`]. What was forgotten or not taken is counted.

mod summary;
mod wanted;

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

pub use self::summary::TraceSummary;
pub use self::wanted::{Decision, StatusWanted, Wanted};
use super::otlp::{Envelope, SpanEncoder};
use super::spans::{SLOW_NS, SpanRecord};

/// Calls kept of one kind: what a person looks through, and 20 s of the worst.
const RECORDS_MAX: usize = 1000;

/// Memory for one kind, bytes: what [`RECORDS_MAX`] take where callers have long names.
const BYTES_MAX: usize = 1 << 20;

/// Calls of one kind taken in a second; more would only push out those that somebody may look for.
const KEPT_PER_SECOND: u64 = 50;

/// Why a trace is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The gateway refused the call, or answered it stale instead.
    Refused,
    /// It took longer than a second.
    Slow,
    /// It was answered with a 5xx, or was cut off.
    Error,
    /// It was sampled, and nothing is the matter with it.
    Sampled,
}

/// A call that is kept.
#[derive(Debug)]
pub(super) struct Kept {
    /// Higher than that of every call kept before.
    number: u64,
    kind: Kind,
    record: SpanRecord,
}

/// What became of the calls of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindCounts {
    /// Kept now.
    pub kept: u64,
    /// Not taken, or forgotten since, since the process began.
    pub forgotten: u64,
}

/// What became of all calls, by kind.
pub type TraceCounts = [(Kind, KindCounts); Kind::ALL.len()];

/// The recent traces.
#[derive(Debug)]
pub(super) struct Traces {
    encoder: SpanEncoder,
    envelope: Envelope,
    rings: Mutex<Rings>,
}

#[derive(Debug, Default)]
struct Rings {
    /// By kind.
    rings: [Ring; Kind::ALL.len()],
    /// Of the next call that is kept; from 1.
    next: u64,
}

/// The newest calls of one kind, the oldest first.
#[derive(Debug, Default)]
struct Ring {
    kept: VecDeque<Arc<Kept>>,
    bytes: usize,
    /// The newest second of the calls that came, and how many were taken in it.
    second: u64,
    taken: u64,
    forgotten: u64,
}

// === impl Kind ===

impl Kind {
    /// Every kind, in the order of the enum.
    pub const ALL: [Self; 4] = [Self::Refused, Self::Slow, Self::Error, Self::Sampled];

    /// As reports have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Slow => "slow",
            Self::Error => "error",
            Self::Sampled => "sampled",
        }
    }

    /// The first that fits: who was refused was not slow by himself.
    fn of(record: &SpanRecord) -> Self {
        let failed = record.status >= 500 || !record.complete;
        if (record.refusal.is_some() && record.status < 500) || record.is_shed {
            Self::Refused
        } else if failed {
            Self::Error
        } else if record.ended_ns.saturating_sub(record.started_ns) > SLOW_NS {
            Self::Slow
        } else {
            Self::Sampled
        }
    }
}

// === impl Traces ===

impl Traces {
    /// None yet; `encoder` and `envelope` say how one is told.
    pub(super) fn new(encoder: SpanEncoder, envelope: Envelope) -> Self {
        Self { encoder, envelope, rings: Mutex::default() }
    }

    /// Keeps a call, as long as its kind has room.
    pub(super) fn keep(&self, record: SpanRecord) {
        self.rings.lock().keep(record);
    }

    /// The calls that are wanted, the newest first.
    pub(super) fn list(&self, wanted: &Wanted) -> Vec<TraceSummary> {
        let mut found: Vec<Arc<Kept>> = Vec::new();
        let rings = self.rings.lock();
        for ring in &rings.rings {
            let newest = ring.kept.iter().rev();
            found.extend(newest.filter(|kept| wanted.takes(kept)).take(wanted.limit).cloned());
        }
        drop(rings);
        found.sort_unstable_by_key(|kept| Reverse(kept.number));
        found.truncate(wanted.limit);
        found.iter().map(|kept| TraceSummary::of(kept, self.encoder.wall)).collect()
    }

    /// A trace as one OTLP request in JSON: every call of it that is kept; `None`: none is, or none
    /// any more.
    pub(super) fn document(&self, trace_id: u128) -> Option<bytes::Bytes> {
        let mut found: Vec<Arc<Kept>> = Vec::new();
        let rings = self.rings.lock();
        for ring in &rings.rings {
            let kept = ring.kept.iter();
            found.extend(kept.filter(|kept| kept.record.trace.trace_id == trace_id).cloned());
        }
        drop(rings);
        if found.is_empty() {
            return None;
        }
        found.sort_unstable_by_key(|kept| kept.record.started_ns);
        let records = found.iter().map(|kept| &kept.record);
        Some(self.envelope.document(&self.encoder, records))
    }

    /// What became of the calls.
    pub(super) fn counts(&self) -> TraceCounts {
        let rings = self.rings.lock();
        Kind::ALL.map(|kind| {
            let ring = &rings.rings[kind as usize];
            (kind, KindCounts { kept: ring.kept.len() as u64, forgotten: ring.forgotten })
        })
    }
}

// === impl Rings ===

impl Rings {
    fn keep(&mut self, record: SpanRecord) {
        let kind = Kind::of(&record);
        let ring = &mut self.rings[kind as usize];
        if !ring.takes(record.ended_ns / 1_000_000_000) {
            return;
        }
        self.next += 1;
        ring.push(Arc::new(Kept { number: self.next, kind, record }));
    }
}

// === impl Ring ===

impl Ring {
    /// Whether one more call of `second` is taken.
    fn takes(&mut self, second: u64) -> bool {
        // Cores tell of a second one after the other: it turns once.
        if second > self.second {
            (self.second, self.taken) = (second, 0);
        }
        let room = self.taken < KEPT_PER_SECOND;
        self.taken += u64::from(room);
        self.forgotten += u64::from(!room);
        room
    }

    fn push(&mut self, kept: Arc<Kept>) {
        self.bytes += kept.bytes();
        self.kept.push_back(kept);
        while self.kept.len() > RECORDS_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.kept.pop_front() else { return };
            self.bytes -= oldest.bytes();
            self.forgotten += 1;
        }
    }
}

// === impl Kept ===

impl Kept {
    /// Memory that goes with it, bytes.
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.record.bytes_beside()
    }
}

#[cfg(test)]
mod tests;
