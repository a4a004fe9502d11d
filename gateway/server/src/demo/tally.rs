//! What happened to the demo's load, counted by kind, and the line that says so.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::caller::Outcome;

/// Kinds of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// People who read their mail: never shed.
    Reads,
    /// Mail intake in waves.
    Batch,
    /// Catalog items, mostly from the cache.
    Catalog,
    /// Function calls in bursts.
    Functions,
}

/// Counters since the start.
#[derive(Debug, Default)]
pub(super) struct Tally {
    kinds: [Counters; 4],
    put_off: AtomicU64,
}

#[derive(Debug, Default)]
struct Counters {
    done: AtomicU64,
    hits: AtomicU64,
    refused: AtomicU64,
    over_quota: AtomicU64,
    failed: AtomicU64,
}

/// What was counted up to some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    kinds: [KindCounts; 4],
    put_off: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct KindCounts {
    done: u64,
    hits: u64,
    refused: u64,
    over_quota: u64,
    failed: u64,
}

// === impl Tally ===

impl Tally {
    /// Counts one call.
    pub(super) fn record(&self, kind: Kind, outcome: &Outcome) {
        let counters = &self.kinds[kind as usize];
        let add = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        match outcome {
            Outcome::Done { hit } => {
                add(&counters.done);
                if *hit {
                    add(&counters.hits);
                }
            }
            Outcome::Refused { quota: true, .. } => {
                add(&counters.over_quota);
            }
            Outcome::Refused { quota: false, .. } => {
                add(&counters.refused);
            }
            Outcome::Failed => {
                add(&counters.failed);
            }
        }
    }

    /// Counts mails that a sender put off because it may not call yet.
    pub(super) fn put_off(&self, mails: u64) {
        self.put_off.fetch_add(mails, Ordering::Relaxed);
    }

    /// Everything up to now.
    pub(super) fn counts(&self) -> Counts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            kinds: self.kinds.each_ref().map(|counters| KindCounts {
                done: load(&counters.done),
                hits: load(&counters.hits),
                refused: load(&counters.refused),
                over_quota: load(&counters.over_quota),
                failed: load(&counters.failed),
            }),
            put_off: load(&self.put_off),
        }
    }
}

// === impl Counts ===

impl Counts {
    /// One line about what happened since `earlier`; `wanted_per_second` is the mail that senders
    /// would send if nothing held them back.
    pub(super) fn line(&self, earlier: &Self, at: Duration, wanted_per_second: f64) -> String {
        let [reads, batch, catalog, functions] =
            std::array::from_fn(|kind| self.kinds[kind].since(&earlier.kinds[kind]));
        let answered = catalog.done.max(1);
        let failed = [reads, batch, catalog, functions].iter().map(|kind| kind.failed).sum::<u64>();
        let refused = batch.refused + batch.over_quota;
        let other = reads.refused + reads.over_quota;
        let other = other + catalog.refused + catalog.over_quota + functions.refused;
        format!(
            "{:>4}s | reads {} ok | mail {wanted_per_second:.0}/s wanted: {} admitted, {} \
             refused (429), {} put off | catalog {} ok, {}% cache hits | functions {} ok, {} over \
             quota (429) | other 429: {}, failed: {failed}",
            at.as_secs(),
            reads.done,
            batch.done,
            refused,
            self.put_off.saturating_sub(earlier.put_off),
            catalog.done,
            catalog.hits * 100 / answered,
            functions.done,
            functions.over_quota,
            other,
        )
    }
}

// === impl KindCounts ===

impl KindCounts {
    fn since(&self, earlier: &Self) -> Self {
        Self {
            done: self.done - earlier.done,
            hits: self.hits - earlier.hits,
            refused: self.refused - earlier.refused,
            over_quota: self.over_quota - earlier.over_quota,
            failed: self.failed - earlier.failed,
        }
    }
}

#[cfg(test)]
mod tests;
