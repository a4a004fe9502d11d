//! Requests per second, exactly: the generic cell rate algorithm on one atomic.
//!
//! The atomic holds the *theoretical arrival time* of the next call at the sustained rate (ITU-T
//! I.371; a leaky bucket as a meter). A call is admitted while that time lies less than one bucket
//! ahead of now. So an idle bucket admits exactly `burst` calls at once, and any window of length
//! `w` at most `burst + w × limit`. The spacing is rounded *up* to whole nanoseconds: never over
//! the limit, and at the highest limit (1,000,000/s) at most 0.1 % under it.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::time::{Moment, nanos};

/// A sustained rate and its bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Spacing of calls at the sustained rate.
    interval_ns: u64,
    /// The whole bucket: `burst` spacings.
    window_ns: u64,
}

impl Rate {
    /// `limit` calls per second sustained (0.001 to 1,000,000), `burst` at once (at least 1).
    pub fn new(limit: f64, burst: u32) -> Self {
        let interval_ns = (1e9 / limit.clamp(0.001, 1e6)).ceil() as u64;
        let window_ns = interval_ns.saturating_mul(u64::from(burst.max(1)));
        Self { interval_ns, window_ns }
    }

    /// Spacing of calls at the sustained rate, nanoseconds.
    pub(crate) fn interval_ns(self) -> u64 {
        self.interval_ns
    }
}

/// What was spent of a [`Rate`]. Outlives the rate: a reload may change it.
#[derive(Debug, Default)]
pub struct Bucket {
    arrival_ns: AtomicU64,
}

impl Bucket {
    /// Takes one call's worth, or answers how long until one is there.
    pub fn take(&self, rate: Rate, now: Moment) -> Result<(), Duration> {
        let mut arrival = self.arrival_ns.load(Relaxed);
        loop {
            let next = next_arrival(rate, arrival, now)?;
            match self.arrival_ns.compare_exchange_weak(arrival, next, Relaxed, Relaxed) {
                Ok(_) => return Ok(()),
                Err(seen) => arrival = seen,
            }
        }
    }

    /// Whether [`take`](Self::take) would succeed now; takes nothing.
    pub fn peek(&self, rate: Rate, now: Moment) -> Result<(), Duration> {
        next_arrival(rate, self.arrival_ns.load(Relaxed), now).map(drop)
    }

    /// Carries what was spent over to another rate: a bucket that was 40 % spent stays 40 % spent.
    pub fn rescale(&self, from: Rate, to: Rate, now: Moment) {
        if from == to {
            return;
        }
        let rescaled = |arrival: u64| {
            let spent_ns = arrival.saturating_sub(now.nanos()).min(from.window_ns);
            let spent = u128::from(spent_ns) * u128::from(to.window_ns);
            // Rounded up, so that a reload never gives anything back.
            let spent_ns = spent.div_ceil(u128::from(from.window_ns.max(1)));
            Some(now.plus(Duration::from_nanos(spent_ns as u64)).nanos())
        };
        // The closure always answers, so the update cannot fail.
        let _ = self.arrival_ns.fetch_update(Relaxed, Relaxed, rescaled);
    }
}

fn next_arrival(rate: Rate, arrival_ns: u64, now: Moment) -> Result<u64, Duration> {
    let next_ns = arrival_ns.max(now.nanos()).saturating_add(rate.interval_ns);
    let ahead = Moment::from_nanos(next_ns).since(now);
    match nanos(ahead).checked_sub(rate.window_ns) {
        None | Some(0) => Ok(next_ns),
        Some(wait_ns) => Err(Duration::from_nanos(wait_ns)),
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
