//! One second of each thing, in the order of [`super::columns`].

use std::cell::OnceCell;

use sumun_engine::quota::{FunctionView, PoolView};
use sumun_engine::signals::{SignalState, SignalView};
use sumun_engine::{Route, Upstream};
use sumun_policy::policy::CpuOf;
use sumun_policy::units::Name;

use super::Observed;
use crate::telemetry::step::Step;

/// The gateway in one second.
pub(super) struct Turn {
    /// Since 1970.
    pub second: u64,
    /// Seconds since the last turn.
    pub elapsed_s: u64,
    observed: Observed,
    /// Of each upstream, read of the engine when first asked for.
    loads: Vec<OnceCell<Loads>>,
}

/// The signals of an upstream, of its most loaded endpoint; NaN: unknown, or known too long.
#[derive(Clone, Copy)]
struct Loads {
    cpu: f32,
    workers: f32,
}

// === impl Turn ===

impl Turn {
    pub(super) fn new(second: u64, elapsed_s: u64, observed: Observed) -> Self {
        let loads = observed.snapshot.upstreams().iter().map(|_| OnceCell::new()).collect();
        Self { second, elapsed_s, observed, loads }
    }

    pub(super) fn observed(&self) -> &Observed {
        &self.observed
    }

    /// The route of a name in the running policy, whose routes are sorted by name.
    pub(super) fn find(&self, name: &Name) -> Option<&Route> {
        let routes = self.observed.snapshot.routes();
        let at = routes.binary_search_by(|route| route.policy.name.cmp(name)).ok()?;
        Some(&routes[at])
    }

    pub(super) fn route(&self, step: &Step, route: Option<&Route>) -> Vec<f32> {
        let mut row = self.calls(step);
        let Some(route) = route else {
            row.extend([f32::NAN; 7]); // its last calls end after the policy that named it
            return row;
        };
        let loads = self.loads(&route.upstream);
        let cpu = route.policy.admission.as_ref().and_then(|admission| admission.cpu);
        let is_own = cpu.is_some_and(|cpu| cpu.of == CpuOf::Gateway);
        let mut thresholds = [f32::NAN; 3];
        for threshold in route.thresholds() {
            let at = ["rps", "cpu", "workers"].iter().position(|name| *name == threshold.signal);
            if let Some(at) = at {
                thresholds[at] = threshold.enter as f32;
            }
        }
        row.extend([
            route.in_flight() as f32,
            known(route.limit().map(f64::from)),
            if is_own { known(self.observed.own_cpu) } else { loads.cpu },
            loads.workers,
        ]);
        row.extend(thresholds);
        row
    }

    pub(super) fn gateway(&self, step: &Step) -> Vec<f32> {
        let in_flight: u32 = self.observed.snapshot.routes().iter().map(|r| r.in_flight()).sum();
        let mut row = self.calls(step);
        let connections = self.observed.connections as f32;
        row.extend([in_flight as f32, connections, known(self.observed.own_cpu)]);
        row
    }

    pub(super) fn upstream(&self, upstream: &Upstream) -> Vec<f32> {
        let up = upstream.endpoints().iter().filter(|endpoint| endpoint.is_up()).count();
        let Loads { cpu, workers } = self.loads(upstream);
        vec![upstream.in_flight() as f32, up as f32, cpu, workers]
    }

    /// `counted` is what `throttled` stood at before, and stands at after; unknown at first.
    pub(super) fn function(&self, view: &FunctionView, counted: &mut Option<u64>) -> Vec<f32> {
        let before = counted.replace(view.throttled);
        let throttled = before.map(|before| view.throttled.saturating_sub(before) as f64);
        let each_s = throttled.map(|count| count / self.elapsed_s as f64);
        vec![view.in_use as f32, known(view.reserved.map(f64::from)), known(each_s)]
    }

    pub(super) fn pool(view: &PoolView) -> Vec<f32> {
        let PoolView { total, unreserved, unreserved_in_use, in_use } = *view;
        [in_use, unreserved_in_use, total, unreserved].map(|slots| slots as f32).into()
    }

    /// Counts a second, and quantiles.
    fn calls(&self, step: &Step) -> Vec<f32> {
        let elapsed_s = self.elapsed_s as f64;
        let mut row: Vec<f32> =
            step.counts.iter().map(|count| (*count as f64 / elapsed_s) as f32).collect();
        row.extend([0.50, 0.99].map(|share| step.durations.quantile(share)));
        row
    }

    fn loads(&self, upstream: &Upstream) -> Loads {
        let read = || Loads::of(&upstream.signals(self.observed.now));
        *self.loads[upstream.index].get_or_init(read)
    }
}

// === impl Loads ===

impl Loads {
    fn of(views: &[SignalView]) -> Self {
        let of = |signal| {
            let worst = SignalView::worst(views, signal)?;
            let holds = matches!(worst.state, SignalState::Fresh | SignalState::Stale);
            worst.value.filter(|_| holds)
        };
        Self { cpu: known(of("cpu")), workers: known(of("workers")) }
    }
}

fn known(value: Option<f64>) -> f32 {
    value.map_or(f32::NAN, |value| value as f32)
}
