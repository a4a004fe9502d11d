use std::sync::Arc;

use sumun_policy::policy::Mode;

use super::super::fixture::{call, refused, route};
use super::super::meters::RouteMeters;
use super::super::record::{CacheResult, CallRecord};
use super::*;

#[test]
fn a_step_is_what_was_counted_since_the_last_one() {
    let meters = Arc::new(RouteMeters::new(Some(&route("mail", Mode::Enforce)), 2));
    assert_eq!(meters.step(0), None, "no call yet");
    meters.count(0, &call(Some(&meters)));
    meters.count(1, &refused(Some(&meters), Code::WorkersOver));
    let step = meters.step(2).unwrap();
    assert_eq!(step.counts, [2, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    let p50 = step.durations.quantile(0.5);
    assert!((p50 / 12.0 - 1.0).abs() < 0.26, "the call took 12 ms, found {p50}");
    assert_eq!(meters.step(2), Some(Step::default()));

    meters.count(0, &refused(Some(&meters), Code::RpsOver));
    meters.count(0, &refused(Some(&meters), Code::UpstreamTimeout));
    meters.count(0, &CallRecord { cache: Some(CacheResult::Hit), ..call(Some(&meters)) });
    meters.count(0, &CallRecord { cache: Some(CacheResult::Miss), ..call(Some(&meters)) });
    let counts = meters.step(6).unwrap().counts;
    assert_eq!((counts[0], counts[2], counts[3], counts[7]), (4, 2, 1, 1));
    assert_eq!((counts[10], counts[11]), (1, 1), "a hit and a miss");
}

#[test]
fn steps_of_routes_add_up() {
    let mut sum = Step::default();
    for calls in [3, 4] {
        let totals = RouteTotals { admitted: calls, ..RouteTotals::default() };
        sum.add(&Step::of(calls, &totals, FineSum::default()));
    }
    assert_eq!((sum.counts[0], sum.counts[1], sum.counts[2]), (7, 7, 0));
}
