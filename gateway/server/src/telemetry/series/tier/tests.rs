use super::super::columns::{GATEWAY, ROUTE};
use super::*;
use crate::telemetry::window::Fine;

const FIGURES: &[Figure] = &[
    Figure { name: "calls", roll: Roll::Mean, peak: Some("calls.max"), rare: false },
    Figure { name: "stale", roll: Roll::Mean, peak: None, rare: true },
    Figure { name: "limit", roll: Roll::Least, peak: None, rare: false },
    Figure { name: "threshold", roll: Roll::Last, peak: None, rare: false },
    Figure { name: "p99", roll: Roll::Quantile(0.99), peak: Some("p99.max"), rare: false },
];

const TEN: Resolution = Resolution { every_s: 10, most: 4 };
const SECOND: Resolution = Resolution { every_s: 1, most: 4 };
const NAN: f32 = f32::NAN;

fn of(points: &Points, name: &str) -> Option<Vec<f32>> {
    points.figures.iter().find(|(known, _)| *known == name).map(|(_, values)| values.clone())
}

fn took(duration_ms: u64, calls: u64) -> FineSum {
    let fine = Fine::default();
    (0..calls).for_each(|_| fine.observe(duration_ms * 1_000_000));
    let mut sum = FineSum::default();
    sum.add(&fine);
    sum
}

#[test]
fn a_point_has_the_mean_the_highest_the_least_and_the_last_of_its_seconds() {
    let mut tier = Tier::new(TEN, FIGURES);
    for second in 100..110 {
        let calls = if second == 103 { 91.0 } else { 1.0 };
        let limit = if second == 105 { 7.0 } else { 50.0 };
        tier.add(second, &[calls, 0.0, limit, second as f32, NAN], None);
        assert_eq!(tier.points().count, usize::from(second == 109), "at its last second");
    }
    let points = tier.points();
    assert_eq!(points.to_unix_s, 109);
    assert_eq!(of(&points, "calls"), Some(vec![10.0]));
    assert_eq!(of(&points, "calls.max"), Some(vec![91.0]), "a burst is not averaged away");
    assert_eq!(of(&points, "limit"), Some(vec![7.0]));
    assert_eq!(of(&points, "threshold"), Some(vec![109.0]));
}

#[test]
fn means_over_longer_points_are_of_what_is_known() {
    let mut tier = Tier::new(TEN, FIGURES);
    assert!(tier.means("calls", 30).is_empty());
    for second in 100..150 {
        let calls = if second < 120 { NAN } else { (second / 10) as f32 };
        tier.add(second, &[calls, 0.0, NAN, NAN, NAN], None);
    }
    // Four points are kept: those of 110 to 119, unknown; 120 to 149.
    assert_eq!(tier.means("calls", 30)[1..], [13.0]);
    assert!(tier.means("calls", 30)[0].is_nan());
    assert_eq!(tier.means("none", 30), Vec::<f32>::new());
}

#[test]
fn what_is_unknown_is_no_zero_and_what_never_was_is_not_told() {
    let mut tier = Tier::new(TEN, FIGURES);
    for second in 100..120 {
        let calls = if second < 110 || second % 2 == 0 { 4.0 } else { NAN };
        tier.add(second, &[calls, 0.0, NAN, NAN, NAN], None);
    }
    let points = tier.points();
    assert_eq!(of(&points, "calls"), Some(vec![4.0, 4.0]), "a mean of what is known");
    for name in ["limit", "threshold", "p99", "p99.max"] {
        assert_eq!(of(&points, name), None, "{name} was never known");
    }
    assert_eq!(of(&points, "stale"), None, "nobody was answered stale");
}

#[test]
fn a_quantile_is_of_all_calls_of_the_point() {
    let mut tier = Tier::new(TEN, FIGURES);
    for second in 100..110 {
        // 9 seconds with 1000 fast calls each, one with a single slow one.
        let (ms, calls) = if second == 104 { (1000, 1) } else { (1, 1000) };
        let durations = took(ms, calls);
        let p99 = durations.quantile(0.99);
        tier.add(second, &[calls as f32, 0.0, NAN, NAN, p99], Some(&durations));
    }
    let points = tier.points();
    let (p99, highest) = (of(&points, "p99").unwrap()[0], of(&points, "p99.max").unwrap()[0]);
    assert!(p99 < 1.5, "one call in nine thousand is not the 99th percentile: {p99}");
    assert!(highest > 800.0, "and it is not forgotten: {highest}");
}

#[test]
fn a_tier_keeps_its_newest_points() {
    let mut tier = Tier::new(SECOND, FIGURES);
    for second in 100..150 {
        tier.add(second, &[second as f32, 0.0, 5.0, 1.0, NAN], None);
    }
    let points = tier.points();
    assert_eq!((points.count, points.to_unix_s), (4, 149));
    assert_eq!(of(&points, "calls"), Some(vec![146.0, 147.0, 148.0, 149.0]));
    assert_eq!(of(&points, "limit"), Some(vec![5.0; 4]));
    assert_eq!(of(&points, "calls.max"), None, "a second is its own highest");
    assert_eq!(tier.newest("calls", 2), [148.0, 149.0]);
    assert_eq!(tier.newest("none", 2), [0.0; 0]);
}

#[test]
fn the_first_point_may_be_made_of_fewer_seconds() {
    let mut tier = Tier::new(TEN, FIGURES);
    for second in 107..110 {
        tier.add(second, &[6.0, 0.0, NAN, NAN, NAN], None);
    }
    assert_eq!(of(&tier.points(), "calls"), Some(vec![6.0]));
}

#[test]
fn figures_have_names_of_their_own() {
    for figures in [ROUTE, GATEWAY] {
        let names = figures.iter().flat_map(|figure| [Some(figure.name), figure.peak]).flatten();
        let all: Vec<_> = names.collect();
        let apart: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(apart.len(), all.len(), "{all:?}");
    }
}
