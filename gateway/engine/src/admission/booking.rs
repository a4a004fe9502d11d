//! When a refused call should come back: each books the next free instant.
//!
//! The generic cell rate algorithm over *future* time: the ledger holds the last instant given
//! away, and each refusal takes the next one, `interval` later. So a herd that was refused together
//! comes back one by one at the rate at which it can be let in, and not together again.
//!
//! - Never earlier than `earliest` from now, which is when the next slot or token may be free.
//! - Never later than [`HORIZON`]. What would be booked beyond is spread evenly over the later half
//!   of it, and the ledger does not grow: memory is one word, and the longest answer is bounded.
//! - Instants whose callers never return pass unused. Where many do, the slow loop takes the rest
//!   back in proportion ([`Ledger::forgive`]), so that a flood of callers that do not obey is
//!   forgotten [`FORGIVEN_OVER`] after it ended and does not send others away for minutes.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::sync::AtomicU64;
use crate::time::{Moment, nanos};

/// Longest time to come back after. A longer one would leave the service idle should the load
/// change meanwhile.
pub(crate) const HORIZON: Duration = Duration::from_mins(5);

/// Time constant in which bookings that nobody keeps are forgotten.
pub(crate) const FORGIVEN_OVER: Duration = Duration::from_secs(10);

/// Share of the booked instants that must be used for the bookings to stand: somewhat less than
/// all, as a service that is full serves at a rate that varies.
const USED_MIN: f64 = 0.8;

/// Nothing has been booked yet.
const NEVER: u64 = 0;

/// The golden ratio's fraction in 64 bits: its multiples fill a span evenly (Weyl's sequence).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// How bookings follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Between two returns, nanoseconds.
    pub interval_ns: u64,
    /// Until the first.
    pub earliest: Duration,
}

/// What has been booked.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    last_ns: AtomicU64,
    /// Refusals that found the horizon full.
    beyond: AtomicU64,
}

impl Ledger {
    /// Books the next free instant; answers how far from now it is.
    pub(crate) fn book(&self, pace: Pace, now: Moment) -> Duration {
        let first_ns = now.plus(pace.earliest.min(HORIZON)).nanos();
        let mut last = self.last_ns.load(Relaxed);
        loop {
            let next = match last {
                NEVER => first_ns,
                last => last.saturating_add(pace.interval_ns).max(first_ns),
            };
            if next > now.plus(HORIZON).nanos() {
                return self.spread();
            }
            match self.last_ns.compare_exchange_weak(last, next, Relaxed, Relaxed) {
                Ok(_) => return Duration::from_nanos(next - now.nanos()),
                Err(seen) => last = seen,
            }
        }
    }

    /// Takes back a part of what is booked: of the instants that passed in `elapsed`, the share
    /// `used` (0..=1) was used.
    pub(crate) fn forgive(&self, used: f64, elapsed: Duration, now: Moment) {
        let unused = (1.0 - used / USED_MIN).clamp(0.0, 1.0);
        let mut last = self.last_ns.load(Relaxed);
        while unused > 0.0 && last > now.nanos() {
            let next = forgiven(last, elapsed.mul_f64(unused), now);
            match self.last_ns.compare_exchange_weak(last, next, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(seen) => last = seen,
            }
        }
    }

    /// How far ahead is booked.
    #[cfg(test)]
    pub(crate) fn ahead(&self, now: Moment) -> Duration {
        Moment::from_nanos(self.last_ns.load(Relaxed)).since(now)
    }

    fn spread(&self) -> Duration {
        let half_ns = nanos(HORIZON) / 2;
        let fraction = self.beyond.fetch_add(1, Relaxed).wrapping_mul(GOLDEN);
        let within_ns = (u128::from(fraction) * u128::from(half_ns)) >> 64;
        Duration::from_nanos(half_ns + within_ns as u64)
    }
}

/// The last instant that stays booked, nanoseconds, where none was used for so long.
pub(crate) fn forgiven(last_ns: u64, unused: Duration, now: Moment) -> u64 {
    let Some(ahead_ns) = last_ns.checked_sub(now.nanos()) else { return last_ns };
    let kept = (-unused.as_secs_f64() / FORGIVEN_OVER.as_secs_f64()).exp();
    now.nanos().saturating_add((ahead_ns as f64 * kept) as u64)
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom_model;
