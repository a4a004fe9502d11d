//! Clients that obey Retry-After: how soon all are served, and at how many attempts.
//!
//! The upstream serves 100 calls a second, so 2,000 clients need 20 s at best and 1.99 attempts
//! each.

use sumun_policy::policy::{Admission, Class};

use super::{Herd, HerdOutcome, Scenario, Service};
use crate::fixture::{rps, workers};

const CLIENTS: usize = 2_000;

/// Twenty workers of 200 ms at a fifth of their capacity until the herd comes; `fresh` is the share
/// of it that others go on to take.
fn scenario(admission: Admission, known: bool, fresh: f64) -> Scenario {
    let mut scenario = Scenario::one(20, Class::Batch, admission, 0.2);
    scenario.service_s = 0.2;
    scenario.lanes[0].rate = 20.0;
    scenario.lanes[0].step = Some((10.0, fresh / 0.2));
    scenario.herd = Some(Herd { clients: CLIENTS, at_s: 10.0, known });
    scenario.measured_s = 60.0;
    scenario
}

/// Attempts a success and seconds until all were served, the mean of three seeds.
fn served(name: &str, scenario: &Scenario) -> (f64, f64) {
    let (mut attempts, mut drained_s) = (0.0, 0.0);
    for seed in 1..=3 {
        let herd: HerdOutcome = Scenario { seed, ..scenario.clone() }.run().herd;
        assert_eq!(herd.served, CLIENTS, "everybody is served in the end: {name}");
        attempts += herd.attempts as f64 / CLIENTS as f64 / 3.0;
        drained_s += herd.drained_s / 3.0;
    }
    println!("{name}: {attempts:.2} attempts a success, drained in {drained_s:.1} s");
    (attempts, drained_s)
}

#[test]
fn a_herd_is_drained_in_a_fifth_over_the_ideal_at_two_attempts_each() {
    for (name, admission) in [
        ("rps, burst 100", rps(100.0, 100)),
        ("rps, burst 1", rps(100.0, 1)),
        ("workers", workers(85, 75)),
    ] {
        for known in [false, true] {
            let (attempts, drained_s) =
                served(&format!("{name}, known {known}"), &scenario(admission.clone(), known, 0.0));
            assert!(attempts <= 2.2 && drained_s <= 1.2 * 20.0, "{name}: {attempts} {drained_s}");
        }
    }
}

#[test]
fn a_steady_service_is_drained_sooner() {
    let steady = Scenario { service: Service::Constant, ..scenario(workers(85, 75), false, 0.0) };
    let (attempts, drained_s) = served("workers, constant", &steady);
    assert!(attempts <= 2.2 && drained_s <= 1.12 * 20.0, "{attempts} {drained_s}");
}

#[test]
fn new_calls_beside_the_herd_do_not_starve_it() {
    // Others take a fifth, so 80 a second are left: 25 s at best.
    for (name, admission) in [("rps", rps(100.0, 100)), ("workers", workers(85, 75))] {
        let (attempts, drained_s) = served(name, &scenario(admission, true, 0.2));
        assert!(attempts <= 2.4 && drained_s <= 1.2 * 25.0, "{name}: {attempts} {drained_s}");
    }
}

#[test]
fn where_no_holding_time_is_known_yet_the_first_bookings_are_a_guess() {
    let mut cold = scenario(workers(85, 75), false, 0.0);
    cold.lanes[0].rate = 0.0;
    let (attempts, drained_s) = served("workers, nothing known", &cold);
    assert!(attempts <= 3.0 && drained_s <= 1.3 * 20.0, "{attempts} {drained_s}");
}

#[test]
fn callers_that_never_return_are_forgotten_soon_after() {
    // A minute of four times the load whose callers never come back, then a little: what is booked
    // by then must not send a client away for minutes.
    let mut scenario = Scenario::one(20, Class::Batch, workers(85, 75), 4.0);
    scenario.lanes[0].step = Some((60.0, 0.1));
    scenario.herd = Some(Herd { clients: 100, at_s: 120.0, known: true });
    scenario.measured_s = 300.0;
    let outcome = scenario.run();
    println!("longest during the flood {:?}, {:?}", outcome.retry_after_max, outcome.herd);
    assert!(outcome.retry_after_max.as_secs() > 60, "the flood was told to stay away");
    assert_eq!(outcome.herd.served, 100);
    assert!(outcome.herd.drained_s < 5.0, "100 clients of 200 a second: {:?}", outcome.herd);
}
