use proptest::prelude::*;
use sumun_policy::policy::Class;

use super::*;
use crate::admission::account::Account;
use crate::fixture::at_ms;

fn offer(limit: u32, free: f64, cohort: f64) -> Offer {
    let bound = Bound {
        limit,
        free,
        reason: Reason::Workers,
        threshold: 0.85,
        observed: Observed::Busy { taken: 0, capacity: 200.0 },
        retry_after: Duration::from_millis(100),
    };
    Offer { bound, cohort, band: 0.05, interval_ns: 10_000_000 }
}

fn terms(limit: u32, free: f64, cohort: f64) -> Terms {
    let terms = Terms::new();
    terms.put(Some(&offer(limit, free, cohort)));
    terms
}

/// Slots with so many calls in flight.
fn holding(in_flight: u32) -> Slots {
    let slots = Slots::new(UNLIMITED);
    for _ in 0..in_flight {
        slots.enter();
    }
    slots
}

/// Of `calls` that each find `in_flight` in flight, how many are refused.
fn refused(terms: &Terms, in_flight: u32, calls: usize, caller: Option<u64>) -> usize {
    let (account, slots) = (Account::default(), holding(in_flight));
    let of = account.of(Class::Batch);
    (0..calls)
        .filter(|_| match terms.enter(&slots, of, caller, at_ms(1)) {
            Ok(()) => {
                slots.leave();
                false
            }
            Err(_) => true,
        })
        .count()
}

#[test]
fn the_share_rises_smoothly_from_nothing_to_all() {
    let shares: Vec<_> = (165..=201).map(|n| ramp(f64::from(n), 170.0, 200.0)).collect();
    assert!(shares.is_sorted(), "{shares:?}");
    assert_eq!((shares[5], shares[35], shares[36]), (0.0, 1.0, 1.0));
    let steepest = shares.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    assert!(steepest < 0.1, "{steepest} at one slot");
}

#[test]
fn a_pool_of_one_worker_is_used() {
    let ramps = [ramp(0.0, 0.85, 1.0), ramp(1.0, 0.85, 1.0)];
    assert!(ramps[0] <= 0.0 && ramps[1] >= 1.0, "{ramps:?}");
    assert!(ramp(0.0, -5.0, 0.0) >= 1.0, "nobody enters a pool without room");
}

#[test]
fn without_terms_everybody_enters() {
    let (account, slots) = (Account::default(), holding(1_000));
    let entered = Terms::new().enter(&slots, account.of(Class::Bulk), None, at_ms(1));
    assert_eq!(entered, Ok(()));
}

#[test]
fn on_the_ramp_exactly_the_share_is_refused() {
    // At 185 of 170..200 half the way: an eighth.
    assert_eq!(refused(&terms(200, 170.0, 0.0), 185, 800, None), 100);
    assert_eq!(refused(&terms(200, 170.0, 0.0), 169, 800, None), 0);
    assert_eq!(refused(&terms(200, 170.0, 0.0), 200, 800, None), 800);
}

#[test]
fn others_over_the_threshold_shed_from_the_first_call_on() {
    let terms = terms(10, -10.0, 0.0);
    assert_eq!(refused(&terms, 0, 800, None), 100, "half the way at no call of ours");
}

#[test]
fn callers_under_the_share_are_refused_and_those_over_it_are_not() {
    let terms = terms(200, 170.0, 0.4);
    for caller in 0..200 {
        let place = cohort::place(caller, at_ms(1));
        let refused = refused(&terms, 190, 100, Some(caller));
        match place {
            _ if place < 0.35 => assert_eq!(refused, 100, "{place}"),
            _ if place >= 0.45 => assert_eq!(refused, 0, "{place}"),
            // The cube of two thirds is 0.296.
            _ => assert_eq!(refused, 29, "{place}"),
        }
    }
}

#[test]
fn where_there_is_room_nobody_is_refused_and_where_there_is_none_everybody() {
    let terms = terms(200, 170.0, 0.9);
    assert!((0..200).all(|caller| refused(&terms, 169, 10, Some(caller)) == 0));
    assert!((0..200).all(|caller| refused(&terms, 200, 10, Some(caller)) == 10));
}

#[test]
fn refusals_book_their_returns_one_by_one() {
    let (terms, account) = (terms(20, 17.0, 0.0), Account::default());
    let full = Full { in_flight: 20, limit: 20 };
    let waits: Vec<_> =
        (0..3).map(|_| terms.shed(full, account.of(Class::Batch), at_ms(5)).retry_after).collect();
    assert_eq!(waits, [100, 110, 120].map(Duration::from_millis));
}

proptest! {
    /// |refused − Σ shares| ≤ 1 as the pool fills and empties, and never one in over the limit.
    #[test]
    fn what_is_refused_is_the_sum_of_the_shares(
        fills in prop::collection::vec(0u32..205, 1..500),
        free in -20.0f64..199.0,
    ) {
        let (terms, account) = (terms(200, free, 0.0), Account::default());
        let (mut sum, mut refused) = (0.0, 0.0);
        for in_flight in fills {
            let slots = holding(in_flight);
            let entered = terms.enter(&slots, account.of(Class::Batch), None, at_ms(1)).is_ok();
            prop_assert!(!entered || in_flight < 200);
            // The terms keep `free` as a 32-bit float.
            sum += ramp(f64::from(in_flight), f64::from(free as f32), 200.0);
            refused += f64::from(u8::from(!entered));
            prop_assert!((sum - refused).abs() <= 1.0 + 1e-6, "{refused} of {sum}");
        }
    }
}
