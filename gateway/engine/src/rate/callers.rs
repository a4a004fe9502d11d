//! Requests per second of each caller by itself: one [`Bucket`](super::Bucket)'s worth for everybody
//! who calls a route, as long as there is room to remember them.
//!
//! A caller whose bucket is full again is the same as one who never called, so forgetting it loses
//! nothing. Where there is no room for a new caller, the one is forgotten whose bucket is full
//! soonest: those that are idle first, in the end the one who has spent least. Who is over its limit
//! stays longest; a flood of made-up names can't wash it out before the names themselves.
//!
//! Bounds: [`CALLERS_MAX`] callers a route unless set otherwise, split evenly over shards; at most
//! 108 bytes each (a map's entry, with the air that a map needs, and its place in the order of
//! forgetting): about a megabyte for 10,000, taken as callers come. The order is put right only
//! when somebody is forgotten: each call of a caller costs at most one move in it, later. A shard
//! is locked for as long as a look-up takes, on rare occasions for as long as its order takes to be
//! put right (a thousand entries, tens of microseconds).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use parking_lot::Mutex;

use super::{Rate, next_arrival, rescaled};
use crate::admission::booking::forgiven;
use crate::time::{Moment, nanos};

/// Callers remembered of one route where nothing is said: more than most meshes have services, and
/// about a megabyte.
pub const CALLERS_MAX: usize = 10_000;

/// How far a caller's own refused calls may send it away, beyond what its bucket says. A caller that
/// does not obey is let forget what it was told after so long.
pub const BOOKED_AHEAD_MAX: Duration = Duration::from_secs(10);

/// Callers of one shard, about: so many that shards fill evenly, so few that putting one in order
/// takes microseconds.
const SHARD_CALLERS: usize = 512;

/// Shards at most, for a million callers.
const SHARDS_MAX: usize = 1_024;

/// What each caller of a route has spent of a [`Rate`]. Outlives the rate: a reload may change it.
#[derive(Debug)]
pub struct CallerBuckets {
    /// A power of two of them.
    shards: Box<[Padded]>,
    /// Callers of one shard at most.
    shard_callers_max: usize,
}

/// On a pair of cache lines of its own: shards are to keep cores apart.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(Mutex<Shard>);

/// The callers that fall to one lock.
#[derive(Debug, Default)]
struct Shard {
    spent: HashMap<u64, Spent, BuildHasherDefault<Spread>>,
    /// Every caller once, the soonest idle on top, with an arrival time that it had: not later than
    /// the one it has now.
    order: BinaryHeap<Reverse<(u64, u64)>>,
}

/// What a caller has spent, and been promised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Spent {
    /// The theoretical arrival time of its next call, ns, as a bucket's.
    arrival_ns: u64,
    /// The last return that was booked, ns; 0: none.
    booked_ns: u64,
}

// === impl CallerBuckets ===

impl CallerBuckets {
    /// Room for so many callers, at least one; nothing is taken before they come.
    pub fn new(callers_max: usize) -> Self {
        let callers_max = callers_max.max(1);
        let shards = 1 << (callers_max / SHARD_CALLERS).clamp(1, SHARDS_MAX).ilog2();
        Self {
            shards: (0..shards).map(|_| Padded::default()).collect(),
            shard_callers_max: callers_max / shards,
        }
    }

    /// Takes one call's worth of this caller's, or answers how long until one is there.
    pub fn take(&self, caller: u64, rate: Rate, now: Moment) -> Result<(), Duration> {
        let mut shard = self.shard(caller).lock();
        if let Some(spent) = shard.spent.get_mut(&caller) {
            spent.forgive(now);
            spent.arrival_ns = next_arrival(rate, spent.arrival_ns, now)?;
            return Ok(());
        }
        let arrival_ns = next_arrival(rate, 0, now)?;
        if shard.spent.len() >= self.shard_callers_max {
            shard.forget_one(now);
        }
        shard.spent.insert(caller, Spent { arrival_ns, booked_ns: 0 });
        shard.order.push(Reverse((arrival_ns, caller)));
        Ok(())
    }

    /// Books a caller's return: the next instant, spaced as its calls may come, that none of its
    /// refused calls was told yet, `earliest` or later. Answers how far from now it is: at most
    /// [`BOOKED_AHEAD_MAX`] more than `earliest`, where the instants are told anew. What it was told
    /// and did not keep is forgotten as it leaves its rate unused, whatever others do with theirs.
    pub fn book(&self, caller: u64, rate: Rate, earliest: Duration, now: Moment) -> Duration {
        let mut shard = self.shard(caller).lock();
        let first_ns = now.plus(earliest).nanos();
        let Some(spent) = shard.spent.get_mut(&caller) else { return earliest };
        let next_ns = spent.booked_ns.saturating_add(rate.interval_ns).max(first_ns);
        let late = next_ns - first_ns > nanos(BOOKED_AHEAD_MAX);
        spent.booked_ns = if late { first_ns } else { next_ns };
        Moment::from_nanos(spent.booked_ns).since(now)
    }

    /// Whether [`take`](Self::take) would succeed now; takes and remembers nothing.
    pub fn peek(&self, caller: u64, rate: Rate, now: Moment) -> Result<(), Duration> {
        let spent = self.shard(caller).lock().spent.get(&caller).copied();
        next_arrival(rate, spent.unwrap_or_default().arrival_ns, now).map(drop)
    }

    /// Carries what was spent over to another rate, for each caller as a bucket does.
    pub fn rescale(&self, from: Rate, to: Rate, now: Moment) {
        if from == to {
            return;
        }
        for shard in &self.shards {
            let mut shard = shard.0.lock();
            let Shard { spent, order } = &mut *shard;
            for spent in spent.values_mut() {
                spent.arrival_ns = rescaled(spent.arrival_ns, from, to, now);
            }
            let places = spent.iter().map(|(caller, spent)| Reverse((spent.arrival_ns, *caller)));
            *order = places.collect();
        }
    }

    /// Callers remembered.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.lock().spent.len()).sum()
    }

    /// Whether nobody is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Callers remembered at most.
    pub fn callers_max(&self) -> usize {
        self.shards.len() * self.shard_callers_max
    }

    fn shard(&self, caller: u64) -> &Mutex<Shard> {
        // The upper half chooses the shard, the map looks at both ends.
        let spread = (spread(caller) >> 32) as usize;
        &self.shards[spread & (self.shards.len() - 1)].0
    }

    /// Bytes held: entries, order and shards.
    #[cfg(all(test, not(loom)))]
    fn held_bytes(&self) -> usize {
        let of = |shard: &Padded| {
            let shard = shard.0.lock();
            // A table has room for 7 of 8 entries, a byte of control for each.
            let entry_bytes = size_of::<(u64, Spent)>() + 1;
            let entries = (shard.spent.capacity() * 8 / 7).next_power_of_two() * entry_bytes + 16;
            entries + shard.order.capacity() * size_of::<Reverse<(u64, u64)>>()
        };
        self.shards.len() * size_of::<Padded>() + self.shards.iter().map(of).sum::<usize>()
    }
}

// === impl Spent ===

impl Spent {
    /// Takes back a part of its bookings for the time in which it left its rate unused.
    fn forgive(&mut self, now: Moment) {
        let unused = now.since(Moment::from_nanos(self.arrival_ns));
        if self.booked_ns > now.nanos() && !unused.is_zero() {
            self.booked_ns = forgiven(self.booked_ns, unused, now);
        }
    }
}

// === impl Shard ===

impl Shard {
    /// Forgets who is idle, or else who will be soonest.
    fn forget_one(&mut self, now: Moment) {
        while let Some(mut top) = self.order.peek_mut() {
            let Reverse((known, caller)) = *top;
            // Who stands in the order is in the map: both are changed together.
            let arrival = self.spent.get(&caller).map_or(known, |spent| spent.arrival_ns);
            if arrival == known || arrival <= now.nanos() {
                std::collections::binary_heap::PeekMut::pop(top);
                self.spent.remove(&caller);
                return;
            }
            *top = Reverse((arrival, caller));
        }
    }
}

/// Spreads what may be a small number; callers are hashes already, so one multiplication will do.
fn spread(caller: u64) -> u64 {
    caller.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The hasher of [`spread`].
#[derive(Clone, Copy, Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, caller: u64) {
        let spread = spread(self.0 ^ caller);
        self.0 = spread ^ (spread >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
