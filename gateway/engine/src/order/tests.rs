use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc;
use std::time::Duration;

use sumun_policy::policy;

use super::*;

fn orders() -> (Arc<Stamps>, [Order; 2], Pool) {
    let stamps = Arc::new(Stamps::default());
    let orders = [Order::new(Arc::clone(&stamps)), Order::new(Arc::clone(&stamps))];
    (stamps, orders, Pool::new(policy::Pool::default()))
}

#[test]
fn stamps_count_the_turns_of_all() {
    let (stamps, [one, other], pool) = orders();
    let turns = [(&one, None), (&other, Some(&pool)), (&one, Some(&pool))];
    let taken = turns.map(|(order, pool)| order.take(pool).stamp);
    let all = stamps.take_all([&one, &other].into_iter(), &pool).stamp;
    assert_eq!((taken, all, stamps.last()), ([1, 2, 3], 4, 4));
}

#[test]
fn who_finds_a_turn_that_does_not_end_waits_for_it() {
    let (_, [order, _], pool) = orders();
    let (order, pool) = (&order, &pool);
    let (told, heard) = mpsc::channel();
    std::thread::scope(|scope| {
        // Stopped in the middle: at the upstream for one, at the pool for the other.
        let stopped = order.take(Some(pool));
        let later = told.clone();
        scope.spawn(move || later.send(order.take(None).stamp).expect("heard"));
        let other = Order::new(Arc::clone(&order.stamps));
        scope.spawn(move || told.send(other.take(Some(pool)).stamp).expect("heard"));
        assert!(heard.recv_timeout(Duration::from_millis(50)).is_err(), "went ahead");
        let first = stopped.stamp;
        drop(stopped);
        let both = [heard.recv().expect("a turn"), heard.recv().expect("a turn")];
        assert!(both.iter().all(|stamp| *stamp > first), "{first} {both:?}");
    });
}

/// Of threads that race at two upstreams and the pool: no two at the same at once, and whoever comes
/// later at any of them has the larger stamp.
#[test]
fn turns_exclude_each_other_and_their_stamps_rise_wherever_they_meet() {
    const ROUNDS: u64 = 10_000;
    let (stamps, orders, pool) = orders();
    let inside: [AtomicBool; 3] = Default::default();
    let last: [AtomicU64; 3] = Default::default();
    let enter = |places: &[usize], stamp| {
        for place in places {
            assert!(!inside[*place].swap(true, SeqCst), "two at once");
            assert!(last[*place].swap(stamp, SeqCst) < stamp, "stamped out of order");
        }
        for place in places {
            inside[*place].store(false, SeqCst);
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (orders, pool, enter) = (&orders, &pool, &enter);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let at = (thread + round as usize) % 2;
                    let quota = round % 3 == 0;
                    let turn = orders[at].take(quota.then_some(pool));
                    enter(&[at, 2][..=usize::from(quota)], turn.stamp);
                }
            });
        }
        for _ in 0..ROUNDS / 100 {
            let all = stamps.take_all(orders.iter(), &pool);
            enter(&[0, 1, 2], all.stamp);
        }
    });
    assert_eq!(stamps.last(), 4 * ROUNDS + ROUNDS / 100);
}
