//! Every interleaving of one who waits with those who leave.

use loom::sync::Arc;
use loom::thread;

use super::*;

impl Limited for u32 {
    fn limit(&self) -> u32 {
        *self
    }
}

fn leave(line: &Line<u32>, slots: &Slots) {
    if slots.leave() {
        drop(line.pass_on(slots));
    }
}

/// A full upstream of one slot, held by nobody in particular.
fn full() -> Arc<(Line<u32>, Slots)> {
    let shared = Arc::new((Line::new(), Slots::new(1)));
    shared.1.enter();
    shared
}

#[test]
fn loom_a_slot_freed_while_somebody_joins_reaches_them() {
    loom::model(|| {
        let shared = full();
        let leaver = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || leave(&shared.0, &shared.1))
        };
        let (line, slots) = &*shared;
        let joined = line.join(slots, Class::Batch, 1, 1);
        leaver.join().unwrap();
        // The slot is theirs by now, at once or handed over: nobody else will ever come.
        let entered = match joined {
            Joined::Entered(_) => true,
            Joined::Waits(_, ticket) => line.is_granted(ticket, Waker::noop()),
            Joined::Full => false,
        };
        assert!(entered, "a wake-up was lost");
        assert_eq!((slots.in_flight(), slots.is_waited_for()), (1, false));
    });
}

#[test]
fn loom_a_slot_handed_to_one_who_gives_up_is_not_lost() {
    loom::model(|| {
        let shared = full();
        let (line, slots) = &*shared;
        let Joined::Waits(_, ticket) = line.join(slots, Class::Batch, 1, 1) else {
            panic!("entered a full upstream")
        };
        let leaver = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || leave(&shared.0, &shared.1))
        };
        if !line.cancel(slots, ticket) {
            leave(line, slots);
        }
        leaver.join().unwrap();
        assert_eq!((slots.in_flight(), slots.is_waited_for()), (0, false));
    });
}

#[test]
fn loom_a_slot_is_given_to_one_of_two() {
    loom::model(|| {
        let shared = full();
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.1.try_enter(1).is_ok())
        };
        let (line, slots) = &*shared;
        let Joined::Waits(_, ticket) = line.join(slots, Class::Batch, 1, 1) else {
            panic!("entered a full upstream")
        };
        leave(line, slots);
        let barged = other.join().unwrap();
        let granted = line.is_granted(ticket, Waker::noop());
        assert!(barged != granted, "one slot, one call: {barged} {granted}");
        assert_eq!((slots.in_flight(), slots.is_waited_for()), (1, !granted));
    });
}
