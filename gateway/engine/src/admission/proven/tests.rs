use super::*;

fn minute(n: u64) -> Moment {
    Moment::from_nanos(n * 60_000_000_000)
}

#[test]
fn nothing_is_proven_at_first() {
    assert_eq!(Proven::default().limit(), None);
}

#[test]
fn the_lowest_tenth_counts_and_an_outlier_does_not() {
    let mut proven = Proven::default();
    for n in 0..40 {
        proven.note(if n == 7 { 3 } else { 100 + n as u32 }, minute(n));
    }
    let limit = proven.limit().unwrap();
    assert!((100..=104).contains(&limit), "{limit}");
}

#[test]
fn after_an_hour_the_oldest_is_forgotten() {
    let mut proven = Proven::default();
    (0..60).for_each(|n| proven.note(10, minute(n)));
    (60..125).for_each(|n| proven.note(50, minute(n)));
    assert_eq!(proven.limit(), Some(50));
    assert_eq!(proven.samples.len(), SAMPLES_MAX);
}

#[test]
fn a_sample_is_the_lowest_of_its_minute() {
    let mut proven = Proven::default();
    for (n, limit) in [(0, 9), (1, 4), (2, 8)] {
        proven.note(limit, Moment::from_nanos(n * 1_000_000_000));
    }
    assert_eq!(proven.limit(), Some(4));
}
