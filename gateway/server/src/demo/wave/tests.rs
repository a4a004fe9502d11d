use std::time::Duration;

use super::{Wave, Zipf};

#[test]
fn a_wave_stays_within_its_bounds_and_reaches_both() {
    let wave =
        Wave { low_per_second: 10.0, high_per_second: 4_000.0, period: Duration::from_secs(40) };
    let rate = |seconds| wave.rate_per_second(Duration::from_secs_f64(seconds));
    for tenth in 0..1_000 {
        let rate = rate(f64::from(tenth) / 10.0);
        assert!((9.999..=4_000.001).contains(&rate), "{rate}");
    }
    assert!((rate(0.0) - 10.0).abs() < 1e-6);
    assert!((rate(20.0) - 4_000.0).abs() < 1e-6);
    assert!((rate(40.0) - 10.0).abs() < 1e-6);
    // A quarter of the way it is at the geometric mean.
    assert!((rate(10.0) - 200.0).abs() < 1e-6);
    assert!(rate(5.0) < rate(6.0));
    assert!(rate(35.0) > rate(36.0));
}

#[test]
fn popular_items_are_wanted_in_proportion_and_the_same_every_run() {
    let zipf = Zipf::new(200);
    let draw = |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        (0..20_000).map(|_| zipf.draw(&mut rng)).collect::<Vec<_>>()
    };
    let items = draw(7);
    assert_eq!(items, draw(7));
    assert_ne!(items, draw(8));
    assert!(items.iter().all(|item| (1..=200).contains(item)));
    let count = |wanted| items.iter().filter(|item| **item == wanted).count() as f64;
    let ratio = count(1) / count(4);
    assert!((3.4..4.6).contains(&ratio), "first to fourth: {ratio}");
    assert!(items.contains(&200) || items.contains(&199));
}

#[test]
fn one_item_is_always_chosen() {
    assert_eq!(Zipf::new(1).draw(&mut fastrand::Rng::with_seed(1)), 1);
}
