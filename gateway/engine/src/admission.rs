//! Whether a call may enter: the fast loop, and the limits that the slow loop hands it.
//!
//! Calls in flight are counted per *upstream* in one packed word; each route is a *lane* with a
//! limit of its own. A call of a lane enters while `in_flight < min(word limit, lane limit)`, one
//! compare-and-swap. Interactive calls always enter and are counted too.
//!
//! The slow loop computes a lane's limit (`Bound`) from
//! - `workers`: the capacity the policy grants, minus other people's load;
//! - `cpu`: cut multiplicatively over `enter`, recovered additively under `exit`;
//! - `proven`: what held while all was well, for when the signals are gone;
//! - `classes`: lower classes leave room for what higher ones lately wanted (`demand`).
//!
//! Order within a decision: the rate is looked at, then the slot is taken, then the token. A call
//! refused by workers has spent no token; a call refused by its rate holds no slot. Decided before
//! the body is read; nothing allocates.

pub(crate) mod classes;
pub(crate) mod cpu;
pub(crate) mod demand;
pub(crate) mod lane;
pub(crate) mod limit;
pub(crate) mod proven;
pub(crate) mod workers;

use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::time::Duration;

use sumun_policy::policy::Class;

use crate::admission::lane::{Gate, Lane};
use crate::rate::Rate;
use crate::route::Route;
use crate::slots::UNLIMITED;
use crate::time::Moment;

/// What a call says of itself, for admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Its class: the route's, or what a header that counts made of it.
    pub class: Class,
    /// Who calls, as a hash of its identity; `None`: nobody that is known.
    pub caller: Option<u64>,
}

/// What becomes of a call.
#[derive(Debug)]
pub struct Decision {
    /// A slot to hold until the response body ends, or why not.
    pub outcome: Result<Slot, Shed>,
    /// In shadow mode: what would have been refused.
    pub shadow: Option<Shed>,
}

/// A call in flight, counted at its route and its upstream; freed when dropped, exactly once.
#[derive(Debug)]
#[must_use = "dropping a slot frees it"]
pub struct Slot {
    route: Arc<Route>,
    /// Would have been refused: subtracted where shadow lanes look at what is in flight.
    surplus: bool,
}

/// Why a call is refused, and when to come back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shed {
    /// The threshold that was crossed.
    pub reason: Reason,
    /// What was seen: requests per second for `rps` (the limit, which this call would exceed), a
    /// CPU share for `cpu`; for `workers` the share that would be busy with this call, other
    /// people's load and the room kept for higher classes included.
    pub observed: f64,
    /// The threshold as written: requests per second, or a share.
    pub threshold: f64,
    /// When to come back.
    pub retry_after: Duration,
    /// The limit in force: requests per second, or calls in flight at the upstream.
    pub limit: u32,
}

/// The threshold that refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Requests per second.
    Rps,
    /// CPU.
    Cpu,
    /// Busy workers.
    Workers,
}

/// A threshold of a route, for people and metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThresholdView {
    /// `rps`, `cpu` or `workers`.
    pub signal: &'static str,
    /// Over this, shedding begins: requests per second, or a share.
    pub enter: f64,
    /// Under this, it ends. For `rps` the same as `enter`.
    pub exit: f64,
}

/// A lane's limit and what it came from; computed by the slow loop, read by the fast one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bound {
    /// Calls in flight at the upstream under which the lane admits.
    pub limit: u32,
    pub reason: Reason,
    pub threshold: f64,
    pub observed: Observed,
    /// When a refused call should come back.
    pub retry_after: Duration,
}

/// What a refusal reports as seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Observed {
    /// This share.
    Share(f64),
    /// The share of `capacity` that calls in flight and `taken` make together.
    Busy { taken: u32, capacity: f64 },
}

// === impl Reason ===

impl Reason {
    /// The code that callers see.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Rps => "rps_over",
            Self::Cpu => "cpu_over",
            Self::Workers => "workers_over",
        }
    }

    /// The signal it looks at.
    pub const fn signal(self) -> &'static str {
        match self {
            Self::Rps => "rps",
            Self::Cpu => "cpu",
            Self::Workers => "workers",
        }
    }
}

// === impl Decision ===

impl Decision {
    fn enter(slot: Slot) -> Self {
        Self { outcome: Ok(slot), shadow: None }
    }

    fn refuse(shed: Shed) -> Self {
        Self { outcome: Err(shed), shadow: None }
    }
}

// === the fast loop ===

/// Decides on one call of a route.
pub(crate) fn decide(route: &Arc<Route>, _ask: Ask, now: Moment) -> Decision {
    match route.lane.gate() {
        Gate::Open => {
            route.lane.state.admitted();
            route.upstream.state.slots.enter();
            Decision::enter(Slot { route: Arc::clone(route), surplus: false })
        }
        Gate::Enforce(rate) => match enforce(route, rate, now) {
            Ok(()) => {
                route.lane.state.admitted();
                Decision::enter(Slot { route: Arc::clone(route), surplus: false })
            }
            Err(shed) => {
                refused(&route.lane, &shed);
                Decision::refuse(shed)
            }
        },
        Gate::Shadow(rate) => shadow(route, rate, now),
    }
}

fn enforce(route: &Route, rate: Option<Rate>, now: Moment) -> Result<(), Shed> {
    let (lane, slots) = (&route.lane, &route.upstream.state.slots);
    if let Some(rate) = rate {
        // Most calls over the rate end here and never touch the word that others share.
        lane.state.bucket.peek(rate, now).map_err(|wait| lane.over_rate(wait))?;
    }
    slots.try_enter(lane.limit()).map_err(|full| lane.over_limit(full))?;
    if let Some(rate) = rate
        && let Err(wait) = lane.state.bucket.take(rate, now)
    {
        slots.leave();
        return Err(lane.over_rate(wait));
    }
    Ok(())
}

/// The same decision on what would be in flight had shadow lanes refused; the call enters anyway.
/// Exact for calls one after another; calls that race may see each other or not.
fn shadow(route: &Arc<Route>, rate: Option<Rate>, now: Moment) -> Decision {
    let (lane, upstream) = (&route.lane, &route.upstream.state);
    let before = upstream.slots.enter();
    let in_flight = before.saturating_sub(upstream.surplus.load(Acquire));
    let limit = lane.limit();
    let verdict = (|| {
        if let Some(rate) = rate {
            lane.state.bucket.peek(rate, now).map_err(|wait| lane.over_rate(wait))?;
        }
        if in_flight >= limit {
            return Err(lane.over_limit(crate::slots::Full { in_flight, limit }));
        }
        match rate {
            Some(rate) => lane.state.bucket.take(rate, now).map_err(|wait| lane.over_rate(wait)),
            None => Ok(()),
        }
    })();
    let would_refuse = verdict.err();
    if let Some(shed) = &would_refuse {
        upstream.surplus.fetch_add(1, AcqRel);
        refused(lane, shed);
        lane.state.entered();
    } else {
        lane.state.admitted();
    }
    let slot = Slot { route: Arc::clone(route), surplus: would_refuse.is_some() };
    Decision { outcome: Ok(slot), shadow: would_refuse }
}

/// Only what the workers refused is unmet demand for workers.
fn refused(lane: &Lane, shed: &Shed) {
    if shed.reason != Reason::Rps {
        lane.state.refused();
    }
}

// === impl Bound ===

impl Bound {
    /// What a word shows as the limit of a lane.
    pub(crate) fn limit_of(bound: Option<&Self>) -> u32 {
        bound.map_or(UNLIMITED, |bound| bound.limit)
    }

    /// The lower of two limits; of equal ones the first.
    pub(crate) fn lower(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) if b.limit < a.limit => Some(b),
            (a, b) => a.or(b),
        }
    }
}

// === impl Slot ===

impl Slot {
    /// The route that the call came by.
    pub fn route(&self) -> &Arc<Route> {
        &self.route
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.route.lane.state.left();
        let upstream = &self.route.upstream.state;
        if self.surplus {
            upstream.surplus.fetch_sub(1, Release);
        }
        upstream.slots.leave();
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
