//! In which order things happened to an upstream, so that a recording can be replayed.
//!
//! A decision, the end of a call and a turn of the slow loop each take a *turn* and get its number.
//! Turns of one upstream do not overlap, so playing them back by number meets at each the state that
//! it met live, whichever thread it ran on. Turns of different upstreams share nothing but the pool
//! of quotas and are put in order by time.
//!
//! A turn is held for about 0.1 µs, without waiting for anything; it costs two atomic operations on
//! the cache line that the call touches anyway. Who finds it taken spins [`SPINS_MAX`] times, a few
//! microseconds, then goes ahead without it and is counted: a thread that the system stopped in the
//! middle of its turn holds nobody up.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Spins before going ahead without a turn.
const SPINS_MAX: u32 = 64;

/// Turns are numbered in the upper bits; the lowest says whether one is held.
const HELD: u64 = 1;

/// The turns of one upstream.
#[derive(Debug, Default)]
pub(crate) struct Order {
    word: AtomicU64,
    overlapped: AtomicU64,
}

/// A turn; ends when dropped.
#[derive(Debug)]
#[must_use = "dropping a turn ends it"]
pub struct Turn<'a> {
    order: &'a Order,
    /// From 1, in the order of the turns.
    pub number: u64,
    held: bool,
}

// === impl Order ===

impl Order {
    /// Takes the next turn.
    pub(crate) fn take(&self) -> Turn<'_> {
        let mut word = self.word.load(Relaxed);
        for _ in 0..SPINS_MAX {
            if word & HELD == 0 {
                match self.word.compare_exchange_weak(word, word | HELD, Acquire, Relaxed) {
                    Ok(_) => return Turn { order: self, number: number(word), held: true },
                    Err(seen) => word = seen,
                }
            } else {
                std::hint::spin_loop();
                word = self.word.load(Relaxed);
            }
        }
        self.overlapped.fetch_add(1, Relaxed);
        // Passes the holder: its bit stays.
        let word = self.word.fetch_add(2, AcqRel);
        Turn { order: self, number: number(word), held: false }
    }

    /// The number of the last turn.
    pub(crate) fn last(&self) -> u64 {
        self.word.load(Acquire) >> 1
    }

    /// Turns that went ahead beside another, ever.
    pub(crate) fn overlapped(&self) -> u64 {
        self.overlapped.load(Relaxed)
    }
}

fn number(word: u64) -> u64 {
    (word >> 1) + 1
}

// === impl Turn ===

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.held {
            // The carry out of the lowest bit ends the turn and counts it.
            self.order.word.fetch_add(1, Release);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
