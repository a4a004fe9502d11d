use sumun_policy::policy::OnStale;

use super::*;
use crate::fixture::{at_ms, threshold};

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
        period: Duration::from_secs(1),
    }
}

fn fallback(on_stale: OnStale, proven: Option<u32>) -> Fallback {
    Fallback { on_stale, proven }
}

const PROVEN: Fallback = Fallback { on_stale: OnStale::Proven, proven: None };

fn step(track: &mut WorkersTrack, now: WorkersNow) -> Option<u32> {
    let at = now.read_at.expect("a reading");
    track.step(threshold(85, 75, 100), &now, PROVEN, at)
}

#[test]
fn other_peoples_load_is_taken_off_and_its_chance_variation_with_it() {
    let mut track = WorkersTrack::default();
    assert_eq!(step(&mut track, told(30.0, 0.0, 1)), Some(100));
    assert_eq!(step(&mut track, told(30.0, 2.0, 2)), Some(98), "perhaps our own, on their way");
    assert_eq!(step(&mut track, told(70.0, 40.0, 3)), Some(47), "2 × √37 are kept free");
    assert_eq!(step(&mut track, told(95.0, 95.0, 4)), Some(0), "never under zero");
}

#[test]
fn over_enter_it_rises_by_a_twentieth_a_reading_and_falls_at_once() {
    let mut track = WorkersTrack::default();
    step(&mut track, told(90.0, 40.0, 1_000));
    assert_eq!(step(&mut track, told(90.0, 0.0, 2_000)), Some(52));
    assert_eq!(step(&mut track, told(90.0, 0.0, 2_000)), Some(52), "the same reading again");
    assert_eq!(step(&mut track, told(80.0, 0.0, 3_000)), Some(57), "not under exit yet");
    assert_eq!(step(&mut track, told(90.0, 53.0, 4_000)), Some(32));
}

#[test]
fn under_exit_it_rises_at_once_once_it_has_dwelt() {
    let mut track = WorkersTrack::default();
    step(&mut track, told(90.0, 40.0, 1_000));
    assert_eq!(step(&mut track, told(74.0, 0.0, 1_500)), Some(52), "half a second is too soon");
    assert_eq!(step(&mut track, told(74.0, 0.0, 2_000)), Some(100));
}

#[test]
fn small_pools_move_by_whole_slots() {
    let mut track = WorkersTrack::default();
    let small = |busy, others, ms| WorkersNow { capacity: 3.0, ..told(busy, others, ms) };
    assert_eq!(step(&mut track, small(3.0, 1.0, 1_000)), Some(2));
    assert_eq!(step(&mut track, small(3.0, 0.0, 2_000)), Some(3));
    assert_eq!(step(&mut track, WorkersNow { capacity: 1.0, ..told(0.0, 0.0, 3_000) }), Some(1));
}

#[test]
fn a_pool_shared_with_others_and_busy_to_the_last_worker_loses_more_each_reading() {
    let mut track = WorkersTrack::default();
    let limits: Vec<_> =
        (1..=12).map(|s| step(&mut track, told(100.0, 30.0, s * 1_000)).unwrap()).collect();
    assert_eq!(limits[..3], [54, 49, 44]);
    assert_eq!(limits[11], 0);
    assert_eq!(step(&mut track, told(90.0, 30.0, 13_000)), Some(4), "then it may rise again");
    let own = (1..=12).map(|s| step(&mut WorkersTrack::default(), told(100.0, 0.0, s * 1_000)));
    assert!(own.into_iter().all(|limit| limit == Some(100)), "nobody else is there");
}

#[test]
fn a_scrape_that_fails_under_our_load_holds_the_limit() {
    let mut track = WorkersTrack::default();
    step(&mut track, told(50.0, 40.0, 1));
    let pressed = WorkersNow { pressed: true, ..told(20.0, 0.0, 2) };
    assert_eq!(step(&mut track, pressed), Some(47));
}

#[test]
fn stale_it_holds_then_drifts_to_the_proven_limit() {
    let mut track = WorkersTrack::default();
    step(&mut track, told(10.0, 0.0, 1));
    let mut at = |staleness| {
        let stale = WorkersNow { state: SignalState::Stale, staleness, ..told(10.0, 0.0, 1) };
        let fallback = fallback(OnStale::Proven, Some(40));
        track.step(threshold(85, 75, 100), &stale, fallback, at_ms(1)).unwrap()
    };
    assert_eq!((at(0.0), at(0.25)), (100, 100));
    assert_eq!(at(0.625), 70);
    assert_eq!(at(1.0), 40);
}

#[test]
fn expired_the_policy_decides() {
    let expired = WorkersNow { state: SignalState::Expired, ..told(10.0, 0.0, 1) };
    let mut track = WorkersTrack::default();
    step(&mut track, told(10.0, 39.0, 1));
    let mut with = |on_stale, proven| {
        track.step(threshold(85, 75, 100), &expired, fallback(on_stale, proven), at_ms(1))
    };
    assert_eq!(with(OnStale::Open, Some(30)), None);
    assert_eq!(with(OnStale::Closed, Some(30)), Some(0));
    assert_eq!(with(OnStale::Proven, Some(30)), Some(30));
    assert_eq!(with(OnStale::Proven, Some(990)), Some(100), "never over the capacity");
    assert_eq!(with(OnStale::Proven, None), Some(49), "the last one, where nothing was proven");
}

#[test]
fn closed_lets_one_call_ask_where_only_calls_bring_the_signal() {
    let expired = WorkersNow { state: SignalState::Expired, scraped: false, ..told(10.0, 0.0, 1) };
    let mut track = WorkersTrack::default();
    let closed = fallback(OnStale::Closed, None);
    assert_eq!(track.step(threshold(85, 75, 100), &expired, closed, at_ms(1)), Some(1));
}

#[test]
fn a_signal_that_returns_counts_at_once() {
    let mut track = WorkersTrack::default();
    step(&mut track, told(90.0, 60.0, 1));
    let expired = WorkersNow { state: SignalState::Expired, ..told(90.0, 60.0, 1) };
    step(&mut track, expired);
    assert_eq!(step(&mut track, told(80.0, 0.0, 9)), Some(100));
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

#[test]
fn without_a_ramp_the_limit_is_what_enter_grants_less_others() {
    let limit = |busy: f64, others: f64| {
        let rules = threshold(85, 75, 85);
        WorkersTrack::default().step(rules, &told(busy, others, 1), PROVEN, at_ms(1))
    };
    assert_eq!(limit(0.0, 0.0), Some(85));
    assert_eq!(limit(85.0, 0.0), Some(85));
    assert_eq!(limit(40.0, 30.0), Some(55));
    assert_eq!(limit(95.0, 90.0), Some(0), "others alone are over");
    let nothing_told =
        WorkersNow { state: SignalState::Absent, read_at: None, ..told(0.0, 0.0, 0) };
    let rules = threshold(85, 75, 85);
    assert_eq!(WorkersTrack::default().step(rules, &nothing_told, PROVEN, at_ms(1)), Some(85));
}

#[test]
fn while_others_hold_it_over_full_the_limit_only_falls() {
    let rules = threshold(85, 75, 85);
    let mut track = WorkersTrack::default();
    let mut at = |busy: f64, others: f64, second: u64| {
        track.step(rules, &told(busy, others, second * 1_000), PROVEN, at_ms(second * 1_000))
    };
    assert_eq!(at(95.0, 60.0, 1), Some(25));
    assert_eq!(at(90.0, 50.0, 2), Some(25), "still over");
    assert_eq!(at(92.0, 66.0, 3), Some(19));
    assert_eq!(at(70.0, 50.0, 5), Some(35), "under `exit` it is free at once");
}
