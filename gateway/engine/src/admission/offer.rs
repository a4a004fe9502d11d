//! What a class of a lane is offered: its limit, the share of its callers that is shed, and the pace
//! at which refused calls may come back.
//!
//! Both follow from how many workers the class has to itself, `room`: its limit minus what
//! interactive calls and higher classes hold. By Little's law `room / hold` calls a second can be
//! let in, and of a class that wants more workers than that, the rest is shed. Neither looks at
//! what was refused lately to steer what is refused next, so nothing can swing.

use std::time::Duration;

use crate::admission::Bound;
use crate::admission::terms::Offer;

/// Share of the room that callers who see success may fill on average. The rest, and what chance
/// leaves, goes to the band around the boundary.
const FILLED_SHARE: f64 = 0.97;

/// Share of the room whose returns are booked: a full service that is sent exactly what it can take
/// refuses some of it by chance, and each of those comes a third time.
const BOOKED_SHARE: f64 = 0.95;

/// Slowest pace of returns, a second: somebody must come to see that there is room again.
const RETURNS_MIN: f64 = 1.0;

/// Time constant in which the share of callers follows the load: hundreds of calls, so that chance
/// does not move the boundary over a caller's head, and short beside a caller's patience.
const COHORT_OVER: Duration = Duration::from_secs(5);

/// A class at an upstream at one moment, over all lanes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClassNow {
    /// Workers held by interactive calls and higher classes.
    pub above: f64,
    /// Workers that it wants.
    pub wanted: f64,
    /// Seconds a call holds its slot.
    pub hold_s: f64,
}

impl ClassNow {
    /// The offer under this bound to a lane that makes `part` (0..=1) of the class's calls. `cohort`
    /// is the smoothed share of callers shed and takes a step of `elapsed`.
    pub(crate) fn offer(
        self,
        bound: Bound,
        part: f64,
        cohort: &mut f64,
        elapsed: Duration,
    ) -> Offer {
        let room = (f64::from(bound.limit) - self.above).max(0.0);
        let share = if self.wanted > 0.0 { 1.0 - FILLED_SHARE * room / self.wanted } else { 0.0 };
        let step = 1.0 - (-elapsed.as_secs_f64() / COHORT_OVER.as_secs_f64()).exp();
        *cohort += step * (share.clamp(0.0, 1.0) - *cohort);
        let returns = (BOOKED_SHARE * part * room / self.hold_s).max(RETURNS_MIN);
        Offer { bound, cohort: *cohort, interval_ns: (1e9 / returns).ceil() as u64 }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
