use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn headers(name: &'static str, lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(name, HeaderValue::from_bytes(line.as_bytes()).expect("valid"));
    }
    headers
}

fn response(lines: &[&str]) -> ResponseDirectives {
    ResponseDirectives::read(&headers("cache-control", lines))
}

fn max_age(line: &str) -> Option<u64> {
    response(&[line]).max_age.map(Delta::seconds)
}

#[test]
fn rfc9111_1_2_2_delta_seconds() {
    for (line, seconds) in [
        ("max-age=3600", Some(3600)),
        ("MaX-aGe=3600", Some(3600)),
        ("max-age=\"3600\"", Some(3600)),
        ("foobar, max-age=3600", Some(3600)),
        ("max-age=003600", Some(3600)),
        ("max-age=2147483647", Some(2_147_483_647)),
        ("max-age=2147483649", Some(2_147_483_648)),
        ("max-age=99999999999999999999999999", Some(2_147_483_648)),
        ("max-age", Some(0)),
        ("max-age=", Some(0)),
        ("max-age=-3600", Some(0)),
        ("max-age=+3600", Some(0)),
        ("max-age=3600.0", Some(0)),
        ("max-age='3600'", Some(0)),
        ("max-age =3600", Some(0)),
        ("max-age= 3600", Some(0)),
        ("x-max-age=3600", None),
        ("max-agee=3600", None),
    ] {
        assert_eq!(max_age(line), seconds, "{line}");
    }
}

#[test]
fn rfc9111_4_2_1_of_duplicates_the_most_restrictive_counts() {
    assert_eq!(max_age("max-age=100, max-age=1"), Some(1));
    assert_eq!(max_age("max-age=1, max-age=100"), Some(1));
    assert_eq!(max_age("max-age=100, max-age=x"), Some(0));
    assert_eq!(response(&["max-age=100", "max-age=7"]).max_age.map(Delta::seconds), Some(7));
}

#[test]
fn rfc9111_5_2_commas_and_directives_inside_quotes_do_not_count() {
    let read = response(&["a=\"b, no-store, c\\\", private\", max-age=1"]);
    assert!(!read.no_store);
    assert_eq!((read.private, read.max_age), (Qualified::Absent, Some(Delta(1))));
    assert_eq!(max_age("a=\"max-age=100\", max-age=1"), Some(1));
    assert!(response(&["a=\"b, no-store"]).no_store, "an open quote hides nothing");
}

#[test]
fn rfc9111_5_2_2_flags_are_read_in_any_case() {
    let read =
        response(&["NO-STORE, Public", "must-Revalidate,proxy-revalidate", "must-understand"]);
    assert!(read.no_store && read.public && read.must_understand);
    assert!(read.must_revalidate && read.proxy_revalidate);
    assert_eq!(response(&["no-store=1"]), response(&["no-store"]));
}

#[test]
fn rfc9111_5_2_2_4_no_cache_and_private_may_name_fields() {
    let fields = |names: &[&'static str]| {
        Qualified::Fields(names.iter().map(|name| HeaderName::from_static(name)).collect())
    };
    for (line, qualified) in [
        ("no-cache", Qualified::Whole),
        ("no-cache=\"A, b\"", fields(&["a", "b"])),
        ("no-cache=a", fields(&["a"])),
        ("no-cache=\"a\", no-cache=\"b\"", fields(&["a", "b"])),
        ("no-cache=\"a\", no-cache", Qualified::Whole),
        ("no-cache, no-cache=\"a\"", Qualified::Whole),
        ("no-cache=\"\"", Qualified::Whole),
        ("no-cache=\"(\"", Qualified::Whole),
    ] {
        assert_eq!(response(&[line]).no_cache, qualified, "{line}");
        let line = line.replace("no-cache", "private");
        assert_eq!(response(&[&line]).private, qualified, "{line}");
    }
}

#[test]
fn rfc9111_5_2_1_request_directives() {
    let read = |line: &str| Wishes::read(&headers("cache-control", &[line]));
    let none = Wishes::default();
    for (line, wishes) in [
        ("", none),
        ("no-cache", Wishes { no_cache: true, ..none }),
        ("No-Store", Wishes { no_store: true, ..none }),
        ("only-if-cached", Wishes { only_if_cached: true, ..none }),
        ("max-age=5, max-age=3", Wishes { max_age: Some(Delta(3)), ..none }),
        ("max-age=x", Wishes { max_age: Some(Delta(0)), ..none }),
        ("min-fresh=5, min-fresh=9", Wishes { min_fresh: Some(Delta(9)), ..none }),
        ("max-stale", Wishes { max_stale: Some(Delta::MAX), ..none }),
        ("max-stale, max-stale=5", Wishes { max_stale: Some(Delta(5)), ..none }),
        ("max-stale=x", Wishes { max_stale: Some(Delta(0)), ..none }),
    ] {
        assert_eq!(read(line), wishes, "{line}");
    }
}

#[test]
fn rfc9111_5_4_pragma_counts_only_without_cache_control() {
    let mut request = headers("pragma", &["x, No-Cache"]);
    assert!(Wishes::read(&request).no_cache);
    request.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=1"));
    assert!(!Wishes::read(&request).no_cache);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(line in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(value) = HeaderValue::from_bytes(&line) {
            let mut headers = HeaderMap::new();
            headers.append(CACHE_CONTROL, value.clone());
            headers.append(PRAGMA, value);
            let _ = (ResponseDirectives::read(&headers), Wishes::read(&headers));
        }
        each(&line, |_, _| {});
    }

    #[test]
    fn a_line_more_never_makes_an_answer_more_cacheable(
        first in "[a-z0-9=\", -]{0,40}",
        directive in prop::sample::select(vec!["no-store", "private", "no-cache", "max-age=7"]),
    ) {
        let (one, two) = (response(&[&first]), response(&[&first, directive]));
        prop_assert!(two.no_store >= one.no_store);
        prop_assert!(two.private == Qualified::Whole || directive != "private");
        prop_assert!(two.no_cache == Qualified::Whole || directive != "no-cache");
        prop_assert!(one.max_age.is_none_or(|one| two.max_age.is_some_and(|two| two <= one)));
    }

    #[test]
    fn of_any_two_values_the_smaller_counts(a in any::<u32>(), b in any::<u32>()) {
        let both = max_age(&format!("max-age={a}, max-age={b}"));
        prop_assert_eq!(both, Some(u64::from(a.min(b).min(1 << 31))));
    }
}
