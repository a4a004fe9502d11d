//! Netflix concurrency-limits' `Gradient2Limit`, from its description: the limit follows the ratio
//! of a long average of latency to the present latency. Its defaults.

use std::time::{Duration, Instant};

use super::Gate;

const LIMIT_FIRST: f64 = 20.0;
const LIMIT_MIN: f64 = 20.0;
const LIMIT_MAX: f64 = 200.0;
/// Share of a new limit that is taken over at once.
const SMOOTHING: f64 = 0.2;
/// Latency may be this many times the long average before the limit falls.
const TOLERANCE: f64 = 1.5;
/// Calls that may queue.
const QUEUE: f64 = 4.0;
/// Samples of the long average; the first few are averaged plainly.
const LONG_WINDOW: f64 = 600.0;
const WARM_UP: u32 = 10;

pub struct Gradient2 {
    limit: f64,
    long_s: f64,
    samples: u32,
}

impl Gradient2 {
    pub fn new() -> Self {
        Self { limit: LIMIT_FIRST, long_s: 0.0, samples: 0 }
    }
}

impl Gate for Gradient2 {
    fn enter(&mut self, _interactive: bool, in_flight: u32, _now: Instant) -> bool {
        f64::from(in_flight) < self.limit.floor()
    }

    fn left(&mut self, took: Duration, in_flight: u32, _now: Instant) {
        let short_s = took.as_secs_f64();
        self.samples = self.samples.saturating_add(1);
        if self.samples <= WARM_UP {
            self.long_s += (short_s - self.long_s) / f64::from(self.samples);
        } else {
            self.long_s += (short_s - self.long_s) * 2.0 / (LONG_WINDOW + 1.0);
        }
        if self.long_s / short_s > 2.0 {
            self.long_s *= 0.95; // back faster from an overload
        }
        if f64::from(in_flight) < self.limit / 2.0 {
            return; // what is not used tells nothing
        }
        let gradient = (TOLERANCE * self.long_s / short_s).clamp(0.5, 1.0);
        let wanted = self.limit * gradient + QUEUE;
        let limit = self.limit * (1.0 - SMOOTHING) + wanted * SMOOTHING;
        self.limit = limit.clamp(LIMIT_MIN, LIMIT_MAX);
    }
}
