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
