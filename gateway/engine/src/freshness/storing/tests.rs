use std::time::Duration;

use sumun_policy::policy::CacheKey;

use super::super::http_date;
use super::*;

/// 2030-01-01: when the answers of these tests come.
const NOW_S: u64 = 1_893_456_000;
const NOW: Received = Received { wall_s: NOW_S, delay_ns: 0 };

fn rules() -> Cache {
    Cache {
        fresh_for: None,
        heuristic: None,
        stale_while_revalidate: None,
        stale_if_error: None,
        stale_if_shed: None,
        object_bytes_max: 1 << 20,
        key: CacheKey::default(),
        store_set_cookie: false,
        require_public: false,
    }
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).expect("valid"),
            HeaderValue::from_bytes(value.as_bytes()).expect("valid"),
        );
    }
    headers
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).expect("a status")
}

fn assessed(lines: &[(&str, &str)]) -> Result<Terms, NotStored> {
    assess(&HeaderMap::new(), StatusCode::OK, &headers(lines), &rules(), NOW)
}

fn lifetime_s(lines: &[(&str, &str)]) -> Option<u64> {
    assessed(&[lines, &[("etag", "\"1\"")]].concat())
        .ok()
        .map(|terms| terms.lifetime_ns / SECOND_NS)
}

fn date(offset_s: i64) -> String {
    http_date(NOW_S.saturating_add_signed(offset_s)).to_str().expect("ASCII").to_owned()
}

#[test]
fn rfc9111_4_2_1_s_maxage_beats_max_age() {
    let control = |value| lifetime_s(&[("cache-control", value)]);
    assert_eq!(control("max-age=100, s-maxage=1"), Some(1));
    assert_eq!(control("max-age=1, s-maxage=100"), Some(100));
    assert_eq!(control("s-maxage=x, max-age=100"), Some(0));
}

#[test]
fn rfc9111_4_2_1_max_age_beats_expires() {
    let expires = date(-10);
    assert_eq!(lifetime_s(&[("cache-control", "max-age=9"), ("expires", &expires)]), Some(9));
    let later = date(100);
    assert_eq!(lifetime_s(&[("cache-control", "max-age=0"), ("expires", &later)]), Some(0));
    assert_eq!(lifetime_s(&[("cache-control", "s-maxage=9"), ("expires", "0")]), Some(9));
}

#[test]
fn rfc9111_4_2_1_expires_counts_from_date() {
    for (expires, sent, lifetime) in [
        (100, Some(40), 60),
        (100, Some(-40), 140),
        (100, None, 100),
        (0, Some(0), 0),
        (-5, Some(0), 0),
        (300, Some(400), 0),
    ] {
        let (expires, sent) = (date(expires), sent.map(date));
        let mut lines = vec![("expires", expires.as_str())];
        lines.extend(sent.as_deref().map(|sent| ("date", sent)));
        assert_eq!(lifetime_s(&lines), Some(lifetime), "{lines:?}");
    }
    let expires = date(10);
    assert_eq!(lifetime_s(&[("expires", &expires), ("date", "foo")]), Some(10));
}

#[test]
fn rfc9111_5_3_an_invalid_expires_is_already_expired() {
    for value in ["0", "-1", "soon", "Thu, 18 Aug 2050 02:01:18 UTC"] {
        assert_eq!(lifetime_s(&[("expires", value)]), Some(0), "{value}");
    }
    let later = date(100);
    assert_eq!(lifetime_s(&[("expires", &later), ("expires", &later)]), Some(0));
}

#[test]
fn rfc9111_4_2_3_the_initial_age_is_the_greater_of_two() {
    for (lines, delay_s, age_s) in [
        (vec![], 0, 0),
        (vec![("age", "7".to_owned())], 0, 7),
        (vec![("age", "7".to_owned())], 3, 10),
        (vec![("date", date(-20)), ("age", "7".to_owned())], 3, 20),
        (vec![("date", date(-5)), ("age", "7".to_owned())], 3, 10),
        (vec![("date", date(20)), ("age", "7".to_owned())], 0, 7),
        (vec![("date", "foo".to_owned())], 2, 2),
        (vec![("age", "2147483999".to_owned())], 0, 1 << 31),
    ] {
        let mut response = headers(&[("cache-control", "max-age=60"), ("etag", "\"1\"")]);
        for (name, value) in &lines {
            response.insert(*name, HeaderValue::from_str(value).expect("valid"));
        }
        let received = Received { delay_ns: delay_s * SECOND_NS, ..NOW };
        let terms = assess(&HeaderMap::new(), StatusCode::OK, &response, &rules(), received);
        assert_eq!(terms.expect("stored").initial_age_ns, age_s * SECOND_NS, "{lines:?}");
    }
}

#[test]
fn rfc9111_3_what_is_not_stored() {
    let fresh = ("cache-control", "max-age=60");
    for (lines, why) in [
        (&[("cache-control", "no-store, max-age=60")][..], NotStored::NoStore),
        (&[("cache-control", "private, max-age=60")], NotStored::Private),
        (&[fresh, ("set-cookie", "a")], NotStored::SetCookie),
        (&[fresh, ("vary", "*")], NotStored::VaryAny),
        (&[fresh, ("content-type", "Text/event-stream; charset=utf-8")], NotStored::Stream),
        (&[fresh, ("trailer", "x-checksum")], NotStored::Trailers),
        (&[], NotStored::NoFreshness),
        (&[("etag", "\"1\""), ("cache-control", "public")], NotStored::NoFreshness),
        (&[("cache-control", "max-age=0")], NotStored::Stale),
        (&[("cache-control", "no-cache")], NotStored::Stale),
        (&[fresh, ("age", "60")], NotStored::Stale),
    ] {
        assert_eq!(assessed(lines), Err(why), "{lines:?}");
    }
    let request = headers(&[("cache-control", "no-store")]);
    let response = headers(&[fresh]);
    let refused = assess(&request, StatusCode::OK, &response, &rules(), NOW);
    assert_eq!(refused, Err(NotStored::NoStore));
}

#[test]
fn rfc9111_3_what_is_stale_or_always_asked_about_is_stored_with_a_validator() {
    for control in ["max-age=0", "no-cache", "no-cache, max-age=60"] {
        let terms = assessed(&[("cache-control", control), ("etag", "\"1\"")]).expect("stored");
        assert!(!terms.is_fresh(0), "{control}");
        assert_eq!(terms.ask_always, control.contains("no-cache"));
    }
    assert!(assessed(&[("cache-control", "max-age=0"), ("last-modified", &date(0))]).is_ok());
}

#[test]
fn rfc9111_3_any_final_status_with_explicit_freshness_is_stored() {
    let fresh = headers(&[("cache-control", "max-age=60")]);
    for code in [200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 503, 599] {
        let assessed = assess(&HeaderMap::new(), status(code), &fresh, &rules(), NOW);
        assert!(assessed.is_ok(), "{code}");
    }
    for code in [100, 103, 206, 304, 412, 413, 416, 417, 431] {
        let assessed = assess(&HeaderMap::new(), status(code), &fresh, &rules(), NOW);
        assert_eq!(assessed, Err(NotStored::Status), "{code}");
    }
}

#[test]
fn rfc9111_5_2_2_3_must_understand_beats_no_store_for_known_statuses() {
    let response = headers(&[("cache-control", "max-age=60, must-understand, no-store")]);
    let assess = |code| assess(&HeaderMap::new(), status(code), &response, &rules(), NOW);
    assert!(assess(200).is_ok());
    assert_eq!(assess(299), Err(NotStored::Status));
}

#[test]
fn rfc9111_3_5_authorised_answers_need_leave() {
    let request = headers(&[("authorization", "Basic eA==")]);
    for (control, leave) in [
        ("max-age=60", false),
        ("max-age=60, proxy-revalidate", false),
        ("max-age=60, public", true),
        ("max-age=60, must-revalidate", true),
        ("s-maxage=60", true),
    ] {
        let response = headers(&[("cache-control", control)]);
        let assessed = assess(&request, StatusCode::OK, &response, &rules(), NOW);
        assert_eq!(assessed.map(|terms| terms.authorized).is_ok(), leave, "{control}");
    }
}

#[test]
fn rfc9111_5_2_2_what_must_be_revalidated_when_stale() {
    for (control, ask) in [
        ("max-age=60", false),
        ("max-age=60, must-revalidate", true),
        ("max-age=60, proxy-revalidate", true),
        ("s-maxage=60", true),
    ] {
        let terms = assessed(&[("cache-control", control)]).expect("stored");
        assert_eq!(terms.ask_stale, ask, "{control}");
    }
}

#[test]
fn the_policys_freshness_stands_where_the_origin_gives_none_and_not_for_errors() {
    let rules = Cache { fresh_for: Some(Duration::from_millis(1500)), ..rules() };
    let assess = |code, lines: &[(&str, &str)]| {
        assess(&HeaderMap::new(), status(code), &headers(lines), &rules, NOW)
            .map(|terms| terms.lifetime_ns)
    };
    assert_eq!(assess(200, &[]), Ok(1_500_000_000));
    assert_eq!(assess(301, &[]), Ok(1_500_000_000));
    assert_eq!(assess(200, &[("cache-control", "max-age=9")]), Ok(9 * SECOND_NS));
    assert_eq!(assess(200, &[("expires", "0")]), Err(NotStored::Stale));
    assert_eq!(assess(200, &[("cache-control", "no-cache")]), Err(NotStored::Stale));
    assert_eq!(assess(200, &[("cache-control", "private")]), Err(NotStored::Private));
    for code in [302, 404, 500, 503] {
        assert_eq!(assess(code, &[]), Err(NotStored::NoFreshness), "{code}");
    }
}

#[test]
fn the_policy_may_require_public_and_allow_cookies() {
    let open = headers(&[("cache-control", "max-age=60, public"), ("set-cookie", "a")]);
    let plain = headers(&[("cache-control", "max-age=60")]);
    let strict = Cache { require_public: true, store_set_cookie: true, ..rules() };
    let assess = |response| assess(&HeaderMap::new(), StatusCode::OK, response, &strict, NOW);
    assert!(assess(&open).is_ok());
    assert_eq!(assess(&plain), Err(NotStored::NotPublic));
}

#[test]
fn rfc9111_4_2_2_a_guess_only_where_the_policy_wants_one() {
    let modified = date(-1000);
    let response = headers(&[("last-modified", &modified), ("date", &date(0))]);
    let guessing = Cache { heuristic: sumun_policy::units::Percent::from_ratio(0.1), ..rules() };
    let lifetime_s = |code, response: &HeaderMap, rules: &Cache| {
        let assessed = assess(&HeaderMap::new(), status(code), response, rules, NOW);
        assessed.ok().map(|terms| terms.lifetime_ns / SECOND_NS)
    };
    assert_eq!(lifetime_s(200, &response, &rules()), None);
    for code in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501] {
        assert_eq!(lifetime_s(code, &response, &guessing), Some(100), "{code}");
    }
    for code in [201, 202, 302, 307, 400, 403, 500, 502, 503, 504, 599] {
        assert_eq!(lifetime_s(code, &response, &guessing), None, "{code}");
    }
    let mut public = response.clone();
    public.insert("cache-control", HeaderValue::from_static("public"));
    assert_eq!(lifetime_s(599, &public, &guessing), Some(100));
    let mut explicit = response.clone();
    explicit.insert("cache-control", HeaderValue::from_static("max-age=7"));
    assert_eq!(lifetime_s(200, &explicit, &guessing), Some(7));
    let both = Cache { fresh_for: Some(Duration::from_secs(5)), ..guessing };
    assert_eq!(lifetime_s(200, &response, &both), Some(100));
    assert_eq!(lifetime_s(200, &headers(&[("etag", "\"1\"")]), &both), Some(5));
}

#[test]
fn rfc9213_2_2_a_targeted_field_replaces_cache_control_and_expires() {
    let (past, future) = (date(-1000), date(1000));
    let lifetime = |lines: &[(&str, &str)]| lifetime_s(lines);
    let target = ("cdn-cache-control", "max-age=60");
    assert_eq!(lifetime(&[target, ("cache-control", "no-store")]), Some(60));
    assert_eq!(lifetime(&[target, ("cache-control", "private, max-age=1")]), Some(60));
    assert_eq!(lifetime(&[target, ("expires", &past)]), Some(60));
    assert_eq!(lifetime(&[("cdn-cache-control", "public"), ("expires", &future)]), None);
    assert_eq!(lifetime(&[("cdn-cache-control", "no-store"), ("expires", &future)]), None);
    assert_eq!(lifetime(&[("cdn-cache-control", "&"), ("cache-control", "max-age=1")]), Some(1));
}

#[test]
fn what_may_be_served_stale_is_stored_stale() {
    let stale = |control: &str| assessed(&[("cache-control", control)]);
    assert_eq!(stale("max-age=0").err(), Some(NotStored::Stale));
    assert!(stale("max-age=0, stale-while-revalidate=60").is_ok());
    assert!(stale("max-age=0, stale-if-error=60").is_ok());
    assert_eq!(stale("max-age=0, stale-if-error=0").err(), Some(NotStored::Stale));
    let strict = stale("max-age=0, stale-if-error=60, must-revalidate");
    assert_eq!(strict.err(), Some(NotStored::Stale));
}
