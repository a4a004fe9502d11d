//! The baselines: what people put in front of a service instead, each in a few lines.
//!
//! `Threshold` and `FixedRate` know interactive calls and let them in, as such rules are usually
//! written; the two that learn from latency know no classes.

mod envoy;
mod gradient2;

use std::time::{Duration, Instant};

pub use self::envoy::EnvoyGradient;
pub use self::gradient2::Gradient2;

/// Decides on calls; told how they ended, and what the service's signal says.
pub trait Gate {
    /// Whether a call may enter. `in_flight` counts those that did and have not left.
    fn enter(&mut self, interactive: bool, in_flight: u32, now: Instant) -> bool;

    /// A call that had entered was answered after this long; `in_flight` counts it.
    fn left(&mut self, _took: Duration, _in_flight: u32, _now: Instant) {}

    /// The signal was read.
    fn reading(&mut self, _busy: f64, _most: f64) {}
}

/// The gate of a name: `none`, `threshold`, `fixed-rps`, `gradient2`, `envoy`.
pub fn named(name: &str, rate: f64, burst: f64) -> Option<Box<dyn Gate>> {
    Some(match name {
        "none" => Box::new(NoGate),
        "threshold" => Box::new(Threshold { closed: false }),
        "fixed-rps" => Box::new(FixedRate { rate, burst, tokens: burst, filled_at: None }),
        "gradient2" => Box::new(Gradient2::new()),
        "envoy" => Box::new(EnvoyGradient::new()),
        _ => return None,
    })
}

/// Everybody enters.
struct NoGate;

impl Gate for NoGate {
    fn enter(&mut self, _interactive: bool, _in_flight: u32, _now: Instant) -> bool {
        true
    }
}

/// The rule many begin with: over this share of busy workers at the last scrape, refuse.
struct Threshold {
    closed: bool,
}

impl Threshold {
    const BUSY_SHARE_MAX: f64 = 0.85;
}

impl Gate for Threshold {
    fn enter(&mut self, interactive: bool, _in_flight: u32, _now: Instant) -> bool {
        interactive || !self.closed
    }

    fn reading(&mut self, busy: f64, most: f64) {
        self.closed = busy > Self::BUSY_SHARE_MAX * most;
    }
}

/// A token bucket. Interactive calls spend tokens too, into debt where there are none.
struct FixedRate {
    /// Calls a second.
    rate: f64,
    burst: f64,
    tokens: f64,
    filled_at: Option<Instant>,
}

impl Gate for FixedRate {
    fn enter(&mut self, interactive: bool, _in_flight: u32, now: Instant) -> bool {
        let since = self.filled_at.map_or(Duration::ZERO, |at| now.duration_since(at));
        self.filled_at = Some(now);
        self.tokens = (self.tokens + since.as_secs_f64() * self.rate).min(self.burst);
        let enters = interactive || self.tokens >= 1.0;
        if enters {
            self.tokens = (self.tokens - 1.0).max(-self.burst);
        }
        enters
    }
}
