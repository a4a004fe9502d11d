use sumun_policy::policy::OnStale;

use super::*;
use crate::fixture::{at_ms, bounds};

fn told(busy: f64, others: f64, at: u64) -> WorkersNow {
    WorkersNow {
        capacity: 100.0,
        others,
        busy,
        state: SignalState::Fresh,
        read_at: Some(at_ms(at)),
        staleness: 0.0,
        pressed: false,
        scraped: true,
    }
}

fn fallback(on_stale: OnStale, proven: Option<u32>) -> Fallback {
    Fallback { on_stale, proven }
}

const PROVEN: Fallback = Fallback { on_stale: OnStale::Proven, proven: None };

fn step(track: &mut WorkersTrack, now: WorkersNow) -> Option<u32> {
    track.step(bounds(85, 75), &now, PROVEN)
}

#[test]
fn other_peoples_load_is_taken_off() {
    let mut track = WorkersTrack::default();
    assert_eq!(step(&mut track, told(30.0, 0.0, 1)), Some(85));
    assert_eq!(step(&mut track, told(70.0, 40.0, 2)), Some(45));
    assert_eq!(step(&mut track, told(95.0, 95.0, 3)), Some(0), "never under zero");
}

#[test]
fn over_enter_the_limit_only_falls() {
    let mut track = WorkersTrack::default();
    step(&mut track, told(90.0, 40.0, 1));
    assert_eq!(step(&mut track, told(90.0, 10.0, 2)), Some(45), "no rise");
    assert_eq!(step(&mut track, told(90.0, 50.0, 3)), Some(35), "a fall at once");
}

#[test]
fn between_the_bounds_it_rises_by_one_a_reading_and_under_exit_at_once() {
    let mut track = WorkersTrack::default();
    step(&mut track, told(90.0, 40.0, 1));
    assert_eq!(step(&mut track, told(80.0, 10.0, 2)), Some(46));
    assert_eq!(step(&mut track, told(80.0, 10.0, 2)), Some(46), "the same reading again");
    assert_eq!(step(&mut track, told(80.0, 10.0, 3)), Some(47));
    assert_eq!(step(&mut track, told(74.0, 10.0, 4)), Some(75));
}

#[test]
fn a_scrape_that_fails_under_our_load_holds_the_limit() {
    let mut track = WorkersTrack::default();
    step(&mut track, told(50.0, 40.0, 1));
    let pressed = WorkersNow { pressed: true, ..told(20.0, 0.0, 2) };
    assert_eq!(step(&mut track, pressed), Some(45));
}

#[test]
fn stale_it_holds_then_drifts_to_the_proven_limit() {
    let mut track = WorkersTrack::default();
    step(&mut track, told(10.0, 0.0, 1));
    let mut at = |staleness| {
        let stale = WorkersNow { state: SignalState::Stale, staleness, ..told(10.0, 0.0, 1) };
        track.step(bounds(85, 75), &stale, fallback(OnStale::Proven, Some(25))).unwrap()
    };
    assert_eq!((at(0.0), at(0.25)), (85, 85));
    assert_eq!(at(0.625), 55);
    assert_eq!(at(1.0), 25);
}

#[test]
fn expired_the_policy_decides() {
    let expired = WorkersNow { state: SignalState::Expired, ..told(10.0, 0.0, 1) };
    let mut track = WorkersTrack::default();
    step(&mut track, told(10.0, 20.0, 1));
    let mut with =
        |on_stale, proven| track.step(bounds(85, 75), &expired, fallback(on_stale, proven));
    assert_eq!(with(OnStale::Open, Some(30)), None);
    assert_eq!(with(OnStale::Closed, Some(30)), Some(0));
    assert_eq!(with(OnStale::Proven, Some(30)), Some(30));
    assert_eq!(with(OnStale::Proven, Some(99)), Some(85), "never over the capacity granted");
    assert_eq!(with(OnStale::Proven, None), Some(65), "the last one, where nothing was proven");
}

#[test]
fn closed_lets_one_call_ask_where_only_calls_bring_the_signal() {
    let expired = WorkersNow { state: SignalState::Expired, scraped: false, ..told(10.0, 0.0, 1) };
    let mut track = WorkersTrack::default();
    let closed = fallback(OnStale::Closed, None);
    assert_eq!(track.step(bounds(85, 75), &expired, closed), Some(1));
}

#[test]
fn a_signal_that_returns_counts_at_once() {
    let mut track = WorkersTrack::default();
    step(&mut track, told(90.0, 60.0, 1));
    let expired = WorkersNow { state: SignalState::Expired, ..told(90.0, 60.0, 1) };
    step(&mut track, expired);
    assert_eq!(step(&mut track, told(80.0, 0.0, 9)), Some(85));
}

#[test]
fn without_a_capacity_there_is_no_limit() {
    let unknown = WorkersNow { capacity: 0.0, ..told(90.0, 60.0, 1) };
    assert_eq!(step(&mut WorkersTrack::default(), unknown), None);
}

#[test]
fn shares_become_whole_slots_without_losing_one() {
    assert_eq!(whole(0.29 * 100.0), 29);
    assert_eq!(whole(0.85 * 20.0), 17);
    assert_eq!(whole(8.5), 8);
    assert_eq!(whole(-3.0), 0);
}
