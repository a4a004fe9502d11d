//! Envoy's adaptive concurrency (gradient controller), from its documentation: every so often the
//! limit drops to a minimum to learn the latency without a queue; in between the limit follows the
//! ratio of that to the median of the last 100 ms. The values of the documentation's example.

use std::time::{Duration, Instant};

use super::Gate;

const LIMIT_MAX: f64 = 1000.0;
/// The limit while the least latency is learned, and from how many calls.
const CONCURRENCY_MIN: u32 = 3;
const LEARNED_FROM: usize = 50;
const LEARN_EVERY: Duration = Duration::from_mins(1);
const UPDATE_EVERY: Duration = Duration::from_millis(100);
/// The least latency is taken to be this share higher: natural variation.
const BUFFER: f64 = 0.25;

pub struct EnvoyGradient {
    limit: f64,
    least_s: f64,
    samples_s: Vec<f64>,
    /// `Some`: the least latency is being learned, and this was the limit before.
    learning: Option<f64>,
    learned_at: Option<Instant>,
    updated_at: Option<Instant>,
}

impl EnvoyGradient {
    pub fn new() -> Self {
        Self {
            limit: f64::from(CONCURRENCY_MIN),
            least_s: 0.0,
            samples_s: Vec::new(),
            learning: Some(f64::from(CONCURRENCY_MIN)),
            learned_at: None,
            updated_at: None,
        }
    }

    fn median_s(&mut self) -> f64 {
        self.samples_s.sort_unstable_by(f64::total_cmp);
        let median_s = self.samples_s[self.samples_s.len() / 2];
        self.samples_s.clear();
        median_s
    }
}

impl Gate for EnvoyGradient {
    fn enter(&mut self, _interactive: bool, in_flight: u32, now: Instant) -> bool {
        if self.learned_at.is_some_and(|at| now.duration_since(at) >= LEARN_EVERY) {
            self.learned_at = None;
            self.learning = Some(self.limit);
            self.samples_s.clear();
        }
        if self.learning.is_some() {
            return in_flight < CONCURRENCY_MIN;
        }
        f64::from(in_flight) < self.limit.floor()
    }

    fn left(&mut self, took: Duration, _in_flight: u32, now: Instant) {
        self.samples_s.push(took.as_secs_f64());
        if let Some(before) = self.learning {
            if self.samples_s.len() >= LEARNED_FROM {
                self.least_s = self.median_s();
                self.limit = before;
                self.learning = None;
                self.learned_at = Some(now);
                self.updated_at = Some(now);
            }
            return;
        }
        if self.updated_at.is_some_and(|at| now.duration_since(at) < UPDATE_EVERY) {
            return;
        }
        self.updated_at = Some(now);
        let gradient = (self.least_s * (1.0 + BUFFER) / self.median_s()).clamp(0.5, 2.0);
        let limit = self.limit * gradient;
        let floor = f64::from(CONCURRENCY_MIN);
        self.limit = (limit + limit.sqrt()).clamp(floor, LIMIT_MAX);
    }
}
