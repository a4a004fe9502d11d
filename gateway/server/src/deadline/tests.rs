use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use proptest::prelude::*;

use super::{Deadlines, TICK, ticks};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn fires_at_its_tick_and_not_before() {
    let deadlines = Deadlines::default();
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    let deadline = deadlines.after(TICK * 3);
    for _ in 0..ticks(TICK * 3) {
        assert!(deadline.poll_expired(&mut cx).is_pending());
        deadlines.advance();
    }
    assert!(deadline.poll_expired(&mut cx).is_ready());
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
}

#[test]
fn further_than_a_turn_of_the_wheel_waits_its_turns() {
    let deadlines = Deadlines::default();
    let mut cx = Context::from_waker(Waker::noop());
    let far = Duration::from_mins(1);
    let deadline = deadlines.after(far);
    for _ in 0..ticks(far) - 1 {
        deadlines.advance();
        assert!(deadline.poll_expired(&mut cx).is_pending());
    }
    deadlines.advance();
    assert!(deadline.poll_expired(&mut cx).is_ready());
}

proptest! {
    /// Whatever is armed, dropped and reset: each fires exactly at its tick, and entries are reused.
    #[test]
    fn any_mix_fires_on_time(ops in prop::collection::vec((0u8..4, 1u64..2_000), 1..300)) {
        let deadlines = Deadlines::default();
        let mut cx = Context::from_waker(Waker::noop());
        let mut armed = Vec::new();
        let mut now = 0;
        for (op, n) in ops {
            let duration = TICK * u32::try_from(n).unwrap();
            match op {
                0 | 1 => armed.push((deadlines.after(duration), now + ticks(duration))),
                2 if !armed.is_empty() => { armed.swap_remove(n as usize % armed.len()); }
                2 => {}
                _ => {
                    for _ in 0..n % 40 { deadlines.advance(); now += 1; }
                    if let Some((deadline, due)) = armed.first_mut() {
                        deadline.reset(duration);
                        *due = now + ticks(duration);
                    }
                }
            }
            for (deadline, due) in &armed {
                prop_assert_eq!(deadline.poll_expired(&mut cx).is_ready(), now >= *due);
            }
        }
    }
}
