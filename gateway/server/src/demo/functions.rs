//! A function runtime: `POST /functions/thumbnails`, `…/reports`, `…/newsletter`, each 200 to 800 ms long.
//!
//! It takes whatever comes: how many run at once is for the gateway's reservations to say. What it
//! saw at most stands in its answers (`peak`), so that a reader can compare.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use parking_lot::Mutex;
use serde_json::json;

use super::serve::{Answer, Service, empty, json as json_answer};

/// Shortest and longest run of a function, in milliseconds.
const RUN_MS: std::ops::RangeInclusive<u64> = 200..=800;

/// The runtime.
#[derive(Debug)]
pub(super) struct Functions {
    rng: Mutex<fastrand::Rng>,
    thumbnails: Running,
    reports: Running,
    newsletter: Running,
}

/// How many calls of one function run now, and ran at most.
#[derive(Debug, Default)]
struct Running {
    now: AtomicU32,
    peak: AtomicU32,
}

/// One call that runs; counted until it is dropped.
struct Run<'a>(&'a Running);

// === impl Functions ===

impl Functions {
    /// An idle runtime that draws its durations from `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Mutex::new(fastrand::Rng::with_seed(seed)),
            thumbnails: Running::default(),
            reports: Running::default(),
            newsletter: Running::default(),
        }
    }

    fn find(&self, path: &str) -> Option<(&'static str, &Running)> {
        match path {
            "/functions/thumbnails" => Some(("thumbnails", &self.thumbnails)),
            "/functions/reports" => Some(("reports", &self.reports)),
            "/functions/newsletter" => Some(("newsletter", &self.newsletter)),
            _ => None,
        }
    }
}

impl Service for Functions {
    async fn answer(&self, request: Request<Bytes>) -> Answer {
        let Some((name, running)) = self.find(request.uri().path()) else {
            return empty(StatusCode::NOT_FOUND);
        };
        if request.method() != Method::POST {
            return empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        let run = running.begin();
        let took_ms = self.rng.lock().u64(RUN_MS);
        tokio::time::sleep(Duration::from_millis(took_ms)).await;
        drop(run);
        let peak = running.peak.load(Ordering::Relaxed);
        json_answer(&json!({ "function": name, "took_ms": took_ms, "peak": peak }))
    }
}

// === impl Running ===

impl Running {
    fn begin(&self) -> Run<'_> {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak.fetch_max(now, Ordering::Relaxed);
        Run(self)
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
