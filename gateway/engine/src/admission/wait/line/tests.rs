use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Wake;

use proptest::prelude::*;

use super::*;
use crate::slots::UNLIMITED;

impl Limited for u32 {
    fn limit(&self) -> u32 {
        *self
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn waits(line: &Line<u32>, slots: &Slots, class: Class, limit: u32) -> Ticket {
    match line.join(slots, class, limit, 100) {
        Joined::Waits(_, ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

fn granted(line: &Line<u32>, ticket: Ticket) -> bool {
    line.is_granted(ticket, Waker::noop())
}

fn leave(line: &Line<u32>, slots: &Slots) {
    if slots.leave() {
        drop(line.pass_on(slots));
    }
}

#[test]
fn a_freed_slot_goes_to_the_first_of_the_highest_class() {
    let (line, slots) = (Line::new(), Slots::new(1));
    slots.enter();
    let bulk = waits(&line, &slots, Class::Bulk, 1);
    let first = waits(&line, &slots, Class::Batch, 1);
    let second = waits(&line, &slots, Class::Batch, 1);
    assert_eq!(line.waiting(), 3);
    for (at, next) in [first, second, bulk].into_iter().enumerate() {
        assert!(!granted(&line, next));
        leave(&line, &slots);
        assert!(granted(&line, next));
        assert_eq!((line.waiting(), slots.in_flight()), (2 - at, 1));
    }
    assert!(!slots.is_waited_for());
    leave(&line, &slots);
    assert_eq!(slots.in_flight(), 0);
}

#[test]
fn who_is_handed_a_slot_is_woken_once_and_nobody_else() {
    let (line, slots) = (Line::new(), Slots::new(1));
    slots.enter();
    let bells = [Arc::new(Bell::default()), Arc::new(Bell::default())];
    for bell in &bells {
        let ticket = waits(&line, &slots, Class::Batch, 1);
        assert!(!line.is_granted(ticket, &Waker::from(Arc::clone(bell))));
    }
    leave(&line, &slots);
    assert_eq!(bells.each_ref().map(|bell| bell.0.load(SeqCst)), [1, 0]);
}

#[test]
fn the_line_is_bounded() {
    let (line, slots) = (Line::new(), Slots::new(1));
    slots.enter();
    for _ in 0..3 {
        assert!(matches!(line.join(&slots, Class::Batch, 1, 3), Joined::Waits(..)));
    }
    assert!(matches!(line.join(&slots, Class::Default, 1, 3), Joined::Full));
    assert!(matches!(line.join(&slots, Class::Batch, 1, 0), Joined::Full));
}

#[test]
fn a_slot_freed_before_joining_is_taken_at_once() {
    let (line, slots) = (Line::new(), Slots::new(1));
    assert!(matches!(line.join(&slots, Class::Batch, 1, 3), Joined::Entered(1)));
    assert_eq!((slots.in_flight(), line.waiting()), (1, 0));
    assert!(!slots.is_waited_for());
}

#[test]
fn who_leaves_the_line_gets_nothing_and_the_next_is_served() {
    let (line, slots) = (Line::new(), Slots::new(1));
    slots.enter();
    let gone = waits(&line, &slots, Class::Batch, 1);
    let next = waits(&line, &slots, Class::Batch, 1);
    assert!(line.cancel(&slots, gone));
    leave(&line, &slots);
    assert!(granted(&line, next));
    assert!(!line.cancel(&slots, next), "what was handed over can't be left any more");
    leave(&line, &slots);
    assert_eq!((slots.in_flight(), slots.is_waited_for()), (0, false));
}

#[test]
fn a_lower_limit_of_its_own_keeps_one_waiting_and_the_next_passes() {
    let (line, slots) = (Line::new(), Slots::new(4));
    for _ in 0..4 {
        slots.enter();
    }
    let tight = waits(&line, &slots, Class::Batch, 2);
    let wide = waits(&line, &slots, Class::Batch, 4);
    leave(&line, &slots);
    assert!(granted(&line, wide) && !granted(&line, tight));
    (0..3).for_each(|_| leave(&line, &slots));
    assert!(granted(&line, tight));
    assert_eq!(slots.in_flight(), 2);
}

#[test]
fn a_limit_that_rises_lets_in_as_many_as_it_has_room_for() {
    let (line, slots) = (Line::new(), Slots::new(1));
    slots.enter();
    let tickets: Vec<_> = (0..5).map(|_| waits(&line, &slots, Class::Batch, UNLIMITED)).collect();
    slots.set_limit(4);
    drop(line.pass_on(&slots));
    assert_eq!(tickets.iter().filter(|ticket| granted(&line, **ticket)).count(), 3);
    assert_eq!(slots.in_flight(), 4);
    assert!(slots.is_waited_for(), "setting a limit keeps the mark");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Join(Class),
    Cancel(usize),
    Leave,
    Limit(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop::sample::select(&Class::ALL[..3]).prop_map(Step::Join),
        (0usize..8).prop_map(Step::Cancel),
        Just(Step::Leave),
        (0u32..5).prop_map(Step::Limit),
    ]
}

proptest! {
    /// After any sequence: nobody waits while a slot is free, the mark says whether somebody waits, no
    /// more enter than the limit, and each slot is somebody's.
    #[test]
    fn nobody_waits_beside_a_free_slot(steps in prop::collection::vec(step(), 1..200)) {
        let (line, slots) = (Line::<u32>::new(), Slots::new(3));
        let (mut waiting, mut inside) = (Vec::new(), 0u32);
        for step in steps {
            let before = slots.in_flight();
            match step {
                Step::Join(class) => match line.join(&slots, class, UNLIMITED, 6) {
                    Joined::Entered(_) => inside += 1,
                    Joined::Waits(_, ticket) => waiting.push(ticket),
                    Joined::Full => prop_assert_eq!(waiting.len(), 6),
                },
                Step::Cancel(at) if at < waiting.len() => {
                    prop_assert!(line.cancel(&slots, waiting.remove(at)));
                }
                Step::Leave if inside > 0 => {
                    inside -= 1;
                    leave(&line, &slots);
                }
                Step::Limit(limit) => {
                    slots.set_limit(limit);
                    drop(line.pass_on(&slots));
                }
                Step::Cancel(_) | Step::Leave => {}
            }
            waiting.retain(|ticket| {
                let granted = granted(&line, *ticket);
                inside += u32::from(granted);
                !granted
            });
            prop_assert_eq!(slots.in_flight(), inside);
            prop_assert!(inside <= slots.limit() || inside <= before, "entered over the limit");
            prop_assert!(waiting.is_empty() || inside >= slots.limit());
            prop_assert_eq!(slots.is_waited_for(), !waiting.is_empty());
            prop_assert_eq!(line.waiting(), waiting.len());
        }
    }
}

#[test]
fn threads_that_wait_leave_and_give_up_lose_no_slot() {
    const LIMIT: u32 = 3;
    let shared = Arc::new((Line::<u32>::new(), Slots::new(LIMIT), AtomicU32::new(0)));
    let threads: Vec<_> = (0..6u64)
        .map(|seed| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                let (line, slots, inside) = &*shared;
                for turn in 0..5_000u64 {
                    let entered = slots.try_enter(LIMIT).is_ok()
                        || match line.join(slots, Class::Batch, LIMIT, 4) {
                            Joined::Entered(_) => true,
                            Joined::Waits(_, ticket) => {
                                let patient = (turn * 7 + seed) % 3 != 0;
                                while patient && !granted(line, ticket) {
                                    std::thread::yield_now();
                                }
                                !line.cancel(slots, ticket)
                            }
                            Joined::Full => false,
                        };
                    if entered {
                        assert!(inside.fetch_add(1, SeqCst) < LIMIT, "more inside than the limit");
                        inside.fetch_sub(1, SeqCst);
                        leave(line, slots);
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let (line, slots, _) = &*shared;
    assert_eq!((slots.in_flight(), line.waiting(), slots.is_waited_for()), (0, 0, false));
}
