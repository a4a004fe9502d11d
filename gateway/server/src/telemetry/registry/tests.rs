use sumun_policy::policy::Mode;

use super::super::fixture::{call, route};
use super::*;

const SECOND_NS: u64 = 1_000_000_000;

#[test]
fn counts_survive_a_reload() {
    let registry = Registry::new(1);
    let before = registry.route(&route("mail", Mode::Enforce));
    before.count(0, &call(None));
    let after = registry.route(&route("mail", Mode::Enforce));
    assert!(Arc::ptr_eq(&before, &after));
    assert_eq!(after.totals().admitted, 1);
}

#[test]
fn a_route_that_is_gone_is_forgotten_after_a_while_and_not_before() {
    let registry = Registry::new(1);
    let held = registry.route(&route("held", Mode::Enforce));
    drop(registry.route(&route("gone", Mode::Enforce)));
    let names = || registry.routes().iter().map(|r| r.name().to_owned()).collect::<Vec<_>>();
    registry.tick(SECOND_NS);
    registry.tick(ROUTE_KEPT.as_nanos() as u64);
    assert_eq!(names(), ["", "gone", "held"]);
    registry.tick(ROUTE_KEPT.as_nanos() as u64 + 2 * SECOND_NS);
    assert_eq!(names(), ["", "held"]);
    drop(held);
}

#[test]
fn a_route_that_comes_back_in_time_finds_its_counts() {
    let registry = Registry::new(1);
    registry.route(&route("mail", Mode::Enforce)).count(0, &call(None));
    registry.tick(SECOND_NS);
    let back = registry.route(&route("mail", Mode::Enforce));
    registry.tick(2 * ROUTE_KEPT.as_nanos() as u64);
    registry.tick(4 * ROUTE_KEPT.as_nanos() as u64);
    assert!(Arc::ptr_eq(&back, &registry.route(&route("mail", Mode::Enforce))));
    assert_eq!(back.totals().admitted, 1);
}

#[test]
fn routes_that_come_and_go_are_bounded() {
    let registry = Registry::new(1);
    for round in 0..10_u64 {
        for index in 0..300 {
            drop(registry.route(&route(&format!("r{round}-{index}"), Mode::Enforce)));
        }
        registry.tick((round + 1) * SECOND_NS);
        assert!(registry.routes().len() <= ROUTES_GONE_MAX + 300);
    }
}

#[test]
fn idle_endpoints_are_forgotten_only_where_there_are_too_many() {
    let registry = Registry::new(1);
    let address = |index: usize| Arc::<str>::from(format!("10.0.0.1:{index}"));
    let attempt = call(None).attempts[0].clone().unwrap();
    let sweep = |times: u64| registry.sweep_endpoints(times * (SWEEP.as_nanos() as u64 + 1));

    let busy = registry.endpoint(&address(0));
    busy.count(0, 1, &attempt, 0);
    sweep(1);
    sweep(2);
    assert_eq!(registry.endpoints().len(), 1, "few: idle ones stay");

    for index in 1..=ENDPOINTS_MAX {
        registry.endpoint(&address(index)).count(0, 1, &attempt, 0);
    }
    busy.count(0, 1, &attempt, 0);
    sweep(3);
    assert_eq!(registry.endpoints().len(), ENDPOINTS_MAX + 1, "all had calls since");
    busy.count(0, 1, &attempt, 0);
    let idle = registry.endpoint(&address(1));
    sweep(4);
    assert_eq!(registry.endpoints().len(), 1);
    assert!(idle.is_retired() && !busy.is_retired());
}
