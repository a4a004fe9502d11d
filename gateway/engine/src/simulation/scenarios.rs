//! What must hold among classes, beside others, and without a signal.

use sumun_policy::policy::{Admission, Class, OnStale};

use super::{Outcome, Scenario, Source};
use crate::fixture::workers;

const WORKERS: u32 = 200;

fn source(class: Class, times: f64) -> Source {
    let admission = (class != Class::Interactive).then(|| workers(85, 75));
    Source::new(class, admission, times * f64::from(WORKERS) / 0.1)
}

fn mixed(sources: impl IntoIterator<Item = Source>) -> Scenario {
    let lanes = sources.into_iter().collect();
    Scenario { lanes, ..Scenario::one(WORKERS, Class::Batch, workers(85, 75), 1.0) }
}

fn overload(times: f64, scraped: bool) -> Outcome {
    Scenario { scraped, ..Scenario::one(WORKERS, Class::Batch, workers(85, 75), times) }.run()
}

#[test]
fn half_the_capacity_is_let_through_whole() {
    for scraped in [true, false] {
        let outcome = overload(0.5, scraped);
        assert_eq!(outcome.lanes[0].refused, 0);
        assert!((0.48..0.52).contains(&outcome.goodput()), "{}", outcome.goodput());
    }
}

#[test]
fn interactive_alone_over_the_capacity_leaves_batch_nothing() {
    let outcome = mixed([source(Class::Interactive, 1.5), source(Class::Batch, 1.0)]).run();
    assert_eq!(outcome.lanes[0].refused, 0);
    assert!(outcome.lanes[1].refused_share() > 0.99);
}

#[test]
fn classes_are_shed_in_their_order_as_load_rises() {
    for (times, names) in [(0.5, "bulk"), (1.0, "batch"), (3.0, "all")] {
        let outcome = mixed([
            source(Class::Default, times * 0.5),
            source(Class::Batch, times * 0.5),
            source(Class::Bulk, times * 2.0),
        ])
        .run();
        let refused: Vec<f64> = outcome.lanes.iter().map(super::Tally::refused_share).collect();
        assert!(refused.is_sorted(), "{refused:?} at {names}");
        assert!(outcome.goodput() >= 0.78, "{:.3} at {names}", outcome.goodput());
        match names {
            "bulk" => assert!(refused[1] < 0.01 && refused[2] > 0.3, "{refused:?}"),
            "batch" => assert!(refused[0] < 0.01 && refused[2] > 0.9, "{refused:?}"),
            _ => assert!(refused[1] > 0.97 && refused[2] > 0.999, "{refused:?}"),
        }
    }
}

#[test]
fn traffic_that_bypasses_the_gateway_is_protected() {
    let mut scenario = Scenario::one(WORKERS, Class::Batch, workers(85, 75), 4.0);
    scenario.bypass = 0.5 * scenario.capacity();
    let outcome = scenario.run();
    assert!(outcome.bypass.good_share() > 0.97, "{:?}", outcome.bypass);
    assert!(outcome.bypass.is_fast(), "{:?}", outcome.bypass);
    let share = outcome.goodput();
    assert!((0.25..=0.40).contains(&share), "{share:.3} beside 0.50 of others");
}

#[test]
fn a_lost_signal_loses_no_goodput() {
    for on_stale in [OnStale::Proven, OnStale::Open] {
        let admission = Admission { on_stale, ..workers(85, 75) };
        let scenario = Scenario::one(WORKERS, Class::Batch, admission, 0.8);
        let outcome = Scenario { blind_from_s: 2.0, measured_s: 30.0, ..scenario }.run();
        assert!(outcome.goodput() > 0.78, "{:.3} with {on_stale:?}", outcome.goodput());
    }
}
