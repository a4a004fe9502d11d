//! Whether a call may enter: the fast loop, and the limits that the slow loop hands it.
//!
//! Calls in flight are counted per *upstream* in one packed word; each route is a *lane* with terms
//! of its own for each class. A call enters while `in_flight < min(word limit, lane limit)`, one
//! compare-and-swap; on the ramp before it a rising share is shed, one addition. Interactive calls
//! always enter and are counted too. The class is that of the *call*.
//!
//! The slow loop computes a lane's limit (`Bound`) from
//! - `workers`: the capacity of the service, minus other people's load;
//! - `cpu`: cut multiplicatively over `enter`, recovered additively under `exit`;
//! - `proven`: what held while all was well, for when the signals are gone;
//! - `classes`: lower classes leave room for what higher ones lately wanted (`demand`);
//!
//! and makes an `offer` of it to each class: who is shed (`cohort`, `diffusion`) on its `terms`, and
//! when they may come back (`booking`).
//!
//! A call that finds all slots taken may wait for one for a moment ([`wait`]), where the caller of the
//! engine can wait.
//!
//! Order within a decision: the rate is looked at, then the slot is taken, then the token. A call
//! refused by workers has spent no token; a call refused by its rate holds no slot. Decided before
//! the body is read; nothing allocates.
//!
//! [`Decision`]s are a function of the policy, the state, the call and the time alone, and the state
//! is either what really happened or what would have, had the lanes in shadow mode refused
//! (`account`).

pub(crate) mod account;
pub(crate) mod booking;
pub(crate) mod classes;
pub(crate) mod cohort;
pub(crate) mod cpu;
pub(crate) mod demand;
pub(crate) mod diffusion;
pub(crate) mod hysteresis;
pub(crate) mod lane;
pub(crate) mod limit;
pub(crate) mod offer;
pub(crate) mod proven;
pub(crate) mod terms;
pub mod wait;
pub(crate) mod workers;

use std::sync::Arc;
use std::time::Duration;

use sumun_policy::policy::Class;

use crate::admission::account::Account;
use crate::admission::lane::{Gate, Lane, Spend};
use crate::admission::wait::line::Line;
use crate::admission::wait::{Asked, Course, Handed};
use crate::route::Route;
use crate::slots::{Full, Slots, UNLIMITED};
use crate::time::Moment;

/// What a call says of itself, for admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Its class: the route's, or what a header that counts made of it. It alone decides; on a
    /// route without thresholds every class enters.
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
    class: Class,
    virtual_place: Place,
    left: bool,
}

/// Where a call that is in flight also counts as in flight in the virtual world, which is what the
/// lanes in shadow mode decide in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nowhere: nothing is in shadow mode, or this call would have been refused.
    Nowhere,
    /// At the upstream.
    Upstream,
    /// At the upstream, and in the account of its lane.
    Lane,
}

/// What a decision reads and changes: the real state of a lane and its upstream, or the virtual one.
#[derive(Clone, Copy, Debug)]
struct State<'a> {
    account: &'a Account,
    slots: &'a Slots,
    /// Who waits for a slot; nobody does in the virtual world.
    line: Option<&'a Line<Asked>>,
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
    /// When to come back: an instant that was booked for this refusal alone, at most five minutes
    /// ahead. Exact; whoever tells it in coarser units rounds up.
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
    /// Calls in flight up to which it sheds nothing; may lie under zero where other people's load
    /// alone is over the threshold.
    pub free: f64,
    pub reason: Reason,
    pub threshold: f64,
    pub observed: Observed,
    /// When the first of the refused calls should come back.
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
pub(crate) fn decide(route: &Arc<Route>, ask: Ask, now: Moment) -> Decision {
    let (lane, real) = (&route.lane, real(route));
    match lane.gate(ask.class) {
        Gate::Open => {
            real.enter(ask.class);
            if lane.is_shadow() {
                shadow_state(route).enter(ask.class);
                return Decision::enter(Slot::new(route, ask.class, Place::Lane));
            }
        }
        Gate::Enforce => {
            if let Err(shed) = judge(lane, real, ask, now) {
                return Decision::refuse(shed);
            }
        }
        Gate::Shadow => return shadow(route, real, ask, now),
    }
    admitted(route, ask)
}

/// The same, but a call that finds all slots taken may wait for one.
pub(crate) fn decide_or_wait(route: &Arc<Route>, ask: Ask, now: Moment) -> Course {
    let lane = &route.lane;
    if lane.gate(ask.class) != Gate::Enforce {
        return Course::Decided(decide(route, ask, now));
    }
    let decision = match attempt(lane, real(route), ask, now) {
        Ok(()) => admitted(route, ask),
        Err(Turned::Rate(shed)) => Decision::refuse(shed),
        Err(Turned::Slots(full)) => match wait::join(route, ask, full, now) {
            Some(course) => return course,
            None => Decision::refuse(turn_away(lane, ask, full, now)),
        },
    };
    Course::Decided(decision)
}

fn real(route: &Route) -> State<'_> {
    let state = &route.upstream.state;
    State { account: &route.lane.state.live, slots: &state.slots, line: Some(&state.line) }
}

fn shadow_state(route: &Route) -> State<'_> {
    State { account: &route.lane.state.shadow, slots: &route.upstream.state.shadow, line: None }
}

/// The slot of a call that has entered.
fn admitted(route: &Arc<Route>, ask: Ask) -> Decision {
    let place = if route.upstream.has_shadow() {
        route.upstream.state.shadow.enter();
        Place::Upstream
    } else {
        Place::Nowhere
    };
    Decision::enter(Slot::new(route, ask.class, place))
}

/// The decision itself: the same for real calls, in shadow mode and in a replay. What enters has
/// taken its slot and its token; what is refused has taken nothing and booked its return.
fn judge(lane: &Lane, world: State<'_>, ask: Ask, now: Moment) -> Result<(), Shed> {
    attempt(lane, world, ask, now).map_err(|turned| match turned {
        Turned::Rate(shed) => shed,
        Turned::Slots(full) => book(lane, world.account, ask, full, now),
    })
}

/// What kept a call out.
enum Turned {
    /// Its rate; the return is booked.
    Rate(Shed),
    /// The slots; nothing is booked yet.
    Slots(Full),
}

fn attempt(lane: &Lane, world: State<'_>, ask: Ask, now: Moment) -> Result<(), Turned> {
    let account = world.account.of(ask.class);
    // Most calls over the rate end here and never touch the word that others share.
    lane.rate_verdict(world.account, ask, Spend::Nothing, now).map_err(Turned::Rate)?;
    let entered = lane.terms(ask.class).enter(world.slots, account, ask.caller, now);
    entered.map_err(Turned::Slots)?;
    if let Err(shed) = lane.rate_verdict(world.account, ask, Spend::One, now) {
        world.leave();
        return Err(Turned::Rate(shed));
    }
    account.enter();
    Ok(())
}

/// The last step of a real call that was handed a slot: its token.
fn attempt_token(route: &Route, ask: Ask, now: Moment) -> Result<(), Shed> {
    let account = &route.lane.state.live;
    route.lane.rate_verdict(account, ask, Spend::One, now).inspect_err(|_| {
        drop(route.upstream.state.leave());
    })?;
    account.of(ask.class).enter();
    Ok(())
}

/// Refuses a real call by its slots.
fn turn_away(lane: &Lane, ask: Ask, full: Full, now: Moment) -> Shed {
    book(lane, &lane.state.live, ask, full, now)
}

fn book(lane: &Lane, account: &Account, ask: Ask, full: Full, now: Moment) -> Shed {
    let account = account.of(ask.class);
    // Only what the workers refused is unmet demand for workers.
    account.refuse();
    lane.terms(ask.class).shed(full, account, now)
}

/// The decision in the virtual world; the call enters the real one whatever it is.
fn shadow(route: &Arc<Route>, real: State<'_>, ask: Ask, now: Moment) -> Decision {
    let shed = judge(&route.lane, shadow_state(route), ask, now).err();
    real.enter(ask.class);
    let place = if shed.is_none() { Place::Lane } else { Place::Nowhere };
    Decision { outcome: Ok(Slot::new(route, ask.class, place)), shadow: shed }
}

impl State<'_> {
    /// Frees a slot that was taken in vain.
    fn leave(self) {
        if self.slots.leave()
            && let Some(line) = self.line
        {
            drop(line.pass_on(self.slots));
        }
    }

    /// Counts a call that enters whatever the limit.
    fn enter(self, class: Class) {
        self.account.of(class).enter();
        self.slots.enter();
    }
}

// === impl Bound ===

impl Bound {
    /// What a word shows as the limit of a lane.
    pub(crate) fn limit_of(bound: Option<&Self>) -> u32 {
        bound.map_or(UNLIMITED, |bound| bound.limit)
    }

    /// The lower of two limits; of equal ones the first. Shedding begins where the first of the two
    /// begins.
    pub(crate) fn lower(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => {
                let lower = if b.limit < a.limit { b } else { a };
                Some(Self { free: a.free.min(b.free), ..lower })
            }
            (a, b) => a.or(b),
        }
    }
}

// === impl Slot ===

impl Slot {
    fn new(route: &Arc<Route>, class: Class, virtual_place: Place) -> Self {
        Self { route: Arc::clone(route), class, virtual_place, left: false }
    }

    /// The route that the call came by.
    pub fn route(&self) -> &Arc<Route> {
        &self.route
    }

    /// The class that it was let in as.
    pub fn class(&self) -> Class {
        self.class
    }
}

impl Slot {
    /// Frees it; drop what it returns once no turn is held.
    pub fn leave(mut self) -> Handed {
        self.left = true;
        self.free()
    }

    fn free(&self) -> Handed {
        let (lane, upstream) = (&self.route.lane.state, &self.route.upstream.state);
        lane.live.of(self.class).leave();
        if self.virtual_place == Place::Lane {
            lane.shadow.of(self.class).leave();
        }
        if self.virtual_place != Place::Nowhere {
            upstream.shadow.leave();
        }
        upstream.leave()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.left {
            drop(self.free());
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, not(loom)))]
mod worlds;
