use sumun_policy::Policy;
use sumun_policy::policy::{Admission, Class, OnStale};

use super::*;
use crate::fixture::{actuator, at_ms, policy, route, upstream, workers};
use crate::signals::SignalState;
use crate::{Live, Snapshot};

/// One scraped upstream and one batch route with a worker threshold of 85 %.
fn written(ports: &[u16], on_stale: OnStale) -> Policy {
    let mut target = upstream("u", ports);
    target.signals = Some(actuator());
    let mut batch = route("batch", "/b", Class::Batch, "u");
    batch.admission = Some(Admission { on_stale, ..workers(85, 75) });
    policy([target], [batch])
}

fn compile(ports: &[u16], on_stale: OnStale) -> Snapshot {
    Snapshot::compile(written(ports, on_stale), 1, &Live::new(), at_ms(0))
}

fn told(busy: f64, max: f64) -> Reading {
    Reading { busy: Some(busy), max: Some(max), ..Reading::default() }
}

fn observe(snapshot: &Snapshot, endpoint: usize, reading: Reading, now_ms: u64) {
    let upstream = &snapshot.upstreams()[0];
    upstream.observe(&upstream.endpoints()[endpoint], &reading, at_ms(now_ms));
    snapshot.tick(at_ms(now_ms));
}

fn limit(snapshot: &Snapshot) -> Option<u32> {
    snapshot.routes()[0].limit()
}

#[test]
fn capacity_is_summed_and_other_peoples_load_taken_off() {
    let snapshot = compile(&[1, 2], OnStale::Proven);
    assert_eq!(limit(&snapshot), None, "nothing is known yet");
    observe(&snapshot, 0, told(0.0, 100.0), 10);
    assert_eq!(limit(&snapshot), Some(200), "the other one is taken to be alike");
    observe(&snapshot, 1, told(30.0, 50.0), 20);
    assert_eq!(limit(&snapshot), Some(109), "150 less 30 that are not ours and 2 × √26");
}

#[test]
fn our_own_calls_are_not_other_peoples_load() {
    let snapshot = compile(&[1], OnStale::Proven);
    let endpoint = Arc::clone(&snapshot.upstreams()[0].endpoints()[0]);
    let loads: Vec<_> = (0..40).map(|_| endpoint.begin()).collect();
    observe(&snapshot, 0, told(40.0, 100.0), 10);
    assert_eq!(limit(&snapshot), Some(100));
    drop(loads);
    // Calls that ended while the scrape was under way were busy over there and are still ours.
    let reading = Reading { own_in_flight: Some(40), ..told(40.0, 100.0) };
    observe(&snapshot, 0, reading, 1_010);
    assert_eq!(limit(&snapshot), Some(100));
}

#[test]
fn others_over_the_threshold_leave_little_and_others_everywhere_nothing() {
    let snapshot = compile(&[1], OnStale::Proven);
    observe(&snapshot, 0, told(180.0, 200.0), 10);
    assert_eq!(limit(&snapshot), Some(0), "180 and 2 × √175 of chance are more than 200");
    let shed = snapshot.routes()[0].admit(at_ms(11)).outcome.unwrap_err();
    assert_eq!(shed.limit, 0);
    assert!(shed.observed > 0.90 && shed.observed < 0.91, "181 of 200: {shed:?}");
    observe(&snapshot, 0, told(172.0, 200.0), 1_010);
    assert_eq!(limit(&snapshot), Some(2));
}

#[test]
fn an_endpoint_that_is_down_takes_its_capacity_with_it() {
    let snapshot = compile(&[1, 2], OnStale::Proven);
    observe(&snapshot, 0, told(0.0, 100.0), 10);
    observe(&snapshot, 1, told(0.0, 100.0), 20);
    let dead = &snapshot.upstreams()[0].endpoints()[1];
    (0..endpoint::FAILURES_MAX).for_each(|_| dead.failed(at_ms(30)));
    snapshot.tick(at_ms(40));
    assert_eq!(limit(&snapshot), Some(100));
}

#[test]
fn nonsense_changes_nothing() {
    let snapshot = compile(&[1], OnStale::Proven);
    observe(&snapshot, 0, told(10.0, 100.0), 10);
    let before = snapshot.upstreams()[0].signals(at_ms(500));
    for nonsense in [told(-1.0, -1.0), told(f64::NAN, 0.0), told(f64::INFINITY, f64::NAN)] {
        observe(&snapshot, 0, nonsense, 500);
    }
    assert_eq!(snapshot.upstreams()[0].signals(at_ms(500)), before);
    assert_eq!(limit(&snapshot), Some(84));
}

#[test]
fn minus_one_of_minus_one_is_no_signal_at_all() {
    let snapshot = compile(&[1], OnStale::Proven);
    for second in 1..9 {
        observe(&snapshot, 0, told(-1.0, -1.0), second * 1_000);
        assert_eq!(limit(&snapshot), None, "not 100 % busy");
    }
}

#[test]
fn a_policy_that_begins_to_scrape_is_not_closed_before_its_first_scrape() {
    let live = Live::new();
    let mut before = written(&[1], OnStale::Closed);
    before.upstreams.values_mut().for_each(|upstream| upstream.signals = None);
    let _before = Snapshot::compile(before, 1, &live, at_ms(0));
    let after = Snapshot::compile(written(&[1], OnStale::Closed), 2, &live, at_ms(60_000));
    assert_eq!(limit(&after), None);
    after.tick(at_ms(70_000));
    assert_eq!(limit(&after), Some(0), "ten periods later it is missed");
}

/// The limit as the signal freezes at 10 s, through all states and back.
fn frozen(on_stale: OnStale) -> [Option<u32>; 4] {
    let snapshot = compile(&[1], on_stale);
    (1..=10).for_each(|second| observe(&snapshot, 0, told(20.0, 100.0), second * 1_000));
    let after = |ms| {
        snapshot.tick(at_ms(ms));
        limit(&snapshot)
    };
    let (stale, expired, later) = (after(12_500), after(20_000), after(300_000));
    observe(&snapshot, 0, told(0.0, 100.0), 301_000);
    assert_eq!(later, expired, "the documented state stays");
    [Some(71), stale, expired, limit(&snapshot)]
}

#[test]
fn a_frozen_signal_ends_in_the_documented_state_and_returns_at_once() {
    assert_eq!(frozen(OnStale::Proven), [Some(71), Some(71), Some(71), Some(100)]);
    assert_eq!(frozen(OnStale::Open), [Some(71), Some(71), None, Some(100)]);
    assert_eq!(frozen(OnStale::Closed), [Some(71), Some(71), Some(0), Some(100)]);
}

#[test]
fn a_scraped_signal_that_never_speaks_expires_unless_the_policy_tells_the_workers() {
    let never = |workers_max| {
        let mut written = written(&[1], OnStale::Closed);
        let target = written.upstreams.values_mut().next().unwrap();
        target.workers_max = workers_max;
        let snapshot = Snapshot::compile(written, 1, &Live::new(), at_ms(0));
        snapshot.tick(at_ms(60_000));
        limit(&snapshot)
    };
    assert_eq!(never(None), Some(0));
    assert_eq!(never(Some(100)), Some(100));
}

#[test]
fn stale_limits_drift_to_what_was_proven() {
    let snapshot = compile(&[1], OnStale::Proven);
    // Ten healthy minutes with others at 60, then they leave, and the signal with them.
    (1..=600).for_each(|second| observe(&snapshot, 0, told(60.0, 100.0), second * 1_000));
    observe(&snapshot, 0, told(0.0, 100.0), 601_000);
    assert_eq!(limit(&snapshot), Some(100));
    let limits: Vec<u32> = (603..=612)
        .map(|second| {
            snapshot.tick(at_ms(second * 1_000));
            limit(&snapshot).unwrap()
        })
        .collect();
    assert!(limits.is_sorted_by(|a, b| a >= b), "{limits:?}");
    assert_eq!((limits[0], limits[9]), (100, 24), "{limits:?}");
}

#[test]
fn scrapes_that_fail_under_our_load_hold_the_limit() {
    let snapshot = compile(&[1], OnStale::Proven);
    let upstream = &snapshot.upstreams()[0];
    let endpoint = &upstream.endpoints()[0];
    observe(&snapshot, 0, told(40.0, 100.0), 1_000);
    assert_eq!(limit(&snapshot), Some(47));
    let loads: Vec<_> = (0..60).map(|_| endpoint.begin()).collect();
    upstream.scrape_failed(endpoint, at_ms(2_000));
    drop(loads);
    observe(&snapshot, 0, told(0.0, 100.0), 2_500);
    assert_eq!(limit(&snapshot), Some(47), "no rise under pressure");
    observe(&snapshot, 0, told(0.0, 100.0), 4_500);
    assert_eq!(limit(&snapshot), Some(100));
}

#[test]
fn signals_are_told_with_age_and_state() {
    let snapshot = compile(&[1], OnStale::Proven);
    let upstream = &snapshot.upstreams()[0];
    let absent = upstream.signals(at_ms(10));
    assert!(absent.iter().all(|view| view.state == SignalState::Absent && view.value.is_none()));
    let reading = Reading { cpu: Some(0.5), ..told(50.0, 200.0) };
    observe(&snapshot, 0, reading, 1_000);
    let views = upstream.signals(at_ms(4_000));
    let told: Vec<_> = views.iter().map(|v| (v.signal, v.value, v.age, v.state)).collect();
    let age = Some(Duration::from_secs(3));
    assert_eq!(
        told,
        [
            ("workers", Some(0.25), age, SignalState::Stale),
            ("cpu", Some(0.5), age, SignalState::Stale)
        ]
    );
    assert_eq!(views[0].endpoint, "http://127.0.0.1:1");
}

#[test]
fn where_only_the_policy_tells_the_workers_our_own_calls_are_the_signal() {
    let mut target = upstream("u", &[1]);
    target.workers_max = Some(10);
    let snapshot = Snapshot::compile(policy([target], []), 1, &Live::new(), at_ms(0));
    let upstream = &snapshot.upstreams()[0];
    let _loads: Vec<_> = (0..4).map(|_| upstream.endpoints()[0].begin()).collect();
    let view = &upstream.signals(at_ms(99))[0];
    assert_eq!((view.value, view.state), (Some(0.4), SignalState::Fresh));
}

#[test]
fn a_replaced_snapshot_sets_no_limits() {
    let live = Live::new();
    let old = Snapshot::compile(written(&[1], OnStale::Proven), 1, &live, at_ms(0));
    let mut stricter = written(&[1], OnStale::Proven);
    stricter.upstreams.values_mut().for_each(|upstream| upstream.workers_max = Some(50));
    let new = Snapshot::compile(stricter, 2, &live, at_ms(1));
    // A reading that still comes by way of the old one reaches the new one's next tick.
    let busy = Reading { busy: Some(0.0), ..Reading::default() };
    observe(&old, 0, busy, 1_000);
    assert_eq!(old.routes()[0].limit(), Some(50), "the word of the new one holds for all");
    new.tick(at_ms(1_100));
    assert_eq!((limit(&new), new.upstreams()[0].limit()), (Some(50), Some(50)));
    old.tick(at_ms(1_200));
    assert_eq!(new.upstreams()[0].limit(), Some(50));
}
