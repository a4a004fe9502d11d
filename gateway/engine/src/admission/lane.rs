//! One route's share in its upstream's admission: its thresholds, its terms for each class, what it
//! has spent.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use parking_lot::Mutex;
use sumun_policy::policy::{self, Class, Cpu, Hysteresis, Mode, OnStale, Per, Rps, Workers};

use crate::admission::account::Account;
use crate::admission::booking::Pace;
use crate::admission::cpu::CpuTrack;
use crate::admission::demand::Demand;
use crate::admission::offer::Boundary;
use crate::admission::proven::Proven;
use crate::admission::terms::{Offer, Terms};
use crate::admission::workers::WorkersTrack;
use crate::admission::{Ask, Reason, Shed, ThresholdView};
use crate::rate::Rate;
use crate::rate::callers::CallerBuckets;
use crate::time::Moment;

/// A route's lane under one policy revision.
#[derive(Debug)]
pub(crate) struct Lane {
    pub state: Arc<LaneState>,
    pub rules: Option<Rules>,
    terms: [Terms; Class::ALL.len()],
}

/// Thresholds of a lane that may shed, or would.
#[derive(Debug)]
pub(crate) struct Rules {
    pub shadow: bool,
    pub rps: Option<(Rps, Rate)>,
    pub cpu: Option<Cpu>,
    pub workers: Option<Workers>,
    pub on_stale: OnStale,
}

/// What a call of a lane must pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Nothing: interactive, off, or no thresholds.
    Open,
    /// Rate and slots.
    Enforce,
    /// Rate and slots, in appearance.
    Shadow,
}

/// What really happens, or what would had the lanes in shadow mode refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum World {
    Live,
    Virtual,
}

impl World {
    pub(crate) const ALL: [Self; 2] = [Self::Live, Self::Virtual];
}

/// What a look at the rate does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spend {
    Nothing,
    One,
}

/// The part of a lane that survives a reload, keyed by the route's name.
#[derive(Debug, Default)]
pub(crate) struct LaneState {
    /// What really happened.
    pub live: Account,
    /// What would have happened had the lanes in shadow mode refused.
    pub shadow: Account,
    /// Only the slow loop locks this, and compilation.
    pub learned: Mutex<Learned>,
}

/// What the slow loop has learned about a lane.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    /// The rate that the bucket was last spent under.
    pub rate: Option<Rate>,
    pub workers: WorkersTrack,
    pub cpu: CpuTrack,
    pub proven: Proven,
    /// What its calls of each class really want.
    pub live: [Demand; Class::ALL.len()],
    /// The same in the virtual world; only where the lane is in shadow mode.
    pub shadow: [Demand; Class::ALL.len()],
    pub classes: [ClassLearned; Class::ALL.len()],
    /// What callers that are not known take of the route's rate, where each known one has its own.
    pub strangers: Demand,
    /// Whether `classes` were learned in shadow mode: then they say nothing of live calls.
    pub was_shadow: bool,
}

/// What the slow loop has learned about a class of a lane.
#[derive(Debug, Default)]
pub(crate) struct ClassLearned {
    pub boundary: Boundary,
    /// Returns booked a second; 0: none yet.
    pub returns: f64,
}

// === impl Lane ===

impl Lane {
    /// The lane of a route, which has not [begun](Self::begin).
    pub(crate) fn new(route: &policy::Route, state: Arc<LaneState>) -> Self {
        let rules = route
            .admission
            .as_ref()
            .filter(|admission| route.class != Class::Interactive && admission.mode != Mode::Off)
            .map(Rules::new);
        Self { state, rules, terms: std::array::from_fn(|_| Terms::new()) }
    }

    /// Comes into force: carries what its bucket has spent over to the new rate.
    pub(crate) fn begin(&self, callers_max: usize, now: Moment) {
        let state = &self.state;
        let mut learned = state.learned.lock();
        if let Some((rps, to)) = self.rules.as_ref().and_then(|rules| rules.rps) {
            let from = learned.rate.replace(to).unwrap_or(to);
            state.live.rescale(from, to, now);
            state.shadow.rescale(from, to, now);
            if rps.per == Per::Caller {
                for account in [&state.live, &state.shadow] {
                    account.callers.get_or_init(|| CallerBuckets::new(callers_max));
                }
            }
        }
        let shadow = self.is_shadow();
        if learned.was_shadow != shadow {
            learned.was_shadow = shadow;
            learned.shadow = <_>::default();
            learned.classes = <_>::default();
            learned.strangers = <_>::default();
        }
    }

    /// What a call of this class must pass.
    pub(crate) fn gate(&self, class: Class) -> Gate {
        match &self.rules {
            Some(rules) if class != Class::Interactive && rules.shadow => Gate::Shadow,
            Some(_) if class != Class::Interactive => Gate::Enforce,
            _ => Gate::Open,
        }
    }

    /// On which a class is let in.
    pub(crate) fn terms(&self, class: Class) -> &Terms {
        &self.terms[class as usize]
    }

    /// Whether its limit holds real calls back.
    pub(crate) fn is_enforced(&self) -> bool {
        self.rules.as_ref().is_some_and(|rules| !rules.shadow)
    }

    /// Whether it decides in appearance only.
    pub(crate) fn is_shadow(&self) -> bool {
        self.rules.as_ref().is_some_and(|rules| rules.shadow)
    }

    /// The account that its decisions are made on.
    pub(crate) fn account(&self) -> &Account {
        if self.is_shadow() { &self.state.shadow } else { &self.state.live }
    }

    /// What its calls want in a world: in the virtual one a lane that is not in shadow mode wants
    /// what it wants in the real one.
    pub(crate) fn demand<'a>(
        &self,
        learned: &'a Learned,
        world: World,
    ) -> &'a [Demand; Class::ALL.len()] {
        match world {
            World::Virtual if self.is_shadow() => &learned.shadow,
            World::Live | World::Virtual => &learned.live,
        }
    }

    /// The world that it decides in.
    pub(crate) fn world(&self) -> World {
        if self.is_shadow() { World::Virtual } else { World::Live }
    }

    pub(crate) fn publish(&self, class: Class, offer: Option<&Offer>) {
        self.terms(class).put(offer);
    }

    /// Whether the rate has one more call; books a return where it has not. Callers that are not
    /// known share the route's bucket, whoever has its own.
    pub(crate) fn rate_verdict(
        &self,
        account: &Account,
        ask: Ask,
        spend: Spend,
        now: Moment,
    ) -> Result<(), Shed> {
        let Some((rps, rate)) = self.rules.as_ref().and_then(|rules| rules.rps) else {
            return Ok(());
        };
        if rps.per == Per::Caller
            && let (Some(caller), Some(buckets)) = (ask.caller, account.callers.get())
        {
            let verdict = match spend {
                Spend::Nothing => buckets.peek(caller, rate, now),
                Spend::One => buckets.take(caller, rate, now),
            };
            return verdict.map_err(|wait| over_rate(rps, buckets.book(caller, rate, wait, now)));
        }
        let verdict = match spend {
            Spend::Nothing => account.bucket.peek(rate, now),
            Spend::One => account.bucket.take(rate, now),
        };
        if rps.per == Per::Caller && spend == Spend::One && verdict.is_ok() {
            account.strangers.fetch_add(1, Relaxed);
        }
        verdict.map_err(|wait| {
            let pace = Pace { interval_ns: rate.interval_ns(), earliest: wait };
            over_rate(rps, account.rate_returns.book(pace, now))
        })
    }

    pub(crate) fn thresholds(&self) -> Vec<ThresholdView> {
        let Some(rules) = &self.rules else { return Vec::new() };
        let share = |signal, bounds: Hysteresis| ThresholdView {
            signal,
            enter: bounds.enter.ratio(),
            exit: bounds.exit.ratio(),
        };
        let rps = |(rps, _): (Rps, Rate)| ThresholdView {
            signal: Reason::Rps.signal(),
            enter: rps.limit,
            exit: rps.limit,
        };
        let rps = rules.rps.map(rps);
        let cpu = rules.cpu.map(|cpu| share(Reason::Cpu.signal(), cpu.bounds));
        let workers = rules.workers.map(|workers| share(Reason::Workers.signal(), workers.bounds));
        [rps, cpu, workers].into_iter().flatten().collect()
    }
}

fn over_rate(rps: Rps, retry_after: Duration) -> Shed {
    Shed {
        reason: Reason::Rps,
        observed: rps.limit,
        threshold: rps.limit,
        retry_after,
        limit: rps.limit.ceil() as u32,
    }
}

// === impl Rules ===

impl Rules {
    fn new(admission: &policy::Admission) -> Self {
        Self {
            shadow: admission.mode == Mode::Shadow,
            rps: admission.rps.map(|rps| (rps, Rate::new(rps.limit, rps.burst))),
            cpu: admission.cpu,
            workers: admission.workers,
            on_stale: admission.on_stale,
        }
    }
}
