use std::sync::atomic::Ordering::SeqCst;

use proptest::prelude::*;

use super::*;
use crate::fixture::{at_ms, function, policy, upstream};
use crate::{Live, Snapshot};

/// Functions `f0`, `f1`… with these reservations, in a pool of this size.
fn compile(live: &Live, total: u32, reserved: &[Option<u32>]) -> Snapshot {
    let mut policy = policy([upstream("u", &[1])], []);
    policy.pool = policy::Pool { total, unreserved_min: 0 };
    for (n, reserved) in reserved.iter().enumerate() {
        let function = function(&format!("f{n}"), "u", *reserved);
        policy.functions.insert(function.name.clone(), function);
    }
    Snapshot::compile(policy, 1, live, at_ms(0))
}

fn fill(function: &Arc<Function>) -> Vec<Permit> {
    std::iter::from_fn(|| function.reserve().ok()).collect()
}

#[test]
fn a_reservation_is_all_and_no_more_than_its_number() {
    let snapshot = compile(&Live::new(), 10, &[Some(4), None]);
    let [reserved, shared] = snapshot.functions() else { panic!("two functions") };
    let shared_permits = fill(shared);
    assert_eq!(shared_permits.len(), 6, "what is not reserved");
    assert_eq!(shared.reserve().unwrap_err(), QuotaFull { in_use: 6, limit: 6 });
    let permits = fill(reserved);
    assert_eq!(permits.len(), 4, "although the others took all they could");
    assert_eq!(reserved.reserve().unwrap_err(), QuotaFull { in_use: 4, limit: 4 });
    drop(permits);
    drop(shared_permits);
    assert_eq!(reserved.view().in_use, 0);
    assert_eq!((reserved.view().peak, reserved.view().throttled), (4, 2));
    let pool = PoolView { total: 10, unreserved: 6, unreserved_in_use: 0, in_use: 0 };
    assert_eq!(snapshot.pool(), pool);
}

#[test]
fn a_reservation_of_zero_always_throttles() {
    let snapshot = compile(&Live::new(), 10, &[Some(0)]);
    let full = snapshot.functions()[0].reserve().unwrap_err();
    assert_eq!(full, QuotaFull { in_use: 0, limit: 0 });
}

#[test]
fn moving_to_a_reservation_counts_the_permits_that_are_out() {
    let live = Live::new();
    let before = compile(&live, 10, &[None, None]);
    let mut old = fill(&before.functions()[0]);
    assert_eq!(old.len(), 10);
    let after = compile(&live, 10, &[Some(3), None]);
    let [moved, other] = after.functions() else { panic!("two functions") };
    assert_eq!(moved.view().in_use, 10);
    assert!(moved.reserve().is_err(), "already over its new number");
    assert!(other.reserve().is_err(), "the total is out");
    old.truncate(2);
    assert_eq!(fill(moved).len(), 1, "up to its number again");
    drop(old);
    assert_eq!(fill(other).len(), 7);
    assert_eq!(after.pool().in_use, 0);
}

#[test]
fn moving_out_of_a_reservation_never_exceeds_the_total() {
    let live = Live::new();
    let before = compile(&live, 10, &[Some(8), None]);
    let old = fill(&before.functions()[0]);
    let after = compile(&live, 10, &[None, None]);
    let [moved, other] = after.functions() else { panic!("two functions") };
    let more = fill(other);
    assert_eq!(more.len(), 2, "ten altogether");
    drop(old);
    let rest = fill(moved);
    assert_eq!(rest.len(), 8);
    drop((more, rest));
    assert_eq!(after.pool().in_use, 0);
    assert_eq!(after.pool().unreserved_in_use, 0);
}

#[test]
fn a_permit_outlives_its_function() {
    let live = Live::new();
    let permit = compile(&live, 5, &[None]).functions()[0].reserve().unwrap();
    let after = compile(&live, 5, &[]);
    assert_eq!(after.pool().in_use, 1);
    drop(permit);
    assert_eq!(after.pool().in_use, 0);
    after.tick(at_ms(1));
    assert_eq!(live.entry_count(), 2, "only the upstream and its endpoint");
}

#[test]
fn under_threads_and_reloads_no_number_is_exceeded_and_all_come_back() {
    let live = Live::new();
    let shapes: [&[Option<u32>]; 3] = [&[Some(3), None], &[None, None], &[Some(1), Some(2)]];
    let current = parking_lot::RwLock::new(Arc::new(compile(&live, 8, shapes[0])));
    let out = AtomicU32::new(0);
    let granted = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (current, out, granted) = (&current, &out, &granted);
            scope.spawn(move || {
                for round in 0..8_000usize {
                    let snapshot = Arc::clone(&current.read());
                    if let Ok(permit) = snapshot.functions()[(thread + round) % 2].reserve() {
                        assert!(out.fetch_add(1, SeqCst) < 8, "over the total");
                        granted.fetch_add(1, SeqCst);
                        out.fetch_sub(1, SeqCst);
                        drop(permit);
                    }
                }
            });
        }
        scope.spawn(|| {
            for n in 0..200 {
                let next = Arc::new(compile(&live, 8, shapes[n % 3]));
                *current.write() = next;
                std::thread::yield_now();
            }
        });
    });
    assert!(granted.load(SeqCst) > 0);
    let snapshot = current.into_inner();
    assert_eq!((snapshot.pool().in_use, snapshot.pool().unreserved_in_use), (0, 0));
    assert!(snapshot.functions().iter().all(|function| function.view().in_use == 0));
}

#[derive(Clone, Debug)]
enum Step {
    Reserve(usize),
    Free(usize),
    Reload(Vec<Option<u32>>),
}

fn step() -> impl Strategy<Value = Step> {
    let shape = prop::collection::vec(prop::option::of(0u32..4), 3);
    prop_oneof![
        6 => (0usize..3).prop_map(Step::Reserve),
        4 => (0usize..40).prop_map(Step::Free),
        1 => shape.prop_map(Step::Reload),
    ]
}

proptest! {
    /// Permits are conserved; every grant fits the numbers in force; and once no old permits
    /// overhang, a function under its reservation is never refused.
    #[test]
    fn permits_are_conserved_over_reloads(steps in prop::collection::vec(step(), 1..120)) {
        const TOTAL: u32 = 9;
        let live = Live::new();
        let mut shape = vec![Some(3), Some(2), None];
        let mut snapshot = compile(&live, TOTAL, &shape);
        let mut out: Vec<(usize, bool, Permit)> = Vec::new();
        for step in steps {
            match step {
                Step::Reload(next) => {
                    shape = next;
                    snapshot = compile(&live, TOTAL, &shape);
                }
                Step::Free(n) if !out.is_empty() => drop(out.swap_remove(n % out.len())),
                Step::Free(_) => {}
                Step::Reserve(n) => {
                    let held = out.iter().filter(|(f, ..)| *f == n).count() as u32;
                    let reserved: u32 = shape.iter().flatten().sum();
                    let shared = out.iter().filter(|(_, shared, _)| *shared).count() as u32;
                    let fits = out.len() < TOTAL as usize
                        && match shape[n] {
                            Some(limit) => held < limit,
                            None => shared < TOTAL - reserved,
                        };
                    let granted = snapshot.functions()[n].reserve();
                    prop_assert_eq!(granted.is_ok(), fits);
                    if let Ok(permit) = granted {
                        out.push((n, shape[n].is_none(), permit));
                    }
                }
            }
            prop_assert_eq!(snapshot.pool().in_use as usize, out.len());
        }
        out.clear();
        prop_assert_eq!(snapshot.pool().in_use, 0);
        prop_assert_eq!(snapshot.pool().unreserved_in_use, 0);
    }
}
