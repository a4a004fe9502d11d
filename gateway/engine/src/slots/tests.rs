use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU32};

use proptest::prelude::*;

use super::*;

#[test]
fn as_many_enter_as_the_limit_says() {
    let slots = Slots::new(3);
    assert_eq!(
        (0..3).map(|_| slots.try_enter(UNLIMITED)).collect::<Vec<_>>(),
        [Ok(0), Ok(1), Ok(2)]
    );
    assert_eq!(slots.try_enter(UNLIMITED), Err(Full { in_flight: 3, limit: 3 }));
    slots.leave();
    assert_eq!(slots.try_enter(2), Err(Full { in_flight: 2, limit: 2 }));
    assert_eq!(slots.try_enter(3), Ok(2));
}

#[test]
fn a_limit_of_zero_admits_nobody_and_growing_again_admits_at_once() {
    let slots = Slots::new(2);
    slots.try_enter(UNLIMITED).unwrap();
    slots.set_limit(0);
    assert_eq!(slots.in_flight(), 1, "nobody is thrown out");
    assert!(slots.try_enter(UNLIMITED).is_err());
    slots.leave();
    assert!(slots.try_enter(UNLIMITED).is_err());
    slots.set_limit(1);
    assert_eq!(slots.try_enter(UNLIMITED), Ok(0));
}

#[test]
fn the_halves_do_not_touch() {
    let slots = Slots::new(UNLIMITED);
    slots.enter();
    assert_eq!((slots.limit(), slots.in_flight()), (UNLIMITED, 1));
    slots.leave();
    assert_eq!((slots.limit(), slots.in_flight()), (UNLIMITED, 0));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    TryEnter(u32),
    Enter,
    Leave,
    Limit(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u32..12).prop_map(Step::TryEnter),
        1 => Just(Step::Enter),
        4 => Just(Step::Leave),
        1 => (0u32..12).prop_map(Step::Limit),
    ]
}

proptest! {
    /// Against a model of two plain numbers: same answers, same state, after every step.
    #[test]
    fn the_word_behaves_like_two_numbers(steps in prop::collection::vec(step(), 1..200)) {
        let slots = Slots::new(5);
        let (mut limit, mut in_flight) = (5u32, 0u32);
        for step in steps {
            match step {
                Step::TryEnter(lane) => {
                    let fits = in_flight < limit.min(lane);
                    let entered = slots.try_enter(lane);
                    prop_assert_eq!(entered.is_ok(), fits);
                    in_flight += u32::from(fits);
                }
                Step::Enter => {
                    slots.enter();
                    in_flight += 1;
                }
                Step::Leave if in_flight > 0 => {
                    slots.leave();
                    in_flight -= 1;
                }
                Step::Leave => {}
                Step::Limit(to) => {
                    slots.set_limit(to);
                    limit = to;
                }
            }
            prop_assert_eq!((slots.limit(), slots.in_flight()), (limit, in_flight));
        }
    }
}

/// The calls inside count themselves, independently of the word.
#[test]
fn under_threads_the_limit_holds_and_all_leave() {
    const LIMIT: u32 = 5;
    let slots = Slots::new(LIMIT);
    let inside = AtomicU32::new(0);
    let most = AtomicU32::new(0);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..8u32 {
            let (slots, inside, most, over) = (&slots, &inside, &most, &over);
            scope.spawn(move || {
                for round in 0..20_000u32 {
                    if slots.try_enter(LIMIT).is_ok() {
                        let now_inside = inside.fetch_add(1, SeqCst) + 1;
                        most.fetch_max(now_inside, SeqCst);
                        over.fetch_or(now_inside > LIMIT, SeqCst);
                        if (round + thread).is_multiple_of(64) {
                            std::thread::yield_now();
                        }
                        inside.fetch_sub(1, SeqCst);
                        slots.leave();
                    }
                    if round.is_multiple_of(97) {
                        slots.set_limit(LIMIT - round % 3);
                    }
                }
            });
        }
    });
    assert!(!over.load(SeqCst), "{} were inside", most.load(SeqCst));
    assert!(most.load(SeqCst) > 0);
    assert_eq!(slots.in_flight(), 0);
}
