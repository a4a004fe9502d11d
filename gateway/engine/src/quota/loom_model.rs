//! Every interleaving of two callers and a reload.

use loom::thread;

use super::*;

fn pool(total: u32) -> Arc<Pool> {
    Arc::new(Pool::new(policy::Pool { total, unreserved_min: 0 }))
}

#[test]
fn loom_a_reservation_is_never_refused_while_others_flood_the_pool() {
    loom::model(|| {
        let pool = pool(2);
        let reserved = Arc::new(FunctionState::new(Arc::clone(&pool)));
        let shared = Arc::new(FunctionState::new(Arc::clone(&pool)));
        pool.apply(2, &[(&reserved, Some(1)), (&shared, None)]);
        let flood = thread::spawn(move || {
            let first = FunctionState::reserve(&shared, Pot::Unreserved);
            let second = FunctionState::reserve(&shared, Pot::Unreserved);
            assert!(first.is_ok() && second.is_err());
        });
        let permit = FunctionState::reserve(&reserved, Pot::Reservation);
        assert!(permit.is_ok(), "the reserved slot was taken by somebody");
        flood.join().unwrap();
        drop(permit);
        assert_eq!(pool.view().in_use, 0);
        assert_eq!(pool.view().unreserved_in_use, 0);
    });
}

#[test]
fn loom_a_reload_that_reserves_never_lets_more_out_than_the_total() {
    loom::model(|| {
        let pool = pool(1);
        let a = Arc::new(FunctionState::new(Arc::clone(&pool)));
        let b = Arc::new(FunctionState::new(Arc::clone(&pool)));
        pool.apply(1, &[(&a, None), (&b, None)]);
        let before = {
            let a = Arc::clone(&a);
            thread::spawn(move || FunctionState::reserve(&a, Pot::Unreserved).ok())
        };
        pool.apply(1, &[(&a, None), (&b, Some(1))]);
        let after = FunctionState::reserve(&b, Pot::Reservation).ok();
        let before = before.join().unwrap();
        let out = u32::from(before.is_some()) + u32::from(after.is_some());
        assert!(out <= 1, "{out} permits of a total of one");
        assert_eq!(pool.view().in_use, out);
        drop((before, after));
        assert_eq!(
            pool.view(),
            PoolView { total: 1, unreserved: 0, unreserved_in_use: 0, in_use: 0 }
        );
    });
}

#[test]
fn loom_a_share_grows_only_after_the_one_it_comes_from_has_shrunk() {
    loom::model(|| {
        let pool = pool(1);
        let giving = Arc::new(FunctionState::new(Arc::clone(&pool)));
        let gaining = Arc::new(FunctionState::new(Arc::clone(&pool)));
        pool.apply(1, &[(&gaining, None), (&giving, Some(1))]);
        let caller = {
            let (giving, gaining) = (Arc::clone(&giving), Arc::clone(&gaining));
            thread::spawn(move || {
                let gained = FunctionState::reserve(&gaining, Pot::Unreserved).is_ok();
                // Freed at once, so the total has room: only the reservation can refuse.
                let given = FunctionState::reserve(&giving, Pot::Reservation).is_ok();
                assert!(!(gained && given), "both shares at the same time");
            })
        };
        pool.apply(1, &[(&gaining, None), (&giving, Some(0))]);
        caller.join().unwrap();
        assert_eq!(pool.view().in_use, 0);
    });
}
