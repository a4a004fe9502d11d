//! How many workers a lane lately wanted: the offered rate times the time a call holds its slot.
//!
//! By Little's law the holding time is what was in flight divided by what was admitted per second,
//! so no call has to be timed. All three are smoothed over a second.

use std::time::Duration;

use crate::time::Moment;

/// Time constant of the smoothing: long enough to hold dozens of calls, short enough for a burst.
const SMOOTHED_OVER: Duration = Duration::from_secs(1);

/// Least time between two samples; closer ones would only add noise.
const SAMPLE_EVERY: Duration = Duration::from_millis(50);

/// Holding time assumed until one was seen.
pub(crate) const HOLD_DEFAULT_S: f64 = 0.1;

/// Admitted calls per second under which a holding time is too old to trust.
const RATE_MIN: f64 = 0.5;

/// A lane's smoothed rates.
#[derive(Debug, Default)]
pub(crate) struct Demand {
    sampled: Option<(Moment, u64, u64)>,
    /// Admitted per second.
    admitted: f64,
    /// Refused per second, by workers or CPU.
    refused: f64,
    in_flight: f64,
}

/// What a lane wants of its upstream, in workers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Wanted {
    /// Altogether.
    pub workers: f64,
    /// Of these, what it could not get.
    pub unmet: f64,
}

impl Demand {
    /// Takes the lane's counters (calls admitted and refused, ever) and what is in flight.
    pub(crate) fn sample(&mut self, (admitted, refused): (u64, u64), in_flight: u32, now: Moment) {
        let Some((at, admitted_then, refused_then)) = self.sampled else {
            self.sampled = Some((now, admitted, refused));
            return;
        };
        let elapsed = now.since(at);
        if elapsed < SAMPLE_EVERY {
            return;
        }
        let elapsed_s = elapsed.as_secs_f64();
        let share = 1.0 - (-elapsed_s / SMOOTHED_OVER.as_secs_f64()).exp();
        let rate = |new: u64, old: u64| new.saturating_sub(old) as f64 / elapsed_s;
        self.admitted += share * (rate(admitted, admitted_then) - self.admitted);
        self.refused += share * (rate(refused, refused_then) - self.refused);
        self.in_flight += share * (f64::from(in_flight) - self.in_flight);
        self.sampled = Some((now, admitted, refused));
    }

    /// What it wants; `hold_s` is the upstream's holding time, for lanes that saw none themselves.
    pub(crate) fn wanted(&self, hold_s: Option<f64>) -> Wanted {
        let own = (self.admitted >= RATE_MIN).then(|| self.in_flight / self.admitted);
        let hold_s = own.or(hold_s).unwrap_or(HOLD_DEFAULT_S);
        let unmet = self.refused * hold_s;
        Wanted { workers: self.in_flight + unmet, unmet }
    }

    /// The time a call of all these lanes together holds its slot; `None` while hardly any do.
    pub(crate) fn hold_s<'a>(lanes: impl Iterator<Item = (f64, f64)> + 'a) -> Option<f64> {
        let (in_flight, admitted) =
            lanes.fold((0.0, 0.0), |(f, a), (in_flight, admitted)| (f + in_flight, a + admitted));
        (admitted >= RATE_MIN).then(|| in_flight / admitted)
    }

    /// Smoothed calls in flight, and admitted per second.
    pub(crate) fn flow(&self) -> (f64, f64) {
        (self.in_flight, self.admitted)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
