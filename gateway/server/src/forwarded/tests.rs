use super::*;
use crate::headers::FORWARDED_FAMILY;

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    lines
        .iter()
        .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

/// Scheme and authority that a proxy without TLS tells with these fields.
fn told(lines: &[(&'static str, &'static str)]) -> Option<(bool, Option<String>)> {
    let front = Front::read(&headers(lines), false)?;
    Some((front.tls, front.authority.map(|authority| authority.text().to_owned())))
}

#[test]
fn scheme_and_host_are_what_the_proxy_says_of_them() {
    for (lines, tls, host) in [
        (&[("x-forwarded-proto", "https")][..], true, None),
        (&[("x-forwarded-proto", "HTTPS, http")], true, None),
        (&[("x-forwarded-proto", "wss")], false, None),
        (&[("x-forwarded-host", "Public.Test")], false, Some("public.test")),
        (&[("x-forwarded-host", "a.test:8443, b.test")], false, Some("a.test:8443")),
        (&[("x-forwarded-host", "a.test/evil")], false, None),
        (&[("x-forwarded-host", "")], false, None),
        (
            &[("x-forwarded-proto", "https"), ("x-forwarded-host", "a.test:443")],
            true,
            Some("a.test"),
        ),
        (&[("forwarded", "for=1.2.3.4;Host=a.test;proto=https")], true, Some("a.test")),
        (&[("forwarded", "host=\"a.test:81\" ; proto=\"http\"")], false, Some("a.test:81")),
        (&[("forwarded", "for=1.2.3.4, host=b.test")], false, None),
        (&[("forwarded", "for=\"a;host=b.test\";proto=https")], true, None),
        (&[("forwarded", "host=\"a\\\".test\";proto=https")], false, None),
        (&[("forwarded", "host=a.test"), ("x-forwarded-host", "b.test")], false, Some("b.test")),
        (&[("x-real-ip", "1.2.3.4")], false, None),
    ] {
        assert_eq!(told(lines), Some((tls, host.map(str::to_owned))), "{lines:?}");
    }
    assert_eq!(told(&[("x-forwarded-protocol", "https"), ("accept", "*/*")]), None);
}

#[test]
fn the_proxys_own_connection_counts_where_it_says_no_scheme() {
    let front = Front::read(&headers(&[("x-forwarded-host", "a.test:443")]), true);
    let front = front.expect("one of the family");
    assert_eq!((front.tls, front.authority.expect("a host").text()), (true, "a.test"));
}

#[test]
fn only_what_the_key_holds_is_kept() {
    let told = headers(&[
        ("forwarded", "for=1.2.3.4;host=a.test;proto=https"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-proto", "https, http"),
        ("x-forwarded-host", "A.test, b.test"),
        ("x-forwarded-port", "8443"),
        ("x-forwarded-prefix", "/mail"),
        ("x-real-ip", "1.2.3.4"),
        ("accept", "*/*"),
    ]);
    assert!(FORWARDED_FAMILY.iter().all(|name| told.contains_key(name)), "all of the family");
    let front = Front::read(&told, false);
    let mut kept = told.clone();
    keep_keyed(&mut kept, front.as_ref(), &[]);
    let expected = headers(&[
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "a.test"),
        ("x-forwarded-port", "8443"),
        ("x-forwarded-prefix", "/mail"),
        ("accept", "*/*"),
    ]);
    assert_eq!(kept, expected);
    // What the policy keys is as it came.
    let mut keyed = told;
    keep_keyed(&mut keyed, front.as_ref(), &[X_REAL_IP]);
    assert_eq!(keyed.len(), expected.len() + 1);
    assert_eq!(keyed[X_REAL_IP], "1.2.3.4");
}
