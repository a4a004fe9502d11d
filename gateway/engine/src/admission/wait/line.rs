//! Who waits for a slot, in their order.
//!
//! All changes are made under one lock, also of the mark in the word; only who waits, or leaves
//! while somebody does, meets it. Nothing is woken while it is held.
//!
//! No wake-up is lost: who joins sets the mark and *then* tries the slots once more; who leaves frees
//! the slot and learns of the mark in the same step. So either the one sees the slot or the other the
//! mark. And a slot that is handed to somebody who is gone is handed on by the drop of what it waited
//! with.

use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;

use sumun_policy::policy::Class;

use crate::slots::Slots;
use crate::sync::Mutex;

/// What waits has a limit of its own, which may change meanwhile.
pub(crate) trait Limited {
    /// Calls in flight under which it may enter.
    fn limit(&self) -> u32;
}

/// The line in front of an upstream's slots.
#[derive(Debug)]
pub(crate) struct Line<T> {
    /// How many wait; a hint for those who find it full.
    waiting: AtomicUsize,
    places: Mutex<Places<T>>,
}

/// Those who were handed a slot, to be woken: when it is dropped. Who holds a lock or a turn drops it
/// after that.
#[derive(Debug, Default)]
#[must_use = "dropping it wakes them"]
pub struct Handed(Vec<Waker>);

/// Names a place in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    class: Class,
    number: u64,
}

/// What came of joining.
#[derive(Debug)]
pub(crate) enum Joined<T> {
    /// A slot had been freed: it is taken.
    Entered(T),
    /// Waits.
    Waits(T, Ticket),
    /// Too many wait already.
    Full,
}

#[derive(Debug)]
struct Places<T> {
    next: u64,
    /// By class; in each, the numbers rise.
    classes: [VecDeque<Place<T>>; Class::ALL.len()],
}

#[derive(Debug)]
struct Place<T> {
    number: u64,
    who: T,
    waker: Option<Waker>,
}

// === impl Line ===

impl<T: Limited + Clone> Line<T> {
    pub(crate) fn new() -> Self {
        let classes = std::array::from_fn(|_| VecDeque::new());
        Self { waiting: AtomicUsize::new(0), places: Mutex::new(Places { next: 0, classes }) }
    }

    /// Takes a place among at most `places_max`, or a slot where one is free after all.
    pub(crate) fn join(&self, slots: &Slots, class: Class, who: T, places_max: usize) -> Joined<T> {
        if self.waiting.load(Relaxed) >= places_max {
            return Joined::Full;
        }
        let mut places = self.places.lock();
        if places.count() >= places_max {
            return Joined::Full;
        }
        slots.mark();
        if slots.try_enter(who.limit()).is_ok() {
            self.settle(&places, slots);
            return Joined::Entered(who);
        }
        let number = places.next;
        places.next += 1;
        let place = Place { number, who: who.clone(), waker: None };
        places.classes[class as usize].push_back(place);
        self.settle(&places, slots);
        Joined::Waits(who, Ticket { class, number })
    }

    /// Whether a slot has been handed to this place; where not, `waker` will be woken.
    pub(crate) fn is_granted(&self, ticket: Ticket, waker: &Waker) -> bool {
        let mut places = self.places.lock();
        let Some(at) = places.find(ticket) else { return true };
        let place = &mut places.classes[ticket.class as usize][at];
        if !place.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            place.waker = Some(waker.clone());
        }
        false
    }

    /// Leaves the line; false where a slot has been handed over, which is then the caller's.
    pub(crate) fn cancel(&self, slots: &Slots, ticket: Ticket) -> bool {
        let mut places = self.places.lock();
        let left = places.find(ticket).and_then(|at| {
            let left = places.classes[ticket.class as usize].remove(at);
            self.settle(&places, slots);
            left
        });
        drop(places);
        // What it holds is dropped here, outside the lock: it may leave a slot itself.
        left.is_some()
    }

    /// Hands free slots to those who wait, as many as there are.
    pub(crate) fn pass_on(&self, slots: &Slots) -> Handed {
        let mut handed = Handed::default();
        while let Some(place) = self.next(slots) {
            handed.0.extend(place.waker);
        }
        handed
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Takes a slot for the first whose limit allows it.
    fn next(&self, slots: &Slots) -> Option<Place<T>> {
        let mut places = self.places.lock();
        let mut refused = None;
        for class in places.classes.iter_mut().rev() {
            for at in 0..class.len() {
                let limit = class[at].who.limit();
                // What one limit refused, no lower one admits.
                if refused.is_some_and(|refused| limit <= refused) {
                    continue;
                }
                if slots.try_enter(limit).is_ok() {
                    let place = class.remove(at);
                    self.settle(&places, slots);
                    return place;
                }
                refused = Some(limit);
            }
        }
        None
    }

    /// After each change: the mark and the hint say what is so.
    fn settle(&self, places: &Places<T>, slots: &Slots) {
        let count = places.count();
        self.waiting.store(count, Relaxed);
        if count == 0 {
            slots.unmark();
        }
    }
}

// === impl Handed ===

impl Drop for Handed {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}

// === impl Places ===

impl<T> Places<T> {
    fn count(&self) -> usize {
        self.classes.iter().map(VecDeque::len).sum()
    }

    fn find(&self, ticket: Ticket) -> Option<usize> {
        let class = &self.classes[ticket.class as usize];
        class.binary_search_by_key(&ticket.number, |place| place.number).ok()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom_model;
