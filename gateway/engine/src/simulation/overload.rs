//! Goodput against offered load, as whole callers, and through steps.

use sumun_policy::policy::Class;

use super::{Outcome, Scenario, Service, Source};
use crate::fixture::workers;

/// 1x first: the others are measured by it.
const LOADS: [f64; 4] = [1.0, 1.5, 3.0, 10.0];
const SERVICES: [Service; 3] = [Service::Exponential, Service::Constant, Service::Bimodal];

/// Workers of 20 ms under batch calls of so many callers.
fn overload(workers_max: u32, service: Service, callers: u32, times: f64) -> Scenario {
    let mut scenario = Scenario::one(workers_max, Class::Batch, workers(85, 75), times);
    scenario.service_s = 0.02;
    scenario.service = service;
    // The boundary between callers settles in seconds; without callers there is none.
    scenario.warm_up_s = if callers > 0 { 8.0 } else { 2.0 };
    scenario.measured_s = 2_000.0 / f64::from(workers_max).max(400.0);
    scenario.lanes[0].rate = times * scenario.capacity();
    scenario.lanes[0].callers = callers;
    scenario
}

/// Goodput at each load; asserts what holds at all of them.
fn goodputs(workers_max: u32, service: Service, callers: u32) -> [f64; LOADS.len()] {
    let goodputs = LOADS.map(|times| {
        let outcome = overload(workers_max, service, callers, times).run();
        assert!(outcome.in_flight_max <= workers_max, "{} in flight", outcome.in_flight_max);
        let late = outcome.lanes[0].late as f64 / outcome.lanes[0].good as f64;
        assert!(late <= 0.01, "the 99th percentile is within ten service times: {late}");
        outcome.goodput()
    });
    println!("{workers_max} workers, {service:?}, {callers} callers: {goodputs:.3?} of {LOADS:?}");
    goodputs
}

/// Never under `least`, and never 5 % under what it is at 1x.
fn assert_holds(goodputs: [f64; LOADS.len()], least: f64) {
    for goodput in goodputs {
        assert!(goodput >= least && goodput >= 0.95 * goodputs[0], "{goodputs:?}");
    }
}

#[test]
fn two_hundred_workers_keep_nine_tenths_from_one_to_ten_times_the_load() {
    for service in SERVICES {
        assert_holds(goodputs(200, service, 0), 0.89);
    }
    // Chance is worth a little of the five percent here.
    let goodputs = goodputs(200, Service::Exponential, 100);
    assert!(goodputs.iter().all(|goodput| *goodput >= 0.89), "{goodputs:?}");
}

#[test]
fn twenty_workers_keep_what_their_slots_allow() {
    // Without a wait, Erlang's loss formula lets 20 slots carry 0.841 at 1x and 0.93 at 1.5x.
    for service in SERVICES {
        for callers in [0, 100] {
            let goodputs = goodputs(20, service, callers);
            assert_holds(goodputs, 0.81);
            assert!(goodputs[1..].iter().all(|goodput| *goodput >= 0.89), "{goodputs:?}");
        }
    }
}

#[test]
fn one_caller_who_makes_all_calls_is_not_kept_out() {
    for times in [1.5, 10.0] {
        let goodput = overload(20, Service::Exponential, 1, times).run().goodput();
        println!("one caller at {times}x: {goodput:.3}");
        assert!(goodput >= 0.85, "{goodput}");
    }
}

#[test]
fn a_pool_of_two_is_used_whole() {
    // Erlang: 0.60 at 1x, 0.95 at 10x.
    let goodputs = goodputs(2, Service::Exponential, 0);
    assert!(goodputs[0] >= 0.55 && goodputs[3] >= 0.90, "{goodputs:?}");
}

/// Of the callers, how many succeed nearly always, and how many nearly never.
fn whole(outcome: &Outcome) -> (usize, usize) {
    let count = |is: fn(f64) -> bool| {
        outcome.callers[0].iter().filter(|caller| is(caller.good_share())).count()
    };
    (count(|share| share >= 0.95), count(|share| share <= 0.05))
}

#[test]
fn most_callers_see_whole_success_or_whole_failure() {
    for (times, least) in [(1.5, 70), (4.0, 80)] {
        let mut scenario = Scenario::one(200, Class::Batch, workers(85, 75), times);
        scenario.lanes[0].callers = 100;
        scenario.warm_up_s = 20.0;
        scenario.measured_s = 30.0;
        let outcome = scenario.run();
        let (up, down) = whole(&outcome);
        let goodput = outcome.goodput();
        println!("{times}x: {up} of 100 callers ≥ 95 %, {down} ≤ 5 %, goodput {goodput:.3}");
        assert!(up + down >= least, "{up} and {down} at {times}x");
        assert!(goodput >= 0.90, "{goodput} at {times}x");
    }
}

#[test]
fn a_step_of_the_load_is_never_seen_in_what_calls_take() {
    for times in [1.4, 5.0] {
        let mut scenario = overload(200, Service::Exponential, 0, 0.8);
        scenario.lanes[0].step = Some((3.0, times / 0.8));
        let outcome = scenario.run();
        // Five service times are the 99th percentile of an exponential one without any queue.
        let tenths: Vec<_> = (25..60).map(|tenth| outcome.p99_s(tenth) / 0.02).collect();
        let worst = tenths.iter().copied().fold(0.0, f64::max);
        println!("0.8x → {times}x: p99 of each 100 ms at most {worst:.1} service times");
        assert!(worst <= 10.0, "{tenths:?}");
    }
}

#[test]
fn batch_takes_what_interactive_leaves_and_not_more() {
    for workers_max in [20, 200] {
        let capacity = f64::from(workers_max) / 0.1;
        let batch = Source::new(Class::Batch, Some(workers(85, 75)), 12.0 * capacity);
        let user = Source::new(Class::Interactive, None, 0.3 * capacity);
        let lanes = vec![batch, user];
        let scenario = Scenario::one(workers_max, Class::Batch, workers(85, 75), 1.0);
        let outcome = Scenario { lanes, measured_s: 15.0, ..scenario }.run();
        let [batch, user] = outcome.lanes.as_slice() else { panic!("two lanes") };
        let share = batch.good as f64 / outcome.measured_s / capacity;
        println!("{workers_max} workers: batch {:.3} of 0.7, interactive {user:?}", share / 0.7);
        assert_eq!(user.refused, 0);
        assert!(user.is_fast(), "{user:?}");
        assert!(share >= 0.95 * 0.7, "{share:.3}");
    }
}

#[test]
fn after_a_service_was_slow_goodput_is_back_within_two_seconds() {
    for times in [1.0, 2.0] {
        let mut scenario = Scenario::one(200, Class::Batch, workers(85, 75), times);
        scenario.slow = Some((10.0, 30.0, 4.0));
        scenario.measured_s = 37.0;
        let per_second = scenario.run().good_per_second;
        let mean = |seconds: std::ops::Range<usize>| {
            let count = seconds.len() as f64;
            per_second[seconds].iter().sum::<u64>() as f64 / count
        };
        let (before, after) = (mean(5..10), mean(32..40));
        println!("slow at {times}x: {before} a second before, {after} two seconds after");
        assert!(mean(15..30) < before / 2.0);
        assert!(after >= 0.95 * before, "{per_second:?}");
    }
}

#[test]
fn calls_that_lower_their_class_are_shed_before_those_that_do_not() {
    let capacity = 2_000.0;
    let mut meek = Source::new(Class::Default, Some(workers(85, 75)), 2.0 * capacity);
    meek.asks = Some(Class::Bulk);
    let plain = Source::new(Class::Default, Some(workers(85, 75)), 0.5 * capacity);
    let scenario = Scenario::one(200, Class::Default, workers(85, 75), 1.0);
    let outcome = Scenario { lanes: vec![meek, plain], ..scenario }.run();
    let refused = [outcome.lanes[0].refused_share(), outcome.lanes[1].refused_share()];
    println!("bulk on a default route {:.3} refused, default {:.4}", refused[0], refused[1]);
    assert!(refused[0] > 0.6 && refused[1] < 0.01, "{refused:?}");
    assert!(outcome.goodput() > 0.90, "{}", outcome.goodput());
}
