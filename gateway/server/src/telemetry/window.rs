//! Live numbers of a route: its rate over the last seconds, its latency over the last minute.
//!
//! A background task samples every route once a second; a view compares now with the oldest sample.
//! Bounds: [`RATE_SAMPLES`] counts and [`LATENCY_SAMPLES`] histograms a route, the latter only while
//! it has traffic.

use std::collections::VecDeque;

use serde::Serialize;

use super::cells::Counter;
use super::meters::{Counts, RouteTotals};

/// Samples of the number of calls, one a second: a rate looks back over the last 5 to 6 s.
const RATE_SAMPLES: usize = 6;

/// Time between two latency samples, and how many are kept: together the minute looked back.
const LATENCY_EVERY_NS: u64 = 10_000_000_000;
const LATENCY_SAMPLES: usize = 7;
const LATENCY_SPAN_NS: u64 = 60_000_000_000;

/// Buckets of a fine histogram: four to each doubling from 16 µs (everything faster shares the
/// first) to 67 s (everything slower shares the last). Resolution: 19 %.
const FINE_BUCKETS: usize = 88;
const FINE_SHIFT: u32 = 14; // 2^14 ns = 16 µs

/// Durations in fine buckets, written by one core.
#[derive(Debug)]
pub struct Fine([Counter; FINE_BUCKETS]);

impl Default for Fine {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

impl Fine {
    /// Counts one duration.
    pub fn observe(&self, duration_ns: u64) {
        self.0[fine_bucket(duration_ns)].add(1);
    }
}

/// The doubling gives the group of four, the two bits under the leading one the place in it.
fn fine_bucket(duration_ns: u64) -> usize {
    let Some(doubling) = (duration_ns | 1).ilog2().checked_sub(FINE_SHIFT) else { return 0 };
    let quarter = (duration_ns >> (doubling + FINE_SHIFT - 2)) & 3;
    (doubling as usize * 4 + quarter as usize).min(FINE_BUCKETS - 1)
}

/// Least duration of a bucket, ns; the first begins at 0.
fn fine_floor_ns(bucket: usize) -> u64 {
    if bucket == 0 {
        return 0;
    }
    (4 + bucket as u64 % 4) << (FINE_SHIFT - 2 + bucket as u32 / 4)
}

/// Fine buckets summed over cores. Counts wrap at 2³²; only differences within a minute are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FineSum([u32; FINE_BUCKETS]);

impl Default for FineSum {
    fn default() -> Self {
        Self([0; FINE_BUCKETS])
    }
}

impl FineSum {
    /// Adds what a core counted.
    pub fn add(&mut self, fine: &Fine) {
        for (sum, bucket) in self.0.iter_mut().zip(&fine.0) {
            *sum = sum.wrapping_add(bucket.get() as u32);
        }
    }

    /// What was counted since an earlier reading.
    pub(super) fn since(&self, earlier: Option<&Self>) -> Self {
        let mut difference = self.clone();
        for (now, then) in difference.0.iter_mut().zip(earlier.iter().flat_map(|sum| sum.0)) {
            *now = now.wrapping_sub(then);
        }
        difference
    }

    /// Adds what another sum counted.
    pub(super) fn merge(&mut self, other: &Self) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum = sum.wrapping_add(count);
        }
    }

    /// The duration under which `share` of the calls lie, ms; NaN: there are none.
    pub(super) fn quantile(&self, share: f64) -> f32 {
        if self.count() == 0 { f32::NAN } else { self.quantile_ms(share) as f32 }
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|&count| u64::from(count)).sum()
    }

    /// The duration under which `share` of the calls lie, ms; interpolated within its bucket.
    fn quantile_ms(&self, share: f64) -> f64 {
        let rank = share * self.count() as f64;
        let mut below = 0.0;
        for (bucket, &count) in self.0.iter().enumerate() {
            let count = f64::from(count);
            if count > 0.0 && below + count >= rank {
                let (floor, ceiling) = (fine_floor_ns(bucket), fine_floor_ns(bucket + 1));
                let part = ((rank - below) / count).clamp(0.0, 1.0);
                return (floor as f64 + part * (ceiling - floor) as f64) / 1e6;
            }
            below += count;
        }
        0.0
    }
}

/// Quantiles of the last minute.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Half of the calls took less, ms.
    pub p50_ms: f64,
    /// 90 % took less, ms.
    pub p90_ms: f64,
    /// 99 % took less, ms.
    pub p99_ms: f64,
}

/// Live numbers of a route.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteView {
    /// Calls per second over the last 5 s, refused ones and hits too.
    pub rate: f64,
    /// Let through since the start.
    pub admitted: u64,
    /// Answered by the gateway itself, by code.
    pub refused: Counted,
    /// Would have been refused in shadow mode, by code.
    pub shadow: Counted,
    /// Answered from a stale stored answer instead of refused, by code.
    pub stale: Counted,
    /// How the cache took part.
    pub cache: Counted,
    /// Of calls that were not refused, over the last minute; `None`: there were none.
    pub latency: Option<Latency>,
}

/// Counts by label; zeros are left out.
pub type Counted = std::collections::BTreeMap<&'static str, u64>;

impl RouteView {
    pub(super) fn new(rate: f64, latency: Option<Latency>, totals: RouteTotals) -> Self {
        let counted = |counts: Counts| counts.into_iter().collect();
        let shadowed: u64 = totals.shadow.iter().map(|(_, count)| count).sum();
        Self {
            rate,
            latency,
            admitted: totals.admitted + totals.admitted_shadow + shadowed,
            refused: counted(totals.refused),
            shadow: counted(totals.shadow),
            stale: counted(totals.stale),
            cache: counted(totals.cache),
        }
    }
}

/// The samples.
#[derive(Debug, Default)]
pub struct Window {
    /// Moment (monotonic ns) and calls so far.
    calls: VecDeque<(u64, u64)>,
    /// Moment and durations so far; nothing before the first call, one sample while it is quiet.
    durations: VecDeque<(u64, FineSum)>,
}

// === impl Window ===

impl Window {
    /// Takes the sample of this second; `fine` is asked for only when one is due.
    pub fn sample(&mut self, now_ns: u64, calls: u64, fine: impl FnOnce() -> FineSum) {
        if self.calls.len() == RATE_SAMPLES {
            self.calls.pop_front();
        }
        self.calls.push_back((now_ns, calls));

        if self.durations.is_empty() {
            if calls > 0 {
                // The last second saw the first call: before it there was nothing.
                self.durations.push_back((now_ns, FineSum::default()));
            }
            return;
        }
        if self.durations.back().is_some_and(|(last, _)| now_ns < last + LATENCY_EVERY_NS) {
            return;
        }
        let sum = fine();
        match self.durations.back_mut() {
            Some((last, known)) if *known == sum => *last = now_ns,
            _ => self.durations.push_back((now_ns, sum)),
        }
        // What stays in front is the newest sample that is at least a minute old, or all there are.
        while self.durations.len() > 1
            && (self.durations.len() > LATENCY_SAMPLES
                || self.durations[0].0 + LATENCY_SPAN_NS < now_ns)
        {
            self.durations.pop_front();
        }
    }

    /// Calls per second between the oldest sample and now.
    pub fn rate(&self, now_ns: u64, calls: u64) -> f64 {
        let Some(&(then_ns, then)) = self.calls.front() else { return 0.0 };
        let seconds = now_ns.saturating_sub(then_ns) as f64 / 1e9;
        // A span shorter than one sample would make a burst of one call a high rate.
        calls.saturating_sub(then) as f64 / seconds.max(1.0)
    }

    /// Quantiles between the oldest sample and now.
    pub fn latency(&self, now: &FineSum) -> Option<Latency> {
        let recent = now.since(self.durations.front().map(|(_, sum)| sum));
        (recent.count() > 0).then(|| Latency {
            p50_ms: recent.quantile_ms(0.50),
            p90_ms: recent.quantile_ms(0.90),
            p99_ms: recent.quantile_ms(0.99),
        })
    }
}

#[cfg(test)]
mod tests;
