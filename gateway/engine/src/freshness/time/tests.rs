use http::header::EXPIRES;

use super::*;

fn one(name: &HeaderName, lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(name, HeaderValue::from_bytes(line.as_bytes()).expect("valid"));
    }
    headers
}

#[test]
fn rfc9111_5_3_two_lines_are_invalid() {
    let date = "Thu, 18 Aug 2050 02:01:18 GMT";
    assert_eq!(date_field(&one(&EXPIRES, &[]), EXPIRES, 0), Dated::Absent);
    assert_eq!(date_field(&one(&EXPIRES, &[date]), EXPIRES, 0), Dated::At(2_544_400_878));
    assert_eq!(date_field(&one(&EXPIRES, &[date, date]), EXPIRES, 0), Dated::Invalid);
    assert_eq!(date_field(&one(&EXPIRES, &["0"]), EXPIRES, 0), Dated::Invalid);
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
