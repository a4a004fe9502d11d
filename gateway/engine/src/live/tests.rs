use sumun_policy::policy::Class;

use super::*;
use crate::Snapshot;
use crate::fixture::{at_ms, policy, route, upstream};

fn numbered(routes: std::ops::Range<u32>) -> Policy {
    let route = |n| route(&format!("r{n}"), &format!("/{n}"), Class::Interactive, "u");
    policy([upstream("u", &[1, 2])], routes.map(route))
}

#[test]
fn what_the_newest_policy_does_not_name_is_forgotten() {
    let live = Live::new();
    for round in 0..50 {
        let routes = round * 10..round * 10 + 10;
        let snapshot = Snapshot::compile(numbered(routes), u64::from(round), &live, at_ms(0));
        // The one before it is still held while this one was compiled: it goes with the next tick.
        snapshot.tick(at_ms(1));
        assert!(live.entry_count() <= 3 + 10, "{} entries", live.entry_count());
    }
}

#[test]
fn a_call_in_flight_keeps_what_it_counts_in() {
    let live = Live::new();
    let before = Snapshot::compile(numbered(0..1), 1, &live, at_ms(0));
    let slot = before.routes()[0].admit(at_ms(1)).outcome.unwrap();
    drop(before);
    let without = Snapshot::compile(numbered(5..6), 2, &live, at_ms(2));
    assert_eq!(live.entry_count(), 5, "an upstream, two endpoints, the new route and the old one");
    let again = Snapshot::compile(numbered(0..1), 3, &live, at_ms(3));
    assert_eq!(again.routes()[0].in_flight(), 1, "a route that comes back finds its calls");
    drop(slot);
    assert_eq!(again.routes()[0].in_flight(), 0);
    drop(without);
    again.tick(at_ms(4));
    assert_eq!(live.entry_count(), 4);
}

#[test]
fn endpoints_keep_their_health_over_a_reload() {
    let live = Live::new();
    let before = Snapshot::compile(numbered(0..1), 1, &live, at_ms(0));
    let endpoint = &before.upstreams()[0].endpoints()[1];
    (0..crate::endpoint::FAILURES_MAX).for_each(|_| endpoint.failed(at_ms(1)));
    let after = Snapshot::compile(numbered(0..1), 2, &live, at_ms(2));
    assert!(Arc::ptr_eq(endpoint, &after.upstreams()[0].endpoints()[1]));
    assert!(!after.upstreams()[0].endpoints()[1].is_up());
}
