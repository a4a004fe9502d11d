//! When each of many slots was last purged. Half a mebibyte, and most processes never purge anything: so
//! it begins with the first note, and until then every slot reads 0.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number in each slot that only grows; 0 at first.
pub(super) struct Slots {
    count: usize,
    numbers: OnceLock<Box<[AtomicU64]>>,
}

impl Slots {
    /// So many of them.
    pub(super) fn new(count: usize) -> Self {
        Self { count, numbers: OnceLock::new() }
    }

    /// The number of a slot; 0 of one that is not there.
    pub(super) fn get(&self, slot: usize) -> u64 {
        let number = self.numbers.get().and_then(|numbers| numbers.get(slot));
        number.map_or(0, |number| number.load(Ordering::Acquire))
    }

    /// Raises a slot to at least `to`; nothing where it is not there. Whoever learns of what is done
    /// after this sees it.
    pub(super) fn raise(&self, slot: usize, to: u64) {
        if slot < self.count {
            let zeros = || (0..self.count).map(|_| AtomicU64::new(0)).collect();
            self.numbers.get_or_init(zeros)[slot].fetch_max(to, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests;
