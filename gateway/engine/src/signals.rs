//! Readings of load, with their age.
//!
//! A reading comes from a scrape or from a response header (ORCA). What cannot be true is dropped:
//! negative values (Tomcat says −1 for "unknown"), values that are not finite, a maximum of zero.
//! A signal is *fresh* until two periods old, then *stale*, and *expired* from ten periods on.
//! A signal that only responses carry cannot be missing while there are no responses: where
//! nothing is scraped and nothing was ever read, it stays *absent* for ever.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

use crate::time::{Moment, nanos};

/// Periods for which a reading is fresh: one may be lost without anything happening.
pub const FRESH_PERIODS: u32 = 2;

/// Periods after which a reading is worth nothing: `on_stale` decides.
pub const EXPIRED_PERIODS: u32 = 10;

/// Most workers of one endpoint that are believed; more is a misread series.
pub const WORKERS_MAX: f64 = 1e6;

/// Period assumed where nothing is scraped (ORCA headers, the gateway's own CPU).
pub const PERIOD_DEFAULT: Duration = Duration::from_secs(1);

/// One reading of an endpoint's load; what the source did not say is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Busy workers.
    pub busy: Option<f64>,
    /// Most workers.
    pub max: Option<f64>,
    /// CPU share, 0..=1 (up to [`Reading::CPU_MAX`] where a source counts bursts).
    pub cpu: Option<f64>,
    /// Own calls in flight when the scrape was *sent*. The larger of this and those in flight when
    /// it came back counts as ours: a call that ended in between was still busy over there.
    pub own_in_flight: Option<u32>,
}

impl Reading {
    /// Largest CPU share that is believed: ORCA's may exceed 1 in a burst. More is a percentage or a
    /// nonsense, and 7 % read as 700 % would refuse everything.
    pub const CPU_MAX: f64 = 2.0;

    /// The reading without what cannot be true.
    #[must_use]
    pub fn sound(self) -> Self {
        let workers = |v: &f64| v.is_finite() && (0.0..=WORKERS_MAX).contains(v);
        Self {
            busy: self.busy.filter(workers),
            max: self.max.filter(workers).filter(|max| *max > 0.0),
            cpu: self.cpu.filter(|v| v.is_finite() && (0.0..=Self::CPU_MAX).contains(v)),
            own_in_flight: self.own_in_flight,
        }
    }
}

/// How much a signal's last reading is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalState {
    /// At most two periods old.
    Fresh,
    /// Older: the limit holds, then drifts to the proven one.
    Stale,
    /// Ten periods old: `on_stale` decides.
    Expired,
    /// Never read, and not (yet) missed.
    Absent,
}

impl SignalState {
    /// As in the admin API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Expired => "expired",
            Self::Absent => "absent",
        }
    }
}

/// One signal of one endpoint, for people and metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalView {
    /// The endpoint as a URL.
    pub endpoint: String,
    /// `workers` (busy as a share of most) or `cpu`.
    pub signal: &'static str,
    /// Last sound value, a share.
    pub value: Option<f64>,
    /// Its age.
    pub age: Option<Duration>,
    /// What it is worth.
    pub state: SignalState,
}

impl SignalView {
    /// Of an upstream's endpoints the most loaded one with the freshest kind of reading.
    pub fn worst<'a>(views: &'a [Self], signal: &str) -> Option<&'a Self> {
        let worth = |state| match state {
            SignalState::Fresh => 3,
            SignalState::Stale => 2,
            SignalState::Expired => 1,
            SignalState::Absent => 0,
        };
        views.iter().filter(|view| view.signal == signal).max_by(|a, b| {
            let by_worth = worth(a.state).cmp(&worth(b.state));
            by_worth.then(a.value.unwrap_or(-1.0).total_cmp(&b.value.unwrap_or(-1.0)))
        })
    }
}

/// The last value of one quantity and when it was read. Lock-free: readings may come with every
/// response. A reader may pair a value with the time of one read microseconds apart; no decision
/// depends on that.
#[derive(Debug)]
pub(crate) struct Gauge {
    bits: AtomicU64,
    /// Nanoseconds of the moment plus one; zero: never.
    at: AtomicU64,
}

/// A value and when it was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    pub value: f64,
    pub at: Moment,
}

/// How long a source may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    pub period: Duration,
    /// Since when a first reading is expected; `None`: it never is (nothing is scraped).
    pub expected_since: Option<Moment>,
}

// === impl Gauge ===

impl Gauge {
    pub(crate) fn new() -> Self {
        Self { bits: AtomicU64::new(0), at: AtomicU64::new(0) }
    }

    pub(crate) fn set(&self, value: f64, now: Moment) {
        self.bits.store(value.to_bits(), Relaxed);
        self.at.store(now.nanos().saturating_add(1), Release);
    }

    pub(crate) fn last(&self) -> Option<Sample> {
        let at = self.at.load(Acquire).checked_sub(1)?;
        let value = f64::from_bits(self.bits.load(Relaxed));
        Some(Sample { value, at: Moment::from_nanos(at) })
    }

    pub(crate) fn state(&self, patience: Patience, now: Moment) -> SignalState {
        patience.state(self.last().map(|sample| sample.at), now)
    }
}

// === impl Patience ===

impl Patience {
    /// What a reading taken at `at` is worth now.
    pub(crate) fn state(self, at: Option<Moment>, now: Moment) -> SignalState {
        let Some(at) = at else {
            return match self.expected_since {
                Some(since) if self.periods(now.since(since)) >= f64::from(EXPIRED_PERIODS) => {
                    SignalState::Expired
                }
                _ => SignalState::Absent,
            };
        };
        let periods = self.periods(now.since(at));
        if periods <= f64::from(FRESH_PERIODS) {
            SignalState::Fresh
        } else if periods < f64::from(EXPIRED_PERIODS) {
            SignalState::Stale
        } else {
            SignalState::Expired
        }
    }

    /// How far a stale reading has gone from fresh (0) to expired (1).
    pub(crate) fn staleness(self, at: Moment, now: Moment) -> f64 {
        let fresh = f64::from(FRESH_PERIODS);
        let past = self.periods(now.since(at)) - fresh;
        (past / (f64::from(EXPIRED_PERIODS) - fresh)).clamp(0.0, 1.0)
    }

    fn periods(self, age: Duration) -> f64 {
        nanos(age) as f64 / nanos(self.period).max(1) as f64
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
