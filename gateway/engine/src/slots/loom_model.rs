//! Every interleaving of a few threads on the packed word.

use loom::sync::Arc;
use loom::sync::atomic::AtomicU32;
use loom::sync::atomic::Ordering::SeqCst;
use loom::thread;

use super::*;

/// Enters, counts those inside beside the word, leaves.
fn visit(slots: &Slots, inside: &AtomicU32, limit: u32) -> bool {
    let entered = slots.try_enter(UNLIMITED).is_ok();
    if entered {
        assert!(inside.fetch_add(1, SeqCst) < limit, "more inside than the limit");
        inside.fetch_sub(1, SeqCst);
        slots.leave();
    }
    entered
}

#[test]
fn loom_never_more_inside_than_the_limit() {
    loom::model(|| {
        let shared = Arc::new((Slots::new(1), AtomicU32::new(0)));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || visit(&shared.0, &shared.1, 1))
            })
            .collect();
        let here = visit(&shared.0, &shared.1, 1);
        let entered = threads.into_iter().map(|t| t.join().unwrap()).filter(|e| *e).count();
        assert!(here || entered > 0, "somebody must get in");
        assert_eq!(shared.0.in_flight(), 0);
    });
}

#[test]
fn loom_a_falling_limit_loses_no_count_and_admits_nobody_after() {
    loom::model(|| {
        let slots = Arc::new(Slots::new(2));
        let caller = {
            let slots = Arc::clone(&slots);
            thread::spawn(move || slots.try_enter(UNLIMITED).is_ok())
        };
        slots.enter();
        slots.set_limit(0);
        assert!(slots.try_enter(UNLIMITED).is_err(), "entered under a limit of zero");
        let entered = caller.join().unwrap();
        assert_eq!(slots.in_flight(), 1 + u32::from(entered));
        assert_eq!(slots.limit(), 0);
    });
}

#[test]
fn loom_a_rising_limit_is_not_lost() {
    loom::model(|| {
        let slots = Arc::new(Slots::new(0));
        let raiser = {
            let slots = Arc::clone(&slots);
            thread::spawn(move || slots.set_limit(2))
        };
        slots.enter();
        slots.leave();
        raiser.join().unwrap();
        assert_eq!((slots.limit(), slots.in_flight()), (2, 0));
    });
}
