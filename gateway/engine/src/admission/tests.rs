use std::sync::atomic::Ordering::AcqRel;

use proptest::prelude::*;
use sumun_policy::policy::{Admission, Class, Mode, OnStale, Policy};

use super::*;
use crate::fixture::{admission, at_ms, cpu, name, policy, route, rps, upstream, workers};
use crate::{Live, Reading, Snapshot};

/// One upstream `u` of one endpoint with this many workers, and these routes to it.
fn written(workers_max: Option<u32>, routes: &[(&str, Class, Option<Admission>)]) -> Policy {
    let mut target = upstream("u", &[1]);
    target.workers_max = workers_max;
    let routes = routes.iter().map(|(text, class, admission)| {
        let mut route = route(text, &format!("/{text}"), *class, "u");
        route.admission.clone_from(admission);
        route
    });
    policy([target], routes)
}

fn compile(workers_max: Option<u32>, routes: &[(&str, Class, Option<Admission>)]) -> Snapshot {
    Snapshot::compile(written(workers_max, routes), 1, &Live::new(), at_ms(0))
}

fn the_route<'a>(snapshot: &'a Snapshot, text: &str) -> &'a Arc<Route> {
    snapshot.routes().iter().find(|route| route.policy.name == name(text)).expect("a route")
}

fn fill(route: &Arc<Route>, now: Moment) -> Vec<Slot> {
    std::iter::from_fn(|| route.admit(now).outcome.ok()).take(1_000).collect()
}

fn both(mut rps: Admission, workers: &Admission) -> Admission {
    rps.workers = workers.workers;
    rps
}

#[test]
fn a_lane_admits_up_to_the_workers_and_says_why_not() {
    let snapshot = compile(Some(20), &[("batch", Class::Batch, Some(workers(85, 75)))]);
    let route = the_route(&snapshot, "batch");
    assert_eq!(route.limit(), Some(20));
    // Shares of 0.04 and 0.3 at 18 and 19 of 20 do not make a whole call yet.
    let slots = fill(route, at_ms(1));
    assert_eq!((slots.len(), route.in_flight(), route.upstream.in_flight()), (20, 20, 20));
    let shed = route.admit(at_ms(1)).outcome.unwrap_err();
    assert_eq!((shed.reason, shed.limit), (Reason::Workers, 20));
    assert_eq!((shed.reason.code(), shed.reason.signal()), ("workers_over", "workers"));
    assert!((shed.threshold - 0.85).abs() < 1e-9, "{shed:?}");
    assert!((shed.observed - 1.05).abs() < 1e-9, "with this call 21 of 20: {shed:?}");
    assert!(shed.retry_after >= Duration::from_millis(100));
    drop(slots);
    assert_eq!((route.in_flight(), route.upstream.in_flight()), (0, 0));
}

#[test]
fn interactive_calls_always_enter_and_are_counted() {
    let snapshot = compile(
        Some(10),
        &[("batch", Class::Batch, Some(workers(80, 70))), ("user", Class::Interactive, None)],
    );
    let (batch, user) = (the_route(&snapshot, "batch"), the_route(&snapshot, "user"));
    let users = (0..50).map(|_| user.admit(at_ms(1)).outcome.unwrap()).collect::<Vec<_>>();
    assert!(batch.admit(at_ms(1)).outcome.is_err(), "users hold all workers");
    assert_eq!(user.limit(), None);
    drop(users);
    assert_eq!(fill(batch, at_ms(1)).len(), 10);
}

#[test]
fn a_call_that_lowers_itself_on_an_interactive_route_is_counted_and_not_limited() {
    let snapshot = compile(
        Some(4),
        &[("batch", Class::Batch, Some(workers(80, 70))), ("user", Class::Interactive, None)],
    );
    let (batch, user) = (the_route(&snapshot, "batch"), the_route(&snapshot, "user"));
    let ask = Ask { class: Class::Bulk, caller: Some(7) };
    let held: Vec<_> = (0..9).map(|_| user.decide(ask, at_ms(1)).outcome.unwrap()).collect();
    assert!(held.iter().all(|slot| slot.class() == Class::Bulk));
    assert_eq!((user.in_flight(), user.limit_of(Class::Bulk)), (9, None));
    assert!(batch.admit(at_ms(1)).outcome.is_err(), "they hold all workers");
    let raised = Ask { class: Class::Interactive, caller: None };
    assert!(batch.decide(raised, at_ms(1)).outcome.is_ok(), "an interactive call always enters");
}

#[test]
fn off_decides_nothing() {
    let off = Admission { mode: Mode::Off, ..both(rps(1.0, 1), &workers(10, 5)) };
    let snapshot = compile(Some(10), &[("batch", Class::Batch, Some(off))]);
    let route = the_route(&snapshot, "batch");
    assert_eq!(fill(route, at_ms(1)).len(), 1_000);
    assert_eq!((route.limit(), route.thresholds()), (None, Vec::new()));
}

#[test]
fn without_workers_and_signals_there_is_no_worker_limit() {
    let snapshot = compile(None, &[("batch", Class::Batch, Some(workers(85, 75)))]);
    assert_eq!(the_route(&snapshot, "batch").limit(), None);
}

#[test]
fn a_call_refused_by_workers_spends_no_token() {
    let both = both(rps(100.0, 10), &workers(50, 40));
    let snapshot = compile(Some(4), &[("batch", Class::Batch, Some(both))]);
    let route = the_route(&snapshot, "batch");
    let held = fill(route, at_ms(1));
    assert_eq!(held.len(), 4);
    for _ in 0..100 {
        assert_eq!(route.admit(at_ms(1)).outcome.unwrap_err().reason, Reason::Workers);
    }
    drop(held);
    let passed = (0..100).filter(|_| route.admit(at_ms(1)).outcome.is_ok()).count();
    assert_eq!(passed, 6, "ten of the burst, four of them spent");
}

#[test]
fn a_call_refused_by_its_rate_holds_no_slot() {
    let both = both(rps(100.0, 3), &workers(50, 40));
    let snapshot = compile(Some(20), &[("batch", Class::Batch, Some(both))]);
    let route = the_route(&snapshot, "batch");
    let held = fill(route, at_ms(1));
    let shed = route.admit(at_ms(1)).outcome.unwrap_err();
    assert_eq!((held.len(), shed.reason, shed.limit), (3, Reason::Rps, 100));
    assert_eq!(shed.retry_after, Duration::from_millis(20), "ten were booked by the one before");
    assert_eq!((route.in_flight(), route.upstream.in_flight()), (3, 3));
}

#[test]
fn two_thousand_at_once_against_a_hundred_admit_exactly_a_hundred() {
    let snapshot = compile(None, &[("batch", Class::Batch, Some(rps(100.0, 100)))]);
    let route = the_route(&snapshot, "batch");
    let admitted = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mine = (0..250).filter(|_| route.admit(at_ms(1)).outcome.is_ok()).count();
                admitted.fetch_add(mine, AcqRel);
            });
        }
    });
    assert_eq!(admitted.into_inner(), 100);
    assert_eq!(route.upstream.in_flight(), 0);
}

#[test]
fn shadow_refuses_nothing_and_reports_what_would_have_been() {
    let shadow = Admission { mode: Mode::Shadow, ..workers(50, 40) };
    let snapshot = compile(Some(10), &[("batch", Class::Batch, Some(shadow))]);
    let route = the_route(&snapshot, "batch");
    let decisions: Vec<_> = (0..20).map(|_| route.admit(at_ms(1))).collect();
    let would_refuse = decisions.iter().filter(|decision| decision.shadow.is_some()).count();
    assert_eq!(would_refuse, 10, "ten fit");
    assert!(decisions.iter().all(|decision| decision.outcome.is_ok()));
    assert_eq!((route.in_flight(), route.upstream.in_flight()), (20, 20), "they really run");
    assert_eq!(decisions[10].shadow.unwrap().reason, Reason::Workers);
    // Those that would have been refused do not hold back those that come later.
    let (fit, surplus): (Vec<_>, Vec<_>) = decisions.into_iter().partition(|d| d.shadow.is_none());
    drop(fit);
    assert!(route.admit(at_ms(2)).shadow.is_none(), "ten run that would not be there");
    drop(surplus);
    let state = &route.upstream.state;
    assert_eq!((route.in_flight(), state.slots.in_flight(), state.shadow.in_flight()), (0, 0, 0));
    assert_eq!(route.lane.state.shadow.in_flight(), 0);
}

#[test]
fn a_shadow_rate_reports_what_is_over() {
    let shadow = Admission { mode: Mode::Shadow, ..rps(10.0, 2) };
    let snapshot = compile(None, &[("batch", Class::Batch, Some(shadow))]);
    let route = the_route(&snapshot, "batch");
    let over: Vec<_> = (0..4).map(|_| route.admit(at_ms(1)).shadow.map(|s| s.reason)).collect();
    assert_eq!(over, [None, None, Some(Reason::Rps), Some(Reason::Rps)]);
}

#[test]
fn cpu_over_its_threshold_refuses_and_under_exit_lets_in_again() {
    let snapshot = compile(None, &[("batch", Class::Batch, Some(cpu(80, 70)))]);
    let route = the_route(&snapshot, "batch");
    let endpoint = &route.upstream.endpoints()[0];
    let observe = |share, now_ms| {
        let reading = Reading { cpu: Some(share), ..Reading::default() };
        route.upstream.observe(endpoint, &reading, at_ms(now_ms));
        snapshot.tick(at_ms(now_ms));
    };
    observe(0.70, 1_000);
    assert!(route.admit(at_ms(1_000)).outcome.is_ok());
    observe(0.95, 2_000);
    let shed = route.admit(at_ms(2_000)).outcome.unwrap_err();
    assert_eq!((shed.reason, shed.reason.code()), (Reason::Cpu, "cpu_over"));
    assert!((shed.observed - 0.95).abs() < 1e-9 && (shed.threshold - 0.80).abs() < 1e-9);
    observe(0.75, 3_000);
    assert!(route.admit(at_ms(3_000)).outcome.is_err(), "between exit and enter it holds");
    observe(0.40, 4_000);
    assert!(route.admit(at_ms(4_000)).outcome.is_ok());
}

#[test]
fn the_gateways_own_cpu_counts_where_the_policy_says_so() {
    use sumun_policy::policy::{Cpu, CpuOf};
    let own = Cpu { of: CpuOf::Gateway, bounds: crate::fixture::bounds(80, 70) };
    let own = Admission { cpu: Some(own), ..admission() };
    let live = Live::new();
    let written = written(None, &[("batch", Class::Batch, Some(own))]);
    let snapshot = Snapshot::compile(written, 1, &live, at_ms(0));
    live.observe_own_cpu(f64::NAN, at_ms(900));
    live.observe_own_cpu(0.99, at_ms(1_000));
    snapshot.tick(at_ms(1_000));
    let shed = the_route(&snapshot, "batch").admit(at_ms(1_000)).outcome.unwrap_err();
    assert_eq!(shed.reason, Reason::Cpu);
}

#[test]
fn thresholds_are_told() {
    let all = Admission { cpu: cpu(80, 70).cpu, ..both(rps(500.0, 50), &workers(85, 75)) };
    let snapshot = compile(Some(10), &[("batch", Class::Batch, Some(all))]);
    let told = the_route(&snapshot, "batch").thresholds();
    let told: Vec<_> = told.iter().map(|t| (t.signal, t.enter, t.exit)).collect();
    assert_eq!(told, [("rps", 500.0, 500.0), ("cpu", 0.80, 0.70), ("workers", 0.85, 0.75)]);
}

#[test]
fn buckets_and_calls_in_flight_survive_a_reload() {
    let live = Live::new();
    let policy = |limit, burst| written(None, &[("batch", Class::Batch, Some(rps(limit, burst)))]);
    let before = Snapshot::compile(policy(10.0, 10), 1, &live, at_ms(0));
    let held: Vec<_> =
        (0..5).map(|_| the_route(&before, "batch").admit(at_ms(1)).outcome.unwrap()).collect();
    let after = Snapshot::compile(policy(20.0, 40), 2, &live, at_ms(1));
    let route = the_route(&after, "batch");
    assert_eq!((route.in_flight(), route.upstream.in_flight()), (5, 5));
    assert_eq!(fill(route, at_ms(1)).len(), 20, "half of the bucket was spent, half is left");
    drop(held);
    assert_eq!((route.in_flight(), route.upstream.in_flight()), (0, 0));
}

#[test]
fn a_shrunken_limit_admits_nobody_until_enough_have_left() {
    let live = Live::new();
    let policy = |max| written(Some(max), &[("batch", Class::Batch, Some(workers(100, 90)))]);
    let before = Snapshot::compile(policy(10), 1, &live, at_ms(0));
    let mut held = fill(the_route(&before, "batch"), at_ms(0));
    let after = Snapshot::compile(policy(4), 2, &live, at_ms(1));
    let route = the_route(&after, "batch");
    assert!(route.admit(at_ms(1)).outcome.is_err());
    held.truncate(3);
    assert_eq!(fill(route, at_ms(1)).len(), 1);
}

#[test]
fn a_panic_frees_the_slot() {
    let snapshot = compile(Some(4), &[("batch", Class::Batch, Some(workers(50, 40)))]);
    let route = Arc::clone(the_route(&snapshot, "batch"));
    let call = std::thread::spawn(move || {
        let _slot = route.admit(at_ms(1)).outcome.unwrap();
        panic!("a stage broke");
    });
    assert!(call.join().is_err());
    assert_eq!(snapshot.upstreams()[0].in_flight(), 0);
}

#[test]
fn under_threads_no_call_is_lost_and_no_limit_exceeded() {
    use std::sync::atomic::AtomicU32;
    let both = both(rps(1e6, 1_000_000), &workers(50, 40));
    let snapshot = compile(
        Some(3),
        &[("batch", Class::Batch, Some(both)), ("bulk", Class::Bulk, Some(workers(50, 40)))],
    );
    let inside = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (snapshot, inside) = (&snapshot, &inside);
            scope.spawn(move || {
                for round in 0..5_000u64 {
                    let route = &snapshot.routes()[(thread + round as usize) % 2];
                    if let Ok(slot) = route.admit(at_ms(round)).outcome {
                        assert!(inside.fetch_add(1, AcqRel) < 3, "over the limit");
                        inside.fetch_sub(1, AcqRel);
                        drop(slot);
                    }
                    if round.is_multiple_of(100) {
                        snapshot.tick(at_ms(round));
                    }
                }
            });
        }
    });
    assert_eq!(snapshot.upstreams()[0].in_flight(), 0);
    assert!(snapshot.routes().iter().all(|route| route.in_flight() == 0));
}

/// Two calls look at the last token; the one that then does not get it gives its slot back.
#[test]
fn who_loses_the_race_for_a_token_gives_the_slot_back() {
    const ROUNDS: u64 = 3_000;
    let snapshot =
        compile(Some(100), &[("batch", Class::Batch, Some(both(rps(1e3, 1), &workers(100, 90))))]);
    let route = the_route(&snapshot, "batch");
    let barrier = std::sync::Barrier::new(2);
    let admitted = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for round in 1..=ROUNDS {
                    barrier.wait();
                    let entered = route.admit(at_ms(round)).outcome.is_ok();
                    admitted.fetch_add(u64::from(entered), AcqRel);
                }
            });
        }
    });
    assert_eq!(admitted.into_inner(), ROUNDS, "one of each two");
    assert_eq!((route.in_flight(), route.upstream.in_flight()), (0, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Admit { lane: usize, class: usize, caller: Option<u64> },
    Leave(usize),
    Observe { busy: f64, cpu: f64 },
    Tick,
    Reload(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0usize..4, 0usize..4, prop::option::of(0u64..20))
            .prop_map(|(lane, class, caller)| Step::Admit { lane, class, caller }),
        5 => (0usize..64).prop_map(Step::Leave),
        2 => (-5.0f64..40.0, -0.5f64..1.5).prop_map(|(busy, cpu)| Step::Observe { busy, cpu }),
        1 => Just(Step::Tick),
        1 => (1u32..30).prop_map(Step::Reload),
    ]
}

proptest! {
    /// Whatever happens: a call that may be shed enters only under its limit, an interactive one
    /// always; where a call is refused, no call of a lower class would be let in; nothing leaks.
    #[test]
    fn limits_hold_and_nothing_leaks(steps in prop::collection::vec(step(), 1..150)) {
        let stale = [OnStale::Proven, OnStale::Open, OnStale::Closed];
        let live = Live::new();
        let policy = |max: u32| {
            let all = Admission {
                cpu: cpu(80, 70).cpu,
                on_stale: stale[max as usize % 3],
                ..workers(85, 75)
            };
            written(Some(max), &[
                ("a-bulk", Class::Bulk, Some(all.clone())),
                ("b-batch", Class::Batch, Some(all.clone())),
                ("c-default", Class::Default, Some(all)),
                ("d-interactive", Class::Interactive, None),
            ])
        };
        let mut snapshot = Snapshot::compile(policy(10), 1, &live, at_ms(0));
        let mut held = Vec::new();
        for (n, step) in steps.into_iter().enumerate() {
            let now = at_ms(n as u64 * 400);
            match step {
                Step::Admit { lane, class, caller } => {
                    let route = &snapshot.routes()[lane];
                    let class = Class::ALL[class];
                    let in_flight = route.upstream.in_flight();
                    let outcome = route.decide(Ask { class, caller }, now).outcome;
                    let limit = route.limit_of(class);
                    if outcome.is_ok() {
                        prop_assert!(limit.is_none_or(|limit| in_flight < limit));
                    } else {
                        prop_assert!(class != Class::Interactive && lane != 3);
                        for (route, lower) in snapshot.routes()[..3]
                            .iter()
                            .flat_map(|route| Class::ALL.map(|class| (route, class)))
                            .filter(|(_, lower)| *lower < class)
                        {
                            let limit = route.limit_of(lower);
                            prop_assert!(limit.is_some_and(|limit| in_flight >= limit));
                        }
                    }
                    held.extend(outcome);
                }
                Step::Leave(n) if !held.is_empty() => drop(held.swap_remove(n % held.len())),
                Step::Leave(_) => {}
                Step::Observe { busy, cpu } => {
                    let upstream = &snapshot.upstreams()[0];
                    let reading = Reading { busy: Some(busy), cpu: Some(cpu), ..<_>::default() };
                    upstream.observe(&upstream.endpoints()[0], &reading, now);
                }
                Step::Tick => snapshot.tick(now),
                Step::Reload(max) => snapshot = Snapshot::compile(policy(max), 2, &live, now),
            }
            let limits: Vec<_> =
                snapshot.routes()[..3].iter().map(|r| r.limit().unwrap_or(u32::MAX)).collect();
            prop_assert!(limits.is_sorted(), "{limits:?}");
            prop_assert_eq!(snapshot.upstreams()[0].in_flight() as usize, held.len());
        }
        held.clear();
        prop_assert_eq!(snapshot.upstreams()[0].in_flight(), 0);
        prop_assert!(snapshot.routes().iter().all(|route| route.in_flight() == 0));
    }
}
