//! Purges that all gateways know of: one number for each slot, kept in Redis and mirrored here.
//!
//! What can be purged (a URL, a route, a tag, a group of answers, everything) is hashed to one of
//! [`EPOCH_SLOTS`] slots. A purge takes the next number of one sequence and leaves it in its slot; an
//! entry carries the number that was the newest known when its answer was asked for, and it counts
//! as purged where a slot of its own has a later one. So neither an index of tags nor a list of keys is
//! needed, what is fetched while it is purged is never served, and the whole state is bounded.
//!
//! Begins empty ([`Mark::NONE`]: nothing may be read or written). [`Epochs::take`] brings in what
//! Redis says: after a message lost or a connection gone, everything since the last number known, so
//! nothing is missed. A state that another one took the place of (Redis restarted empty, a replica
//! that lagged became master) has another id: its entries count for nothing, each gateway purges
//! again what it purged lately, and a gateway that was cut off for longer than that drops its memory.
//!
//! A soft purge has a slot of its own beside the hard one's, in the same sequence; releases that do not
//! know these slots pass them over.
//!
//! Bounds: 1 MiB of numbers; pending and recent purges at most one per slot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::super::memory::EPOCH_SLOTS;

/// The slot that stands for everything, after the others.
pub(crate) const EVERYTHING: u32 = EPOCH_SLOTS as u32;

/// Slots of soft purges come after all of those.
const SOFT: u32 = EVERYTHING + 1;

/// The slot of the soft purge of what this slot is the hard one's.
pub(crate) fn soft(slot: u32) -> u32 {
    SOFT + slot
}

/// What a slot of a soft purge makes stale; `None`: it is a hard one's.
pub(crate) fn softened(slot: u32) -> Option<u32> {
    slot.checked_sub(SOFT)
}

/// For how long after it was sent a purge is sent again where Redis lost its state, ns. Twice as long
/// as a memory is kept without a look at Redis.
const RECENT_NS: u64 = 60 * 1_000_000_000;

/// How long a memory may go without having been held against Redis and still be held against a state
/// that took the place of the one it knew, ns. Others purge again what they purged in twice this time.
const APART_MAX_NS: u64 = RECENT_NS / 2;

/// How far purges were known when an answer was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Which state the number belongs to; 0: none.
    pub(crate) id: u64,
    /// Number of the newest purge known.
    pub(crate) seq: u64,
}

impl Mark {
    /// Not known at all: such an entry is neither written nor served.
    pub(crate) const NONE: Self = Self { id: 0, seq: 0 };
}

/// What Redis says of its purges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Id of the state and its newest number.
    pub(crate) mark: Mark,
    /// Slots purged since the number that was asked from, with their numbers.
    pub(crate) slots: Vec<(u32, u64)>,
}

/// What has to be done to the first tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outdated {
    /// These slots are.
    Slots(Vec<u32>),
    /// All of it may be.
    All,
}

/// What this gateway knows of all gateways' purges.
pub(crate) struct Epochs {
    id: AtomicU64,
    seq: AtomicU64,
    /// Newest number of each slot, and of everything.
    slots: Box<[AtomicU64]>,
    own: Mutex<Own>,
}

/// This gateway's own purges.
#[derive(Default)]
struct Own {
    /// Not sent yet.
    pending: BTreeSet<u32>,
    /// Being sent.
    sending: BTreeSet<u32>,
    /// Sent, and when (monotonic ns).
    recent: BTreeMap<u32, u64>,
    /// When Redis was last heard, monotonic ns; 0: never.
    heard_ns: u64,
}

impl Epochs {
    pub(crate) fn new() -> Self {
        Self {
            id: AtomicU64::new(0),
            seq: AtomicU64::new(0),
            slots: (0..2 * SOFT).map(|_| AtomicU64::new(0)).collect(),
            own: Mutex::default(),
        }
    }

    /// How far purges are known now.
    pub(crate) fn mark(&self) -> Mark {
        // In this order: a new id is never seen with the number of the state before it.
        let id = self.id.load(Ordering::Acquire);
        Mark { id, seq: self.seq.load(Ordering::Acquire) }
    }

    /// Whether an entry with this mark and of these slots may be served or written.
    pub(crate) fn holds(&self, mark: Mark, slots: &[u32]) -> bool {
        let later = |slot: u32| self.slots[slot as usize].load(Ordering::Acquire) > mark.seq;
        if mark.id == 0 || mark.id != self.id.load(Ordering::Acquire) {
            return false;
        }
        if later(EVERYTHING) || slots.iter().any(|&slot| later(slot)) {
            return false;
        }
        let own = self.own.lock();
        let ours = |slot: u32| own.pending.contains(&slot) || own.sending.contains(&slot);
        !ours(EVERYTHING) && !slots.iter().any(|&slot| ours(slot))
    }

    /// Whether a soft purge has made an entry with this mark and of these slots stale.
    pub(crate) fn softens(&self, mark: Mark, slots: &[u32]) -> bool {
        let covering = || slots.iter().copied().chain([EVERYTHING]).map(soft);
        if covering().any(|slot| self.slots[slot as usize].load(Ordering::Acquire) > mark.seq) {
            return true;
        }
        let own = self.own.lock();
        covering().any(|slot| own.pending.contains(&slot) || own.sending.contains(&slot))
    }

    /// A purge of this gateway: holds here at once, elsewhere once it is sent.
    pub(crate) fn purge(&self, slot: u32) {
        self.own.lock().pending.insert(slot);
    }

    /// What is to be sent, at most `most` slots; followed by [`Self::sent`] or [`Self::failed`].
    pub(crate) fn send(&self, most: usize) -> Vec<u32> {
        let mut own = self.own.lock();
        let slots: Vec<u32> = own.pending.iter().copied().take(most).collect();
        for slot in &slots {
            own.pending.remove(slot);
            own.sending.insert(*slot);
        }
        slots
    }

    /// What was sent has the number of `mark`; `earlier` is the latest that stood in one of its slots
    /// before. Returns false where it belongs to another state than the one known: Redis is to be asked.
    ///
    /// The first tier has done its part, exactly, when the purge was made. Only where another gateway's
    /// purge of the same slot has been covered by this one unseen does it have to do it by slot.
    pub(crate) fn sent(
        &self,
        mark: Mark,
        earlier: u64,
        now_ns: u64,
        outdate: impl FnOnce(&Outdated),
    ) -> bool {
        let known = self.mark();
        let mut own = self.own.lock();
        let sending = std::mem::take(&mut own.sending);
        if mark.id != known.id {
            own.pending.extend(sending);
            return false;
        }
        if earlier > known.seq {
            outdate(&outdated(sending.iter().copied().collect()));
        }
        for slot in sending {
            own.recent.insert(slot, now_ns);
            self.slots[slot as usize].fetch_max(mark.seq, Ordering::AcqRel);
        }
        true
    }

    /// What was being sent was perhaps not: it is sent again.
    pub(crate) fn failed(&self) {
        let mut own = self.own.lock();
        let sending = std::mem::take(&mut own.sending);
        own.pending.extend(sending);
    }

    /// Takes over what Redis says; what of the first tier is outdated by it is to be removed by
    /// `outdate` before the numbers are known, so that no fetch that begins meanwhile counts as newer.
    pub(crate) fn take(&self, news: &News, now_ns: u64, outdate: impl FnOnce(&Outdated)) {
        let known = self.mark();
        if known.id != news.mark.id || news.mark.seq < known.seq {
            return self.replace(news, now_ns, outdate);
        }
        let newer = |&&(slot, seq): &&(u32, u64)| {
            let place = self.slots.get(slot as usize);
            // Equal: this gateway's own, which the first tier knows already.
            place.is_some_and(|place| place.fetch_max(seq, Ordering::AcqRel) < seq)
        };
        let slots: Vec<u32> = news.slots.iter().filter(newer).map(|&(slot, _)| slot).collect();
        outdate(&outdated(slots));
        self.seq.fetch_max(news.mark.seq, Ordering::AcqRel);
        let mut own = self.own.lock();
        own.heard_ns = now_ns;
        own.recent.retain(|_, &mut sent_ns| now_ns.saturating_sub(sent_ns) < RECENT_NS);
    }

    /// Another state has taken the place of the known one.
    fn replace(&self, news: &News, now_ns: u64, outdate: impl FnOnce(&Outdated)) {
        let mut own = self.own.lock();
        let apart_ns = now_ns.saturating_sub(own.heard_ns);
        let first = own.heard_ns == 0;
        let slots: Vec<u32> = news.slots.iter().map(|&(slot, _)| slot).collect();
        let apart = first || apart_ns > APART_MAX_NS;
        outdate(&if apart { Outdated::All } else { outdated(slots) });
        // The number goes first: with the new id it must not be the old state's.
        self.seq.store(0, Ordering::Release);
        for slot in &self.slots {
            slot.store(0, Ordering::Release);
        }
        self.id.store(news.mark.id, Ordering::Release);
        for &(slot, seq) in &news.slots {
            if let Some(place) = self.slots.get(slot as usize) {
                place.fetch_max(seq, Ordering::AcqRel);
            }
        }
        self.seq.store(news.mark.seq, Ordering::Release);
        let recent = std::mem::take(&mut own.recent);
        own.pending.extend(recent.into_keys());
        own.heard_ns = now_ns;
    }

    /// Purges that Redis does not know of yet.
    pub(crate) fn pending(&self) -> usize {
        let own = self.own.lock();
        own.pending.len() + own.sending.len()
    }
}

fn outdated(slots: Vec<u32>) -> Outdated {
    if slots.contains(&EVERYTHING) { Outdated::All } else { Outdated::Slots(slots) }
}

#[cfg(test)]
mod tests;
