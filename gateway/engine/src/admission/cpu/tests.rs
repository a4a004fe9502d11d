use sumun_policy::policy::OnStale;

use super::*;
use crate::fixture::{at_ms, bounds};

const PROVEN: Fallback = Fallback { on_stale: OnStale::Proven, proven: None };

fn told(share: f64, second: u64) -> CpuNow {
    CpuNow {
        share,
        state: SignalState::Fresh,
        read_at: Some(at_ms(second * 1_000)),
        staleness: 0.0,
        period: Duration::from_secs(1),
        scraped: true,
    }
}

/// The moment of a reading.
fn at(cpu: &CpuNow) -> Moment {
    cpu.read_at.expect("a reading")
}

fn step(track: &mut CpuTrack, cpu: CpuNow, in_flight: u32) -> Option<u32> {
    track.step(bounds(80, 70), &cpu, in_flight, None, PROVEN, at(&cpu))
}

#[test]
fn under_enter_there_is_no_limit() {
    let mut track = CpuTrack::default();
    assert_eq!(step(&mut track, told(0.80, 1), 50), None, "`over` means over");
}

#[test]
fn the_first_cut_starts_from_what_is_in_flight_and_bites_at_once() {
    let mut track = CpuTrack::default();
    assert_eq!(step(&mut track, told(0.96, 1), 60), Some(50), "60 × 0.80 / 0.96");
    assert_eq!(step(&mut CpuTrack::default(), told(0.95, 1), 1), Some(0), "a lone caller, too");
}

#[test]
fn each_reading_cuts_once_and_the_cut_reaches_zero() {
    let mut track = CpuTrack::default();
    step(&mut track, told(1.0, 1), 100);
    assert_eq!(step(&mut track, told(1.0, 1), 80), Some(80), "the same reading again");
    let limits: Vec<_> = (2..40).map(|s| step(&mut track, told(1.0, s), 80).unwrap()).collect();
    assert!(limits.is_sorted_by(|a, b| a >= b), "{limits:?}");
    assert_eq!(limits.last(), Some(&0));
}

#[test]
fn readings_faster_than_the_period_do_not_cut_faster() {
    let mut track = CpuTrack::default();
    for ms in 1_000..1_899 {
        let fast = CpuNow { read_at: Some(at_ms(ms)), ..told(1.0, 0) };
        assert_eq!(step(&mut track, fast, 100), Some(80));
    }
}

#[test]
fn between_the_bounds_it_holds_and_under_exit_it_recovers_by_equal_steps() {
    let mut track = CpuTrack::default();
    step(&mut track, told(1.0, 1), 100);
    assert_eq!(step(&mut track, told(0.75, 2), 80), Some(80));
    assert_eq!(step(&mut track, told(0.60, 3), 80), Some(100));
    assert_eq!(step(&mut track, told(0.60, 4), 90), Some(120));
    let gone = (5..20).find(|s| step(&mut track, told(0.60, *s), 90).is_none());
    assert_eq!(gone, Some(8), "gone at twice the reference");
}

#[test]
fn under_a_ceiling_it_is_gone_where_it_reaches_it() {
    let mut track = CpuTrack::default();
    let mut step = |share, second| {
        let cpu = told(share, second);
        track.step(bounds(80, 70), &cpu, 50, Some(60), PROVEN, at(&cpu))
    };
    assert_eq!(step(1.0, 1), Some(40));
    assert_eq!(step(0.5, 2), Some(50));
    assert_eq!(step(0.5, 3), None);
}

#[test]
fn stale_it_holds_and_expired_the_policy_decides() {
    let mut track = CpuTrack::default();
    step(&mut track, told(1.0, 1), 100);
    let stale = CpuNow { state: SignalState::Stale, staleness: 0.9, ..told(1.0, 1) };
    assert_eq!(step(&mut track, stale, 80), Some(80));
    let expired = CpuNow { state: SignalState::Expired, ..stale };
    let mut with = |on_stale, proven| {
        let fallback = Fallback { on_stale, proven };
        track.step(bounds(80, 70), &expired, 80, None, fallback, at(&expired))
    };
    assert_eq!(with(OnStale::Open, None), None);
    assert_eq!(with(OnStale::Closed, None), Some(0));
    assert_eq!(with(OnStale::Proven, Some(30)), Some(30));
    assert_eq!(with(OnStale::Proven, None), Some(80));
}
