//! The readings of an upstream's endpoints, put together.
//!
//! Only endpoints that are up count (all, where none is). What one endpoint does not tell is taken
//! to be as the mean of those that do. CPU is the mean: calls are spread evenly.

use std::time::Duration;

use crate::admission::cpu::CpuNow;
use crate::admission::limit::LoadNow;
use crate::admission::workers::WorkersNow;
use crate::endpoint::Endpoint;
use crate::signals::{
    FRESH_PERIODS, Gauge, PERIOD_DEFAULT, Patience, Sample, SignalState, SignalView,
};
use crate::time::Moment;
use crate::upstream::seen::{self, EndpointSeen, Seen};
use crate::upstream::{Series, Upstream};

/// A mean of what is known.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.sum += value;
            self.count += 1.0;
        }
    }

    fn get(self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

/// The best of the endpoints' states and the newest of their readings.
#[derive(Clone, Copy, Debug)]
struct Newest {
    state: SignalState,
    read_at: Option<Moment>,
}

impl Newest {
    const NONE: Self = Self { state: SignalState::Absent, read_at: None };

    fn add(&mut self, sample: Option<Sample>, patience: Patience, now: Moment) -> SignalState {
        let rank = |state| match state {
            SignalState::Fresh => 3,
            SignalState::Stale => 2,
            SignalState::Expired => 1,
            SignalState::Absent => 0,
        };
        let state = seen::state(sample, patience, now);
        if rank(state) > rank(self.state) {
            self.state = state;
        }
        self.read_at = self.read_at.max(sample.map(|sample| sample.at));
        state
    }
}

impl Upstream {
    /// Everything that limits are computed from, at one moment, but how long calls hold slots.
    pub(super) fn load(&self, seen: &mut Seen, now: Moment) -> LoadNow {
        let endpoints = &seen.endpoints;
        let all_down = endpoints.iter().all(|endpoint| !endpoint.up);
        let counted = || endpoints.iter().filter(|endpoint| all_down || endpoint.up);
        let period = self.policy.signals.as_ref().map_or(PERIOD_DEFAULT, |s| s.every);
        let (workers, stood_in) = self.workers_now(counted, period, now);
        let cpu_upstream = self.cpu_now(counted(), period, now);
        seen.stood_in = stood_in;
        LoadNow {
            workers,
            cpu_upstream,
            cpu_gateway: gateway_cpu_now(seen.own_cpu, now),
            hold_s: None,
            period,
        }
    }

    /// Most workers of an endpoint: as last reported, else as the policy says.
    pub(super) fn capacity_of(&self, endpoint: &Endpoint) -> Option<f64> {
        self.capacity(endpoint.max.last())
    }

    fn capacity(&self, max: Option<Sample>) -> Option<f64> {
        max.map(|sample| sample.value).or(self.policy.workers_max.map(f64::from))
    }

    pub(super) fn signals_of(&self, endpoint: &Endpoint, now: Moment) -> [SignalView; 2] {
        let capacity = self.capacity_of(endpoint);
        let view = |signal, gauge: &Gauge, series, scale: Option<f64>| SignalView {
            endpoint: endpoint.address.to_string(),
            signal,
            value: gauge.last().zip(scale).map(|(sample, scale)| sample.value / scale),
            age: gauge.last().map(|sample| now.since(sample.at)),
            state: gauge.state(self.patience(series), now),
        };
        let mut workers = view("workers", &endpoint.busy, Series::Workers, capacity);
        if workers.state == SignalState::Absent
            && let Some(capacity) = capacity
        {
            // Our own calls are the signal, and never late.
            workers.value = Some(f64::from(endpoint.in_flight()) / capacity);
            workers.age = Some(Duration::ZERO);
            workers.state = SignalState::Fresh;
        }
        [workers, view("cpu", &endpoint.cpu, Series::Cpu, Some(1.0))]
    }

    /// The workers, and whether our own calls stood in for some of them.
    fn workers_now<'a, I>(
        &self,
        counted: impl Fn() -> I,
        period: Duration,
        now: Moment,
    ) -> (WorkersNow, bool)
    where
        I: Iterator<Item = &'a EndpointSeen>,
    {
        let (mut capacity, mut others, mut busy) = (Mean::default(), Mean::default(), 0.0);
        let mut newest = Newest::NONE;
        let (mut pressed, mut silent) = (false, false);
        for endpoint in counted() {
            let state = newest.add(endpoint.busy(), self.patience(Series::Workers), now);
            capacity.add(self.capacity(endpoint.max()));
            pressed |= endpoint
                .pressed()
                .is_some_and(|sample| now.since(sample.at) <= period * FRESH_PERIODS);
            let told = matches!(state, SignalState::Fresh | SignalState::Stale);
            if let Some(reported) = endpoint.busy().filter(|_| told) {
                let own = endpoint.own().map_or(0.0, |sample| sample.value);
                others.add(Some((reported.value - own).max(0.0)));
                busy += reported.value;
            } else {
                busy += f64::from(endpoint.in_flight);
                silent = true;
            }
        }
        let count = counted().count() as f64;
        let patience = Patience { period, expected_since: None };
        let workers = WorkersNow {
            capacity: capacity.get().unwrap_or(0.0) * count,
            others: others.get().unwrap_or(0.0) * count,
            busy,
            state: newest.state,
            read_at: newest.read_at,
            staleness: newest.read_at.map_or(0.0, |at| patience.staleness(at, now)),
            pressed,
            scraped: self.is_scraped(Series::Workers),
            period,
        };
        // Where none tells anything, what is busy decides nothing.
        (workers, silent && newest.state != SignalState::Absent)
    }

    fn cpu_now<'a>(
        &self,
        counted: impl Iterator<Item = &'a EndpointSeen>,
        period: Duration,
        now: Moment,
    ) -> CpuNow {
        let (mut fresh, mut known) = (Mean::default(), Mean::default());
        let mut newest = Newest::NONE;
        for endpoint in counted {
            let state = newest.add(endpoint.cpu(), self.patience(Series::Cpu), now);
            let share = endpoint.cpu().map(|sample| sample.value);
            known.add(share);
            fresh.add(share.filter(|_| state == SignalState::Fresh));
        }
        let patience = Patience { period, expected_since: None };
        CpuNow {
            share: fresh.get().or(known.get()).unwrap_or(0.0),
            state: newest.state,
            read_at: newest.read_at,
            staleness: newest.read_at.map_or(0.0, |at| patience.staleness(at, now)),
            period,
            scraped: self.is_scraped(Series::Cpu),
        }
    }
}

/// The gateway reads its own CPU about once a second.
fn gateway_cpu_now(last: Option<Sample>, now: Moment) -> CpuNow {
    let patience = Patience { period: PERIOD_DEFAULT, expected_since: None };
    CpuNow {
        share: last.map_or(0.0, |sample| sample.value),
        state: seen::state(last, patience, now),
        read_at: last.map(|sample| sample.at),
        staleness: last.map_or(0.0, |sample| patience.staleness(sample.at, now)),
        period: PERIOD_DEFAULT,
        scraped: true,
    }
}
