//! The worker limit: what the policy grants of the service, minus other people's load.
//!
//! `limit = floor(full × capacity) − others`, where *others* is what the endpoints report busy
//! beyond our own calls. Traffic that bypasses the gateway is protected although it is never seen.
//! `full` is `enter` unless the policy says more; then `enter` says where shedding begins, so many
//! workers under the limit, and what is shed between is the ramp's (see `terms`). Others vary between
//! two readings by chance: they need a *reserve* of two standard deviations of a Poisson load of
//! their size, which is taken off where what is left above `full` is less.
//!
//! - Falling is immediate. Rising is immediate while the signal counts as under its threshold (see
//!   `hysteresis`), a twentieth of the capacity a reading while over it, and does not happen while
//!   scrapes fail under our load.
//! - A pool that others use too and that is busy to the last worker hides how many wait for it, and
//!   our own waiting calls hide how many are others': each such reading takes another twentieth.
//! - A stale signal holds the limit for a quarter of the stale span, then moves it to the proven
//!   one; from expiry `on_stale` decides.

use std::time::Duration;

use sumun_policy::policy::{OnStale, Workers};

use crate::admission::hysteresis::{self, Turn};
use crate::signals::SignalState;
use crate::time::Moment;

/// Share of the stale span in which the limit holds before it drifts.
const HOLD_SHARE: f64 = 0.25;

/// Share of the capacity by which a limit rises with a reading while over its threshold, and falls
/// with one that shows no idle worker.
const STEP_SHARE: f64 = 0.05;

/// Share of the capacity that is taken to be all of it: a worker between two calls is not idle.
const CROWDED_SHARE: f64 = 0.98;

/// Others so few, besides this share of the capacity, are our own calls on their way: a worker that
/// has answered is busy for a moment more, and the scrape itself may take one.
const OTHERS_MIN: f64 = 1.0;
const OTHERS_MIN_SHARE: f64 = 0.02;

/// Standard deviations of others' chance variation that are kept free.
const RESERVE_SIGMAS: f64 = 2.0;

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
    /// How often it is read.
    pub period: Duration,
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
    turn: Turn,
    /// The newest reading that was reckoned with.
    read_at: Option<Moment>,
    /// Slots taken off because the pool showed no idle worker.
    crowded: f64,
    was_fresh: bool,
}

impl WorkersTrack {
    /// The limit now; `None`: none, because capacity is unknown or `on_stale` is open.
    pub(crate) fn step(
        &mut self,
        rules: Workers,
        workers: &WorkersNow,
        fallback: Fallback,
        now: Moment,
    ) -> Option<u32> {
        let granted = rules.full.ratio() * workers.capacity;
        let by_policy = (workers.capacity > 0.0).then(|| whole(granted));
        match workers.state {
            SignalState::Absent => {
                self.limit = by_policy;
                self.was_fresh = false;
                self.limit
            }
            SignalState::Fresh => {
                self.limit = by_policy.map(|_| self.fresh(rules, workers, now));
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

    /// Whether the signal says that all is well: nothing may be waiting that we do not see.
    pub(crate) fn healthy(workers: &WorkersNow) -> bool {
        matches!(workers.state, SignalState::Fresh | SignalState::Absent)
            && workers.capacity > 0.0
            && !workers.pressed
            && !workers.is_crowded()
    }

    fn fresh(&mut self, rules: Workers, workers: &WorkersNow, now: Moment) -> u32 {
        let share = workers.busy / workers.capacity;
        let over = self.turn.step(rules.bounds, share, hysteresis::dwell(workers.period), now);
        let step = (STEP_SHARE * workers.capacity).max(1.0);
        let is_new = self.read_at < workers.read_at;
        self.read_at = workers.read_at;
        if is_new {
            let sign = if workers.is_crowded() { 1.0 } else { -1.0 };
            self.crowded = (self.crowded + sign * step).clamp(0.0, workers.capacity);
        }
        let target = whole(rules.full.ratio() * workers.capacity - self.taken(rules, workers));
        let held = match self.limit {
            // What stood before a gap was for another load.
            Some(held) if self.was_fresh => held,
            _ => return target,
        };
        if target <= held {
            target
        } else if workers.pressed || (share > rules.full.ratio() && workers.others_for_sure() > 0.0)
        {
            held
        } else if !over || workers.read_at.is_none() {
            target
        } else if is_new {
            target.min(held + whole(step))
        } else {
            held
        }
    }
}

impl WorkersTrack {
    /// What others take, and with a ramp what they may take before the next reading, as far as there
    /// is no room for that above `full`. Without one `enter` says what is left to them.
    fn taken(&self, rules: Workers, workers: &WorkersNow) -> f64 {
        if rules.full <= rules.bounds.enter {
            return workers.others;
        }
        let spare = (1.0 - rules.full.ratio()) * workers.capacity;
        workers.others + (workers.reserve() + self.crowded - spare).max(0.0)
    }
}

impl WorkersNow {
    /// Others that are not just our own calls on their way.
    fn others_for_sure(&self) -> f64 {
        (self.others - OTHERS_MIN - OTHERS_MIN_SHARE * self.capacity).max(0.0)
    }

    /// What others may take before the next reading.
    fn reserve(&self) -> f64 {
        RESERVE_SIGMAS * self.others_for_sure().sqrt()
    }

    /// Whether others are there and no worker is idle.
    fn is_crowded(&self) -> bool {
        self.others_for_sure() > 0.0 && self.busy >= CROWDED_SHARE * self.capacity
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
