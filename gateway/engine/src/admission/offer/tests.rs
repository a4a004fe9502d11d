use super::*;
use crate::admission::{Observed, Reason};

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

fn class(above: f64, wanted: f64) -> ClassNow {
    ClassNow { above, wanted, hold_s: 0.1, elapsed: Duration::from_millis(100) }
}

/// What is offered after a minute of finding so many in flight.
fn settled(class: ClassNow, part: f64, in_flight: u32) -> Offer {
    let mut boundary = Boundary::default();
    let offers = (0..600).map(|_| class.offer(bound(200), part, in_flight, &mut boundary));
    offers.last().expect("six hundred offers")
}

/// In flight where the ramp sheds about what the boundary aims for.
const AIM: u32 = 191;

#[test]
fn who_wants_twice_the_room_sheds_half_of_its_callers() {
    let offer = settled(class(0.0, 400.0), 1.0, AIM);
    assert!((offer.cohort - 0.5).abs() < 0.05, "{offer:?}");
    assert!((offer.band - 0.0707).abs() < 1e-3, "two deviations of 200 among 400: {offer:?}");
    // Nine tenths of 200 workers at 100 ms: 1,800 a second.
    assert_eq!(offer.interval_ns, 555_556);
}

#[test]
fn what_higher_classes_hold_is_not_its_room() {
    let offer = settled(class(150.0, 100.0), 1.0, AIM);
    assert!((offer.cohort - 0.5).abs() < 0.1, "{offer:?}");
    let none = settled(class(250.0, 100.0), 1.0, 200);
    assert!((none.cohort - 1.0).abs() < 1e-3, "{none:?}");
    assert_eq!(none.interval_ns, 1_000_000_000, "one a second looks whether there is room");
}

#[test]
fn who_fits_sheds_nobody() {
    for wanted in [0.0, 1.0, 150.0] {
        let offer = settled(class(0.0, wanted), 1.0, 150);
        assert!(offer.cohort <= 0.0, "{offer:?}");
    }
}

#[test]
fn the_boundary_follows_within_seconds_and_not_with_every_turn() {
    let mut boundary = Boundary::default();
    let mut turn = || class(0.0, 400.0).offer(bound(200), 1.0, AIM, &mut boundary).cohort;
    assert!(turn() < 0.02);
    let after_15_s = (0..149).map(|_| turn()).last().unwrap();
    assert!((0.45..0.5).contains(&after_15_s), "{after_15_s}");
}

#[test]
fn where_callers_are_not_even_the_boundary_creeps_to_where_the_pool_is_full() {
    // One caller who makes all calls and lies under the boundary leaves the pool at `free`.
    let idle = settled(class(0.0, 400.0), 1.0, 170);
    assert!(idle.cohort <= 0.0, "until it is in the band, and beyond: {idle:?}");
    // Callers over the boundary who make more than their part hit the limit all the time.
    let full = settled(class(0.0, 400.0), 1.0, 200);
    assert!(full.cohort >= 1.0, "{full:?}");
}

#[test]
fn a_lane_books_its_part_of_the_class() {
    let offer = settled(class(0.0, 400.0), 0.25, AIM);
    assert_eq!(offer.interval_ns, 2_222_223, "a quarter of 1,800 a second");
}
