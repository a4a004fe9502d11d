//! The readings of an upstream's endpoints, put together.
//!
//! Only endpoints that are up count (all, where none is). What one endpoint does not tell is taken
//! to be as the mean of those that do. CPU is the mean: calls are spread evenly.

use std::sync::Arc;
use std::time::Duration;

use crate::admission::cpu::CpuNow;
use crate::admission::limit::LoadNow;
use crate::admission::workers::WorkersNow;
use crate::endpoint::Endpoint;
use crate::signals::{FRESH_PERIODS, Gauge, PERIOD_DEFAULT, Patience, SignalState, SignalView};
use crate::time::Moment;
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

    fn add(&mut self, gauge: &Gauge, patience: Patience, now: Moment) -> SignalState {
        let rank = |state| match state {
            SignalState::Fresh => 3,
            SignalState::Stale => 2,
            SignalState::Expired => 1,
            SignalState::Absent => 0,
        };
        let state = gauge.state(patience, now);
        if rank(state) > rank(self.state) {
            self.state = state;
        }
        self.read_at = self.read_at.max(gauge.last().map(|sample| sample.at));
        state
    }
}

impl Upstream {
    /// Everything that limits are computed from, at one moment, but how long calls hold slots.
    pub(super) fn load(&self, now: Moment) -> LoadNow {
        let all_down = self.endpoints.iter().all(|endpoint| !endpoint.is_up());
        let counted = || self.endpoints.iter().filter(|e| all_down || e.is_up());
        let period = self.policy.signals.as_ref().map_or(PERIOD_DEFAULT, |s| s.every);
        LoadNow {
            workers: self.workers_now(counted, period, now),
            cpu_upstream: self.cpu_now(counted(), period, now),
            cpu_gateway: self.gateway_cpu_now(now),
            hold_s: None,
            period,
        }
    }

    /// Most workers of an endpoint: as last reported, else as the policy says.
    pub(super) fn capacity_of(&self, endpoint: &Endpoint) -> Option<f64> {
        let reported = endpoint.max.last().map(|sample| sample.value);
        reported.or(self.policy.workers_max.map(f64::from))
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

    fn workers_now<'a, I>(
        &'a self,
        counted: impl Fn() -> I,
        period: Duration,
        now: Moment,
    ) -> WorkersNow
    where
        I: Iterator<Item = &'a Arc<Endpoint>>,
    {
        let (mut capacity, mut others, mut busy) = (Mean::default(), Mean::default(), 0.0);
        let mut newest = Newest::NONE;
        let mut pressed = false;
        for endpoint in counted() {
            let state = newest.add(&endpoint.busy, self.patience(Series::Workers), now);
            capacity.add(self.capacity_of(endpoint));
            pressed |= endpoint
                .pressed
                .last()
                .is_some_and(|sample| now.since(sample.at) <= period * FRESH_PERIODS);
            let told = matches!(state, SignalState::Fresh | SignalState::Stale);
            if let Some(reported) = endpoint.busy.last().filter(|_| told) {
                let own = endpoint.own.last().map_or(0.0, |sample| sample.value);
                others.add(Some((reported.value - own).max(0.0)));
                busy += reported.value;
            } else {
                busy += f64::from(endpoint.in_flight());
            }
        }
        let count = counted().count() as f64;
        let patience = Patience { period, expected_since: None };
        WorkersNow {
            capacity: capacity.get().unwrap_or(0.0) * count,
            others: others.get().unwrap_or(0.0) * count,
            busy,
            state: newest.state,
            read_at: newest.read_at,
            staleness: newest.read_at.map_or(0.0, |at| patience.staleness(at, now)),
            pressed,
            scraped: self.is_scraped(Series::Workers),
            period,
        }
    }

    fn cpu_now<'a>(
        &self,
        counted: impl Iterator<Item = &'a Arc<Endpoint>>,
        period: Duration,
        now: Moment,
    ) -> CpuNow {
        let (mut fresh, mut known) = (Mean::default(), Mean::default());
        let mut newest = Newest::NONE;
        for endpoint in counted {
            let state = newest.add(&endpoint.cpu, self.patience(Series::Cpu), now);
            let share = endpoint.cpu.last().map(|sample| sample.value);
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

    /// The gateway reads its own CPU about once a second.
    fn gateway_cpu_now(&self, now: Moment) -> CpuNow {
        let patience = Patience { period: PERIOD_DEFAULT, expected_since: None };
        let last = self.gateway_cpu.last();
        CpuNow {
            share: last.map_or(0.0, |sample| sample.value),
            state: self.gateway_cpu.state(patience, now),
            read_at: last.map(|sample| sample.at),
            staleness: last.map_or(0.0, |sample| patience.staleness(sample.at, now)),
            period: PERIOD_DEFAULT,
            scraped: true,
        }
    }
}
