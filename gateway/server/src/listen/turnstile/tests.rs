use std::sync::Arc;
use std::task::Wake;

use tokio::runtime::LocalOptions;

use super::*;

struct Nothing;

impl Wake for Nothing {
    fn wake(self: Arc<Self>) {}
}

fn passes(place: &Place, is_readable: bool) -> bool {
    let waker = Waker::from(Arc::new(Nothing));
    let passed = place.poll_pass(&mut Context::from_waker(&waker), |_| is_readable).is_ready();
    if passed {
        place.note_read();
    }
    passed
}

fn places(turnstile: &Rc<Turnstile>, count: usize) -> Vec<Place> {
    (0..count).map(|_| Place::new(turnstile)).collect()
}

#[test]
fn a_round_reads_so_many_heads_and_the_next_the_newest_of_the_rest() {
    let turnstile = Rc::new(Turnstile::new(Clock::start()));
    let all = places(&turnstile, HEADS_MAX as usize + 100);
    let first: Vec<_> = all.iter().map(|place| passes(place, true)).collect();
    let (in_time, late) = first.split_at(HEADS_MAX as usize);
    assert!(in_time.iter().all(|passed| *passed) && late.iter().all(|passed| !passed));
    turnstile.begin_round(turnstile.clock.now());
    let waited = &all[HEADS_MAX as usize..];
    let second: Vec<_> = waited.iter().map(|place| passes(place, true)).collect();
    let count = |range: std::ops::Range<usize>| second[range].iter().filter(|p| **p).count();
    // One of eight is the oldest.
    assert_eq!((count(0..8), count(8..44), count(44..100)), (8, 0, 56));
    turnstile.begin_round(turnstile.clock.now());
    assert!(waited[8..44].iter().all(|place| passes(place, true)));
}

#[test]
fn who_comes_while_others_wait_for_the_next_round_waits_too_unless_it_has_nothing_to_say() {
    let turnstile = Rc::new(Turnstile::new(Clock::start()));
    let all = places(&turnstile, HEADS_MAX as usize);
    assert!(all.iter().all(|place| passes(place, true)));
    let [idle, late] = [Place::new(&turnstile), Place::new(&turnstile)];
    assert!(!passes(&idle, false) && !passes(&late, true));
    assert_eq!(turnstile.waiting.borrow().len(), 1);
    turnstile.begin_round(turnstile.clock.now());
    assert!(passes(&idle, true) && passes(&late, true), "there is room for both");
}

#[test]
fn who_leaves_gives_its_place_up() {
    let turnstile = Rc::new(Turnstile::new(Clock::start()));
    let all = places(&turnstile, HEADS_MAX as usize + 3);
    assert_eq!(all.iter().filter(|place| passes(place, true)).count(), HEADS_MAX as usize);
    assert_eq!(turnstile.waiting.borrow().len(), 3);
    drop(all);
    assert!(turnstile.waiting.borrow().is_empty());
    turnstile.begin_round(turnstile.clock.now());
    assert!(turnstile.is_open());
}

#[test]
fn rounds_that_take_long_have_fewer_heads_and_short_ones_more_again() {
    let turnstile = Rc::new(Turnstile::new(Clock::start()));
    let mut now = Moment::from_nanos(1);
    let mut rounds = |count: u32, each: Duration| {
        for _ in 0..count {
            now = now.plus(each);
            turnstile.begin_round(now);
        }
        let all = places(&turnstile, HEADS_MAX as usize + 1);
        all.iter().filter(|place| passes(place, true)).count() as u32
    };
    assert_eq!(rounds(1, Duration::ZERO), HEADS_MAX, "the first follows none");
    assert_eq!(rounds(1, ROUND_MAX * 2), HEADS_MAX / 2);
    assert_eq!(rounds(20, ROUND_MAX * 2), HEADS_MIN);
    assert_eq!(rounds(1, ROUND_MAX), HEADS_MIN + HEADS_STEP);
    assert_eq!(rounds(50, ROUND_MAX / 2), HEADS_MAX);
}

/// On a real runtime: of a thousand heads that are ready at once and a call that needs ten steps, the
/// call is done when a part of the heads have been read, and all are read in the end.
#[test]
fn a_call_that_runs_is_not_held_up_by_heads_that_are_ready() {
    const HEADS: usize = 2_000;
    const STEPS: u32 = 10;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.build_local(LocalOptions::default()).expect("a runtime");
    let read = Rc::new(Cell::new(0));
    let seen = runtime.block_on(async {
        let turnstile = Rc::new(Turnstile::new(Clock::start()));
        let usher = {
            let turnstile = Rc::clone(&turnstile);
            tokio::task::spawn_local(async move { turnstile.usher().await })
        };
        let heads: Vec<_> = (0..HEADS)
            .map(|_| {
                let (place, read) = (Place::new(&turnstile), Rc::clone(&read));
                tokio::task::spawn_local(async move {
                    poll_fn(|cx| place.poll_pass(cx, |_| true)).await;
                    place.note_read();
                    read.set(read.get() + 1);
                })
            })
            .collect();
        let call = tokio::task::spawn_local({
            let read = Rc::clone(&read);
            async move {
                for _ in 0..STEPS {
                    tokio::task::yield_now().await;
                }
                read.get()
            }
        });
        let seen = call.await.expect("the call");
        for head in heads {
            head.await.expect("a head");
        }
        usher.abort();
        seen
    });
    assert!(seen <= (STEPS + 3) * HEADS_MAX, "{seen} heads were read before");
    assert_eq!(read.get() as usize, HEADS);
}
