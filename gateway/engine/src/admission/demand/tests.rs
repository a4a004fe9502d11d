use super::*;

fn run(demand: &mut Demand, seconds: u64, admitted_s: u64, refused_s: u64, in_flight: u32) {
    for tick in 0..=seconds * 10 {
        let now = Moment::from_nanos(tick * 100_000_000);
        demand.sample((tick * admitted_s / 10, tick * refused_s / 10), in_flight, now);
    }
}

#[test]
fn wanted_is_the_offered_rate_times_the_holding_time() {
    let mut demand = Demand::default();
    // 100/s admitted hold 20 workers: 200 ms each; 300/s refused would want 60 more.
    run(&mut demand, 10, 100, 300, 20);
    let wanted = demand.wanted(None);
    assert!((wanted.workers - 80.0).abs() < 1.0, "{wanted:?}");
    assert!((wanted.unmet - 60.0).abs() < 1.0, "{wanted:?}");
}

#[test]
fn a_lane_that_got_nothing_is_measured_by_its_upstream() {
    let mut demand = Demand::default();
    run(&mut demand, 10, 0, 50, 0);
    let wanted = demand.wanted(Some(0.4));
    assert!((wanted.unmet - 20.0).abs() < 0.5, "{wanted:?}");
}

#[test]
fn an_idle_lane_wants_nothing() {
    let mut demand = Demand::default();
    run(&mut demand, 3, 0, 0, 0);
    assert_eq!(demand.wanted(Some(1.0)), Wanted::default());
}
