//! One instance of an upstream: its load, its signals, and a passive breaker.
//!
//! A run of [`FAILURES_MAX`] failures in a row takes an endpoint *down*: it gets no calls but one
//! probe each [`PROBE_EVERY`], so it serves again within a second of its return. One success takes
//! it up. The last endpoints are never given up: where all of an upstream's are down, each may
//! still be tried by a few calls at once ([`LAST_RESORT_IN_FLIGHT_MAX`]), so callers hear what is
//! wrong with it, and a black hole holds only those few.

use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use sumun_policy::policy;

use crate::signals::{Gauge, Reading};
use crate::time::Moment;

/// Failures in a row that take an endpoint down. One may be a closed idle connection.
pub const FAILURES_MAX: u32 = 3;

/// Time between two probes of an endpoint that is down.
pub const PROBE_EVERY: Duration = Duration::from_millis(500);

/// Calls in flight that an endpoint which is down may have where no other is up. Bounds what a
/// black hole can hold.
pub const LAST_RESORT_IN_FLIGHT_MAX: u32 = 8;

/// Gauges of an endpoint, as [`Endpoint::gauges`] tells them.
pub(crate) const GAUGES: usize = 5;

/// One instance of an upstream. Survives reloads: health and load belong to the address.
#[derive(Debug)]
pub struct Endpoint {
    /// Where it is.
    pub address: policy::Endpoint,
    /// `host:port`, made once: what logs and metrics call it.
    pub label: Arc<str>,
    in_flight: AtomicU32,
    /// Failures in a row.
    failures: AtomicU32,
    /// While down: when the next probe may go, nanoseconds plus one. Zero: up.
    probe_at: AtomicU64,
    pub(crate) busy: Gauge,
    /// Own calls in flight at the reading of `busy`.
    pub(crate) own: Gauge,
    pub(crate) max: Gauge,
    pub(crate) cpu: Gauge,
    /// The last scrape that failed while we were sending much.
    pub(crate) pressed: Gauge,
}

/// A call in flight at an endpoint; ends when dropped.
#[derive(Debug)]
#[must_use = "dropping a load ends it"]
pub struct Load {
    endpoint: Arc<Endpoint>,
}

/// What an endpoint is doing, for people and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointView {
    /// Its URL.
    pub address: String,
    /// `up`, `down`, or `probing`: down, and a probe may go.
    pub state: &'static str,
    /// Calls in flight.
    pub in_flight: u32,
    /// Failures in a row.
    pub failures: u32,
}

// === impl Endpoint ===

impl Endpoint {
    pub(crate) fn new(address: policy::Endpoint) -> Self {
        let label = format!("{}:{}", address.host, address.port).into();
        Self {
            address,
            label,
            in_flight: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            probe_at: AtomicU64::new(0),
            busy: Gauge::new(),
            own: Gauge::new(),
            max: Gauge::new(),
            cpu: Gauge::new(),
            pressed: Gauge::new(),
        }
    }

    /// Begins a call; it ends when the guard is dropped.
    pub fn begin(self: &Arc<Self>) -> Load {
        self.in_flight.fetch_add(1, AcqRel);
        Load { endpoint: Arc::clone(self) }
    }

    /// A call reached it: whatever it answered, it is there.
    pub fn succeeded(&self, _now: Moment) {
        // Loads first: the line stays shared between cores while all is well.
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
        if self.probe_at.load(Relaxed) != 0 {
            self.probe_at.store(0, Release);
        }
    }

    /// A connection could not be made or was reset before an answer.
    pub fn failed(&self, now: Moment) {
        let failures = self.failures.fetch_add(1, AcqRel).saturating_add(1);
        if failures >= FAILURES_MAX {
            // While down the running schedule stays: late failures must not put the probe off.
            let _ = self.probe_at.compare_exchange(0, probe_after(now), AcqRel, Relaxed);
        }
    }

    /// Claims the probe that is due, if one is: at most one caller each [`PROBE_EVERY`] gets it.
    /// For a background prober and for [`crate::Upstream::pick`] alike.
    pub fn claim_probe(&self, now: Moment) -> bool {
        let due = self.probe_at.load(Acquire);
        due != 0
            && due <= now.nanos().saturating_add(1)
            && self.probe_at.compare_exchange(due, probe_after(now), AcqRel, Relaxed).is_ok()
    }

    /// Whether it takes calls.
    pub fn is_up(&self) -> bool {
        self.probe_at.load(Acquire) == 0
    }

    /// Calls in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Acquire)
    }

    /// Whether it ever told its load, by a scrape or a response header.
    pub fn was_heard(&self) -> bool {
        [&self.busy, &self.max, &self.cpu].iter().any(|gauge| gauge.last().is_some())
    }

    /// What it is doing.
    pub fn view(&self, now: Moment) -> EndpointView {
        let state = match self.probe_at.load(Acquire) {
            0 => "up",
            due if due <= now.nanos().saturating_add(1) => "probing",
            _ => "down",
        };
        EndpointView {
            address: self.address.to_string(),
            state,
            in_flight: self.in_flight(),
            failures: self.failures.load(Relaxed),
        }
    }

    /// Everything that is read of it, in an order that stays.
    pub(crate) fn gauges(&self) -> [&Gauge; GAUGES] {
        [&self.busy, &self.own, &self.max, &self.cpu, &self.pressed]
    }

    /// Puts it up or down, as a replay found it.
    pub(crate) fn set_up(&self, up: bool) {
        self.probe_at.store(if up { 0 } else { u64::MAX }, Release);
    }

    /// Counts this many calls in flight, as a replay found them.
    pub(crate) fn set_in_flight(&self, calls: u32) {
        self.in_flight.store(calls, Release);
    }

    /// Keeps what is sound of a reading.
    pub(crate) fn keep(&self, reading: &Reading, now: Moment) {
        let sound = reading.sound();
        if let Some(max) = sound.max {
            self.max.set(max, now);
        }
        if let Some(busy) = sound.busy {
            let own = self.in_flight().max(sound.own_in_flight.unwrap_or(0));
            self.own.set(f64::from(own), now);
            self.busy.set(busy, now);
        }
        if let Some(cpu) = sound.cpu {
            self.cpu.set(cpu, now);
        }
    }
}

fn probe_after(now: Moment) -> u64 {
    now.plus(PROBE_EVERY).nanos().saturating_add(1)
}

// === impl Load ===

impl Load {
    /// Where the call is.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.endpoint.in_flight.fetch_sub(1, Release);
    }
}

// === choosing ===

/// Power of two choices on calls in flight among those that are up, avoiding `avoid` where another
/// is up; a due probe goes first, so that a recovered endpoint is found although all others serve.
pub(crate) fn pick(
    endpoints: &[Arc<Endpoint>],
    random: u64,
    avoid: Option<&Arc<Endpoint>>,
    now: Moment,
) -> Option<Arc<Endpoint>> {
    let avoided = |e: &Arc<Endpoint>| avoid.is_some_and(|a| Arc::ptr_eq(a, e));
    // A second attempt is somebody's last: it is not spent on a probe.
    if avoid.is_none()
        && let Some(due) = endpoints.iter().find(|e| e.claim_probe(now))
    {
        return Some(Arc::clone(due));
    }
    let has_room = |e: &Arc<Endpoint>| e.in_flight() < LAST_RESORT_IN_FLIGHT_MAX;
    two_choices(endpoints, |e| e.is_up() && !avoided(e), random)
        .or_else(|| two_choices(endpoints, |e| e.is_up(), random))
        .or_else(|| two_choices(endpoints, |e| has_room(e) && !avoided(e), random))
        .or_else(|| two_choices(endpoints, has_room, random))
        .map(Arc::clone)
}

/// The less loaded of two different ones drawn among those that fit. Health may change between
/// counting and drawing; then the first that fits is good enough.
fn two_choices(
    endpoints: &[Arc<Endpoint>],
    fits: impl Fn(&Arc<Endpoint>) -> bool,
    random: u64,
) -> Option<&Arc<Endpoint>> {
    let usable = || endpoints.iter().filter(|e| fits(e));
    let count = usable().count() as u64;
    if count < 2 {
        return usable().next();
    }
    let first = (random & 0xffff_ffff) % count;
    let other = (first + 1 + (random >> 32) % (count - 1)) % count;
    let nth = |n: u64| usable().nth(n as usize).or_else(|| usable().next());
    match (nth(first), nth(other)) {
        (Some(a), Some(b)) if b.in_flight() < a.in_flight() => Some(b),
        (a, b) => a.or(b),
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
