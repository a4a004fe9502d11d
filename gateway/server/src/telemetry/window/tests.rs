use super::*;

const SECOND_NS: u64 = 1_000_000_000;

fn sum_of(durations_ms: &[(u64, u64)]) -> FineSum {
    let fine = Fine::default();
    for &(duration_ms, times) in durations_ms {
        (0..times).for_each(|_| fine.observe(duration_ms * 1_000_000));
    }
    let mut sum = FineSum::default();
    sum.add(&fine);
    sum
}

#[test]
fn buckets_cover_every_duration_without_a_gap() {
    for bucket in 0..FINE_BUCKETS - 1 {
        let (floor, next) = (fine_floor_ns(bucket), fine_floor_ns(bucket + 1));
        assert!(floor < next);
        assert_eq!(fine_bucket(floor), bucket, "floor of {bucket}");
        assert_eq!(fine_bucket(next - 1), bucket, "ceiling of {bucket}");
    }
    assert_eq!(fine_bucket(u64::MAX), FINE_BUCKETS - 1);
}

#[test]
fn quantiles_are_within_a_bucket_of_the_truth() {
    let window = Window::default();
    let latency = window.latency(&sum_of(&[(1, 500), (10, 400), (100, 99), (1000, 1)])).unwrap();
    for (found, truth) in [(latency.p50_ms, 1.0), (latency.p90_ms, 10.0), (latency.p99_ms, 100.0)] {
        assert!((found / truth - 1.0).abs() < 0.26, "{found} is not near {truth}");
    }
}

#[test]
fn a_rate_is_what_the_last_seconds_saw() {
    let mut window = Window::default();
    // 100 a second for a minute, then 10 a second.
    let mut calls = 0;
    for second in 0..60 {
        calls += 100;
        window.sample(second * SECOND_NS, calls, FineSum::default);
    }
    assert!((window.rate(59 * SECOND_NS, calls) - 100.0).abs() < 1e-9);
    for second in 60..70 {
        calls += 10;
        window.sample(second * SECOND_NS, calls, FineSum::default);
    }
    assert!((window.rate(69 * SECOND_NS, calls) - 10.0).abs() < 1e-9);
    assert!(window.rate(69 * SECOND_NS + SECOND_NS / 2, calls) < 10.0);
}

#[test]
fn latency_forgets_what_is_older_than_a_minute() {
    let mut window = Window::default();
    let slow = sum_of(&[(1000, 100)]);
    window.sample(0, 100, || slow.clone());
    assert!(window.latency(&slow).unwrap().p50_ms > 800.0);
    for second in 1..=90 {
        window.sample(second * SECOND_NS, 100, || slow.clone());
    }
    assert_eq!(window.latency(&slow), None, "no call in the last minute");
    assert_eq!(window.durations.len(), 1, "a quiet route keeps one sample");
    let both = sum_of(&[(1000, 100), (1, 10)]);
    let latency = window.latency(&both).unwrap();
    assert!(latency.p99_ms < 2.0, "only the new calls count, found {}", latency.p99_ms);
}

#[test]
fn samples_are_bounded() {
    let mut window = Window::default();
    for second in 0..1000 {
        window.sample(second * SECOND_NS, second + 1, || sum_of(&[(1, second)]));
    }
    assert_eq!(window.calls.len(), RATE_SAMPLES);
    assert!(window.durations.len() <= LATENCY_SAMPLES);
}
