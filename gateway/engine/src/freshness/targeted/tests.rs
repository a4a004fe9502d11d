use super::super::directives::{Delta, Qualified};
use super::*;

fn said(lines: &[(&'static str, &'static str)]) -> Option<ResponseDirectives> {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_static(value));
    }
    read(&headers)
}

fn max_age(lines: &[(&'static str, &'static str)]) -> Option<u64> {
    said(lines)?.max_age.map(Delta::seconds)
}

#[test]
fn rfc9213_2_2_the_first_valid_field_of_the_list_counts() {
    let (own, cdn) = ("sumun-cache-control", "cdn-cache-control");
    assert_eq!(max_age(&[(cdn, "max-age=1"), (own, "max-age=2")]), Some(2));
    assert_eq!(max_age(&[(cdn, "max-age=1"), (own, "")]), Some(1));
    assert_eq!(max_age(&[(cdn, "max-age=1"), (own, "max-age=2, &")]), Some(1));
    assert_eq!(max_age(&[(cdn, "max-age=1"), (own, "public")]), None);
    assert_eq!(max_age(&[(cdn, "public"), (cdn, "max-age=4")]), Some(4));
    assert_eq!(max_age(&[("surrogate-control", "max-age=5")]), None);
    assert_eq!(said(&[]), None);
}

#[test]
fn rfc9213_2_1_members_have_types() {
    for (field, expected) in [
        ("max-age=60", Some(60)),
        ("max-age=60;x=1", Some(60)),
        ("max-age=-1", Some(0)),
        ("max-age=99999999999", Some(1 << 31)),
        ("max-age=1, max-age=60", Some(60)),
        ("foo=(1 2), max-age=60", Some(60)),
        ("foo=\"a, max-age=1\", max-age=60", Some(60)),
        ("max-age=60, no-store=?0", Some(60)),
        ("max-age=\"60\"", None),
        ("max-age=60.5", None),
        ("max-age=x", None),
        ("max-age", None),
        ("max-age=(60)", None),
        ("max-age=60, no-store=1", None),
        ("max-age =60", None),
        ("max-age= 60", None),
        ("MaX-aGe=60", None),
        ("max-age=60,", None),
    ] {
        assert_eq!(max_age(&[("cdn-cache-control", field)]), expected, "{field}");
    }
}

#[test]
fn directives_without_and_with_fields() {
    let read = |field| said(&[("cdn-cache-control", field)]).expect("valid");
    assert!(read("no-store").no_store && !read("no-store=?0").no_store);
    assert_eq!(read("private").private, Qualified::Whole);
    let listed = read("no-cache=\"a, b\"").no_cache;
    assert!(matches!(listed, Qualified::Fields(fields) if fields.len() == 2));
    let all = read("public, must-revalidate, proxy-revalidate, must-understand, immutable");
    assert!(all.public && all.must_revalidate && all.proxy_revalidate);
    assert!(all.must_understand && all.immutable);
    let stale = read("stale-while-revalidate=5, stale-if-error=6");
    assert_eq!(stale.stale_while_revalidate.map(Delta::seconds), Some(5));
    assert_eq!(stale.stale_if_error.map(Delta::seconds), Some(6));
}
