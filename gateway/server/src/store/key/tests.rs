use http::{HeaderName, HeaderValue, Method};
use proptest::prelude::*;

use super::*;
use crate::store::tests::kit;

fn resource<'a>(scheme: &'a str, authority: &'a str, path_and_query: &'a str) -> Resource<'a> {
    Resource { scheme, authority, path_and_query }
}

fn by_tenant() -> CacheKey {
    CacheKey { headers: vec![HeaderName::from_static("x-tenant")], ..CacheKey::default() }
}

fn key_of(values: &[String]) -> Key {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append("x-tenant", HeaderValue::from_str(value).expect("visible"));
    }
    Key::new(&asked("a", None, &headers), &by_tenant())
}

/// A GET of `/` at this authority; `fronted`: what the call itself named, behind a trusted proxy.
fn asked<'a>(authority: &'a str, fronted: Option<&'a str>, headers: &'a HeaderMap) -> Asked<'a> {
    Asked { authority, fronted, ..kit::asked(&Method::GET, "/", headers) }
}

#[test]
fn what_a_trusted_proxy_tells_tells_keys_apart() {
    let rules = CacheKey::default();
    let text = |authority, fronted, lines: &[(&str, &str)]| {
        let headers = kit::headers(lines);
        let key = Key::new(&asked(authority, fronted, &headers), &rules);
        assert_eq!(key.has_headers, key.text().len() > key.url_len);
        String::from_utf8(key.text().to_vec()).expect("text")
    };
    let (port, prefix) = (("x-forwarded-port", "81"), ("x-forwarded-prefix", "81"));
    let plain = text("a", None, &[]);
    // A stranger's fields do not reach the origin, so they do not count.
    assert_eq!(text("a", None, &[port, prefix]), plain);
    // A proxy that tells nothing new shares what strangers have.
    assert_eq!(text("a", Some("a"), &[]), plain);
    let told = [
        plain,
        text("a", Some("b"), &[]),
        text("a", Some("a"), &[port]),
        text("a", Some("a"), &[prefix]),
        text("a", Some("a"), &[port, prefix]),
        text("a", Some("a"), &[port, port]),
        text("a", Some("b"), &[port]),
    ];
    for (at, one) in told.iter().enumerate() {
        assert!(told[at + 1..].iter().all(|other| other != one), "{one}");
        assert!(one.starts_with("http\na\n/\n"), "{one}: not under its URL");
    }
}

#[test]
fn every_part_tells_keys_apart() {
    let rules = CacheKey::default();
    let one = Key::of_url(resource("http", "a", "/b?c"), &rules);
    for other in [
        resource("https", "a", "/b?c"),
        resource("http", "ab", "/?c"),
        resource("http", "a", "/b"),
        resource("http", "a", "/b?C"),
        resource("http", "a:81", "/b?c"),
    ] {
        assert_ne!(one.text(), Key::of_url(other, &rules).text(), "{other:?}");
    }
}

#[test]
fn parameters_are_dropped_by_name_and_sorted_without_mixing_their_values() {
    let rules = CacheKey { query_drop: vec!["d".into()], query_sort: true, ..CacheKey::default() };
    let text = |path| {
        let key = Key::of_url(resource("http", "a", path), &rules);
        String::from_utf8(key.text().to_vec()).expect("text")
    };
    assert_eq!(text("/?b=2&a=2&a=1&d=1&d&dd=1"), "http\na\n/?a=2&a=1&b=2&dd=1\n");
    assert_eq!(text("/?d=1"), "http\na\n/\n");
}

proptest! {
    #[test]
    fn what_is_asked_for_without_dropped_parameters_has_the_same_key(query in "[ab=&;?%]{0,12}") {
        let key = CacheKey { query_drop: vec!["a".into(), "".into()], ..CacheKey::default() };
        let of = |target: &str| Key::of_url(resource("http", "h", target), &key).text().to_vec();
        let asked = format!("/p?{query}");
        match without_dropped(&asked, &key) {
            None => prop_assert_eq!(of(&asked), format!("http\nh\n{asked}\n").into_bytes()),
            Some(left) => {
                prop_assert_eq!(of(&asked), of(&left));
                prop_assert_eq!(of(&left), format!("http\nh\n{left}\n").into_bytes());
                prop_assert_eq!(without_dropped(&left, &key), None);
                prop_assert!(left.len() < asked.len());
            }
        }
    }

    #[test]
    fn values_of_key_headers_are_never_mixed_up(
        a in prop::collection::vec("[ -~]{0,4}", 0..4),
        b in prop::collection::vec("[ -~]{0,4}", 0..4),
    ) {
        prop_assert_eq!(key_of(&a).text() == key_of(&b).text(), a == b);
    }

    #[test]
    fn long_keys_are_the_same_on_the_heap(path in "/[a-z]{0,600}") {
        let key = Key::of_url(resource("http", "a", &path), &CacheKey::default());
        let text = format!("http\na\n{path}\n");
        prop_assert_eq!(key.text(), text.as_bytes());
        prop_assert_eq!(key.hash, xxh3_128(key.text()));
        prop_assert_eq!(key.url_len, key.text().len());
    }
}
