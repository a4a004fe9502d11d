use super::*;
use crate::fixture::at_ms;

const HOUR_MS: u64 = 3_600_000;

#[test]
fn places_are_even_and_stay_for_an_hour() {
    let places: Vec<_> = (0..10_000).map(|caller| place(caller, at_ms(1))).collect();
    for tenth in 0..10u32 {
        let range = f64::from(tenth) / 10.0..f64::from(tenth + 1) / 10.0;
        let inside = places.iter().filter(|place| range.contains(place)).count();
        assert!((900..1_100).contains(&inside), "{inside} in {range:?}");
    }
    let later: Vec<_> = (0..10_000).map(|c| place(c, at_ms(HOUR_MS - 1))).collect();
    assert_eq!(later, places);
}

#[test]
fn the_next_hour_draws_another_order() {
    let below = |at| (0..1_000u64).filter(move |c| place(*c, at_ms(at)) < 0.3);
    let again = below(0).filter(|c| place(*c, at_ms(HOUR_MS)) < 0.3).count();
    assert!((60..120).contains(&again), "{again} of 300: about 90 by chance");
}

#[test]
fn callers_stand_below_within_or_above_and_strangers_within() {
    let of = |standing_wanted, share| {
        (0..1_000).filter(|c| standing(Some(*c), share, 0.05, at_ms(0)) == standing_wanted).count()
    };
    assert!((200..300).contains(&of(Standing::Below, 0.3)));
    assert!((70..130).contains(&of(Standing::Within, 0.3)));
    assert_eq!(of(Standing::Below, 0.0), 0, "where nothing is shed nobody is below");
    assert_eq!(of(Standing::Above, 1.0), 0);
    assert_eq!(standing(None, 0.9, 0.05, at_ms(0)), Standing::Within);
}
