//! Concurrency of functions, as AWS Lambda's: reserved shares and an unreserved pool.
//!
//! A permit is granted only if, at that instant, (1) the function holds fewer than its own
//! reservation, where it has one; (2) fewer than `total − Σ reserved` permits are out of the
//! unreserved pool, where it has none; (3) fewer than `total` permits are out altogether. Each is
//! one compare-and-swap on a packed word ([`Slots`]), so none is ever exceeded by a grant, by any
//! number of threads.
//!
//! Across a reload a permit stays counted *where it was taken* until it is freed, and always in
//! its function and in the total. Hence the guarantee: **no grant ever exceeds the numbers then in
//! force, and a function below its reservation is never refused, except while permits granted
//! under earlier numbers still occupy more than the new ones leave (they drain; nobody is thrown
//! out).** In that time, and only then, two calls that race for the last place may both be refused.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

use parking_lot::{Mutex, MutexGuard};
use sumun_policy::policy;
use sumun_policy::units::Name;

use crate::slots::{Slots, UNLIMITED};

/// A function of one policy revision, with its live permits.
#[derive(Debug)]
pub struct Function {
    /// As written.
    pub policy: policy::Function,
    pub(crate) state: Arc<FunctionState>,
}

/// A slot of a function's concurrency; freed when dropped, exactly once.
#[derive(Debug)]
#[must_use = "dropping a permit frees it"]
pub struct Permit {
    function: Arc<FunctionState>,
    from: Pot,
}

/// No permit left for the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaFull {
    /// Permits out under the limit that refused.
    pub in_use: u32,
    /// The limit that refused: the reservation, the unreserved share, or the total.
    pub limit: u32,
}

/// What a function holds, for people and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionView {
    /// Its name.
    pub name: Name,
    /// Its reservation; `None`: it shares the unreserved pool.
    pub reserved: Option<u32>,
    /// Permits out.
    pub in_use: u32,
    /// Most permits ever out at once, since the process began.
    pub peak: u32,
    /// Calls refused, since the process began.
    pub throttled: u64,
    /// What it can hold at most: its reservation, or the whole unreserved share.
    pub limit: u32,
}

/// What the pool holds, for people and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolView {
    /// Permits of all functions, at most.
    pub total: u32,
    /// `total − Σ reserved`.
    pub unreserved: u32,
    /// Permits out that were taken from the unreserved share.
    pub unreserved_in_use: u32,
    /// Permits out.
    pub in_use: u32,
}

/// Where a permit was taken, hence where it is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pot {
    Reservation,
    Unreserved,
}

/// The part of a function that survives a reload.
#[derive(Debug)]
pub(crate) struct FunctionState {
    pool: Arc<Pool>,
    /// Permits of this function, wherever they were taken; limit: its reservation.
    permits: Slots,
    peak: AtomicU32,
    throttled: AtomicU64,
}

/// The whole concurrency, shared by all functions; survives reloads.
#[derive(Debug)]
pub(crate) struct Pool {
    total: Slots,
    unreserved: Slots,
    /// Where calls are recorded: held over a turn ([`crate::order`]).
    turns: Mutex<()>,
}

// === impl Function ===

impl Function {
    /// Takes a permit or says what is full. Never waits, never allocates.
    pub fn reserve(self: &Arc<Self>) -> Result<Permit, QuotaFull> {
        let pot = match self.policy.reserved {
            Some(_) => Pot::Reservation,
            None => Pot::Unreserved,
        };
        FunctionState::reserve(&self.state, pot)
    }

    /// What it holds now.
    pub fn view(&self) -> FunctionView {
        let state = &self.state;
        FunctionView {
            name: self.policy.name.clone(),
            reserved: self.policy.reserved,
            in_use: state.permits.in_flight(),
            peak: state.peak.load(Relaxed),
            throttled: state.throttled.load(Relaxed),
            limit: self.policy.reserved.unwrap_or_else(|| state.pool.unreserved.limit()),
        }
    }
}

// === impl FunctionState ===

impl FunctionState {
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        Self {
            pool,
            permits: Slots::new(UNLIMITED),
            peak: AtomicU32::new(0),
            throttled: AtomicU64::new(0),
        }
    }

    /// In this order nothing is taken and given back while no old permits overhang: a full pot
    /// refuses before anything was taken, and behind it the total has room for every pot.
    fn reserve(this: &Arc<Self>, pot: Pot) -> Result<Permit, QuotaFull> {
        let pool = &this.pool;
        let granted = (|| {
            if pot == Pot::Unreserved {
                pool.unreserved.try_enter(UNLIMITED)?;
            }
            let held = this.permits.try_enter(UNLIMITED).inspect_err(|_| pool.leave(pot))?;
            pool.total.try_enter(UNLIMITED).inspect_err(|_| {
                this.permits.leave();
                pool.leave(pot);
            })?;
            Ok(held)
        })();
        match granted {
            Ok(held) => {
                if held >= this.peak.load(Relaxed) {
                    this.peak.fetch_max(held + 1, Relaxed);
                }
                Ok(Permit { function: Arc::clone(this), from: pot })
            }
            Err(crate::slots::Full { in_flight, limit }) => {
                this.throttled.fetch_add(1, Relaxed);
                Err(QuotaFull { in_use: in_flight, limit })
            }
        }
    }
}

// === impl Pool ===

impl Pool {
    pub(crate) fn new(pool: policy::Pool) -> Self {
        Self {
            total: Slots::new(pool.total),
            unreserved: Slots::new(pool.total),
            turns: Mutex::new(()),
        }
    }

    /// Puts the numbers of a policy in force: what falls before what rises, so that at no moment
    /// more could be granted than the larger of the two policies allows.
    pub(crate) fn apply(&self, total: u32, functions: &[(&FunctionState, Option<u32>)]) {
        let reserved = functions.iter().filter_map(|(_, reserved)| *reserved);
        let unreserved = total.saturating_sub(reserved.fold(0, u32::saturating_add));
        let words = || {
            let own = functions.iter().map(|(f, n)| (&f.permits, n.unwrap_or(UNLIMITED)));
            [(&self.total, total), (&self.unreserved, unreserved)].into_iter().chain(own)
        };
        words().filter(|(slots, limit)| *limit < slots.limit()).for_each(|(s, l)| s.set_limit(l));
        words().for_each(|(slots, limit)| slots.set_limit(limit));
    }

    /// Nobody else takes or gives back a permit in a turn meanwhile.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turns.lock()
    }

    pub(crate) fn view(&self) -> PoolView {
        PoolView {
            total: self.total.limit(),
            unreserved: self.unreserved.limit(),
            unreserved_in_use: self.unreserved.in_flight(),
            in_use: self.total.in_flight(),
        }
    }

    fn leave(&self, pot: Pot) {
        if pot == Pot::Unreserved {
            self.unreserved.leave();
        }
    }
}

// === impl Permit ===

impl Drop for Permit {
    /// The total first: whoever then finds room in the pot finds it in the total as well.
    fn drop(&mut self) {
        self.function.pool.total.leave();
        self.function.permits.leave();
        self.function.pool.leave(self.from);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom_model;
