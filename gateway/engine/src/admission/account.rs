//! What a lane has let in and refused, in one world.
//!
//! Each lane has two accounts: the *live* one, of what really happened, and the *virtual* one, of
//! what would have happened had the lanes in shadow mode refused. A decision reads and writes one
//! of them through the same code and never the other.

use std::sync::OnceLock;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};

use sumun_policy::policy::Class;

use crate::admission::booking::Ledger;
use crate::admission::diffusion::Diffusion;
use crate::rate::callers::CallerBuckets;
use crate::rate::{Bucket, Rate};
use crate::time::Moment;

/// A lane in one world. Outlives the policy revision.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub bucket: Bucket,
    /// What each caller has spent, where each has its own rate; made when the first policy says so.
    pub callers: OnceLock<CallerBuckets>,
    /// Calls let in on `bucket` although each known caller has its own: of those that are not known.
    pub strangers: AtomicU64,
    /// Returns of calls that the rate refused.
    pub rate_returns: Ledger,
    classes: [ClassAccount; Class::ALL.len()],
}

/// A lane's calls of one class.
#[derive(Debug, Default)]
pub(crate) struct ClassAccount {
    in_flight: AtomicU32,
    /// Calls that entered under the limit, ever.
    admitted: AtomicU64,
    /// Calls that workers or CPU refused, ever.
    refused: AtomicU64,
    pub diffusion: Diffusion,
    /// Returns of calls that workers or CPU refused.
    pub returns: Ledger,
}

impl Account {
    pub(crate) fn of(&self, class: Class) -> &ClassAccount {
        &self.classes[class as usize]
    }

    /// Carries what was spent over to another rate.
    pub(crate) fn rescale(&self, from: Rate, to: Rate, now: Moment) {
        self.bucket.rescale(from, to, now);
        if let Some(callers) = self.callers.get() {
            callers.rescale(from, to, now);
        }
    }

    /// Calls in flight, of all classes.
    pub(crate) fn in_flight(&self) -> u32 {
        self.classes.iter().map(ClassAccount::in_flight).sum()
    }
}

impl ClassAccount {
    pub(crate) fn enter(&self) {
        self.admitted.fetch_add(1, Relaxed);
        self.in_flight.fetch_add(1, AcqRel);
    }

    pub(crate) fn leave(&self) {
        self.in_flight.fetch_sub(1, Release);
    }

    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Acquire)
    }

    /// Calls admitted and refused, ever.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.admitted.load(Relaxed), self.refused.load(Relaxed))
    }
}
