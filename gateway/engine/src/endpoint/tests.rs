use super::*;
use crate::fixture::{address, at_ms};

fn endpoints(count: u16) -> Vec<Arc<Endpoint>> {
    (1..=count).map(|port| Arc::new(Endpoint::new(address(port)))).collect()
}

fn take_down(endpoint: &Endpoint, now: Moment) {
    (0..FAILURES_MAX).for_each(|_| endpoint.failed(now));
    assert!(!endpoint.is_up());
}

/// Different numbers with well mixed bits, the same in every run.
fn draws() -> impl Iterator<Item = u64> {
    (1u64..).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).map(|n| n ^ (n >> 29))
}

#[test]
fn the_less_loaded_of_two_gets_the_call() {
    let all = endpoints(2);
    let _load = all[0].begin();
    for random in draws().take(100) {
        let picked = pick(&all, random, None, at_ms(1)).unwrap();
        assert_eq!(picked.address.port, 2);
    }
}

#[test]
fn equal_load_is_spread_over_all() {
    let all = endpoints(5);
    let mut loads = Vec::new();
    for random in draws().take(500) {
        loads.push(pick(&all, random, None, at_ms(1)).unwrap().begin());
    }
    let counts: Vec<u32> = all.iter().map(|endpoint| endpoint.in_flight()).collect();
    assert!(counts.iter().all(|count| (95..=105).contains(count)), "{counts:?}");
    drop(loads);
    assert!(all.iter().all(|endpoint| endpoint.in_flight() == 0));
}

#[test]
fn a_second_attempt_goes_elsewhere_where_it_can() {
    let all = endpoints(2);
    for random in draws().take(50) {
        let picked = pick(&all, random, Some(&all[0]), at_ms(1)).unwrap();
        assert_eq!(picked.address.port, 2);
    }
    let one = endpoints(1);
    assert!(pick(&one, 1, Some(&one[0]), at_ms(1)).is_some());
}

#[test]
fn failures_in_a_row_take_it_down_and_a_success_between_does_not() {
    let endpoint = &endpoints(1)[0];
    for _ in 0..10 {
        endpoint.failed(at_ms(1));
        endpoint.failed(at_ms(1));
        endpoint.succeeded(at_ms(1));
    }
    assert!(endpoint.is_up());
    take_down(endpoint, at_ms(2));
    assert_eq!(endpoint.view(at_ms(2)).state, "down");
    assert_eq!(endpoint.view(at_ms(502)).state, "probing");
    endpoint.succeeded(at_ms(503));
    assert_eq!(endpoint.view(at_ms(503)).state, "up");
}

#[test]
fn one_that_is_down_gets_one_probe_each_half_second_and_nothing_else() {
    let all = endpoints(3);
    take_down(&all[0], at_ms(1_000));
    let picks_of_the_dead = |from_ms: u64, to_ms: u64| {
        (from_ms..to_ms)
            .zip(draws())
            .filter(|(ms, random)| pick(&all, *random, None, at_ms(*ms)).unwrap().address.port == 1)
            .map(|(ms, _)| ms)
            .collect::<Vec<_>>()
    };
    assert_eq!(picks_of_the_dead(1_000, 2_900), [1_500, 2_000, 2_500]);
}

#[test]
fn it_serves_within_a_second_of_its_return() {
    let all = endpoints(2);
    take_down(&all[0], at_ms(0));
    let returns_ms = 7_301;
    let mut served_at = None;
    for (ms, random) in (0..20_000).zip(draws()) {
        let picked = pick(&all, random, None, at_ms(ms)).unwrap();
        if picked.address.port == 2 {
            continue;
        }
        if ms < returns_ms {
            picked.failed(at_ms(ms));
        } else {
            picked.succeeded(at_ms(ms));
            served_at = Some(ms);
            break;
        }
    }
    let waited_ms = served_at.unwrap() - returns_ms;
    assert!(waited_ms <= 500, "{waited_ms} ms");
    assert!(all[0].is_up());
}

#[test]
fn only_one_of_many_threads_gets_the_probe() {
    let endpoint = &endpoints(1)[0];
    take_down(endpoint, at_ms(0));
    let claims = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    claims.fetch_add(u32::from(endpoint.claim_probe(at_ms(600))), Relaxed);
                }
            });
        }
    });
    assert_eq!(claims.into_inner(), 1);
}

#[test]
fn late_failures_do_not_put_the_probe_off() {
    let endpoint = &endpoints(1)[0];
    take_down(endpoint, at_ms(0));
    (1..500).for_each(|ms| endpoint.failed(at_ms(ms)));
    assert!(endpoint.claim_probe(at_ms(500)));
}

#[test]
fn the_last_ones_are_tried_by_a_few_at_once_and_no_more() {
    let all = endpoints(1);
    take_down(&all[0], at_ms(0));
    let loads: Vec<_> = (0..LAST_RESORT_IN_FLIGHT_MAX)
        .map(|_| pick(&all, 7, None, at_ms(1)).unwrap().begin())
        .collect();
    assert!(pick(&all, 7, None, at_ms(1)).is_none(), "a black hole holds only those");
    assert!(pick(&all, 7, None, at_ms(500)).is_some(), "a probe still goes");
    drop(loads);
    assert!(pick(&all, 7, None, at_ms(501)).is_some());
}
