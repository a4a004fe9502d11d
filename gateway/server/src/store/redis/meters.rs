//! What operations on Redis came to, for `/metrics`.

use crate::telemetry::cells::{Counter, HistogramSum, SharedHistogram};

/// What was asked of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// An entry.
    Get,
    /// To keep an entry.
    Set,
    /// To make a purge known.
    Purge,
    /// Which purges others made.
    Sync,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpResult {
    /// Done; of a read: something usable.
    Ok,
    /// Nothing there.
    Miss,
    /// Something that was purged, can't be read, or is not for this request.
    Unusable,
    /// Not in time.
    Timeout,
    /// Refused, or the connection failed.
    Error,
    /// No room in Redis.
    Full,
    /// Not tried: too large, over a bound, or no connection.
    Dropped,
}

const OPS: [(Op, &str); 4] =
    [(Op::Get, "get"), (Op::Set, "set"), (Op::Purge, "purge"), (Op::Sync, "sync")];

const RESULTS: [(OpResult, &str); 7] = [
    (OpResult::Ok, "ok"),
    (OpResult::Miss, "miss"),
    (OpResult::Unusable, "unusable"),
    (OpResult::Timeout, "timeout"),
    (OpResult::Error, "error"),
    (OpResult::Full, "full"),
    (OpResult::Dropped, "dropped"),
];

/// Counts by operation and result, durations by operation.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    counts: [[Counter; RESULTS.len()]; OPS.len()],
    durations: [SharedHistogram; OPS.len()],
}

/// What [`Meters`] stand at.
#[derive(Clone, Debug, Default)]
pub struct OpFigures {
    /// Operation, result, how many; those that never happened are left out.
    pub counts: Vec<(&'static str, &'static str, u64)>,
    /// Operation, durations of those that were tried.
    pub durations: Vec<(&'static str, HistogramSum)>,
}

impl Meters {
    /// One that was tried and took so long.
    pub(crate) fn took(&self, op: Op, result: OpResult, duration_ns: u64) {
        self.count(op, result);
        self.durations[op as usize].observe(duration_ns);
    }

    /// One that was not tried.
    pub(crate) fn count(&self, op: Op, result: OpResult) {
        self.counts[op as usize][result as usize].add_shared(1);
    }

    pub(crate) fn figures(&self) -> OpFigures {
        let counts = OPS.iter().flat_map(|&(op, name)| {
            RESULTS.iter().map(move |&(result, word)| {
                (name, word, self.counts[op as usize][result as usize].get())
            })
        });
        let durations = OPS.iter().map(|&(op, name)| (name, self.durations[op as usize].read()));
        OpFigures {
            counts: counts.filter(|&(_, _, count)| count > 0).collect(),
            durations: durations.filter(|(_, sum)| sum.count() > 0).collect(),
        }
    }
}
