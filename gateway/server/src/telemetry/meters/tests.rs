use super::super::fixture::{MS, call, refused, route, shed};
use super::*;

fn meters(mode: Mode) -> Arc<RouteMeters> {
    Arc::new(RouteMeters::new(Some(&route("mail", mode)), 2))
}

#[test]
fn every_call_is_one_decision() {
    let record = call(None);
    let hit =
        CallRecord { cache: Some(CacheResult::Hit), attempts: [None, None], ..record.clone() };
    let revalidated = CallRecord { cache: Some(CacheResult::Revalidated), ..record.clone() };
    let stale = CallRecord {
        shed: Some(shed(Code::CpuOver)),
        cache: Some(CacheResult::Stale),
        attempts: [None, None],
        ..record.clone()
    };
    let reset = CallRecord { refusal: Some(Code::UpstreamReset), ..record.clone() };
    let cut = CallRecord { refusal: Some(Code::BodyTooLarge), ..record.clone() };
    for (what, record, verdict) in [
        ("forwarded", record, Verdict::Admit),
        ("shed", refused(None, Code::WorkersOver), Verdict::Refuse(Code::WorkersOver)),
        ("out of slots", refused(None, Code::QuotaFull), Verdict::Refuse(Code::QuotaFull)),
        ("a hit", hit, Verdict::Unasked),
        ("a revalidation", revalidated, Verdict::Admit),
        ("stale instead of 429", stale, Verdict::Stale(Code::CpuOver)),
        ("reset by the upstream", reset, Verdict::Admit),
        ("no endpoint", refused(None, Code::NoEndpoint), Verdict::Admit),
        ("too large, said at once", refused(None, Code::BodyTooLarge), Verdict::Unasked),
        ("too large, found in mid-body", cut, Verdict::Admit),
        ("draining", refused(None, Code::Draining), Verdict::Unasked),
    ] {
        assert_eq!(Verdict::of(&record), verdict, "{what}");
    }
}

#[test]
fn calls_are_counted_by_what_became_of_them() {
    let meters = meters(Mode::Enforce);
    let miss = CallRecord { cache: Some(CacheResult::Miss), ..call(None) };
    for core in 0..2 {
        meters.count(core, &call(None));
        meters.count(core, &miss);
        meters.count(core, &refused(None, Code::WorkersOver));
    }
    meters.count(0, &refused(None, Code::RpsOver));
    assert_eq!(
        meters.totals(),
        RouteTotals {
            admitted: 4,
            refused: vec![("rps_over", 1), ("workers_over", 2)],
            cache: vec![("miss", 2)],
            ..RouteTotals::default()
        }
    );
}

#[test]
fn in_shadow_mode_what_would_have_been_is_counted_apart() {
    let meters = meters(Mode::Shadow);
    meters.count(0, &call(None));
    let would = CallRecord { shadow: Some(shed(Code::WorkersOver)), ..call(None) };
    meters.count(0, &would);
    assert_eq!(
        meters.totals(),
        RouteTotals {
            admitted_shadow: 1,
            shadow: vec![("workers_over", 1)],
            ..RouteTotals::default()
        }
    );
    let view = meters.view(Moment::from_nanos(1));
    assert_eq!(view.admitted, 2, "nothing was refused");
    assert_eq!(view.shadow["workers_over"], 1);
    assert!(view.refused.is_empty());
}

#[test]
fn durations_stand_under_method_and_status() {
    let meters = meters(Mode::Enforce);
    meters.count(0, &call(None));
    meters.count(1, &call(None));
    meters.count(1, &refused(None, Code::QuotaFull));
    let durations = meters.durations();
    let found: Vec<_> = durations.iter().map(|(key, sum)| (split_key(*key), sum.count())).collect();
    assert_eq!(found, [((1, 200, None), 2), ((1, 429, None), 1)]);
    assert_eq!(durations[0].1.sum, std::time::Duration::from_millis(24));
}

#[test]
fn a_view_leaves_refusals_out_of_the_latency_and_not_out_of_the_rate() {
    let meters = meters(Mode::Enforce);
    meters.sample(0);
    for _ in 0..10 {
        meters.count(0, &call(None));
        meters.count(0, &refused(None, Code::RpsOver));
    }
    let view = meters.view(Moment::from_nanos(2000 * MS));
    assert!((view.rate - 10.0).abs() < 1e-9, "20 calls in 2 s, found {}", view.rate);
    let latency = view.latency.unwrap();
    assert!(latency.p50_ms > 9.0 && latency.p99_ms < 16.0, "12 ms, found {latency:?}");
    assert_eq!(view.refused["rps_over"], 10);
}

#[test]
fn attempts_are_counted_by_what_the_upstream_did() {
    let meters = EndpointMeters::new("127.0.0.1:9101".into(), 1);
    let mut attempt = call(None).attempts[0].clone().unwrap();
    meters.count(0, 1, &attempt, 0);
    attempt.status = 0;
    attempt.failed = Some(Code::UpstreamReset);
    attempt.head_ns = 0;
    meters.count(0, 3, &attempt, 1012 * MS);
    let found: Vec<_> =
        meters.durations().into_iter().map(|(key, sum)| (split_key(key), sum.sum)).collect();
    assert_eq!(
        found,
        [
            ((1, 200, None), std::time::Duration::from_millis(9)),
            ((3, 0, Some("upstream_reset")), std::time::Duration::from_millis(11)),
        ]
    );
}

#[test]
fn a_route_keeps_a_bounded_number_of_notable_spans_a_second() {
    let meters = meters(Mode::Enforce);
    let kept = |core, second| (0..100).filter(|_| meters.may_keep(core, second, 25)).count();
    assert_eq!(kept(0, 5), 25);
    assert_eq!(kept(1, 5), 25, "each core has its own");
    assert_eq!(kept(0, 5), 0);
    assert_eq!(kept(0, 6), 25);
}

#[test]
fn a_new_policy_is_taken_over() {
    let meters = meters(Mode::Enforce);
    let mut changed = route("mail", Mode::Shadow);
    changed.class = Class::Bulk;
    meters.update(&changed);
    assert_eq!(meters.class(), Class::Bulk);
    assert!(meters.facts().shadow);
}
