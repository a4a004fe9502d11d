//! A short wait for a slot, in front of the slots.
//!
//! Calls come in random bursts. A service of 20 workers that is offered exactly what it can do would
//! refuse a sixth of it and idle just after; a call that waits for one of the next slots to be freed
//! takes most of that back. So a call that finds all slots taken may wait:
//! - bounded in number: half of the lane's limit, and [`WAITING_MAX`] in any case;
//! - bounded in time: as long as the policy says (`workers: { wait }`; nothing: no wait), but no
//!   longer than a call typically holds its slot ([`Waiting::patience`]). The engine has no clock:
//!   whoever holds the [`Waiting`] ends it;
//! - higher classes first, and in a class whoever came first;
//! - never what the ramp or its caller's cohort sheds, and never what is over its rate.
//!
//! A slot is handed over: whoever leaves enters on behalf of the first that its limit allows, by the
//! same compare-and-swap as always, so in flight never passes the limit. Where nobody waits, leaving
//! costs the look at one bit of the word that it has just changed.

pub(crate) mod line;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;
use std::time::Duration;

pub use crate::admission::wait::line::Handed;
use crate::admission::wait::line::{Joined, Limited, Ticket};
use crate::admission::{Ask, Decision, admitted, attempt_token, turn_away};
use crate::route::Route;
use crate::slots::Full;
use crate::time::Moment;

/// Most calls that wait at an upstream, whatever its limit: each holds its request's head.
pub(crate) const WAITING_MAX: usize = 1024;

/// Longest wait: a refusal is to be told soon, also by services whose calls take long.
pub(crate) const PATIENCE_MAX: Duration = Duration::from_millis(250);

/// Shortest time that is worth waiting for: timers count milliseconds.
const PATIENCE_MIN: Duration = Duration::from_millis(1);

/// A call that waits for a slot. Ends with [`finish`](Self::finish), which decides; dropped before,
/// it leaves the line and hands on what it may have been given.
#[derive(Debug)]
#[must_use = "dropping it leaves the line"]
pub struct Waiting {
    asked: Asked,
    ticket: Ticket,
    full: Full,
    patience: Duration,
    finished: bool,
}

/// Who waits, and for what.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    route: Arc<Route>,
    ask: Ask,
}

/// What becomes of a call that may wait.
#[derive(Debug)]
pub enum Course {
    /// It is decided.
    Decided(Decision),
    /// All slots are taken; one may be free soon.
    Wait(Waiting),
}

/// Takes a place in the line; gives the call's decision where a slot was freed meanwhile, `None`
/// where it may not wait.
pub(crate) fn join(route: &Arc<Route>, ask: Ask, full: Full, now: Moment) -> Option<Course> {
    let state = &route.upstream.state;
    let wait = route.lane.rules.as_ref()?.workers?.wait?;
    let hold = Duration::from_nanos(state.hold_ns.load(Relaxed));
    let patience = hold.min(wait).min(PATIENCE_MAX);
    let terms = route.lane.terms(ask.class);
    if patience < PATIENCE_MIN || !terms.may_wait(full, ask.caller, now) {
        return None;
    }
    let places_max = WAITING_MAX.min(full.limit as usize / 2);
    let asked = Asked { route: Arc::clone(route), ask };
    match state.line.join(&state.slots, ask.class, asked, places_max) {
        Joined::Full => None,
        Joined::Entered(asked) => Some(Course::Decided(asked.entered(now))),
        Joined::Waits(asked, ticket) => {
            Some(Course::Wait(Waiting { asked, ticket, full, patience, finished: false }))
        }
    }
}

// === impl Waiting ===

impl Waiting {
    /// How long to wait at most.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Whether a slot has been handed over; where not, `waker` is woken once it is.
    pub fn is_granted(&self, waker: &Waker) -> bool {
        self.asked.route.upstream.state.line.is_granted(self.ticket, waker)
    }

    /// The decision: in, where a slot has been handed over, and else refused.
    pub fn finish(mut self, now: Moment) -> Decision {
        self.finished = true;
        let state = &self.asked.route.upstream.state;
        if state.line.cancel(&state.slots, self.ticket) {
            let Asked { route, ask } = &self.asked;
            return Decision::refuse(turn_away(&route.lane, *ask, self.full, now));
        }
        self.asked.clone().entered(now)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let state = &self.asked.route.upstream.state;
        if !self.finished && !state.line.cancel(&state.slots, self.ticket) {
            drop(state.leave());
        }
    }
}

// === impl Asked ===

impl Asked {
    /// A slot is ours; now the token.
    fn entered(self, now: Moment) -> Decision {
        match attempt_token(&self.route, self.ask, now) {
            Ok(()) => admitted(&self.route, self.ask),
            Err(shed) => Decision::refuse(shed),
        }
    }
}

impl Limited for Asked {
    fn limit(&self) -> u32 {
        self.route.lane.terms(self.ask.class).limit()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
