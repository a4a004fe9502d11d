use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).expect("valid"));
    }
    headers
}

fn vary(lines: &[&str]) -> Vary {
    Vary::read(&headers(&lines.iter().map(|line| ("vary", *line)).collect::<Vec<_>>()))
}

#[test]
fn rfc9111_4_1_a_star_anywhere_is_anything() {
    for lines in [
        &["*"][..],
        &["*, *"],
        &["*", "*"],
        &[", *"],
        &["", "*"],
        &["*, foo"],
        &["foo, *"],
        &["foo", "bar, *"],
        &["foo bar"],
        &["X-Forwarded-For"],
        &["Sumun-Class"],
        &["accept, via"],
    ] {
        assert_eq!(vary(lines), Vary::Anything, "{lines:?}");
    }
    assert_eq!(vary(&["", " , "]), Vary::Nothing);
}

#[test]
fn rfc9111_4_1_lines_and_order_of_names_do_not_matter() {
    assert_eq!(vary(&["Accept, x-b", "X-A"]), vary(&["x-a,X-B , accept, accept"]));
}

#[test]
fn rfc9111_4_1_requests_agree_or_not() {
    let selects = vary(&["accept, accept-language, accept-encoding"]);
    for (a, b, agree) in [
        (&[][..], &[][..], true),
        (&[("accept", "a, b")], &[("accept", "a,b")], true),
        (&[("accept", "a, b")], &[("accept", "a"), ("accept", " b ")], true),
        (&[("accept", "a, b")], &[("accept", "b, a")], false),
        (&[("accept", "A")], &[("accept", "a")], false),
        (&[("accept", "")], &[], false),
        (&[("accept-language", "en, de")], &[("accept-language", "DE,en")], true),
        (&[("accept-language", "en;q=0.5")], &[("accept-language", "en; q=0.5")], true),
        (&[("accept-language", "en;q=0.5")], &[("accept-language", "en;q=0.6")], false),
        (&[("accept-encoding", "gzip, br")], &[("accept-encoding", "br,gzip")], true),
        (&[("accept", "a")], &[("accept-language", "a")], false),
        (&[("x-other", "a")], &[("x-other", "b")], true),
    ] {
        let (one, two) = (selects.values(&headers(a)), selects.values(&headers(b)));
        assert_eq!(one == two, agree, "{a:?} {b:?}");
    }
}

proptest! {
    #[test]
    fn values_of_different_fields_are_never_mixed_up(
        a in prop::option::of("[a-c,=]{0,3}"), b in prop::option::of("[a-c,=]{0,3}"),
        c in prop::option::of("[a-c,=]{0,3}"), d in prop::option::of("[a-c,=]{0,3}"),
    ) {
        let of = |x: &Option<String>, y: &Option<String>| {
            let mut lines = Vec::new();
            if let Some(x) = x { lines.push(("x-a", x.as_str())); }
            if let Some(y) = y { lines.push(("x-b", y.as_str())); }
            headers(&lines)
        };
        let (vary, one, two) = (vary(&["x-a, x-b"]), of(&a, &b), of(&c, &d));
        let same = a == c && b == d;
        prop_assert_eq!(vary.values(&one) == vary.values(&two), same);
        prop_assert_eq!(vary.verbatim(&one) == vary.verbatim(&two), same);
        prop_assert_eq!(vary.is_verbatim(&one, &vary.verbatim(&two)), same);
    }
}
