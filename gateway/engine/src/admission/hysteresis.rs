//! Whether a signal is over its threshold: two bounds, and a least time between changes.
//!
//! Over `enter` it turns on, under `exit` it turns off, between them it stays; and having turned it
//! stays for the *dwell* whatever the readings say, so that a signal which jumps across both bounds
//! with each reading does not turn the limits with it.

use std::time::Duration;

use sumun_policy::policy::Hysteresis;

use crate::time::Moment;

/// Least dwell. Below a second a signal follows single calls, not load.
pub(crate) const DWELL_MIN: Duration = Duration::from_secs(1);

/// Part of the dwell that the jitter of scrapes may take: a reading that comes a little early
/// still counts as the next one.
const DWELL_SHARE: f64 = 0.9;

/// A signal's state over time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turn {
    over: bool,
    turned: Option<Moment>,
}

/// Least time between two changes of a signal that is read this often.
pub(crate) fn dwell(period: Duration) -> Duration {
    period.max(DWELL_MIN).mul_f64(DWELL_SHARE)
}

impl Turn {
    /// Takes a share as of now; answers whether the signal counts as over its threshold.
    pub(crate) fn step(
        &mut self,
        bounds: Hysteresis,
        share: f64,
        dwell: Duration,
        now: Moment,
    ) -> bool {
        let over =
            if self.over { share >= bounds.exit.ratio() } else { share > bounds.enter.ratio() };
        let settled = self.turned.is_none_or(|at| now.since(at) >= dwell);
        if over != self.over && settled {
            *self = Self { over, turned: Some(now) };
        }
        self.over
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
