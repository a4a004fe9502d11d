use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use proptest::prelude::*;
use sumun_policy::Policy;
use sumun_policy::policy::{Admission, Class, Mode, Per, Rps};

use super::*;
use crate::fixture::{self, at_ms};
use crate::rate::Bucket;
use crate::{Ask, Live, Route, Snapshot};

fn admitted_at_once(
    of: &CallerBuckets,
    caller: u64,
    rate: Rate,
    now: Moment,
    calls: usize,
) -> usize {
    (0..calls).filter(|_| of.take(caller, rate, now).is_ok()).count()
}

#[test]
fn each_caller_has_the_whole_burst_whatever_the_others_do() {
    let (buckets, rate) = (CallerBuckets::new(CALLERS_MAX), Rate::new(10.0, 5));
    assert_eq!(admitted_at_once(&buckets, 1, rate, at_ms(1), 10_000), 5);
    for caller in 2..100 {
        assert_eq!(admitted_at_once(&buckets, caller, rate, at_ms(1), 8), 5, "{caller}");
    }
    assert_eq!(admitted_at_once(&buckets, 1, rate, at_ms(101), 8), 1);
    assert_eq!(buckets.len(), 99);
}

#[test]
fn two_thousand_at_once_of_one_caller_against_a_hundred_from_eight_threads() {
    let (buckets, rate) = (CallerBuckets::new(CALLERS_MAX), Rate::new(100.0, 100));
    let admitted = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (buckets, admitted) = (&buckets, &admitted);
            scope.spawn(move || {
                // Others come and go meanwhile.
                for other in 0..250 {
                    let _ = buckets.take(1_000 + thread * 250 + other, rate, at_ms(1));
                    admitted.fetch_add(admitted_at_once(buckets, 7, rate, at_ms(1), 1), Relaxed);
                }
            });
        }
    });
    assert_eq!(admitted.into_inner(), 100);
    assert_eq!(buckets.len(), 2_001);
}

/// Two callers that were told the same; the one stays away, the other takes every instant.
#[test]
fn what_a_caller_was_told_and_did_not_keep_is_forgotten_for_it_alone() {
    let (buckets, rate) = (CallerBuckets::new(100), Rate::new(10.0, 1));
    let told = |caller, now| {
        let wait = buckets.take(caller, rate, now).expect_err("spent");
        buckets.book(caller, rate, wait, now).as_millis()
    };
    for caller in [1, 2] {
        assert_eq!(buckets.take(caller, rate, at_ms(0)), Ok(()));
        assert_eq!((0..80).map(|_| told(caller, at_ms(0))).max(), Some(8_000));
    }
    (1..60).for_each(|n| assert_eq!(buckets.take(2, rate, at_ms(n * 100)), Ok(())));
    for caller in [1, 2] {
        assert_eq!(buckets.take(caller, rate, at_ms(6_000)), Ok(()));
    }
    // Two seconds were left to both; e^-0.6 of them to the one who was away, and an instant more.
    assert_eq!(told(2, at_ms(6_001)), 2_099);
    assert!((1_150..1_250).contains(&told(1, at_ms(6_001))), "{}", told(1, at_ms(6_001)));
}

#[test]
fn a_look_remembers_nobody_and_spends_nothing() {
    let (buckets, rate) = (CallerBuckets::new(100), Rate::new(1.0, 1));
    assert_eq!(buckets.peek(7, rate, at_ms(1)), Ok(()));
    assert!(buckets.is_empty());
    assert_eq!(buckets.take(7, rate, at_ms(1)), Ok(()));
    let wait = Duration::from_millis(900);
    assert_eq!(buckets.peek(7, rate, at_ms(101)), Err(wait));
    assert_eq!(buckets.take(7, rate, at_ms(101)), Err(wait));
    assert_eq!(buckets.take(7, rate, at_ms(1_001)), Ok(()));
}

#[test]
fn a_hundred_thousand_callers_stay_within_the_bound_of_memory() {
    let (buckets, rate) = (CallerBuckets::new(CALLERS_MAX), Rate::new(1.0, 10));
    for caller in 0..100_000_u64 {
        assert_eq!(buckets.take(caller, rate, at_ms(1 + caller / 100)), Ok(()));
        assert!(buckets.len() <= CALLERS_MAX);
    }
    assert!(buckets.len() > CALLERS_MAX * 9 / 10, "{} remembered", buckets.len());
    let bytes = buckets.held_bytes();
    assert!(bytes <= CALLERS_MAX * 108, "{bytes} bytes");
    for shard in &buckets.shards {
        let shard = shard.0.lock();
        assert_eq!(shard.spent.len(), shard.order.len());
    }
}

#[test]
fn made_up_names_do_not_wash_out_a_caller_over_its_limit() {
    let (buckets, rate) = (CallerBuckets::new(1_000), Rate::new(1.0, 20));
    assert_eq!(admitted_at_once(&buckets, u64::MAX, rate, at_ms(1), 40), 20);
    for made_up in 0..50_000 {
        assert_eq!(buckets.take(made_up, rate, at_ms(1 + made_up / 5_000)), Ok(()));
    }
    assert!(buckets.peek(u64::MAX, rate, at_ms(20)).is_err(), "still over its limit");
    assert!(buckets.len() <= buckets.callers_max());
}

#[test]
fn the_bound_is_kept_whatever_it_is() {
    for max in [1, 2, 100, 511, 512, 1_023, 1_024, 5_000, 10_000, 99_999, 1_000_000] {
        let buckets = CallerBuckets::new(max);
        assert!(buckets.callers_max() <= max && buckets.callers_max() * 10 >= max * 9, "{max}");
        assert!(buckets.shards.len().is_power_of_two() && buckets.shards.len() <= SHARDS_MAX);
    }
    let (one, rate) = (CallerBuckets::new(1), Rate::new(1.0, 1));
    for caller in 0..100 {
        assert_eq!(one.take(caller, rate, at_ms(1)), Ok(()));
        assert_eq!(one.len(), 1);
    }
}

#[test]
fn another_rate_leaves_everybody_the_same_share() {
    let (buckets, from, to) = (CallerBuckets::new(100), Rate::new(10.0, 10), Rate::new(1.0, 100));
    for _ in 0..4 {
        buckets.take(1, from, at_ms(1)).unwrap();
    }
    buckets.take(2, from, at_ms(1)).unwrap();
    buckets.rescale(from, to, at_ms(1));
    assert_eq!(admitted_at_once(&buckets, 1, to, at_ms(1), 200), 60);
    assert_eq!(admitted_at_once(&buckets, 2, to, at_ms(1), 200), 90);
    let shard = buckets.shards[0].0.lock();
    assert!(shard.order.iter().all(|Reverse((known, c))| shard.spent[c].arrival_ns >= *known));
}

#[test]
fn refused_calls_of_one_caller_are_told_to_come_one_by_one() {
    let (buckets, rate) = (CallerBuckets::new(100), Rate::new(10.0, 1));
    for caller in [1, 2] {
        buckets.take(caller, rate, at_ms(1)).unwrap();
    }
    let told = |caller, now| {
        let wait = buckets.take(caller, rate, now).unwrap_err();
        buckets.book(caller, rate, wait, now).as_millis()
    };
    assert_eq!([told(1, at_ms(1)), told(1, at_ms(1)), told(1, at_ms(51))], [100, 200, 250]);
    assert_eq!(told(2, at_ms(1)), 100, "of another's calls it is told nothing");
    let furthest = (0..500).map(|_| told(1, at_ms(51))).max();
    assert!(furthest.is_some_and(|ms| (10_000..=10_050).contains(&ms)), "{furthest:?}");
    let stranger = buckets.book(7, rate, Duration::from_millis(3), at_ms(51));
    assert_eq!(stranger, Duration::from_millis(3), "nobody who is not remembered is refused");
}

/// Callers of one shard, so that the order of forgetting is that of all of them.
fn small() -> CallerBuckets {
    let buckets = CallerBuckets::new(16);
    assert_eq!(buckets.shards.len(), 1);
    buckets
}

proptest! {
    /// As long as nobody is forgotten, each caller meets exactly a bucket of its own.
    #[test]
    fn every_caller_is_a_bucket_of_its_own(
        calls in prop::collection::vec((0_u64..16, 0_u64..400_000_000), 1..400),
        limit in 0.5_f64..50.0,
        burst in 1_u32..9,
    ) {
        let (buckets, rate) = (small(), Rate::new(limit, burst));
        let mut alone: HashMap<u64, Bucket> = HashMap::new();
        let mut now = at_ms(1);
        for (caller, later_ns) in calls {
            now = now.plus(Duration::from_nanos(later_ns));
            let own = alone.entry(caller).or_default();
            prop_assert_eq!(buckets.peek(caller, rate, now), own.peek(rate, now));
            prop_assert_eq!(buckets.take(caller, rate, now), own.take(rate, now));
        }
    }

    /// Whoever is forgotten was idle, or nobody was and it was the one nearest to it. So nobody over
    /// its limit is forgotten while anybody else is not.
    #[test]
    fn the_one_that_is_idle_soonest_is_forgotten(
        calls in prop::collection::vec((0_u64..40, 0_u64..300_000_000), 1..600),
        limit in 0.5_f64..20.0,
        burst in 1_u32..6,
    ) {
        let (buckets, rate) = (small(), Rate::new(limit, burst));
        let mut now = at_ms(1);
        for (caller, later_ns) in calls {
            now = now.plus(Duration::from_nanos(later_ns));
            let before = buckets.shards[0].0.lock().spent.clone();
            let _ = buckets.take(caller, rate, now);
            let after = buckets.shards[0].0.lock().spent.clone();
            prop_assert!(after.len() <= 16);
            let mut gone = before.iter().filter(|(caller, _)| !after.contains_key(caller));
            if let Some((_, spent)) = gone.next() {
                let soonest = before.values().map(|spent| spent.arrival_ns).min();
                prop_assert!(
                    spent.arrival_ns <= now.nanos() || Some(spent.arrival_ns) == soonest
                );
            }
            prop_assert!(gone.next().is_none(), "one at a time");
        }
    }
}

// === through a route ===

fn per_caller(mode: Mode, limit: f64, burst: u32) -> Policy {
    let mut route = fixture::route("r", "/**", Class::Batch, "u");
    let rps = Some(Rps { limit, burst, per: Per::Caller });
    route.admission = Some(Admission { mode, rps, ..fixture::admission() });
    Policy {
        upstreams: [(fixture::name("u"), fixture::upstream("u", &[1]))].into(),
        routes: [(fixture::name("r"), route)].into(),
        ..Policy::default()
    }
}

fn let_in(route: &Arc<Route>, caller: Option<u64>, calls: usize) -> usize {
    let ask = Ask { class: Class::Batch, caller };
    (0..calls).filter(|_| route.decide(ask, at_ms(1)).outcome.is_ok()).count()
}

#[test]
fn who_floods_a_route_takes_nothing_from_others_and_strangers_share_one_bucket() {
    let snapshot = Snapshot::compile(per_caller(Mode::Enforce, 1.0, 5), 1, &Live::new(), at_ms(0));
    let route = &snapshot.routes()[0];
    assert_eq!(let_in(route, Some(1), 1_000), 5);
    assert_eq!(let_in(route, Some(2), 4), 4);
    assert_eq!((let_in(route, None, 3), let_in(route, None, 3)), (3, 2));
    let interactive = Ask { class: Class::Interactive, caller: Some(1) };
    assert!(route.decide(interactive, at_ms(1)).outcome.is_ok(), "raised, so never shed");
}

#[test]
fn what_callers_have_spent_survives_a_reload() {
    let live = Live::new();
    let before = Snapshot::compile(per_caller(Mode::Enforce, 1.0, 10), 1, &live, at_ms(0));
    assert_eq!(let_in(&before.routes()[0], Some(1), 4), 4);
    let after = Snapshot::compile(per_caller(Mode::Enforce, 1.0, 20), 2, &live, at_ms(1));
    assert_eq!(let_in(&after.routes()[0], Some(1), 100), 12, "four of ten are eight of twenty");
    assert_eq!(let_in(&after.routes()[0], Some(2), 100), 20);
}

#[test]
fn in_shadow_mode_callers_spend_of_another_purse() {
    let live = Live::new();
    let shadow = Snapshot::compile(per_caller(Mode::Shadow, 1.0, 5), 1, &live, at_ms(0));
    let route = &shadow.routes()[0];
    let ask = Ask { class: Class::Batch, caller: Some(1) };
    let would = (0..9).filter(|_| route.decide(ask, at_ms(1)).shadow.is_some()).count();
    assert_eq!((would, let_in(route, Some(1), 100)), (4, 100));
    let real = Snapshot::compile(per_caller(Mode::Enforce, 1.0, 5), 2, &live, at_ms(1));
    assert_eq!(let_in(&real.routes()[0], Some(1), 100), 5);
}

#[test]
fn a_smaller_bound_is_kept_through_a_route() {
    let live = Live::with_callers_max(8);
    let snapshot = Snapshot::compile(per_caller(Mode::Enforce, 1.0, 1), 1, &live, at_ms(0));
    let route = &snapshot.routes()[0];
    (0..1_000).for_each(|caller| assert_eq!(let_in(route, Some(caller), 1), 1));
    let buckets = route.lane.state.live.callers.get().unwrap();
    assert_eq!((buckets.len(), buckets.callers_max()), (8, 8));
}

#[test]
fn what_strangers_were_told_is_measured_by_what_strangers_keep() {
    let snapshot = Snapshot::compile(per_caller(Mode::Enforce, 10.0, 1), 1, &Live::new(), at_ms(0));
    let route = &snapshot.routes()[0];
    let decide = |caller, ms| route.decide(Ask { class: Class::Batch, caller }, at_ms(ms)).outcome;
    assert!(decide(None, 1).is_ok());
    let told = (0..600).map(|_| decide(None, 1).unwrap_err().retry_after).max();
    assert_eq!(told, Some(Duration::from_mins(1)));
    for tick in 1..=300 {
        // Known callers, each within its rate, and together far over it; strangers stay away.
        (0..10).for_each(|caller| assert!(decide(Some(caller), tick * 100).is_ok()));
        snapshot.tick(at_ms(tick * 100));
    }
    assert!(decide(None, 30_000).is_ok());
    let told = decide(None, 30_000).unwrap_err().retry_after;
    assert!(told < Duration::from_secs(1), "{told:?}");
}
