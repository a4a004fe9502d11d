//! A service behind the gateway: its endpoints, its calls in flight, and the slow loop that turns
//! readings into the limits of its lanes.
//!
//! The slow loop runs on every tick and, at most once per `REFRESH_EVERY_PER_LANE` and lane, on
//! readings; it may lock, the fast loop never meets those locks.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use sumun_policy::policy::{self, Source};

use crate::admission::lane::Lane;
use crate::admission::wait::line::Line;
use crate::admission::wait::{Asked, Handed};
use crate::endpoint::{self, Endpoint};
use crate::journal::Made;
use crate::live::Recorder;
use crate::signals::{Gauge, PERIOD_DEFAULT, Patience, Reading, SignalView};
use crate::slots::{Slots, UNLIMITED};
use crate::time::Moment;
use crate::upstream::recorded::Recorded;
use crate::upstream::turn::Scratch;

mod load;
mod recorded;
pub(crate) mod seen;
mod turn;

/// Least time between two refreshes by readings, times lanes: ORCA headers come with every
/// response, and limits cost about 0.1 µs a lane. Keeps the slow loop under a tenth of a core.
const REFRESH_EVERY_PER_LANE: Duration = Duration::from_micros(1);

/// Least time between two refreshes by readings, however few lanes.
const REFRESH_EVERY_MIN: Duration = Duration::from_millis(1);

/// A service of one policy revision, with its live load.
#[derive(Debug)]
pub struct Upstream {
    /// As written.
    pub policy: policy::Upstream,
    /// Its place in [`crate::Snapshot::upstreams`].
    pub index: usize,
    pub(crate) state: Arc<UpstreamState>,
    endpoints: Vec<Arc<Endpoint>>,
    lanes: Vec<Arc<Lane>>,
    /// Whether a lane is in shadow mode: then what would be in flight is counted, too.
    has_shadow: bool,
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
    /// What would be in flight had the lanes in shadow mode refused. Counted from the first
    /// revision on that has such a lane; calls let in before it are never seen here.
    pub shadow: Slots,
    /// Who waits for one of `slots`.
    pub line: Line<Asked>,
    /// How long a call typically holds its slot; 0: not known yet, so nobody waits.
    pub hold_ns: AtomicU64,
    generation: AtomicU64,
    refreshed_at: AtomicU64,
    /// What is kept for a replay, where anything is.
    recorded: Option<Recorded>,
    /// Holding it is running the slow loop.
    slow: Mutex<Scratch>,
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
        let Parts { policy, index, state, endpoints, lanes, gateway_cpu, generation, since } =
            parts;
        let has_shadow = lanes.iter().any(|lane| lane.is_shadow());
        Self { policy, index, state, endpoints, lanes, has_shadow, gateway_cpu, generation, since }
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

    /// Calls that wait for a slot.
    pub fn waiting(&self) -> usize {
        self.state.line.waiting()
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

    /// Makes this object the one that sets limits. Waits for a round under the older policy, and keeps
    /// others away until it has [begun](Installing::begin).
    pub(crate) fn install(&self) -> Installing<'_> {
        let scratch = self.state.slow.lock();
        self.state.generation.store(self.generation, Release);
        Installing { upstream: self, scratch }
    }

    /// One turn of the slow loop. Where another thread is in it, that one does.
    pub(crate) fn refresh(&self, now: Moment) {
        let Some(mut scratch) = self.state.slow.try_lock() else { return };
        if self.state.generation.load(Acquire) == self.generation {
            self.round(&mut scratch, now);
        }
    }

    pub(crate) fn has_shadow(&self) -> bool {
        self.has_shadow
    }

    fn turn_from_last(&self, scratch: &mut Scratch, now: Moment) -> Handed {
        let last = Moment::from_nanos(self.state.refreshed_at.swap(now.nanos(), Relaxed));
        let elapsed = if last == Moment::default() { Duration::ZERO } else { now.since(last) };
        self.turn(scratch, elapsed, now)
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

/// An upstream of a policy that is about to come into force: its slow loop is held.
pub(crate) struct Installing<'a> {
    upstream: &'a Upstream,
    scratch: MutexGuard<'a, Scratch>,
}

impl Installing<'_> {
    /// The first round: its lanes must not begin without limits. In the turn with this stamp, where
    /// turns are taken; drop what it returns after the turn.
    pub(crate) fn begin(mut self, stamp: Option<u64>, now: Moment) -> Handed {
        let handed = self.upstream.turn_from_last(&mut self.scratch, now);
        let generation = self.upstream.generation;
        let made = stamp.map(|stamp| Made { at: now, stamp, generation, installs: true });
        self.upstream.keep(made, &mut self.scratch);
        handed
    }
}

/// A quantity that may be scraped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Series {
    Workers,
    Cpu,
}

// === impl UpstreamState ===

impl UpstreamState {
    pub(crate) fn new(recorder: Option<&Recorder>) -> Self {
        Self {
            recorded: recorder.map(Recorded::new),
            slots: Slots::new(UNLIMITED),
            shadow: Slots::new(UNLIMITED),
            line: Line::new(),
            hold_ns: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            refreshed_at: AtomicU64::new(0),
            slow: Mutex::new(Scratch::default()),
        }
    }

    /// Frees a slot: it goes to whoever waits first, where somebody does.
    pub(crate) fn leave(&self) -> Handed {
        if self.slots.leave() { self.line.pass_on(&self.slots) } else { Handed::default() }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
