//! Shares chosen by error diffusion, never by dice: of a share of 30 %, exactly three of ten.
//!
//! Each call adds its share to a remainder; the call that carries it over one whole is chosen. So
//! after any number of calls, chosen differs from the sum of their shares by less than one,
//! whatever the shares were and however calls raced: the addition is one wait-free instruction.

use std::sync::atomic::Ordering::Relaxed;

use crate::sync::AtomicU32;

/// One whole, in the fixed point of the remainder.
const WHOLE: f64 = 4_294_967_296.0;

/// What remains of the shares so far, in parts of 2³².
#[derive(Debug, Default)]
pub(crate) struct Diffusion {
    remainder: AtomicU32,
}

impl Diffusion {
    /// Whether this call is chosen, of which the share `share` (0..=1) is to be.
    pub(crate) fn choose(&self, share: f64) -> bool {
        if share >= 1.0 {
            return true;
        }
        // Rounded up, so that ten times 0.3 is three and not a hair less. In 2³² calls of the
        // smallest share that is one call too many.
        let step = (share * WHOLE).ceil().max(0.0) as u32;
        step != 0 && self.remainder.fetch_add(step, Relaxed).checked_add(step).is_none()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom_model;
