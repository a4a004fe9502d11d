use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::admission::Reason;

fn rank(class: Class, limit: Option<u32>, workers: f64, unmet: f64) -> Rank {
    let bound = |limit| Bound {
        limit,
        free: 0.85 * f64::from(limit),
        reason: Reason::Workers,
        threshold: 0.85,
        observed: Observed::Busy { taken: 0, capacity: 100.0 },
        retry_after: Duration::from_secs(1),
    };
    let wanted = Wanted { workers, unmet };
    Rank { lane: 0, class, enforced: true, bound: limit.map(bound), wanted }
}

fn limits(lanes: &[Rank]) -> Vec<Option<u32>> {
    lanes.iter().map(|lane| lane.bound.map(|bound| bound.limit)).collect()
}

#[test]
fn lower_classes_leave_room_for_what_higher_ones_want() {
    let mut lanes = [
        rank(Class::Default, Some(85), 65.0, 30.0),
        rank(Class::Batch, Some(85), 0.0, 0.0),
        rank(Class::Bulk, Some(85), 0.0, 0.0),
    ];
    order(&mut lanes);
    // 30 that default could not get, and ln 0.02 / ln (65 / 85) = 14.6 for its variation.
    assert_eq!(limits(&lanes), [Some(85), Some(40), Some(40)]);
}

#[test]
fn each_class_that_wants_anything_has_a_margin_over_those_below() {
    let mut lanes = [
        rank(Class::Default, Some(170), 51.0, 0.0),
        rank(Class::Batch, Some(170), 51.0, 0.0),
        rank(Class::Bulk, Some(170), 51.0, 0.0),
    ];
    order(&mut lanes);
    // ln 0.02 / ln 0.3 = 3.2, and ln 0.02 / ln 0.6 = 7.7 on top.
    assert_eq!(limits(&lanes), [Some(170), Some(167), Some(159)]);
}

#[test]
fn a_small_pool_has_no_margin_to_give() {
    let mut lanes = [rank(Class::Default, Some(3), 1.0, 0.0), rank(Class::Bulk, Some(3), 0.0, 0.0)];
    order(&mut lanes);
    assert_eq!(limits(&lanes), [Some(3), Some(3)]);
}

#[test]
fn where_nothing_higher_is_wanted_nothing_is_held_back() {
    let mut lanes =
        [rank(Class::Default, Some(85), 0.0, 0.0), rank(Class::Bulk, Some(85), 40.0, 400.0)];
    order(&mut lanes);
    assert_eq!(limits(&lanes), [Some(85), Some(85)]);
}

#[test]
fn ten_times_the_capacity_of_a_higher_class_leaves_nothing() {
    let mut lanes =
        [rank(Class::Default, Some(85), 850.0, 765.0), rank(Class::Batch, Some(85), 1.0, 0.0)];
    order(&mut lanes);
    assert_eq!(limits(&lanes), [Some(85), Some(0)]);
}

#[test]
fn interactive_needs_no_room() {
    let mut lanes =
        [rank(Class::Interactive, None, 90.0, 50.0), rank(Class::Batch, Some(85), 1.0, 0.0)];
    order(&mut lanes);
    assert_eq!(limits(&lanes), [None, Some(85)]);
}

#[test]
fn a_shadow_lane_holds_back_only_shadow_lanes() {
    let shadow = |rank: Rank| Rank { enforced: false, ..rank };
    let mut lanes = [
        shadow(rank(Class::Default, Some(10), 100.0, 50.0)),
        rank(Class::Batch, Some(85), 0.0, 0.0),
        shadow(rank(Class::Bulk, Some(85), 0.0, 0.0)),
    ];
    order(&mut lanes);
    assert_eq!(limits(&lanes), [Some(10), Some(85), Some(10)]);
}

#[test]
fn a_refusal_counts_the_room_as_taken() {
    let mut lanes =
        [rank(Class::Default, Some(85), 40.0, 30.0), rank(Class::Batch, Some(85), 0.0, 0.0)];
    order(&mut lanes);
    let bound = lanes[1].bound.unwrap();
    assert_eq!(bound.observed, Observed::Busy { taken: 85 - bound.limit, capacity: 100.0 });
}

fn any_rank() -> impl Strategy<Value = Rank> {
    let limit = prop::option::weighted(0.8, 0u32..200);
    (0usize..4, limit, 0.0f64..300.0, 0.0f64..1.0, any::<bool>()).prop_map(
        |(class, limit, workers, unmet, enforced)| {
            let lane = rank(Class::ALL[class], limit, workers, workers * unmet);
            Rank { enforced, ..lane }
        },
    )
}

proptest! {
    /// No priority inversion, and no lane gains by the order.
    #[test]
    fn a_lower_class_is_never_admitted_where_a_higher_one_is_refused(
        mut lanes in prop::collection::vec(any_rank(), 1..12),
    ) {
        lanes.sort_by_key(|lane| std::cmp::Reverse(lane.class));
        let before = lanes.clone();
        order(&mut lanes);
        let enforced = |lane: &&Rank| lane.enforced && lane.class != Class::Interactive;
        for high in lanes.iter().filter(enforced) {
            for low in lanes.iter().filter(|low| low.class < high.class) {
                let enforced = low.enforced;
                if let (Some(high), Some(low)) = (high.bound, low.bound) {
                    prop_assert!(low.limit <= high.limit);
                    // Shadow lanes hold no real call back.
                    let begins_after = f64::from(low.limit) <= high.free;
                    prop_assert!(begins_after || !enforced, "{low:?} {high:?}");
                }
            }
        }
        for (was, is) in before.iter().zip(&lanes) {
            prop_assert!(Bound::limit_of(is.bound.as_ref()) <= Bound::limit_of(was.bound.as_ref()));
            prop_assert_eq!(was.bound.is_some(), is.bound.is_some());
        }
    }
}
