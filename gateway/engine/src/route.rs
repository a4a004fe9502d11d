//! What is matched and what holds for it, under one policy revision.

use std::sync::Arc;

use sumun_policy::policy::{self, Class};

use crate::admission::lane::{Gate, Lane};
use crate::admission::wait::Course;
use crate::admission::{self, Ask, Decision, ThresholdView};
use crate::order::Turn;
use crate::quota::Function;
use crate::slots::UNLIMITED;
use crate::time::Moment;
use crate::upstream::Upstream;

/// A route of one policy revision, with its live load.
#[derive(Debug)]
pub struct Route {
    /// Its place in [`crate::Snapshot::routes`].
    pub index: usize,
    /// As written.
    pub policy: policy::Route,
    /// Where its calls go.
    pub upstream: Arc<Upstream>,
    /// Whose quota they need.
    pub function: Option<Arc<Function>>,
    pub(crate) lane: Arc<Lane>,
}

impl Route {
    /// Decides on one call: the fast loop. Never blocks, never allocates.
    pub fn decide(self: &Arc<Self>, ask: Ask, now: Moment) -> Decision {
        admission::decide(self, ask, now)
    }

    /// Decides on one call that may wait for a slot; like [`decide`](Self::decide) but for calls that
    /// do, which take a lock and allocate.
    pub fn decide_or_wait(self: &Arc<Self>, ask: Ask, now: Moment) -> Course {
        admission::decide_or_wait(self, ask, now)
    }

    /// Decides on a call of the route's own class by nobody that is known.
    pub fn admit(self: &Arc<Self>, now: Moment) -> Decision {
        self.decide(Ask { class: self.policy.class, caller: None }, now)
    }

    /// Takes the turn of one of its calls; `None` where nothing is recorded. Hold it over a decision
    /// or an end, its consequences and its record, not longer.
    pub fn take_turn(&self) -> Option<Turn<'_>> {
        self.upstream.take_turn(self.function.as_ref().map(|function| function.state.pool()))
    }

    /// Its calls in flight.
    pub fn in_flight(&self) -> u32 {
        self.lane.state.live.in_flight()
    }

    /// Calls in flight *at the upstream* under which it admits calls of its own class; `None`: no
    /// limit. In shadow mode the limit that would hold.
    pub fn limit(&self) -> Option<u32> {
        self.limit_of(self.policy.class)
    }

    /// The same for calls of another class, which they said of themselves.
    pub fn limit_of(&self, class: Class) -> Option<u32> {
        let word = match self.lane.gate(class) {
            Gate::Open => return None,
            Gate::Enforce => self.upstream.state.slots.limit(),
            Gate::Shadow => UNLIMITED,
        };
        let limit = self.lane.terms(class).limit().min(word);
        (limit != UNLIMITED).then_some(limit)
    }

    /// Its thresholds; none where it sheds nothing.
    pub fn thresholds(&self) -> Vec<ThresholdView> {
        self.lane.thresholds()
    }
}
