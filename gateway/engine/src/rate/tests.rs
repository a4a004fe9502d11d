use std::sync::atomic::AtomicUsize;

use proptest::prelude::*;

use super::*;
use crate::fixture::at_ms;

fn admitted_at_once(bucket: &Bucket, rate: Rate, now: Moment, calls: usize) -> usize {
    (0..calls).filter(|_| bucket.take(rate, now).is_ok()).count()
}

#[test]
fn a_full_bucket_admits_exactly_the_burst() {
    for burst in [1, 2, 7, 100, 5000] {
        let bucket = Bucket::default();
        let rate = Rate::new(123.0, burst);
        assert_eq!(admitted_at_once(&bucket, rate, at_ms(5), 10_000), burst as usize);
    }
}

#[test]
fn two_thousand_at_once_against_a_hundred_from_eight_threads() {
    let bucket = Bucket::default();
    let rate = Rate::new(100.0, 100);
    let admitted = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mine = admitted_at_once(&bucket, rate, at_ms(1), 250);
                admitted.fetch_add(mine, Relaxed);
            });
        }
    });
    assert_eq!(admitted.into_inner(), 100);
}

#[test]
fn the_wait_is_exact() {
    let bucket = Bucket::default();
    let rate = Rate::new(10.0, 1);
    bucket.take(rate, at_ms(0)).unwrap();
    let wait = bucket.take(rate, at_ms(30)).unwrap_err();
    assert_eq!(wait, Duration::from_millis(70));
    let early = at_ms(30).plus(wait.checked_sub(Duration::from_nanos(1)).unwrap());
    assert!(bucket.peek(rate, early).is_err());
    assert_eq!(bucket.take(rate, at_ms(30).plus(wait)), Ok(()));
}

#[test]
fn sustained_it_is_within_half_a_percent_and_never_over() {
    for limit in [0.5, 3.0, 99.9, 1_000.0, 33_333.3, 700_000.0, 1_000_000.0] {
        let bucket = Bucket::default();
        let rate = Rate::new(limit, 1);
        // A call is offered at every instant at which one could be admitted.
        let calls = 20_000;
        let mut now = at_ms(1);
        for _ in 0..calls {
            while let Err(wait) = bucket.take(rate, now) {
                now = now.plus(wait);
            }
        }
        let seconds = now.since(at_ms(1)).as_secs_f64();
        let sustained = f64::from(calls - 1) / seconds;
        assert!(sustained <= limit * (1.0 + 1e-9), "{sustained} over {limit}");
        assert!(sustained >= limit * 0.995, "{sustained} under {limit}");
    }
}

#[test]
fn a_changed_rate_keeps_the_spent_share() {
    let bucket = Bucket::default();
    let (old, new) = (Rate::new(100.0, 100), Rate::new(1_000.0, 200));
    assert_eq!(admitted_at_once(&bucket, old, at_ms(9), 40), 40);
    bucket.rescale(old, new, at_ms(9));
    assert_eq!(admitted_at_once(&bucket, new, at_ms(9), 500), 120, "60 % of the new bucket");
}

#[test]
fn an_unchanged_rate_keeps_everything() {
    let bucket = Bucket::default();
    let rate = Rate::new(100.0, 10);
    admitted_at_once(&bucket, rate, at_ms(9), 10);
    bucket.rescale(rate, rate, at_ms(9));
    assert!(bucket.peek(rate, at_ms(9)).is_err());
}

#[test]
fn at_the_end_of_time_nothing_wraps() {
    let bucket = Bucket::default();
    let rate = Rate::new(0.001, 1_000_000);
    let end = Moment::from_nanos(u64::MAX - 5);
    assert!(bucket.take(rate, end).is_ok());
    bucket.rescale(rate, Rate::new(1e6, 1), end);
}

proptest! {
    /// In any window between two admitted calls, at most `burst + window × limit`.
    #[test]
    fn never_over_in_any_window(
        limit in 0.5f64..5_000.0,
        burst in 1u32..50,
        gaps_us in prop::collection::vec(0u64..20_000, 1..400),
    ) {
        let bucket = Bucket::default();
        let rate = Rate::new(limit, burst);
        let mut now = at_ms(1);
        let mut admitted = Vec::new();
        for gap_us in gaps_us {
            now = now.plus(Duration::from_micros(gap_us));
            if bucket.take(rate, now).is_ok() {
                admitted.push(now);
            }
        }
        for (i, from) in admitted.iter().enumerate() {
            for (j, to) in admitted.iter().enumerate().skip(i) {
                let allowed = f64::from(burst) + to.since(*from).as_secs_f64() * limit;
                prop_assert!((j - i + 1) as f64 <= allowed + 1e-6, "{} > {allowed}", j - i + 1);
            }
        }
    }

    /// A look tells what taking would do, and changes nothing.
    #[test]
    fn a_look_tells_the_truth(limit in 1.0f64..1e4, burst in 1u32..20, steps in 1u64..200) {
        let bucket = Bucket::default();
        let rate = Rate::new(limit, burst);
        for step in 0..steps {
            let now = at_ms(step);
            prop_assert_eq!(bucket.peek(rate, now), bucket.take(rate, now));
        }
    }
}
