use super::*;
use crate::freshness::http_date;

const MODIFIED_S: u64 = 1_893_456_000;

fn request(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_str(value).expect("valid"));
    }
    headers
}

fn date(offset_s: i64) -> String {
    http_date(MODIFIED_S.saturating_add_signed(offset_s)).to_str().expect("ASCII").to_owned()
}

fn answer(etag: Option<&'static str>, last_modified_s: Option<u64>) -> Validators<'static> {
    let etag = etag.and_then(|tag| EntityTag::parse(tag.as_bytes()));
    Validators { etag, last_modified_s, date_s: MODIFIED_S + 100 }
}

#[test]
fn rfc9110_13_1_2_if_none_match() {
    for (line, own, expected) in [
        ("\"1\"", Some("\"1\""), true),
        ("W/\"1\"", Some("\"1\""), true),
        ("\"1\"", Some("W/\"1\""), true),
        ("\"0\", \"1\"", Some("\"1\""), true),
        ("\"2\"", Some("\"1\""), false),
        ("*", Some("\"1\""), true),
        ("*", None, true),
        ("\"1\"", None, false),
        ("", Some("\"1\""), false),
    ] {
        let request = request(&[("if-none-match", line)]);
        assert_eq!(not_modified(&request, answer(own, None)), expected, "{line} {own:?}");
    }
    let lines = request(&[("if-none-match", "\"0\""), ("if-none-match", "\"1\"")]);
    assert!(not_modified(&lines, answer(Some("\"1\""), None)));
}

#[test]
fn rfc9110_13_1_3_if_modified_since() {
    for (since, modified, expected) in [
        (date(0), Some(MODIFIED_S), true),
        (date(1), Some(MODIFIED_S), true),
        (date(-1), Some(MODIFIED_S), false),
        (date(99), None, false),
        (date(100), None, true),
        ("soon".to_owned(), Some(MODIFIED_S), false),
    ] {
        let request = request(&[("if-modified-since", &since)]);
        assert_eq!(not_modified(&request, answer(None, modified)), expected, "{since}");
    }
    assert!(!not_modified(&request(&[]), answer(Some("\"1\""), Some(MODIFIED_S))));
}

#[test]
fn rfc9110_13_1_3_if_none_match_makes_if_modified_since_ignored() {
    let request = request(&[("if-none-match", "\"2\""), ("if-modified-since", &date(50))]);
    assert!(!not_modified(&request, answer(Some("\"1\""), Some(MODIFIED_S))));
}

#[test]
fn rfc9110_13_1_5_if_range() {
    let own = answer(Some("\"1\""), Some(MODIFIED_S));
    for (wanted, applies) in [
        ("\"1\"".to_owned(), true),
        ("W/\"1\"".to_owned(), false),
        ("\"2\"".to_owned(), false),
        (date(0), true),
        (date(1), false),
        (date(-1), false),
    ] {
        assert_eq!(range_applies(&request(&[("if-range", &wanted)]), own), applies, "{wanted}");
    }
    assert!(range_applies(&request(&[]), own));
    let weak = answer(Some("W/\"1\""), None);
    assert!(!range_applies(&request(&[("if-range", "W/\"1\"")]), weak));
    // Modified in the very second of its Date: it may have changed again within it.
    let young = Validators { date_s: MODIFIED_S, ..own };
    assert!(!range_applies(&request(&[("if-range", &date(0))]), young));
}

#[test]
fn an_answers_head_says_its_validators() {
    let mut head = HeaderMap::new();
    head.insert(ETAG, HeaderValue::from_static("W/\"1\""));
    head.insert(LAST_MODIFIED, http_date(MODIFIED_S));
    let read = Validators::of(&head, 7);
    assert_eq!(read.etag, Some(EntityTag { weak: true, opaque: b"1" }));
    assert_eq!((read.last_modified_s, read.date_s), (Some(MODIFIED_S), 7));
}
