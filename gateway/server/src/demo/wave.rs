//! Shapes of the demo's load: pure functions of time and seed.

use std::f64::consts::TAU;
use std::time::Duration;

/// A rate that swings between two bounds, evenly on a logarithmic scale: it spends as long between
/// 10 and 100 per second as between 100 and 1,000.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wave {
    /// Lowest rate, at time 0 and at the end of every period.
    pub(super) low_per_second: f64,
    /// Highest rate, in the middle of every period.
    pub(super) high_per_second: f64,
    /// From one trough to the next.
    pub(super) period: Duration,
}

/// Choice of an item so that the n-th is wanted 1/n times as often as the first.
#[derive(Clone, Debug)]
pub(super) struct Zipf {
    /// Running sum of the shares; the last is 1.
    up_to: Vec<f64>,
}

// === impl Wave ===

impl Wave {
    /// Calls per second at this time since the start.
    pub(super) fn rate_per_second(&self, at: Duration) -> f64 {
        let phase = at.as_secs_f64() / self.period.as_secs_f64();
        let height = (1.0 - (TAU * phase).cos()) / 2.0;
        self.low_per_second * (self.high_per_second / self.low_per_second).powf(height)
    }
}

// === impl Zipf ===

impl Zipf {
    /// A choice among items 1 to `items` (at least 1).
    pub(super) fn new(items: u32) -> Self {
        let shares = (1..=items.max(1)).map(|rank| 1.0 / f64::from(rank));
        let mut sum = 0.0;
        let mut up_to: Vec<f64> = shares
            .map(|share| {
                sum += share;
                sum
            })
            .collect();
        for share in &mut up_to {
            *share /= sum;
        }
        Self { up_to }
    }

    /// The next item, from 1.
    pub(super) fn draw(&self, rng: &mut fastrand::Rng) -> u32 {
        let at = rng.f64();
        let index = self.up_to.partition_point(|up_to| *up_to < at);
        index.min(self.up_to.len() - 1) as u32 + 1
    }
}

#[cfg(test)]
mod tests;
