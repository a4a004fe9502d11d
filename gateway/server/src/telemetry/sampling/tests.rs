use super::*;

fn share(sampler: Sampler) -> f64 {
    let mut random = fastrand::Rng::with_seed(7);
    let kept = (0..100_000).filter(|_| sampler.keeps(random.u128(..), None)).count();
    kept as f64 / 100_000.0
}

fn parent(sampled: bool) -> Parent {
    Parent { trace_id: 1, span_id: 1, sampled }
}

#[test]
fn one_percent_and_the_callers_decision_where_nothing_is_said() {
    let sampler = Sampler::new(None, None).unwrap();
    assert!((share(sampler) - 0.01).abs() < 0.002);
    assert!(sampler.keeps(u128::MAX, Some(&parent(true))));
    assert!(!sampler.keeps(0, Some(&parent(false))));
}

#[test]
fn every_name_of_the_specification() {
    let cases = [
        ("always_on", None, 1.0),
        ("always_off", None, 0.0),
        ("traceidratio", Some("0.25"), 0.25),
        ("parentbased_always_on", None, 1.0),
        ("parentbased_always_off", None, 0.0),
        ("parentbased_traceidratio", Some("0.5"), 0.5),
    ];
    for (name, argument, expected) in cases {
        let sampler = Sampler::new(Some(name), argument).unwrap();
        assert!((share(sampler) - expected).abs() < 0.01, "{name}");
        let follows = sampler.keeps(u128::MAX, Some(&parent(true)))
            && !sampler.keeps(0, Some(&parent(false)));
        assert_eq!(follows, name.starts_with("parentbased_"), "{name}");
    }
}

#[test]
fn nonsense_is_an_error_that_says_what_is_known() {
    let error = Sampler::new(Some("sometimes"), None).unwrap_err().to_string();
    assert!(error.contains("sometimes") && error.contains("traceidratio"));
    for ratio in ["2", "-0.1", "NaN", "many", ""] {
        assert!(Sampler::new(Some("traceidratio"), Some(ratio)).is_err(), "{ratio}");
    }
}

#[test]
fn passing_on_decides_nothing() {
    assert!(share(Sampler::pass_on()) == 0.0);
    assert!(Sampler::pass_on().keeps(5, Some(&parent(true))));
}
