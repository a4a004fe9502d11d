use http::header::EXPIRES;
use proptest::prelude::*;

use super::*;

fn one(name: &HeaderName, lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(name, HeaderValue::from_bytes(line.as_bytes()).expect("valid"));
    }
    headers
}

#[test]
fn rfc9110_5_6_7_three_formats_and_no_other() {
    for (text, seconds) in [
        ("Thu, 18 Aug 2050 02:01:18 GMT", Some(2_544_400_878)),
        ("Thursday, 18-Aug-50 02:01:18 GMT", Some(2_544_400_878)),
        ("Thu Aug 18 02:01:18 2050", Some(2_544_400_878)),
        ("0", None),
        ("-1", None),
        ("", None),
        ("Thu, 18 Aug 2050 2:01:18 GMT", None),
        ("Thu, 18 Aug 50 02:01:18 GMT", None),
        ("Thu, 18-Aug-2050 02:01:18 GMT", None),
        ("Thu, 18 Aug 2050 02:01:18 UTC", None),
        ("Thu, 18 Aug 2050 02:01:18 AEST", None),
        ("Thu, 18 Aug 2050 02:01:18", None),
        ("Thu, 18 Aug 2050 02.01.18 GMT", None),
        ("Thu, 18  Aug  2050 02:01:18 GMT", None),
        ("thu, 18 aug 2050 02:01:18 gmt", None),
        ("Fri, 18 Aug 2050 02:01:18 GMT", None),
        ("18 Aug 2050 02:01:18 GMT", None),
        ("Wed, 31 Feb 2050 02:01:18 GMT", None),
    ] {
        assert_eq!(parse_date(text.as_bytes()), seconds, "{text}");
    }
}

#[test]
fn rfc9111_5_3_two_lines_are_invalid() {
    let date = "Thu, 18 Aug 2050 02:01:18 GMT";
    assert_eq!(date_field(&one(&EXPIRES, &[]), EXPIRES), Dated::Absent);
    assert_eq!(date_field(&one(&EXPIRES, &[date]), EXPIRES), Dated::At(2_544_400_878));
    assert_eq!(date_field(&one(&EXPIRES, &[date, date]), EXPIRES), Dated::Invalid);
    assert_eq!(date_field(&one(&EXPIRES, &["0"]), EXPIRES), Dated::Invalid);
}

#[test]
fn rfc9111_5_1_age_is_the_first_member_of_the_first_line() {
    for (lines, seconds) in [
        (&["7200"][..], 7200),
        (&["7200, 0"], 7200),
        (&["0, 7200"], 0),
        (&["7200", "0"], 7200),
        (&["0", "7200"], 0),
        (&[" 7200 ,"], 7200),
        (&["2147483649"], 1 << 31),
        (&["99999999999999999999"], 1 << 31),
        (&["-7200"], 0),
        (&["7200.0"], 0),
        (&["abc"], 0),
        (&[""], 0),
        (&[], 0),
    ] {
        assert_eq!(age_field(&one(&AGE, lines)).seconds(), seconds, "{lines:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(text in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = parse_date(&text);
    }

    #[test]
    fn cut_dates_are_read_without_panic(
        date in prop::sample::select(vec![
            "Thu, 18 Aug 2050 02:01:18 GMT",
            "Wednesday, 18-Aug-50 02:01:18 GMT",
            "Thu Aug 18 02:01:18 2050",
        ]),
        from in 0_usize..33,
        to in 0_usize..33,
    ) {
        let (from, to) = (from.min(date.len()), to.min(date.len()));
        let _ = parse_date(&date.as_bytes()[from.min(to)..from.max(to)]);
    }

    #[test]
    fn a_written_date_reads_as_itself(seconds in 0_u64..253_402_300_799) {
        prop_assert_eq!(parse_date(http_date(seconds).as_bytes()), Some(seconds));
    }
}
