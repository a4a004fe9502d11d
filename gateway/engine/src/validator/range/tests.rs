use proptest::prelude::*;

use super::*;

fn span(line: &str, length: u64) -> Span {
    let mut request = HeaderMap::new();
    request.insert(RANGE, HeaderValue::from_str(line).expect("valid"));
    requested_span(&request, length)
}

#[test]
fn rfc9110_14_1_2_byte_ranges() {
    let part = |first, last| Span::Part { first, last };
    for (line, expected) in [
        ("bytes=0-0", part(0, 0)),
        ("bytes=0-499", part(0, 9)),
        ("bytes=3-5", part(3, 5)),
        ("Bytes=3-", part(3, 9)),
        ("bytes=-4", part(6, 9)),
        ("bytes=-40", part(0, 9)),
        ("bytes=9-99999999999999999999999", part(9, 9)),
        ("bytes=10-", Span::Unsatisfiable),
        ("bytes=10-20", Span::Unsatisfiable),
        ("bytes=-0", Span::Unsatisfiable),
        ("bytes=5-3", Span::Whole),
        ("bytes=0-1,5-6", Span::Whole),
        ("bytes=a-", Span::Whole),
        ("bytes=-", Span::Whole),
        ("bytes=+1-2", Span::Whole),
        ("bytes", Span::Whole),
        ("items=0-1", Span::Whole),
        ("", Span::Whole),
    ] {
        assert_eq!(span(line, 10), expected, "{line}");
    }
    assert_eq!(span("bytes=0-", 0), Span::Unsatisfiable);
    assert_eq!(span("bytes=-1", 0), Span::Unsatisfiable);
    assert_eq!(requested_span(&HeaderMap::new(), 10), Span::Whole);
}

#[test]
fn rfc9110_14_2_two_lines_are_ignored() {
    let mut request = HeaderMap::new();
    request.append(RANGE, HeaderValue::from_static("bytes=0-1"));
    request.append(RANGE, HeaderValue::from_static("bytes=2-3"));
    assert_eq!(requested_span(&request, 10), Span::Whole);
}

proptest! {
    #[test]
    fn a_part_always_lies_in_the_body(line in "bytes=[0-9]{0,3}-[0-9]{0,3}", length in 0_u64..300) {
        if let Span::Part { first, last } = span(&line, length) {
            prop_assert!(first <= last && last < length);
        }
    }

    #[test]
    fn any_text_is_read_without_panic(line in "[ -~]{0,30}", length in any::<u64>()) {
        let _ = span(&line, length);
    }
}
