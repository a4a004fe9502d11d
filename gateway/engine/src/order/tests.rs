use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use super::*;

#[test]
fn turns_are_numbered_one_after_the_other() {
    let order = Order::default();
    let numbers: Vec<_> = (0..3).map(|_| order.take().number).collect();
    assert_eq!((numbers.as_slice(), order.last()), ([1, 2, 3].as_slice(), 3));
}

#[test]
fn who_finds_a_turn_that_does_not_end_goes_ahead_and_is_counted() {
    let order = Order::default();
    let stopped = order.take();
    let passing = order.take();
    assert!(passing.number >= stopped.number && !passing.held);
    assert_eq!(order.overlapped(), 1);
    drop(passing);
    drop(stopped);
    let next = order.take();
    assert!(next.held && next.number > 1, "{next:?}");
}

#[test]
fn turns_that_are_held_do_not_overlap() {
    let (order, inside) = (Order::default(), AtomicBool::new(false));
    let held: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut held = 0;
                    for _ in 0..20_000 {
                        let turn = order.take();
                        if turn.held {
                            assert!(!inside.swap(true, SeqCst), "two at once");
                            inside.store(false, SeqCst);
                            held += 1;
                        }
                    }
                    held
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(held as u64 + order.overlapped(), 80_000);
    assert_eq!(order.last(), 80_000);
}
