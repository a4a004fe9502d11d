//! What was counted of a route from one second to the next.

use super::meters::RouteTotals;
use super::window::FineSum;
use crate::refusal::Code;

/// Counts of a step.
pub(super) const COUNTS: usize = 12;

/// The codes that are counted apart; all others together.
const CODES: [Code; 4] = [Code::RpsOver, Code::CpuOver, Code::WorkersOver, Code::QuotaFull];

/// Cache results with which a call did not wait for the upstream's whole answer.
const HITS: [&str; 3] = ["hit", "revalidated", "collapsed"];

/// Calls and how long they took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// All; let through; answered by the gateway itself, of these by each of [`CODES`] and by
    /// others; would have been refused in shadow mode; answered stale instead of refused; cache hits;
    /// calls that the cache could not answer.
    pub counts: [u64; COUNTS],
    /// Of calls that were not refused.
    pub durations: FineSum,
}

// === impl Step ===

impl Step {
    /// From nothing to what counters stand at.
    pub(super) fn of(calls: u64, totals: &RouteTotals, durations: FineSum) -> Self {
        let sum =
            |counts: &[(&'static str, u64)]| counts.iter().map(|(_, count)| count).sum::<u64>();
        let of = |code: Code| {
            let found = totals.refused.iter().find(|(label, _)| *label == code.as_str());
            found.map_or(0, |(_, count)| *count)
        };
        let (refused, [rps, cpu, workers, quota]) = (sum(&totals.refused), CODES.map(of));
        let shadow = sum(&totals.shadow);
        let hits = totals.cache.iter().filter(|(result, _)| HITS.contains(result));
        let hits = hits.map(|(_, count)| count).sum();
        let counts = [
            calls,
            totals.admitted + totals.admitted_shadow + shadow,
            refused,
            rps,
            cpu,
            workers,
            quota,
            refused - rps - cpu - workers - quota,
            shadow,
            sum(&totals.stale),
            hits,
            sum(&totals.cache) - hits,
        ];
        Self { counts, durations }
    }

    /// All calls.
    pub(super) fn calls(&self) -> u64 {
        self.counts[0]
    }

    /// From an earlier stand to this one.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let mut counts = self.counts;
        for (now, then) in counts.iter_mut().zip(earlier.counts) {
            // Sums over cores never go back.
            *now = now.saturating_sub(then);
        }
        Self { counts, durations: self.durations.since(Some(&earlier.durations)) }
    }

    /// Adds the step of another route.
    pub(super) fn add(&mut self, other: &Self) {
        for (sum, count) in self.counts.iter_mut().zip(other.counts) {
            *sum += count;
        }
        self.durations.merge(&other.durations);
    }
}

#[cfg(test)]
mod tests;
