use super::*;
use crate::admission::{Observed, Reason};

const MINUTE: Duration = Duration::from_mins(1);

fn bound(limit: u32) -> Bound {
    Bound {
        limit,
        free: 0.85 * f64::from(limit),
        reason: Reason::Workers,
        threshold: 0.85,
        observed: Observed::Busy { taken: 0, capacity: 200.0 },
        retry_after: Duration::from_millis(100),
    }
}

fn settled(class: ClassNow, limit: u32) -> Offer {
    class.offer(bound(limit), 1.0, &mut 0.0, MINUTE)
}

#[test]
fn who_wants_twice_the_room_sheds_half_of_its_callers() {
    let class = ClassNow { above: 0.0, wanted: 400.0, hold_s: 0.1 };
    let offer = settled(class, 200);
    assert!((offer.cohort - 0.515).abs() < 1e-3, "{offer:?}");
    // 95 % of 200 workers at 100 ms: 1,900 a second.
    assert_eq!(offer.interval_ns, 526_316);
}

#[test]
fn what_higher_classes_hold_is_not_its_room() {
    let offer = settled(ClassNow { above: 150.0, wanted: 100.0, hold_s: 0.1 }, 200);
    assert!((offer.cohort - 0.515).abs() < 1e-3, "{offer:?}");
    let none = settled(ClassNow { above: 250.0, wanted: 100.0, hold_s: 0.1 }, 200);
    assert!((none.cohort - 1.0).abs() < 1e-3, "{none:?}");
    assert_eq!(none.interval_ns, 1_000_000_000, "one a second looks whether there is room");
}

#[test]
fn who_fits_sheds_nobody() {
    for wanted in [0.0, 1.0, 150.0] {
        assert_eq!(settled(ClassNow { above: 0.0, wanted, hold_s: 0.1 }, 200).cohort, 0.0);
    }
}

#[test]
fn the_boundary_follows_within_seconds_and_not_with_every_turn() {
    let class = ClassNow { above: 0.0, wanted: 400.0, hold_s: 0.1 };
    let mut cohort = 0.0;
    let mut turn = || class.offer(bound(200), 1.0, &mut cohort, Duration::from_millis(100)).cohort;
    assert!(turn() < 0.02);
    let after_15_s = (0..149).map(|_| turn()).last().unwrap();
    assert!((0.48..0.515).contains(&after_15_s), "{after_15_s}");
}

#[test]
fn a_lane_books_its_part_of_the_class() {
    let class = ClassNow { above: 0.0, wanted: 400.0, hold_s: 0.1 };
    let offer = class.offer(bound(200), 0.25, &mut 0.0, MINUTE);
    assert_eq!(offer.interval_ns, 4 * 526_315 + 4, "a quarter of 1,900 a second");
}
