//! What is simulated, and what came of it.

use std::time::Duration;

use sumun_policy::policy::{Admission, Class};

use super::world::World;

/// What is simulated.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub workers: u32,
    pub service_s: f64,
    pub service: Service,
    /// Whether the upstream is scraped; else the policy tells its workers.
    pub scraped: bool,
    pub lanes: Vec<Source>,
    /// Calls per second that reach the upstream without the gateway.
    pub bypass: f64,
    /// Not measured: the limits settle.
    pub warm_up_s: f64,
    pub measured_s: f64,
    /// Between these seconds service takes this much longer.
    pub slow: Option<(f64, f64, f64)>,
    /// From this second on scrapes are lost.
    pub blind_from_s: f64,
    pub herd: Option<Herd>,
    pub seed: u64,
}

/// How long a call is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Exponential,
    Constant,
    /// Nine of ten a half, one of ten five and a half times the mean.
    Bimodal,
}

/// A lane and its offered load.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The class of its route, and of its calls where `asks` is `None`.
    pub class: Class,
    pub asks: Option<Class>,
    pub admission: Option<Admission>,
    /// Calls per second.
    pub rate: f64,
    /// From this second on, so many times the rate.
    pub step: Option<(f64, f64)>,
    /// As many callers share its load evenly; 0: nobody is known.
    pub callers: u32,
}

/// Clients that call the first lane all at once and obey Retry-After until they succeed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Herd {
    pub clients: usize,
    pub at_s: f64,
    /// Whether each is a known caller.
    pub known: bool,
}

/// What became of calls in the measured time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub offered: u64,
    pub refused: u64,
    /// Answered within ten service times.
    pub good: u64,
    pub late: u64,
}

#[derive(Debug)]
pub(crate) struct Outcome {
    pub lanes: Vec<Tally>,
    /// Of each lane, each caller.
    pub callers: Vec<Vec<Tally>>,
    pub bypass: Tally,
    /// Good answers in each second from the beginning, all lanes.
    pub good_per_second: Vec<u64>,
    /// Seconds that calls of the first lane took which ended in each tenth of a second.
    pub took_s: Vec<Vec<f64>>,
    /// Most in flight at the upstream through the gateway that may be shed, after warm-up.
    pub in_flight_max: u32,
    pub capacity: f64,
    pub measured_s: f64,
    pub retry_after_max: Duration,
    pub herd: HerdOutcome,
}

/// What became of a herd.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HerdOutcome {
    pub attempts: u64,
    pub served: usize,
    /// From its coming to its last answer.
    pub drained_s: f64,
}

impl Scenario {
    /// Workers of 100 ms, scraped, one lane of a class at a multiple of the capacity.
    pub(crate) fn one(workers: u32, class: Class, admission: Admission, times: f64) -> Self {
        let service_s = 0.1;
        let rate = times * f64::from(workers) / service_s;
        Self {
            workers,
            service_s,
            service: Service::Exponential,
            scraped: true,
            lanes: vec![Source::new(class, Some(admission), rate)],
            bypass: 0.0,
            warm_up_s: 3.0,
            measured_s: 10.0,
            slow: None,
            blind_from_s: f64::INFINITY,
            herd: None,
            seed: 0x5eed,
        }
    }

    pub(crate) fn capacity(&self) -> f64 {
        f64::from(self.workers) / self.service_s
    }

    pub(crate) fn run(self) -> Outcome {
        World::new(self).run()
    }
}

impl Source {
    pub(crate) fn new(class: Class, admission: Option<Admission>, rate: f64) -> Self {
        Self { class, asks: None, admission, rate, step: None, callers: 0 }
    }

    pub(crate) fn rate_at(&self, second: f64) -> f64 {
        self.rate * self.step.map_or(1.0, |(from, times)| if second >= from { times } else { 1.0 })
    }
}

impl Outcome {
    /// Good answers as a share of what the upstream could have given.
    pub(crate) fn goodput(&self) -> f64 {
        let good: u64 = self.lanes.iter().map(|lane| lane.good).sum();
        good as f64 / self.measured_s / self.capacity
    }

    /// The 99th percentile of what calls took that ended in this tenth of a second.
    pub(crate) fn p99_s(&self, tenth: usize) -> f64 {
        let mut took = self.took_s.get(tenth).cloned().unwrap_or_default();
        took.sort_by(f64::total_cmp);
        let last = took.len().saturating_sub(1);
        took.get((took.len() * 99 / 100).min(last)).copied().unwrap_or(0.0)
    }
}

impl Tally {
    pub(crate) fn refused_share(&self) -> f64 {
        self.refused as f64 / self.offered.max(1) as f64
    }

    /// Without any queue 1 in 22,000 exponential service times is longer than ten means.
    pub(crate) fn is_fast(&self) -> bool {
        self.late as f64 <= 0.001 * self.good as f64
    }

    pub(crate) fn good_share(&self) -> f64 {
        self.good as f64 / self.offered.max(1) as f64
    }
}
