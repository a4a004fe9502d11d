//! Callers of a class in order of who is shed first: whole callers, not every caller a little.
//!
//! A caller's place is a hash of its identity and the hour, even over 0..1. While a share of a class
//! is shed, callers placed under the share see refusals, those over it see success, and only those
//! in a narrow band around it share what room there is from moment to moment. A caller with a batch
//! of a hundred calls so completes it or hears early that it can't, instead of failing at one call
//! of three. The order is drawn anew each hour: nobody is at its lower end for ever.

use crate::time::Moment;

/// How long an order of callers holds.
const ROTATED_EVERY_NS: u64 = 3_600 * 1_000_000_000;

/// How a call stands to the share that is shed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Among those that are shed.
    Below,
    /// In the band, or of nobody that is known: the ramp decides, by error diffusion.
    Within,
    /// Among those that are not.
    Above,
}

/// How a caller stands where `share` of its class is shed, and `band` to each side shares the room
/// that is left.
pub(crate) fn standing(caller: Option<u64>, share: f64, band: f64, now: Moment) -> Standing {
    let Some(caller) = caller else { return Standing::Within };
    let place = place(caller, now);
    if place < share - band {
        Standing::Below
    } else if place < share + band {
        Standing::Within
    } else {
        Standing::Above
    }
}

/// A caller's place in this hour, 0..1.
pub(crate) fn place(caller: u64, now: Moment) -> f64 {
    let hour = now.nanos() / ROTATED_EVERY_NS;
    // splitmix64's finaliser: each bit of the place depends on each bit of caller and hour.
    let mut bits = caller ^ (hour + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(all(test, not(loom)))]
mod tests {
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
            (0..1_000)
                .filter(|c| standing(Some(*c), share, 0.05, at_ms(0)) == standing_wanted)
                .count()
        };
        assert!((200..300).contains(&of(Standing::Below, 0.3)));
        assert!((70..130).contains(&of(Standing::Within, 0.3)));
        assert_eq!(of(Standing::Below, 0.0), 0, "where nothing is shed nobody is below");
        assert_eq!(of(Standing::Above, 1.0), 0);
        assert_eq!(standing(None, 0.9, 0.05, at_ms(0)), Standing::Within);
    }
}
