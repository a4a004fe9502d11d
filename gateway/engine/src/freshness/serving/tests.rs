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
        while_revalidate: None,
        if_error: None,
        immutable: false,
        withheld: Vec::new(),
    }
}

fn wishes(control: &str) -> Wishes {
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, control.parse().expect("valid"));
    Wishes::read(&headers)
}

/// A policy that says nothing.
fn rules() -> Cache {
    Cache {
        fresh_for: None,
        heuristic: None,
        stale_while_revalidate: None,
        stale_if_error: None,
        stale_if_shed: None,
        object_bytes_max: 0,
        key: sumun_policy::policy::CacheKey::default(),
        store_set_cookie: false,
        require_public: false,
    }
}

const STALE: Verdict = Verdict::Ask(Reason::Stale);
const REQUEST: Verdict = Verdict::Ask(Reason::Request);

#[test]
fn rfc9111_4_2_fresh_while_the_lifetime_is_greater_than_the_age() {
    let terms = terms(60);
    let judge = |age_ns| terms.judge(age_ns, &Wishes::default(), &rules());
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
        let judged = terms(60).judge(age_s * SECOND_NS, &wishes(control), &rules());
        assert_eq!(judged, verdict, "{control} at {age_s}");
    }
}

#[test]
fn rfc9111_5_2_2_2_an_answer_that_must_be_revalidated_is_not_served_stale() {
    let strict = Terms { ask_stale: true, ..terms(60) };
    assert_eq!(strict.judge(61 * SECOND_NS, &wishes("max-stale"), &rules()), STALE);
    assert_eq!(strict.judge(59 * SECOND_NS, &wishes("max-stale"), &rules()), Verdict::Serve);
}

#[test]
fn rfc9111_5_2_2_4_no_cache_is_never_served_without_asking() {
    let always = Terms { ask_always: true, ..terms(60) };
    assert_eq!(always.judge(0, &Wishes::default(), &rules()), STALE);
    assert_eq!(always.judge(0, &wishes("max-stale"), &rules()), STALE);
    assert!(!always.is_fresh(0));
}

#[test]
fn rfc5861_3_stale_while_revalidate_has_a_window() {
    let swr = Terms { while_revalidate: Some(delta(30)), ..terms(60) };
    let judge = |age_s, control| swr.judge(age_s * SECOND_NS, &wishes(control), &rules());
    assert_eq!(judge(59, ""), Verdict::Serve);
    assert_eq!(judge(60, ""), Verdict::ServeAsking);
    assert_eq!(judge(89, ""), Verdict::ServeAsking);
    assert_eq!(judge(90, ""), STALE);
    for refused in ["no-cache", "max-age=70", "max-age=10", "min-fresh=1"] {
        assert!(matches!(judge(65, refused), Verdict::Ask(_)), "{refused}");
    }
    assert_eq!(judge(65, "max-stale=4"), STALE);
    assert_eq!(judge(65, "max-stale=5"), Verdict::ServeAsking);
    let policy = Cache { stale_while_revalidate: Some(Duration::from_secs(10)), ..rules() };
    assert_eq!(swr.judge(85 * SECOND_NS, &wishes(""), &policy), Verdict::ServeAsking);
    assert_eq!(terms(60).judge(69 * SECOND_NS, &wishes(""), &policy), Verdict::ServeAsking);
    assert_eq!(terms(60).judge(70 * SECOND_NS, &wishes(""), &policy), STALE);
    let none = Terms { while_revalidate: Some(Delta::ZERO), ..terms(60) };
    assert_eq!(none.judge(61 * SECOND_NS, &wishes(""), &policy), STALE);
    let strict = Terms { ask_stale: true, ..swr.clone() };
    assert_eq!(strict.judge(61 * SECOND_NS, &wishes(""), &policy), STALE);
}

#[test]
fn rfc8246_2_what_never_changes_is_not_asked_about_while_it_is_fresh() {
    let fixed = Terms { immutable: true, ..terms(60) };
    let judge = |age_s, control| fixed.judge(age_s * SECOND_NS, &wishes(control), &rules());
    assert_eq!(judge(30, "max-age=0"), Verdict::Serve);
    assert_eq!(judge(30, "no-cache"), REQUEST);
    assert_eq!(judge(60, "max-age=0"), REQUEST);
    assert_eq!(judge(60, ""), STALE);
}

#[test]
fn rfc5861_4_stale_if_error_has_a_window() {
    let said = Terms { if_error: Some(delta(30)), ..terms(60) };
    let policy = Cache { stale_if_error: Some(Duration::from_secs(10)), ..rules() };
    for (terms, rules, why, last_s) in [
        (&said, &rules(), Stale::Failed, Some(89)),
        (&said, &rules(), Stale::Unreachable, Some(89)),
        (&said, &policy, Stale::Failed, Some(89)),
        (&terms(60), &policy, Stale::Failed, Some(69)),
        (&terms(60), &policy, Stale::Unreachable, Some(69)),
        (&terms(60), &rules(), Stale::Failed, None),
        (&terms(60), &rules(), Stale::Unreachable, Some(60 + 24 * 3600 - 1)),
    ] {
        let stands =
            |age_s: u64| terms.stands_in(why, age_s * SECOND_NS, &Wishes::default(), rules);
        let last_s: u64 = last_s.unwrap_or(59);
        assert!(!stands(last_s + 1), "{why:?} {last_s}");
        assert!(last_s < 60 || stands(last_s), "{why:?} {last_s}");
    }
    let client =
        |control| said.stands_in(Stale::Failed, 70 * SECOND_NS, &wishes(control), &rules());
    assert!(client("stale-if-error=11") && !client("stale-if-error=10"));
    assert!(!client("no-cache") && !client("max-age=100") && client("max-age=100, max-stale"));
    let asked = wishes("stale-if-error=30");
    assert!(terms(60).stands_in(Stale::Failed, 80 * SECOND_NS, &asked, &rules()));
}

#[test]
fn rfc9111_4_2_4_what_must_be_revalidated_stands_in_for_nothing() {
    let rules = Cache {
        stale_if_error: Some(Duration::from_hours(1)),
        stale_if_shed: Some(Duration::from_hours(1)),
        ..rules()
    };
    let strict = Terms { ask_stale: true, ..terms(60) };
    let always = Terms { ask_always: true, ..terms(60) };
    for why in [Stale::Unreachable, Stale::Failed, Stale::Shed] {
        let stands =
            |terms: &Terms| terms.stands_in(why, 61 * SECOND_NS, &Wishes::default(), &rules);
        assert!(stands(&terms(60)) && !stands(&strict) && !stands(&always), "{why:?}");
    }
}

#[test]
fn a_call_that_is_shed_takes_what_the_policy_allows_and_no_more() {
    let said = Terms { if_error: Some(delta(3600)), ..terms(60) };
    let policy = Cache { stale_if_shed: Some(Duration::from_secs(10)), ..rules() };
    let stands = |age_s: u64, rules: &Cache| {
        said.stands_in(Stale::Shed, age_s * SECOND_NS, &Wishes::default(), rules)
    };
    assert!(stands(69, &policy) && !stands(70, &policy) && !stands(61, &rules()));
}

fn delta(seconds: u32) -> Delta {
    Delta::parse(seconds.to_string().as_bytes()).expect("digits")
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
        if terms.judge(age_ns, &wishes, &rules()) == Verdict::Serve {
            prop_assert!(terms.is_fresh(age_ns));
        }
    }
}

#[test]
fn the_longest_window_says_how_long_an_answer_may_be_of_use() {
    let minutes = |n| Some(Duration::from_mins(n));
    let policy =
        Cache { stale_while_revalidate: minutes(1), stale_if_error: minutes(2), ..rules() };
    let shed = Cache { stale_if_shed: minutes(3), ..policy.clone() };
    let said = Terms { if_error: Delta::parse(b"30"), ..terms(60) };
    let longer = Terms { while_revalidate: Delta::parse(b"300"), ..terms(60) };
    let never = Terms { ask_stale: true, ..longer.clone() };
    let always = Terms { ask_always: true, ..longer.clone() };
    let most = u64::MAX;
    for (terms, rules, said_ns_max, expected_s) in [
        (&terms(60), &rules(), most, 0),
        (&terms(60), &policy, most, 120),
        (&terms(60), &shed, most, 180),
        // The origin's word stands for the policy's, shorter or longer.
        (&said, &policy, most, 60),
        (&longer, &shed, most, 300),
        (&longer, &policy, 200 * SECOND_NS, 200),
        (&never, &shed, most, 0),
        (&always, &shed, most, 0),
    ] {
        let stale_ns = terms.stale_for_ns(rules, said_ns_max);
        assert_eq!(stale_ns, expected_s * SECOND_NS, "{terms:?} {rules:?}");
    }
}
