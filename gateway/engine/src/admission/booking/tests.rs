use proptest::prelude::*;

use super::*;
use crate::fixture::at_ms;

const MS: u64 = 1_000_000;

fn pace(interval_ms: u64, earliest_ms: u64) -> Pace {
    Pace { interval_ns: interval_ms * MS, earliest: Duration::from_millis(earliest_ms) }
}

#[test]
fn a_herd_gets_one_instant_each() {
    let ledger = Ledger::default();
    let waits: Vec<_> = (0..4).map(|_| ledger.book(pace(10, 100), at_ms(50))).collect();
    assert_eq!(waits, [100, 110, 120, 130].map(Duration::from_millis));
    // What passed is not given away again, and not saved up either.
    assert_eq!(ledger.book(pace(10, 100), at_ms(5_000)), Duration::from_millis(100));
}

#[test]
fn beyond_the_horizon_they_are_spread_over_its_later_half() {
    let ledger = Ledger::default();
    let slow = pace(100_000, 100);
    for _ in 0..3 {
        assert!(ledger.book(slow, at_ms(0)) <= HORIZON);
    }
    let mut waits: Vec<_> = (0..100).map(|_| ledger.book(slow, at_ms(0))).collect();
    waits.sort_unstable();
    assert!(waits[0] >= HORIZON / 2 && waits[99] <= HORIZON, "{waits:?}");
    let gap = waits.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap();
    assert!(gap <= HORIZON / 2 / 30, "a hundred leave no gap of {gap:?}");
    assert_eq!(ledger.ahead(at_ms(0)), Duration::from_millis(200_100), "and book nothing");
}

#[test]
fn bookings_that_nobody_keeps_are_forgotten_and_kept_ones_stand() {
    let ledger = Ledger::default();
    let last = (0..2_000).map(|_| ledger.book(pace(10, 10), at_ms(0))).max();
    assert_eq!(last, Some(Duration::from_secs(20)));
    let ahead = ledger.ahead(at_ms(0));
    (1..=100).for_each(|tick| ledger.forgive(0.9, Duration::from_millis(100), at_ms(tick * 100)));
    assert_eq!(ledger.ahead(at_ms(0)), ahead, "nearly all came");
    (101..=400).for_each(|tick| ledger.forgive(0.0, Duration::from_millis(100), at_ms(tick * 100)));
    assert!(ledger.ahead(at_ms(40_000)) < Duration::from_secs(1), "nobody came for 30 s");
}

proptest! {
    /// Two bookings under the same pace are at least an interval apart, and all within bounds.
    #[test]
    fn bookings_are_an_interval_apart(
        gaps_ms in prop::collection::vec(0u64..200, 1..200),
        interval in 1u64..100,
        earliest in 1u64..500,
    ) {
        let ledger = Ledger::default();
        let (mut now_ms, mut last) = (0, None::<Moment>);
        for gap in gaps_ms {
            now_ms += gap;
            let wait = ledger.book(pace(interval, earliest), at_ms(now_ms));
            let at = at_ms(now_ms).plus(wait);
            prop_assert!(wait >= Duration::from_millis(earliest) && wait <= HORIZON);
            if let Some(last) = last {
                prop_assert!(at.since(last) >= Duration::from_millis(interval));
            }
            last = Some(at);
        }
    }
}
