use super::*;
use crate::endpoint::Endpoint;
use crate::fixture::{address, at_ms};
use crate::signals::Gauge;

fn made(ms: u64, stamp: u64) -> Made {
    Made { at: at_ms(ms), stamp, generation: 1, installs: false }
}

fn seen(endpoints: &[Arc<Endpoint>], own: &Gauge) -> Seen {
    let mut seen = Seen::default();
    seen.read(endpoints, own);
    seen
}

fn endpoint() -> Arc<Endpoint> {
    Arc::new(Endpoint::new(address(1)))
}

#[test]
fn a_gauge_is_noted_when_it_changed_and_not_again() {
    let mut journal = Journal::new(Arc::new(Budget::new(100)));
    let (own, endpoints) = (Gauge::new(), [endpoint()]);
    endpoints[0].cpu.set(0.5, at_ms(1));
    journal.note(made(2, 1), &seen(&endpoints, &own));
    journal.note(made(3, 2), &seen(&endpoints, &own));
    endpoints[0].cpu.set(0.6, at_ms(4));
    own.set(0.1, at_ms(4));
    journal.note(made(5, 3), &seen(&endpoints, &own));
    let reads: Vec<_> = journal
        .notes()
        .into_iter()
        .filter_map(|note| match note {
            Note::Read(Read { source: GaugeOf::Endpoint(_, UP), .. }) => None,
            Note::Read(read) => Some(read.value),
            Note::Turn(turn) => Some(f64::from(turn.order)),
        })
        .collect();
    assert_eq!(reads, [0.5, 1.0, 2.0, 0.1, 0.6, 3.0]);
}

#[test]
fn notes_stay_within_the_budget_and_are_given_back() {
    let budget = Arc::new(Budget::new(10));
    let mut journal = Journal::new(Arc::clone(&budget));
    let mut other = Journal::new(Arc::clone(&budget));
    for n in 1..=100 {
        journal.note(made(n, n), &seen(&[], &Gauge::new()));
    }
    other.note(made(1, 1), &seen(&[], &Gauge::new()));
    assert_eq!((journal.notes().len(), other.notes().len()), (10, 0));
    assert_eq!(budget.used_bytes(), 10 * NOTE_BYTES);
    journal.forget_before(at_ms(96));
    assert_eq!(journal.notes().len(), 5);
    assert_eq!(budget.used_bytes(), 5 * NOTE_BYTES);
    drop(journal);
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn what_the_first_kept_turn_has_read_is_kept() {
    let mut journal = Journal::new(Arc::new(Budget::new(100)));
    let endpoints = [endpoint()];
    for n in 1..=3 {
        endpoints[0].cpu.set(n as f64, at_ms(n));
        journal.note(made(n, n), &seen(&endpoints, &Gauge::new()));
    }
    journal.forget_before(at_ms(3));
    assert!(matches!(journal.notes()[..], [Note::Read(_), Note::Turn(turn)] if turn.order == 3));
}

#[test]
fn an_endpoint_is_noted_as_it_goes_down_and_up_and_its_calls_where_they_count() {
    let mut journal = Journal::new(Arc::new(Budget::new(100)));
    let (own, endpoints) = (Gauge::new(), [endpoint()]);
    let mut note = |ms, stood_in| {
        journal.note(made(ms, ms), &Seen { stood_in, ..seen(&endpoints, &own) });
        let reads = journal.notes().into_iter().filter_map(|note| match note {
            Note::Read(Read { source: GaugeOf::Endpoint(0, kind), value, .. }) => {
                Some((kind, value))
            }
            _ => None,
        });
        reads.collect::<Vec<_>>()
    };
    assert_eq!(note(1, false), [(UP, 1.0)]);
    (0..3).for_each(|_| endpoints[0].failed(at_ms(2)));
    assert_eq!(note(2, false), [(UP, 1.0), (UP, 0.0)]);
    assert_eq!(note(3, false), [(UP, 1.0), (UP, 0.0)]);
    endpoints[0].succeeded(at_ms(4));
    let _call = endpoints[0].begin();
    assert_eq!(note(4, true), [(UP, 1.0), (UP, 0.0), (UP, 1.0), (IN_FLIGHT, 1.0)]);
}
