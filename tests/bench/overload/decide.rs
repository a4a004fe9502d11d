//! What one decision of the engine costs: a route with a class, a rate and workers, as in the
//! experiments; admitted, refused, and admitted by several threads at once on one word.

use std::ops::Range;
use std::sync::{Arc, Barrier};
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};
use sumun_engine::{Live, Moment, Route, Snapshot};

/// Between two calls of a thread, as the rate sees them.
const CALL_NS: u64 = 10_000;

/// What to measure.
#[derive(Deserialize)]
struct Settings {
    /// The policy's text.
    policy: String,
    /// A route that never refuses, and one that always does.
    admits: String,
    refuses: String,
    /// One without a rate, for several threads at once: each has its own time.
    shared: String,
    decisions: u64,
    threads: usize,
    rounds: usize,
}

/// Runs; gives nanoseconds a decision, the medians of the rounds.
pub fn run(settings: &str) -> Value {
    let settings: Settings = serde_json::from_str(settings).expect("settings of decide");
    let (policy, problems) = sumun_policy::check(&[("bench.yaml".into(), settings.policy.clone())]);
    assert!(problems.is_empty(), "{problems:?}");
    let live = Live::new();
    let snapshot = Snapshot::compile(policy.expect("a policy"), 1, &live, Moment::from_nanos(1));
    let route = |name: &str| {
        let found = snapshot.routes().iter().find(|route| route.policy.name.to_string() == name);
        Arc::clone(found.expect("a route"))
    };
    let (admits, refuses) = (route(&settings.admits), route(&settings.refuses));
    let shared = route(&settings.shared);
    // The refusing route has a bucket of one.
    let _ = refuses.admit(Moment::from_nanos(2));
    let decisions = settings.decisions;
    // Time goes on from one round to the next: buckets are not asked about the past.
    let begin_ns = |round: usize| 3 + round as u64 * decisions * CALL_NS;
    let mut round = 0;
    let mut median = |route: &Arc<Route>, threads: usize, admitted: bool| {
        let mut found: Vec<f64> = (0..settings.rounds)
            .map(|_| {
                round += 1;
                let calls = begin_ns(round)..begin_ns(round + 1);
                ns_each(route, threads, calls, admitted)
            })
            .collect();
        found.sort_by(f64::total_cmp);
        found[found.len() / 2]
    };
    json!({
        "admit_ns": median(&admits, 1, true),
        "refuse_ns": median(&refuses, 1, false),
        "contended_ns": median(&shared, settings.threads, true),
        "threads": settings.threads,
    })
}

/// Decides, and where admitted frees the slot, on each thread; ns of one such turn of a thread.
fn ns_each(route: &Arc<Route>, threads: usize, span_ns: Range<u64>, admitted: bool) -> f64 {
    let decisions = (span_ns.end - span_ns.start) / CALL_NS;
    let begin = Barrier::new(threads);
    std::thread::scope(|scope| {
        let turns: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    begin.wait();
                    let begun = Instant::now();
                    for call in 0..decisions {
                        let at = span_ns.start + call * CALL_NS;
                        let decision = route.admit(Moment::from_nanos(at));
                        assert_eq!(decision.outcome.is_ok(), admitted);
                    }
                    begun.elapsed().as_nanos() as f64 / decisions as f64
                })
            })
            .collect();
        let all: Vec<f64> = turns.into_iter().map(|turn| turn.join().expect("no panic")).collect();
        all.iter().sum::<f64>() / all.len() as f64
    })
}
