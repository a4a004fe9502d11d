use super::*;

#[test]
fn each_core_counts_alone_and_the_sum_is_exact() {
    let cells: PerCore<Counter> = PerCore::new(4);
    std::thread::scope(|scope| {
        for core in 0..4 {
            let cells = &cells;
            scope.spawn(move || {
                for _ in 0..100_000 {
                    cells.own(core).add(1);
                }
            });
        }
    });
    assert_eq!(cells.sum(|counter| counter), 400_000);
}

#[test]
fn a_core_without_traffic_has_no_cell() {
    let cells: PerCore<Counter> = PerCore::new(8);
    cells.own(3).add(1);
    assert_eq!(cells.made().count(), 1);
}

#[test]
fn cells_of_two_cores_never_share_a_pair_of_cache_lines() {
    let cells: PerCore<Counter> = PerCore::new(2);
    let (one, two): (*const Counter, *const Counter) = (cells.own(0), cells.own(1));
    assert!(one.addr().abs_diff(two.addr()) >= 128);
}

#[test]
fn a_duration_on_a_bound_falls_under_it() {
    let histogram = Histogram::default();
    for duration_ns in [0, 5_000_000, 5_000_001, 10_000_000_000, 10_000_000_001, u64::MAX / 4] {
        histogram.observe(duration_ns);
    }
    let mut sum = HistogramSum::default();
    sum.add(&histogram);
    assert_eq!(sum.buckets[0], 2, "0 and exactly 5 ms");
    assert_eq!(sum.buckets[1], 1, "a hair over 5 ms");
    assert_eq!(sum.buckets[13], 1, "exactly 10 s");
    assert_eq!(sum.buckets[14], 2, "longer");
    assert_eq!(sum.count(), 6);
}

#[test]
fn the_sum_is_the_sum_of_durations_over_cores() {
    let cells: PerCore<Histogram> = PerCore::new(2);
    cells.own(0).observe(1_500_000_000);
    cells.own(1).observe(500_000_000);
    let mut sum = HistogramSum::default();
    cells.made().for_each(|histogram| sum.add(histogram));
    assert_eq!(sum.sum, Duration::from_secs(2));
    assert_eq!(sum.count(), 2);
}

#[test]
fn bounds_in_seconds_and_nanoseconds_agree() {
    for (ns, s) in BOUNDS_NS.iter().zip(BOUNDS_S) {
        assert_eq!(Duration::from_nanos(*ns), Duration::from_secs_f64(s));
    }
}

#[test]
fn a_full_table_counts_the_rest_together_and_loses_none() {
    let table = SeriesTable::default();
    for key in 0..100 {
        table.observe(key, 1);
        table.observe(key, 1);
    }
    let mut counts: Vec<(SeriesKey, u64)> = table
        .read()
        .map(|(key, histogram)| {
            let mut sum = HistogramSum::default();
            sum.add(histogram);
            (key, sum.count())
        })
        .collect();
    assert_eq!(counts.len(), SERIES_MAX);
    assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 200);
    assert_eq!(counts.pop(), Some((SERIES_OVERFLOW, 2 * (100 - (SERIES_MAX as u64 - 1)))));
}
