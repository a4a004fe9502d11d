use proptest::prelude::*;

use super::*;
use crate::fixture::{at_ms, bounds};

const SECOND: Duration = Duration::from_secs(1);

fn states(shares: &[(u64, f64)]) -> Vec<bool> {
    let mut turn = Turn::default();
    shares
        .iter()
        .map(|(ms, share)| turn.step(bounds(80, 70), *share, dwell(SECOND), at_ms(*ms)))
        .collect()
}

#[test]
fn over_enter_it_turns_on_and_under_exit_off() {
    let shares =
        [(0, 0.80), (1_000, 0.81), (2_000, 0.75), (3_000, 0.70), (4_000, 0.69), (5_000, 0.80)];
    assert_eq!(states(&shares), [false, true, true, true, false, false]);
}

#[test]
fn it_stays_for_the_dwell_and_jitter_of_a_tenth_is_forgiven() {
    let shares = [(0, 0.9), (100, 0.1), (899, 0.1), (900, 0.1), (1_000, 0.9), (1_800, 0.9)];
    assert_eq!(states(&shares), [true, true, true, false, false, true]);
}

#[test]
fn a_slow_signal_dwells_for_its_period() {
    assert_eq!(dwell(Duration::from_secs(10)), Duration::from_secs(9));
    assert_eq!(dwell(Duration::from_millis(100)), Duration::from_millis(900));
}

proptest! {
    /// Whatever a signal says, two changes are at least the dwell apart.
    #[test]
    fn changes_are_at_least_the_dwell_apart(
        readings in prop::collection::vec((1u64..700, 0.0f64..1.2), 1..300),
        period_ms in 100u64..5_000,
    ) {
        let dwell = dwell(Duration::from_millis(period_ms));
        let (mut turn, mut now_ms, mut was) = (Turn::default(), 0, false);
        let mut changed = None::<Moment>;
        for (gap_ms, share) in readings {
            now_ms += gap_ms;
            let is = turn.step(bounds(80, 70), share, dwell, at_ms(now_ms));
            if is != was {
                let since = changed.map(|at| at_ms(now_ms).since(at));
                prop_assert!(since.is_none_or(|since| since >= dwell), "{since:?}");
                changed = Some(at_ms(now_ms));
            }
            was = is;
        }
    }
}
