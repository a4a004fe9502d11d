use super::*;
use crate::fixture::at_ms;

const SECOND: Duration = Duration::from_secs(1);

fn scraped() -> Patience {
    Patience { period: SECOND, expected_since: Some(at_ms(0)) }
}

#[test]
fn what_cannot_be_true_is_dropped() {
    let nonsense = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -0.001, 1e300];
    for value in nonsense {
        let reading =
            Reading { busy: Some(value), max: Some(value), cpu: Some(value), ..<_>::default() };
        assert_eq!(reading.sound(), Reading::default(), "{value}");
    }
    assert_eq!(Reading { max: Some(0.0), ..<_>::default() }.sound().max, None);
}

#[test]
fn zero_busy_and_zero_cpu_are_readings() {
    let idle = Reading { busy: Some(0.0), max: Some(200.0), cpu: Some(0.0), own_in_flight: None };
    assert_eq!(idle.sound(), idle);
}

#[test]
fn a_reading_ages_from_fresh_over_stale_to_expired() {
    let gauge = Gauge::new();
    gauge.set(0.5, at_ms(1_000));
    for (now_ms, state) in [
        (1_000, SignalState::Fresh),
        (3_000, SignalState::Fresh),
        (3_001, SignalState::Stale),
        (10_999, SignalState::Stale),
        (11_000, SignalState::Expired),
    ] {
        assert_eq!(gauge.state(scraped(), at_ms(now_ms)), state, "at {now_ms} ms");
    }
}

#[test]
fn a_first_reading_that_never_comes_is_missed_after_ten_periods() {
    let gauge = Gauge::new();
    assert_eq!(gauge.state(scraped(), at_ms(9_999)), SignalState::Absent);
    assert_eq!(gauge.state(scraped(), at_ms(10_000)), SignalState::Expired);
}

#[test]
fn where_nothing_is_scraped_nothing_is_missed() {
    let patience = Patience { period: SECOND, expected_since: None };
    assert_eq!(Gauge::new().state(patience, at_ms(1 << 40)), SignalState::Absent);
}

#[test]
fn staleness_runs_from_two_to_ten_periods() {
    let at = |now_ms| scraped().staleness(at_ms(0), at_ms(now_ms));
    assert!((at(2_000) - 0.0).abs() < 1e-9);
    assert!((at(6_000) - 0.5).abs() < 1e-9);
    assert!((at(60_000) - 1.0).abs() < 1e-9);
}
