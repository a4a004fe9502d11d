//! The worker limit: the capacity that a lane may fill, minus other people's load.
//!
//! `limit = floor(enter × capacity) − others`, where *others* is what the endpoints report busy
//! beyond our own calls. Traffic that bypasses the gateway is protected although it is never seen.
//!
//! - Falling is immediate. Rising is immediate under `exit`, one slot a reading between `exit` and
//!   `enter`, and does not happen over `enter`, nor while scrapes fail under our load.
//! - A stale signal holds the limit for a quarter of the stale span, then moves it to the proven
//!   one; from expiry `on_stale` decides.

use sumun_policy::policy::{Hysteresis, OnStale};

use crate::signals::SignalState;
use crate::time::Moment;

/// Share of the stale span in which the limit holds before it drifts.
const HOLD_SHARE: f64 = 0.25;

/// The workers of an upstream at one moment, over the endpoints that are up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct WorkersNow {
    /// Most workers; 0: unknown.
    pub capacity: f64,
    /// Reported busy beyond our own calls.
    pub others: f64,
    /// Reported busy, own calls included; where nothing reports, our own.
    pub busy: f64,
    pub state: SignalState,
    /// When the newest reading was taken.
    pub read_at: Option<Moment>,
    /// How far from fresh (0) to expired (1).
    pub staleness: f64,
    /// A scrape failed lately while we were sending much.
    pub pressed: bool,
    /// Whether readings come without calls: then a closed gate can open again by itself.
    pub scraped: bool,
}

/// What holds while the signal is not fresh.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fallback {
    pub on_stale: OnStale,
    pub proven: Option<u32>,
}

/// A lane's worker limit over time.
#[derive(Debug, Default)]
pub(crate) struct WorkersTrack {
    limit: Option<u32>,
    /// The reading that last raised the limit by one.
    raised_at: Option<Moment>,
    was_fresh: bool,
}

impl WorkersTrack {
    /// The limit now; `None`: none, because capacity is unknown or `on_stale` is open.
    pub(crate) fn step(
        &mut self,
        bounds: Hysteresis,
        workers: &WorkersNow,
        fallback: Fallback,
    ) -> Option<u32> {
        let granted = bounds.enter.ratio() * workers.capacity;
        let by_policy = (workers.capacity > 0.0).then(|| whole(granted));
        match workers.state {
            SignalState::Absent => {
                self.limit = by_policy;
                self.was_fresh = false;
                self.limit
            }
            SignalState::Fresh => {
                self.limit = by_policy.map(|_| self.fresh(bounds, granted, workers));
                self.was_fresh = true;
                self.limit
            }
            SignalState::Stale => {
                self.was_fresh = false;
                drifted(self.limit, fallback.proven, workers.staleness)
            }
            SignalState::Expired => {
                self.was_fresh = false;
                expired(fallback, self.limit.or(by_policy), by_policy, workers.scraped)
            }
        }
    }

    /// Whether the signal says that all is well under this lane's bounds.
    pub(crate) fn healthy(bounds: Hysteresis, workers: &WorkersNow) -> bool {
        matches!(workers.state, SignalState::Fresh | SignalState::Absent)
            && workers.capacity > 0.0
            && !workers.pressed
            && workers.busy <= bounds.enter.ratio() * workers.capacity
    }

    fn fresh(&mut self, bounds: Hysteresis, granted: f64, workers: &WorkersNow) -> u32 {
        let target = whole(granted - workers.others);
        let held = match self.limit {
            // What stood before a gap was for another load.
            Some(held) if self.was_fresh => held,
            _ => return target,
        };
        if target <= held {
            return target;
        }
        let share = workers.busy / workers.capacity;
        if workers.pressed || share > bounds.enter.ratio() {
            return held;
        }
        if share < bounds.exit.ratio() || workers.read_at.is_none() {
            return target;
        }
        if self.raised_at < workers.read_at {
            self.raised_at = workers.read_at;
            return held + 1;
        }
        held
    }
}

/// Whole slots of a share: never one too many, and `0.29 × 100` is 29.
pub(crate) fn whole(slots: f64) -> u32 {
    (slots + 1e-9).floor().max(0.0) as u32
}

/// Holds, then moves in a straight line to the proven limit.
pub(crate) fn drifted(held: Option<u32>, proven: Option<u32>, staleness: f64) -> Option<u32> {
    let (Some(held), Some(proven)) = (held, proven) else { return held };
    let share = ((staleness - HOLD_SHARE) / (1.0 - HOLD_SHARE)).clamp(0.0, 1.0);
    Some(whole(f64::from(held) + (f64::from(proven) - f64::from(held)) * share))
}

/// What holds without a signal. `held` stands in where nothing was proven.
pub(crate) fn expired(
    fallback: Fallback,
    held: Option<u32>,
    cap: Option<u32>,
    scraped: bool,
) -> Option<u32> {
    match fallback.on_stale {
        OnStale::Open => None,
        // Where only responses carry the signal, one call at a time asks for it.
        OnStale::Closed => Some(u32::from(!scraped)),
        OnStale::Proven => {
            let limit = fallback.proven.or(held)?;
            Some(cap.map_or(limit, |cap| cap.min(limit)))
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
