//! What one decision of the engine costs: a route with a class, a rate and workers, as in the
//! experiments; admitted, refused, and admitted by several threads at once on one word.

use std::sync::{Arc, Barrier};
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};
use sumun_engine::{Live, Moment, Route, Snapshot};

/// What to measure.
#[derive(Deserialize)]
struct Settings {
    /// The policy's text.
    policy: String,
    /// A route that never refuses, and one that always does.
    admits: String,
    refuses: String,
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
    // The refusing route has a bucket of one.
    let _ = refuses.admit(Moment::from_nanos(2));
    let median = |route: &Arc<Route>, threads: usize, admitted: bool| {
        let mut found: Vec<f64> = (0..settings.rounds)
            .map(|_| ns_each(route, threads, settings.decisions, admitted))
            .collect();
        found.sort_by(f64::total_cmp);
        found[found.len() / 2]
    };
    json!({
        "admit_ns": median(&admits, 1, true),
        "refuse_ns": median(&refuses, 1, false),
        "contended_ns": median(&admits, settings.threads, true),
        "threads": settings.threads,
    })
}

/// Decides, and where admitted frees the slot, on each thread; ns of one such turn of a thread.
fn ns_each(route: &Arc<Route>, threads: usize, decisions: u64, admitted: bool) -> f64 {
    let begin = Barrier::new(threads);
    std::thread::scope(|scope| {
        let turns: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    begin.wait();
                    let begun = Instant::now();
                    for call in 0..decisions {
                        // A thousand calls a second, as the rate sees them.
                        let decision = route.admit(Moment::from_nanos(3 + call * 1_000_000));
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
