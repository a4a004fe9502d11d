//! What a class of a lane is offered: its limit, the share of its callers that is shed, and the pace
//! at which refused calls may come back.
//!
//! They follow from how many workers the class has to itself, `room`: its limit minus what
//! interactive calls and higher classes hold. By Little's law `room / hold` calls a second can be
//! let in, and of a class that wants more workers than that, the rest is shed. Callers differ in
//! how much they call, so what that share leaves in flight is looked at, too: the boundary creeps
//! until calls in the band find about half of the ramp, where chance is absorbed both ways.

use std::time::Duration;

use crate::admission::Bound;
use crate::admission::terms::{Offer, ramp};

/// Returns booked, as a share of what the room lets in. Fewer would leave places unused, more would
/// meet a pool that is full by chance more often and come a third time.
const BOOKED_SHARE: f64 = 0.9;

/// Slowest pace of returns, a second: somebody must come to see that there is room again.
const RETURNS_MIN: f64 = 1.0;

/// Time constant in which the share of callers follows the load: hundreds of calls, so that chance
/// does not move the boundary over a caller's head, and short beside a caller's patience.
const COHORT_OVER: Duration = Duration::from_secs(5);

/// Time in which the boundary creeps by the band's half width where the ramp is found empty or full.
const CREEP_OVER: Duration = Duration::from_secs(2);

/// What the ramp sheds where the boundary is right: low enough that callers over the band hardly
/// ever meet the limit itself.
const RAMP_AIM: f64 = 0.35;

/// Standard deviations of a Poisson load that the band can absorb to each side.
const BAND_SIGMAS: f64 = 2.0;

/// Narrowest and widest half width of the band.
const BAND_MIN: f64 = 0.01;
const BAND_MAX: f64 = 0.5;

/// A class at an upstream at one moment, over all lanes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClassNow {
    /// Workers held by interactive calls and higher classes.
    pub above: f64,
    /// Workers that it wants.
    pub wanted: f64,
    /// Seconds a call holds its slot.
    pub hold_s: f64,
    /// Since the last offer.
    pub elapsed: Duration,
}

/// Where the boundary between callers lies that are shed and that are not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Boundary {
    /// The share shed, by the load; smoothed.
    share: f64,
    /// What it has crept from there.
    crept: f64,
}

impl ClassNow {
    /// The offer under this bound to a lane that makes `part` (0..=1) of the class's calls and finds
    /// so many in flight at the upstream.
    pub(crate) fn offer(
        self,
        bound: Bound,
        part: f64,
        in_flight: u32,
        boundary: &mut Boundary,
    ) -> Offer {
        let room = (f64::from(bound.limit) - self.above).max(0.0);
        let wanted = self.wanted.max(1.0);
        let band = (BAND_SIGMAS * room.sqrt() / wanted).clamp(BAND_MIN, BAND_MAX);
        let found = ramp(f64::from(in_flight), bound.free, f64::from(bound.limit));
        boundary.step((1.0 - room / wanted).clamp(0.0, 1.0), found, band, self.elapsed);
        let returns = (BOOKED_SHARE * part * room / self.hold_s).max(RETURNS_MIN);
        let interval_ns = (1e9 / returns).ceil() as u64;
        Offer { bound, cohort: boundary.at(), band, interval_ns }
    }
}

impl Boundary {
    fn step(&mut self, share: f64, found: f64, band: f64, elapsed: Duration) {
        let elapsed_s = elapsed.as_secs_f64();
        self.share += (1.0 - (-elapsed_s / COHORT_OVER.as_secs_f64()).exp()) * (share - self.share);
        let creep = (found - RAMP_AIM) * band * elapsed_s / CREEP_OVER.as_secs_f64();
        // Not past the last caller on either side: it would have to come back first.
        self.crept = (self.crept + creep).clamp(-self.share, 1.0 - self.share);
    }

    /// The share of callers under it.
    fn at(self) -> f64 {
        self.share + self.crept
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
