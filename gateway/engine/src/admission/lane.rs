//! One route's share in its upstream's admission: its thresholds, its limit, what it has spent.

use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};
use std::time::Duration;

use parking_lot::Mutex;
use sumun_policy::policy::{self, Class, Cpu, Hysteresis, Mode, OnStale, Rps};

use crate::admission::cpu::CpuTrack;
use crate::admission::demand::Demand;
use crate::admission::proven::Proven;
use crate::admission::workers::WorkersTrack;
use crate::admission::{Bound, Observed, Reason, Shed, ThresholdView};
use crate::rate::{Bucket, Rate};
use crate::slots::{Full, UNLIMITED};
use crate::time::{Moment, nanos};

/// A route's lane under one policy revision.
#[derive(Debug)]
pub(crate) struct Lane {
    pub state: Arc<LaneState>,
    pub class: Class,
    pub rules: Option<Rules>,
    published: Published,
}

/// Thresholds of a lane that may shed, or would.
#[derive(Debug)]
pub(crate) struct Rules {
    pub shadow: bool,
    pub rps: Option<(Rps, Rate)>,
    pub cpu: Option<Cpu>,
    pub workers: Option<Hysteresis>,
    pub on_stale: OnStale,
}

/// What a call of a lane must pass.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gate {
    /// Nothing: interactive, off, or no thresholds.
    Open,
    /// Rate and slots.
    Enforce(Option<Rate>),
    /// Rate and slots, in appearance.
    Shadow(Option<Rate>),
}

/// The part of a lane that survives a reload, keyed by the route's name.
#[derive(Debug, Default)]
pub(crate) struct LaneState {
    pub bucket: Bucket,
    in_flight: AtomicU32,
    /// Calls that entered under the limit, ever.
    admitted: AtomicU64,
    /// Calls that workers or CPU refused (or, in shadow, would have), ever.
    refused: AtomicU64,
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
    pub demand: Demand,
}

/// A [`Bound`] in atomics. A refusal that races with the slow loop may pair the number of one
/// bound with the reason of the next; its status is right either way.
#[derive(Debug)]
struct Published {
    limit: AtomicU32,
    reason: AtomicU8,
    threshold: AtomicU64,
    /// Capacity where `taken` counts, else the observed share.
    share: AtomicU64,
    /// [`UNLIMITED`]: the share was observed as such.
    taken: AtomicU32,
    retry_after_ns: AtomicU64,
}

// === impl Lane ===

impl Lane {
    /// The lane of a route; carries what its bucket has spent over to the new rate.
    pub(crate) fn new(route: &policy::Route, state: Arc<LaneState>, now: Moment) -> Self {
        let rules = route
            .admission
            .as_ref()
            .filter(|admission| route.class != Class::Interactive && admission.mode != Mode::Off)
            .map(Rules::new);
        if let Some((_, to)) = rules.as_ref().and_then(|rules| rules.rps) {
            let from = state.learned.lock().rate.replace(to).unwrap_or(to);
            state.bucket.rescale(from, to, now);
        }
        Self { state, class: route.class, rules, published: Published::new() }
    }

    pub(crate) fn gate(&self) -> Gate {
        let rate = |rules: &Rules| rules.rps.map(|(_, rate)| rate);
        match &self.rules {
            None => Gate::Open,
            Some(rules) if rules.shadow => Gate::Shadow(rate(rules)),
            Some(rules) => Gate::Enforce(rate(rules)),
        }
    }

    /// Calls in flight at the upstream under which the lane admits.
    pub(crate) fn limit(&self) -> u32 {
        self.published.limit.load(Acquire)
    }

    /// Whether its limit holds real calls back.
    pub(crate) fn is_enforced(&self) -> bool {
        self.rules.as_ref().is_some_and(|rules| !rules.shadow)
    }

    pub(crate) fn publish(&self, bound: Option<&Bound>) {
        self.published.put(bound);
    }

    pub(crate) fn over_rate(&self, wait: Duration) -> Shed {
        let limit = self.rules.as_ref().and_then(|r| r.rps).map_or(0.0, |(rps, _)| rps.limit);
        Shed {
            reason: Reason::Rps,
            observed: limit,
            threshold: limit,
            retry_after: wait,
            limit: limit.ceil() as u32,
        }
    }

    pub(crate) fn over_limit(&self, full: Full) -> Shed {
        self.published.shed(full)
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
        let workers = rules.workers.map(|bounds| share(Reason::Workers.signal(), bounds));
        [rps, cpu, workers].into_iter().flatten().collect()
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

// === impl LaneState ===

impl LaneState {
    /// A call entered, and under the limit.
    pub(crate) fn admitted(&self) {
        self.admitted.fetch_add(1, Relaxed);
        self.entered();
    }

    /// A call entered.
    pub(crate) fn entered(&self) {
        self.in_flight.fetch_add(1, AcqRel);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn left(&self) {
        self.in_flight.fetch_sub(1, Release);
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Acquire)
    }

    /// Calls admitted and refused, ever.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.admitted.load(Relaxed), self.refused.load(Relaxed))
    }
}

// === impl Published ===

impl Published {
    fn new() -> Self {
        Self {
            limit: AtomicU32::new(UNLIMITED),
            reason: AtomicU8::new(0),
            threshold: AtomicU64::new(0),
            share: AtomicU64::new(0),
            taken: AtomicU32::new(UNLIMITED),
            retry_after_ns: AtomicU64::new(0),
        }
    }

    fn put(&self, bound: Option<&Bound>) {
        if let Some(bound) = bound {
            let (share, taken) = match bound.observed {
                Observed::Share(share) => (share, UNLIMITED),
                Observed::Busy { taken, capacity } => (capacity, taken),
            };
            self.reason.store(u8::from(bound.reason == Reason::Cpu), Relaxed);
            self.threshold.store(bound.threshold.to_bits(), Relaxed);
            self.share.store(share.to_bits(), Relaxed);
            self.taken.store(taken, Relaxed);
            self.retry_after_ns.store(nanos(bound.retry_after), Relaxed);
        }
        self.limit.store(Bound::limit_of(bound), Release);
    }

    fn shed(&self, full: Full) -> Shed {
        let share = f64::from_bits(self.share.load(Relaxed));
        let observed = match self.taken.load(Relaxed) {
            UNLIMITED => share,
            taken => (f64::from(full.in_flight) + 1.0 + f64::from(taken)) / share.max(1.0),
        };
        Shed {
            reason: if self.reason.load(Relaxed) == 1 { Reason::Cpu } else { Reason::Workers },
            observed,
            threshold: f64::from_bits(self.threshold.load(Relaxed)),
            retry_after: Duration::from_nanos(self.retry_after_ns.load(Relaxed)),
            limit: full.limit,
        }
    }
}
