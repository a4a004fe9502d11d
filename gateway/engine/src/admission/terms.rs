//! The terms on which a lane lets a class in: where shedding begins, where it is complete, and what
//! lies between. Computed by the slow loop, read by the fast one.
//!
//! Fewer than `free` in flight at the upstream: the call enters. From `limit` on: it is refused,
//! by the same compare-and-swap that would let it in. Between them a share of the calls is shed
//! that rises from nothing to all as the cube of the way, so the last slots are given out ever more
//! reluctantly but the service is not kept from its capacity: on 200 workers and 85 % the model
//! settles at 0.93 of the capacity under 1.0 times the load, and at 0.98 under ten times.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};
use std::time::Duration;

use crate::admission::account::ClassAccount;
use crate::admission::booking::Pace;
use crate::admission::cohort::{self, Standing};
use crate::admission::{Bound, Observed, Reason, Shed};
use crate::slots::{Full, Slots, UNLIMITED};
use crate::time::{Moment, nanos};

/// What the slow loop offers a class of a lane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Offer {
    pub bound: Bound,
    /// Share of the class's callers that is shed, 0..=1.
    pub cohort: f64,
    /// Half the width of the band of callers around it who share the room that is left.
    pub band: f64,
    /// Between two returns of refused calls, nanoseconds.
    pub interval_ns: u64,
}

/// An [`Offer`] in atomics. A refusal that races with the slow loop may pair the number of one
/// offer with the reason of the next; its status is right either way.
#[derive(Debug)]
pub(crate) struct Terms {
    limit: AtomicU32,
    free: AtomicU32,
    cohort: AtomicU32,
    band: AtomicU32,
    reason: AtomicU8,
    threshold: AtomicU64,
    /// Capacity where `taken` counts, else the observed share.
    share: AtomicU64,
    /// [`UNLIMITED`]: the share was observed as such.
    taken: AtomicU32,
    earliest_ns: AtomicU64,
    interval_ns: AtomicU64,
}

// === impl Terms ===

impl Terms {
    pub(crate) fn new() -> Self {
        Self {
            limit: AtomicU32::new(UNLIMITED),
            free: AtomicU32::new(0),
            cohort: AtomicU32::new(0),
            band: AtomicU32::new(0),
            reason: AtomicU8::new(0),
            threshold: AtomicU64::new(0),
            share: AtomicU64::new(0),
            taken: AtomicU32::new(UNLIMITED),
            earliest_ns: AtomicU64::new(0),
            interval_ns: AtomicU64::new(0),
        }
    }

    /// Calls in flight at the upstream under which it admits.
    pub(crate) fn limit(&self) -> u32 {
        self.limit.load(Acquire)
    }

    pub(crate) fn put(&self, offer: Option<&Offer>) {
        if let Some(Offer { bound, cohort, band, interval_ns }) = offer {
            let (share, taken) = match bound.observed {
                Observed::Share(share) => (share, UNLIMITED),
                Observed::Busy { taken, capacity } => (capacity, taken),
            };
            self.free.store((bound.free as f32).to_bits(), Relaxed);
            self.cohort.store((*cohort as f32).to_bits(), Relaxed);
            self.band.store((*band as f32).to_bits(), Relaxed);
            self.reason.store(u8::from(bound.reason == Reason::Cpu), Relaxed);
            self.threshold.store(bound.threshold.to_bits(), Relaxed);
            self.share.store(share.to_bits(), Relaxed);
            self.taken.store(taken, Relaxed);
            self.earliest_ns.store(nanos(bound.retry_after), Relaxed);
            self.interval_ns.store(*interval_ns, Relaxed);
        }
        self.limit.store(offer.map_or(UNLIMITED, |offer| offer.bound.limit), Release);
    }

    /// Takes a slot, or says that there is none for this call.
    pub(crate) fn enter(
        &self,
        slots: &Slots,
        account: &ClassAccount,
        caller: Option<u64>,
        now: Moment,
    ) -> Result<(), Full> {
        let limit = self.limit();
        if limit != UNLIMITED {
            let in_flight = slots.in_flight();
            if self.sheds(in_flight, limit, account, caller, now) {
                return Err(Full { in_flight, limit });
            }
        }
        slots.try_enter(limit).map(drop)
    }

    /// Whether a call that was kept out so may wait for a slot: all were taken, and its caller is not
    /// among those that are shed.
    pub(crate) fn may_wait(&self, full: Full, caller: Option<u64>, now: Moment) -> bool {
        full.in_flight >= full.limit && self.standing(caller, now) != Standing::Below
    }

    fn standing(&self, caller: Option<u64>, now: Moment) -> Standing {
        let cohort = f64::from(f32::from_bits(self.cohort.load(Relaxed)));
        let band = f64::from(f32::from_bits(self.band.load(Relaxed)));
        cohort::standing(caller, cohort, band, now)
    }

    /// The refusal, with the instant that is booked for its return.
    pub(crate) fn shed(&self, full: Full, account: &ClassAccount, now: Moment) -> Shed {
        let share = f64::from_bits(self.share.load(Relaxed));
        let observed = match self.taken.load(Relaxed) {
            UNLIMITED => share,
            taken => (f64::from(full.in_flight) + 1.0 + f64::from(taken)) / share.max(1.0),
        };
        let pace = Pace {
            interval_ns: self.interval_ns.load(Relaxed),
            earliest: Duration::from_nanos(self.earliest_ns.load(Relaxed)),
        };
        Shed {
            reason: if self.reason.load(Relaxed) == 1 { Reason::Cpu } else { Reason::Workers },
            observed,
            threshold: f64::from_bits(self.threshold.load(Relaxed)),
            retry_after: account.returns.book(pace, now),
            limit: full.limit,
        }
    }

    /// Whether the ramp sheds a call that finds so many in flight.
    fn sheds(
        &self,
        in_flight: u32,
        limit: u32,
        account: &ClassAccount,
        caller: Option<u64>,
        now: Moment,
    ) -> bool {
        let free = f64::from(f32::from_bits(self.free.load(Relaxed)));
        let share = ramp(f64::from(in_flight), free, f64::from(limit));
        if share <= 0.0 || in_flight >= limit {
            return in_flight >= limit;
        }
        match self.standing(caller, now) {
            Standing::Below => true,
            Standing::Within => account.diffusion.choose(share),
            Standing::Above => false,
        }
    }
}

/// The share that is shed at this many in flight: 0 up to `free`, 1 from `limit` on.
pub(crate) fn ramp(in_flight: f64, free: f64, limit: f64) -> f64 {
    if in_flight >= limit {
        return 1.0;
    }
    let way = ((in_flight - free) / (limit - free).max(1.0)).clamp(0.0, 1.0);
    way * way * way
}

#[cfg(all(test, not(loom)))]
mod tests;
