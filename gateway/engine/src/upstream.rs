//! A service behind the gateway: its endpoints, its calls in flight, and the slow loop that turns
//! readings into the limits of its lanes.
//!
//! The slow loop runs on every tick and, at most once per `REFRESH_EVERY_PER_LANE` and lane, on
//! readings; it may lock, the fast loop never meets those locks.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use parking_lot::Mutex;
use sumun_policy::policy::{self, Source};

use crate::admission::Bound;
use crate::admission::classes::{self, Rank};
use crate::admission::demand::{Demand, Wanted};
use crate::admission::lane::Lane;
use crate::admission::limit::{self, LoadNow};
use crate::endpoint::{self, Endpoint};
use crate::journal::{Journal, Made, Note};
use crate::live::Recorder;
use crate::order::{Order, Turn};
use crate::signals::{Gauge, PERIOD_DEFAULT, Patience, Reading, SignalView};
use crate::slots::{Slots, UNLIMITED};
use crate::time::{Moment, nanos};

mod load;

/// Least time between two refreshes by readings, times lanes: ORCA headers come with every
/// response, and limits cost about 0.1 µs a lane. Keeps the slow loop under a tenth of a core.
const REFRESH_EVERY_PER_LANE: Duration = Duration::from_micros(1);

/// Least time between two refreshes by readings, however few lanes.
const REFRESH_EVERY_MIN: Duration = Duration::from_millis(1);

/// Turns between two looks for notes that are too old.
const FORGET_EVERY_TURNS: u64 = 64;

/// A service of one policy revision, with its live load.
#[derive(Debug)]
pub struct Upstream {
    /// As written.
    pub policy: policy::Upstream,
    /// Its place in [`crate::Snapshot::upstreams`].
    pub index: usize,
    pub(crate) state: Arc<UpstreamState>,
    endpoints: Vec<Arc<Endpoint>>,
    /// Highest class first.
    lanes: Vec<Arc<Lane>>,
    gateway_cpu: Arc<Gauge>,
    /// Only the newest snapshot's object sets limits.
    generation: u64,
    /// When it was compiled: what it scrapes is expected from then on.
    since: Moment,
}

/// The part of an upstream that survives a reload.
#[derive(Debug)]
pub(crate) struct UpstreamState {
    pub slots: Slots,
    /// Calls in flight that shadow lanes would have refused.
    pub surplus: AtomicU32,
    generation: AtomicU64,
    refreshed_at: AtomicU64,
    /// What is kept for a replay, where anything is.
    recorded: Option<Recorded>,
    /// Scratch space of the slow loop; holding it is running it.
    slow: Mutex<Vec<Rank>>,
}

/// What is kept of an upstream for a replay.
#[derive(Debug)]
struct Recorded {
    order: Order,
    journal: Mutex<Journal>,
    keep: Duration,
}

/// What a snapshot builds an upstream from.
pub(crate) struct Parts {
    pub policy: policy::Upstream,
    pub index: usize,
    pub state: Arc<UpstreamState>,
    pub endpoints: Vec<Arc<Endpoint>>,
    pub lanes: Vec<Arc<Lane>>,
    pub gateway_cpu: Arc<Gauge>,
    pub generation: u64,
    pub since: Moment,
}

// === impl Upstream ===

impl Upstream {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { policy, index, state, endpoints, mut lanes, gateway_cpu, generation, since } =
            parts;
        lanes.sort_by_key(|lane| std::cmp::Reverse(lane.class));
        Self { policy, index, state, endpoints, lanes, gateway_cpu, generation, since }
    }

    /// Its instances, in the order of the policy; never empty.
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// Where the next call goes: power of two choices on calls in flight among usable endpoints,
    /// avoiding `avoid` where another is usable. `None`: no usable endpoint. `random` is any
    /// uniform number; the engine has no dice.
    pub fn pick(
        &self,
        random: u64,
        avoid: Option<&Arc<Endpoint>>,
        now: Moment,
    ) -> Option<Arc<Endpoint>> {
        endpoint::pick(&self.endpoints, random, avoid, now)
    }

    /// Takes a scrape or a response header; what cannot be true of it is dropped.
    pub fn observe(&self, endpoint: &Endpoint, reading: &Reading, now: Moment) {
        endpoint.keep(reading, now);
        let every = REFRESH_EVERY_PER_LANE.saturating_mul(self.lanes.len() as u32);
        let last = Moment::from_nanos(self.state.refreshed_at.load(Relaxed));
        if last == Moment::default() || now.since(last) >= every.max(REFRESH_EVERY_MIN) {
            self.refresh(now);
        }
    }

    /// A scrape failed. Where half of the endpoint's workers or more are busy with our calls, that
    /// is evidence of pressure: limits do not rise until two periods later.
    pub fn scrape_failed(&self, endpoint: &Endpoint, now: Moment) {
        let capacity = self.capacity_of(endpoint).unwrap_or(f64::INFINITY);
        if f64::from(endpoint.in_flight()) * 2.0 >= capacity {
            endpoint.pressed.set(1.0, now);
        }
    }

    /// Takes a turn, for a decision or the end of a call; `None` where nothing is recorded. Hold it
    /// over the decision and its consequences, not longer.
    pub fn turn(&self) -> Option<Turn<'_>> {
        self.state.recorded.as_ref().map(|recorded| recorded.order.take())
    }

    /// Calls in flight, of all its routes.
    pub fn in_flight(&self) -> u32 {
        self.state.slots.in_flight()
    }

    /// The largest limit of its routes that shed; `None`: at least one of them, or all, have none.
    pub fn limit(&self) -> Option<u32> {
        Some(self.state.slots.limit()).filter(|limit| *limit != UNLIMITED)
    }

    /// The signals of each endpoint, with their age.
    pub fn signals(&self, now: Moment) -> Vec<SignalView> {
        self.endpoints.iter().flat_map(|endpoint| self.signals_of(endpoint, now)).collect()
    }

    /// Makes this object the one that sets limits, and sets them.
    pub(crate) fn install(&self, now: Moment) {
        self.state.generation.store(self.generation, Release);
        // Waits for a turn under the older policy: these lanes must not begin without limits.
        let mut ranks = self.state.slow.lock();
        self.noted_turn(&mut ranks, now, true);
    }

    /// One turn of the slow loop. Where another thread is in it, that one does.
    pub(crate) fn refresh(&self, now: Moment) {
        let Some(mut ranks) = self.state.slow.try_lock() else { return };
        if self.state.generation.load(Acquire) == self.generation {
            self.noted_turn(&mut ranks, now, false);
        }
    }

    /// A turn, and what is kept of it where anything is.
    fn noted_turn(&self, ranks: &mut Vec<Rank>, now: Moment, installs: bool) {
        let Some(recorded) = &self.state.recorded else { return self.compute(ranks, now) };
        let turn = recorded.order.take();
        let made = Made { at: now, number: turn.number, generation: self.generation, installs };
        self.compute(ranks, now);
        drop(turn);
        let mut journal = recorded.journal.lock();
        journal.note(made, &self.endpoints, &self.gateway_cpu);
        if made.number.is_multiple_of(FORGET_EVERY_TURNS) {
            let kept_ns = now.nanos().saturating_sub(nanos(recorded.keep));
            journal.forget_before(Moment::from_nanos(kept_ns));
        }
    }

    fn compute(&self, ranks: &mut Vec<Rank>, now: Moment) {
        self.state.refreshed_at.store(now.nanos(), Relaxed);
        let flows = self.lanes.iter().map(|lane| {
            let mut learned = lane.state.learned.lock();
            learned.demand.sample(lane.state.counts(), lane.state.in_flight(), now);
            learned.demand.flow()
        });
        let hold_s = Demand::hold_s(flows);
        let load = self.load(hold_s, now);
        ranks.clear();
        ranks.extend(self.lanes.iter().map(|lane| rank(lane, &load, now)));
        classes::order(ranks);
        for (lane, rank) in self.lanes.iter().zip(ranks.iter()) {
            lane.publish(rank.bound.as_ref());
        }
        let enforced = ranks.iter().filter(|rank| rank.enforced);
        let widest = enforced.map(|rank| Bound::limit_of(rank.bound.as_ref())).max();
        self.state.slots.set_limit(widest.unwrap_or(UNLIMITED));
    }

    /// How long a quantity may be silent. One that never spoke is missed ten periods after the
    /// compilation, so a policy that begins to scrape is not closed before its first scrape.
    fn patience(&self, series: Series) -> Patience {
        let signals = self.policy.signals.as_ref();
        let expected = match series {
            // Where the policy tells the capacity, a signal that never spoke is not missed.
            Series::Workers => self.is_scraped(series) && self.policy.workers_max.is_none(),
            Series::Cpu => self.is_scraped(series),
        };
        Patience {
            period: signals.map_or(PERIOD_DEFAULT, |signals| signals.every),
            expected_since: expected.then_some(self.since),
        }
    }

    fn is_scraped(&self, series: Series) -> bool {
        let Some(signals) = &self.policy.signals else { return false };
        signals.source != Source::Orca
            && match series {
                Series::Workers => signals.workers.is_some(),
                Series::Cpu => signals.cpu.is_some(),
            }
    }
}

/// A quantity that may be scraped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Series {
    Workers,
    Cpu,
}

fn rank(lane: &Lane, load: &LoadNow, now: Moment) -> Rank {
    let mut learned = lane.state.learned.lock();
    let (bound, wanted) = match &lane.rules {
        None => (None, Wanted::default()),
        Some(rules) => {
            (limit::bound(rules, &mut learned, load, now), learned.demand.wanted(load.hold_s))
        }
    };
    Rank { class: lane.class, enforced: lane.is_enforced(), bound, wanted }
}

// === impl UpstreamState ===

impl UpstreamState {
    pub(crate) fn new(recorder: Option<&Recorder>) -> Self {
        let recorded = |recorder: &Recorder| Recorded {
            order: Order::default(),
            journal: Mutex::new(Journal::new(Arc::clone(&recorder.budget))),
            keep: recorder.keep,
        };
        Self {
            recorded: recorder.map(recorded),
            slots: Slots::new(UNLIMITED),
            surplus: AtomicU32::new(0),
            generation: AtomicU64::new(0),
            refreshed_at: AtomicU64::new(0),
            slow: Mutex::new(Vec::new()),
        }
    }

    /// Turns that overlapped another, ever.
    pub(crate) fn overlapped(&self) -> u64 {
        self.recorded.as_ref().map_or(0, |recorded| recorded.order.overlapped())
    }

    /// What its slow loop saw, and the number of its last turn; `None` where nothing is recorded.
    pub(crate) fn journal(&self) -> Option<(Vec<Note>, u64)> {
        let recorded = self.recorded.as_ref()?;
        let notes = recorded.journal.lock().notes();
        Some((notes, recorded.order.last()))
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
