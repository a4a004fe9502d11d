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
mod tests;
