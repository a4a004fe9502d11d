//! In which order things happened, so that a recording can be replayed.
//!
//! Whatever changes the state of an upstream takes a *turn* at it: a decision, the beginning of a
//! wait, the end of a call or of a wait, a round of the slow loop. Turns of one upstream exclude each
//! other. A call that needs a quota takes its turn at the pool as well, and a policy that comes into
//! force one at everything at once. In its turn it takes a *stamp*, from one sequence for all. So two
//! that touch the same state were stamped under the same lock, and whoever plays them by their stamps
//! meets at each the state that it met live, on whichever threads they ran.
//!
//! A turn takes about 0.1 µs and waits for nothing; nobody is woken in it. Who finds it taken spins for
//! a moment and then parks: where the system has stopped a thread in the middle of its turn, the core
//! is free for that thread. A turn costs an uncontended lock and one addition, nothing where nothing is
//! recorded.
//!
//! Not in order: calls of a route that a reload has sent to another upstream, as long as some are still
//! decided by the older policy. They share its rate, and have no turn in common.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

use parking_lot::{Mutex, MutexGuard};

use crate::quota::Pool;

/// The stamps of one gateway. On a pair of cache lines of their own: every core writes here.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Stamps(AtomicU64);

/// The turns of one upstream.
#[derive(Debug)]
pub(crate) struct Order {
    stamps: Arc<Stamps>,
    turns: Mutex<()>,
}

/// A turn; ends when dropped.
#[derive(Debug)]
#[must_use = "dropping a turn ends it"]
pub struct Turn<'a> {
    /// From 1, in the order of all turns.
    pub stamp: u64,
    _pool: Option<MutexGuard<'a, ()>>,
    _upstream: MutexGuard<'a, ()>,
}

/// A turn at everything; ends when dropped.
#[derive(Debug)]
#[must_use = "dropping a turn ends it"]
pub(crate) struct WholeTurn<'a> {
    pub stamp: u64,
    _pool: MutexGuard<'a, ()>,
    _upstreams: Vec<MutexGuard<'a, ()>>,
}

// === impl Stamps ===

impl Stamps {
    /// The next one. In a turn: its lock orders it, not this.
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Relaxed) + 1
    }

    /// The last one that was given.
    pub(crate) fn last(&self) -> u64 {
        self.0.load(Acquire)
    }

    /// Takes a turn at all these upstreams and at the pool. Only one thread may at a time: two would
    /// wait for each other.
    pub(crate) fn take_all<'a>(
        &self,
        upstreams: impl Iterator<Item = &'a Order>,
        pool: &'a Pool,
    ) -> WholeTurn<'a> {
        let upstreams = upstreams.map(|order| order.turns.lock()).collect();
        let pool = pool.turn();
        WholeTurn { stamp: self.next(), _pool: pool, _upstreams: upstreams }
    }
}

// === impl Order ===

impl Order {
    pub(crate) fn new(stamps: Arc<Stamps>) -> Self {
        Self { stamps, turns: Mutex::new(()) }
    }

    /// Takes the next turn, also at the pool where there is one to take.
    pub(crate) fn take<'a>(&'a self, pool: Option<&'a Pool>) -> Turn<'a> {
        let upstream = self.turns.lock();
        let pool = pool.map(Pool::turn);
        Turn { stamp: self.stamps.next(), _pool: pool, _upstream: upstream }
    }

    /// Returns once every turn that was held has ended.
    pub(crate) fn pass(&self) {
        drop(self.turns.lock());
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
