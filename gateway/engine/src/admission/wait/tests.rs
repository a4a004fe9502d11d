use sumun_policy::policy::{Admission, Class};

use super::*;
use crate::admission::{Reason, Slot};
use crate::fixture::{at_ms, name, policy, route, rps, upstream, workers};
use crate::{Live, Snapshot};

/// An upstream of 20 workers whose calls take 20 ms, with a route for each of these.
fn compiled(routes: &[(&str, Class, Option<Admission>)]) -> Snapshot {
    let mut target = upstream("u", &[1]);
    target.workers_max = Some(20);
    let routes = routes.iter().map(|(text, class, admission)| {
        let mut route = route(text, &format!("/{text}"), *class, "u");
        route.admission.clone_from(admission);
        route
    });
    let snapshot = Snapshot::compile(policy([target], routes), 1, &Live::new(), at_ms(0));
    snapshot.routes()[0].upstream.state.hold_ns.store(20_000_000, Relaxed);
    snapshot
}

fn the_route<'a>(snapshot: &'a Snapshot, text: &str) -> &'a Arc<Route> {
    snapshot.routes().iter().find(|route| route.policy.name == name(text)).expect("a route")
}

fn ask(route: &Arc<Route>) -> Ask {
    Ask { class: route.policy.class, caller: None }
}

fn fill(route: &Arc<Route>) -> Vec<Slot> {
    std::iter::from_fn(|| route.admit(at_ms(1)).outcome.ok()).take(1_000).collect()
}

fn waiting(route: &Arc<Route>) -> Waiting {
    match route.decide_or_wait(ask(route), at_ms(1)) {
        Course::Wait(waiting) => waiting,
        Course::Decided(decision) => panic!("decided: {decision:?}"),
    }
}

fn decided(route: &Arc<Route>) -> Decision {
    match route.decide_or_wait(ask(route), at_ms(1)) {
        Course::Decided(decision) => decision,
        Course::Wait(waiting) => panic!("waits: {waiting:?}"),
    }
}

#[test]
fn a_call_waits_for_a_slot_and_is_handed_the_next_that_is_freed() {
    let snapshot = compiled(&[("batch", Class::Batch, Some(workers(85, 75)))]);
    let route = the_route(&snapshot, "batch");
    let mut held = fill(route);
    assert_eq!(held.len(), 20);
    let waiting = waiting(route);
    assert_eq!(waiting.patience(), Duration::from_millis(20));
    assert!(!waiting.is_granted(Waker::noop()));
    assert_eq!(
        (route.in_flight(), route.upstream.waiting()),
        (20, 1),
        "who waits is not in flight"
    );
    held.pop();
    assert!(waiting.is_granted(Waker::noop()));
    assert_eq!(route.upstream.in_flight(), 20, "handed over, not freed");
    let slot = waiting.finish(at_ms(5)).outcome.unwrap();
    assert_eq!((route.in_flight(), route.upstream.waiting()), (20, 0));
    drop((held, slot));
    assert_eq!((route.in_flight(), route.upstream.in_flight()), (0, 0));
}

#[test]
fn a_wait_in_vain_is_a_refusal_like_any_other() {
    let snapshot = compiled(&[("batch", Class::Batch, Some(workers(85, 75)))]);
    let route = the_route(&snapshot, "batch");
    let _held = fill(route);
    let before = route.lane.state.live.of(Class::Batch).counts();
    let waiting = waiting(route);
    assert_eq!(route.lane.state.live.of(Class::Batch).counts(), before, "nothing is decided yet");
    let shed = waiting.finish(at_ms(21)).outcome.unwrap_err();
    assert_eq!((shed.reason, shed.limit), (Reason::Workers, 20));
    assert!(shed.retry_after >= Duration::from_millis(100), "{shed:?}");
    assert_eq!(route.lane.state.live.of(Class::Batch).counts(), (before.0, before.1 + 1));
    assert!(!route.upstream.state.slots.is_waited_for());
}

#[test]
fn at_most_half_the_limit_waits() {
    let snapshot = compiled(&[("batch", Class::Batch, Some(workers(85, 75)))]);
    let route = the_route(&snapshot, "batch");
    let _held = fill(route);
    let line: Vec<_> = (0..10).map(|_| waiting(route)).collect();
    assert!(decided(route).outcome.is_err());
    drop(line);
    assert_eq!(route.upstream.waiting(), 0);
}

#[test]
fn nobody_waits_before_it_is_known_how_long_calls_take() {
    let snapshot = compiled(&[("batch", Class::Batch, Some(workers(85, 75)))]);
    let route = the_route(&snapshot, "batch");
    let _held = fill(route);
    for (hold, patience) in [(0, None), (500_000, None), (3_000_000_000, Some(PATIENCE_MAX))] {
        route.upstream.state.hold_ns.store(hold, Relaxed);
        let course = route.decide_or_wait(ask(route), at_ms(1));
        let found = match &course {
            Course::Wait(waiting) => Some(waiting.patience()),
            Course::Decided(_) => None,
        };
        assert_eq!(found, patience, "calls of {hold} ns");
    }
}

#[test]
fn one_who_leaves_hands_on_what_it_was_given() {
    let snapshot = compiled(&[("batch", Class::Batch, Some(workers(85, 75)))]);
    let route = the_route(&snapshot, "batch");
    let mut held = fill(route);
    let (gone, next) = (waiting(route), waiting(route));
    held.pop();
    assert!(gone.is_granted(Waker::noop()) && !next.is_granted(Waker::noop()));
    drop(gone);
    assert!(next.is_granted(Waker::noop()), "the slot of the one who left");
    drop((next, held));
    assert_eq!((route.in_flight(), route.upstream.in_flight()), (0, 0));
}

#[test]
fn higher_classes_come_first() {
    let both = Some(workers(85, 75));
    let snapshot =
        compiled(&[("batch", Class::Batch, both.clone()), ("default", Class::Default, both)]);
    let (batch, default) = (the_route(&snapshot, "batch"), the_route(&snapshot, "default"));
    let mut held = fill(default);
    let (low, high) = (waiting(batch), waiting(default));
    held.pop();
    assert!(high.is_granted(Waker::noop()) && !low.is_granted(Waker::noop()));
}

#[test]
fn a_slot_handed_over_still_needs_its_token() {
    let mut both = rps(100.0, 21);
    both.workers = workers(85, 75).workers;
    let snapshot = compiled(&[("batch", Class::Batch, Some(both))]);
    let route = the_route(&snapshot, "batch");
    let mut held = fill(route);
    let (first, second) = (waiting(route), waiting(route));
    drop(held.split_off(18));
    assert!(first.is_granted(Waker::noop()) && second.is_granted(Waker::noop()));
    assert!(first.finish(at_ms(1)).outcome.is_ok());
    let shed = second.finish(at_ms(1)).outcome.unwrap_err();
    assert_eq!(shed.reason, Reason::Rps, "the burst of 21 is spent");
    assert_eq!(route.upstream.in_flight(), 18, "the slot is given back");
}

#[test]
fn interactive_calls_and_shadow_lanes_never_wait() {
    let mut shadow = workers(85, 75);
    shadow.mode = sumun_policy::policy::Mode::Shadow;
    let snapshot = compiled(&[
        ("user", Class::Interactive, None),
        ("shadow", Class::Batch, Some(shadow)),
        ("batch", Class::Batch, Some(workers(85, 75))),
    ]);
    let _held = fill(the_route(&snapshot, "batch"));
    for text in ["user", "shadow"] {
        assert!(decided(the_route(&snapshot, text)).outcome.is_ok(), "{text}");
    }
}

#[test]
fn the_slow_loop_hands_out_what_a_risen_limit_has_room_for() {
    let snapshot = compiled(&[("batch", Class::Batch, Some(workers(85, 75)))]);
    let route = the_route(&snapshot, "batch");
    let mut held = fill(route);
    // A moment of a lower limit, as after a reading of other people's load.
    route.upstream.state.slots.set_limit(10);
    held.truncate(10);
    let waiting = waiting(route);
    assert!(!waiting.is_granted(Waker::noop()));
    route.upstream.refresh(at_ms(200));
    assert_eq!(route.limit(), Some(20));
    assert!(waiting.is_granted(Waker::noop()));
}
