//! Every interleaving of two refusals and a slow loop that forgives.

use loom::sync::Arc;
use loom::thread;

use super::*;

const PACE: Pace = Pace { interval_ns: 10, earliest: Duration::from_nanos(100) };
const NOW: Moment = Moment::from_nanos(1_000);

#[test]
fn loom_no_two_refusals_get_the_same_instant() {
    loom::model(|| {
        let ledger = Arc::new(Ledger::default());
        let there = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || ledger.book(PACE, NOW))
        };
        let here = ledger.book(PACE, NOW);
        let there = there.join().unwrap();
        assert_eq!(here.abs_diff(there), Duration::from_nanos(10));
    });
}

#[test]
fn loom_forgiving_loses_no_booking_made_meanwhile() {
    loom::model(|| {
        let ledger = Arc::new(Ledger::default());
        ledger.book(PACE, NOW);
        let there = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || ledger.book(PACE, NOW))
        };
        ledger.forgive(0.0, FORGIVEN_OVER, NOW);
        let there = there.join().unwrap();
        // Either booked behind what then was forgiven together, or after it, at the front.
        let ahead = ledger.ahead(NOW);
        if there == Duration::from_nanos(110) {
            assert_eq!(ahead, Duration::from_nanos(40), "110 / e");
        } else {
            assert_eq!((there, ahead), (PACE.earliest, PACE.earliest));
        }
    });
}
