//! A limit and what is in flight under it, in one atomic word.
//!
//! Both halves change by compare-and-swap on the same word, so a call enters only if, at that very
//! instant, fewer calls were in flight than the limit then in force. There is no moment between
//! looking and entering. A limit may fall under what is in flight: nobody is thrown out, and
//! nobody enters until enough have left.
//!
//! One bit of the word says that somebody waits for a slot ([`crate::admission::wait`]). As it is the
//! same word, whoever leaves learns it in the very step that frees the slot: either the one who waits
//! sees the freed slot, or the one who leaves sees the bit.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use crate::sync::AtomicU64;

/// No limit.
pub const UNLIMITED: u32 = u32::MAX;

/// Somebody waits for a slot: the highest bit of the low half.
const WAITED_FOR: u64 = 1 << 31;

/// The packed word: limit in the high half, in flight in the low half.
#[derive(Debug)]
pub struct Slots {
    word: AtomicU64,
}

/// Nobody may enter: `in_flight` has reached `limit`, the lower of the word's and the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Calls in flight at the refusal.
    pub in_flight: u32,
    /// The limit that refused.
    pub limit: u32,
}

impl Slots {
    /// Empty slots under a limit.
    pub fn new(limit: u32) -> Self {
        Self { word: AtomicU64::new(pack(limit, 0)) }
    }

    /// Enters if fewer than the word's limit *and* fewer than `lane_limit` are in flight; answers
    /// how many were in flight before.
    pub fn try_enter(&self, lane_limit: u32) -> Result<u32, Full> {
        let mut word = self.word.load(Relaxed);
        loop {
            let (limit, in_flight) = unpack(word);
            let limit = limit.min(lane_limit);
            if in_flight >= limit {
                return Err(Full { in_flight, limit });
            }
            // Never carries into the limit: in_flight < limit <= u32::MAX.
            match self.word.compare_exchange_weak(word, word + 1, AcqRel, Relaxed) {
                Ok(_) => return Ok(in_flight),
                Err(seen) => word = seen,
            }
        }
    }

    /// Enters whatever the limit, as interactive calls do; answers how many were in flight before.
    ///
    /// Two thousand million calls in flight would overflow their part of the word; each of them
    /// holds a connection, so memory ends long before.
    pub fn enter(&self) -> u32 {
        let (_, before) = unpack(self.word.fetch_add(1, AcqRel));
        debug_assert!(u64::from(before) + 1 < WAITED_FOR, "in-flight overflows into the mark");
        before
    }

    /// Leaves; exactly once for each time that one entered. Answers whether somebody waits.
    pub fn leave(&self) -> bool {
        let before = self.word.fetch_sub(1, AcqRel);
        debug_assert!(unpack(before).1 > 0, "left more often than entered");
        before & WAITED_FOR != 0
    }

    /// Whether somebody waits.
    pub fn is_waited_for(&self) -> bool {
        self.word.load(Acquire) & WAITED_FOR != 0
    }

    /// Says that somebody waits: whoever leaves from now on is told.
    pub(crate) fn mark(&self) {
        self.word.fetch_or(WAITED_FOR, AcqRel);
    }

    /// Says that nobody waits.
    pub(crate) fn unmark(&self) {
        self.word.fetch_and(!WAITED_FOR, AcqRel);
    }

    /// Sets the limit; what is in flight stays.
    pub fn set_limit(&self, limit: u32) {
        let mut word = self.word.load(Relaxed);
        while unpack(word).0 != limit {
            let next = (u64::from(limit) << 32) | (word & u64::from(u32::MAX));
            match self.word.compare_exchange_weak(word, next, AcqRel, Relaxed) {
                Ok(_) => return,
                Err(seen) => word = seen,
            }
        }
    }

    /// The limit in force.
    pub fn limit(&self) -> u32 {
        unpack(self.word.load(Acquire)).0
    }

    /// Calls in flight.
    pub fn in_flight(&self) -> u32 {
        unpack(self.word.load(Acquire)).1
    }
}

fn pack(limit: u32, in_flight: u32) -> u64 {
    (u64::from(limit) << 32) | u64::from(in_flight)
}

fn unpack(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, (word & (WAITED_FOR - 1)) as u32)
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom_model;
