use http::HeaderMap;
use http::header::CACHE_CONTROL;
use proptest::prelude::*;

use super::*;

fn terms(lifetime_s: u64) -> Terms {
    Terms {
        lifetime_ns: lifetime_s * SECOND_NS,
        initial_age_ns: 0,
        date_s: 0,
        ask_always: false,
        ask_stale: false,
        authorized: false,
        withheld: Vec::new(),
    }
}

fn wishes(control: &str) -> Wishes {
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, control.parse().expect("valid"));
    Wishes::read(&headers)
}

const STALE: Verdict = Verdict::Ask(Reason::Stale);
const REQUEST: Verdict = Verdict::Ask(Reason::Request);

#[test]
fn rfc9111_4_2_fresh_while_the_lifetime_is_greater_than_the_age() {
    let terms = terms(60);
    let judge = |age_ns| terms.judge(age_ns, &Wishes::default());
    assert_eq!(judge(60 * SECOND_NS - 1), Verdict::Serve);
    assert_eq!(judge(60 * SECOND_NS), STALE);
    assert!(terms.is_fresh(0) && !terms.is_fresh(60 * SECOND_NS));
    assert_eq!(terms.ttl_seconds(59 * SECOND_NS), 1);
    assert_eq!(terms.ttl_seconds(61 * SECOND_NS), -1);
}

#[test]
fn rfc9111_4_2_3_residence_adds_to_the_initial_age() {
    let old = Terms { initial_age_ns: 5 * SECOND_NS, ..terms(60) };
    assert_eq!(old.age_ns(2 * SECOND_NS), 7 * SECOND_NS);
    assert_eq!(old.age_ns(u64::MAX), u64::MAX);
}

#[test]
fn rfc9111_5_2_1_what_a_request_wishes() {
    for (control, age_s, verdict) in [
        ("max-age=30", 30, Verdict::Serve),
        ("max-age=30", 31, REQUEST),
        ("max-age=0", 0, REQUEST),
        ("min-fresh=30", 30, Verdict::Serve),
        ("min-fresh=30", 31, REQUEST),
        ("min-fresh=2147483648", 0, REQUEST),
        ("no-cache", 0, REQUEST),
        ("max-stale=5", 65, Verdict::Serve),
        ("max-stale=5", 66, STALE),
        ("max-stale", 6000, Verdict::Serve),
        ("max-stale, max-age=100", 101, REQUEST),
        ("max-stale, max-age=100", 100, Verdict::Serve),
    ] {
        let judged = terms(60).judge(age_s * SECOND_NS, &wishes(control));
        assert_eq!(judged, verdict, "{control} at {age_s}");
    }
}

#[test]
fn rfc9111_5_2_2_2_an_answer_that_must_be_revalidated_is_not_served_stale() {
    let strict = Terms { ask_stale: true, ..terms(60) };
    assert_eq!(strict.judge(61 * SECOND_NS, &wishes("max-stale")), STALE);
    assert_eq!(strict.judge(59 * SECOND_NS, &wishes("max-stale")), Verdict::Serve);
}

#[test]
fn rfc9111_5_2_2_4_no_cache_is_never_served_without_asking() {
    let always = Terms { ask_always: true, ..terms(60) };
    assert_eq!(always.judge(0, &Wishes::default()), STALE);
    assert_eq!(always.judge(0, &wishes("max-stale")), STALE);
    assert!(!always.is_fresh(0));
}

proptest! {
    #[test]
    fn without_max_stale_nothing_stale_is_served(
        lifetime_s in 0_u64..100, age_ns in any::<u64>(), max_age in prop::option::of(0_u32..100),
        min_fresh in prop::option::of(0_u32..100), ask_always in any::<bool>(),
    ) {
        let terms = Terms { ask_always, ..terms(lifetime_s) };
        let delta = |seconds: Option<u32>| {
            seconds.and_then(|seconds| Delta::parse(seconds.to_string().as_bytes()))
        };
        let wishes = Wishes {
            max_age: delta(max_age), min_fresh: delta(min_fresh), ..Wishes::default()
        };
        if terms.judge(age_ns, &wishes) == Verdict::Serve {
            prop_assert!(terms.is_fresh(age_ns));
        }
    }
}
