use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;

/// 2026-06-01.
const NOW_S: u64 = 1_780_272_000;

fn read(text: &str) -> Option<u64> {
    parse(text.as_bytes(), NOW_S)
}

#[test]
fn the_three_formats_say_the_same() {
    for text in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "sUN, 06 nOV 1994 08:49:37 gmt",
        "SUNDAY, 06-NOV-94 08:49:37 gmt",
        "sun nov  6 08:49:37 1994",
        "Mon, 06 Nov 1994 08:49:37 GMT",
    ] {
        assert_eq!(read(text), Some(784_111_777), "{text}");
    }
}

#[test]
fn anything_else_is_no_date() {
    for text in [
        "",
        "0",
        "-1",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 PST",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun,  06 Nov 1994 08:49:37 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08-49-37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 2023 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Fri, 31 Dec 1969 23:59:59 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Xyz 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov 6 08:49:37 1994",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn a_two_digit_year_lies_at_most_fifty_years_ahead() {
    let year = |text: &str| civil(read(text).expect(text) / DAY_S).0;
    assert_eq!(year("Sunday, 06-Nov-76 08:49:37 GMT"), 2076);
    assert_eq!(year("Sunday, 06-Nov-77 08:49:37 GMT"), 1977);
    assert_eq!(year("Sunday, 06-Nov-00 08:49:37 GMT"), 2000);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(seconds in 0_u64..=253_402_300_799) {
        let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
        prop_assert_eq!(parse(text.as_bytes(), NOW_S), Some(seconds));
        let days = seconds / DAY_S;
        let (year, month, day) = civil(days);
        prop_assert_eq!(super::days(year, month, day), days);
    }

    #[test]
    fn cut_dates_are_read_without_panic(
        date in proptest::sample::select(vec![
            "Thu, 18 Aug 2050 02:01:18 GMT",
            "Wednesday, 18-Aug-50 02:01:18 GMT",
            "Thu Aug 18 02:01:18 2050",
        ]),
        from in 0_usize..33,
        to in 0_usize..33,
    ) {
        let (from, to) = (from.min(date.len()), to.min(date.len()));
        let _ = parse(&date.as_bytes()[from.min(to)..from.max(to)], NOW_S);
    }

    #[test]
    fn any_bytes_are_a_date_or_none(text in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = parse(&text, NOW_S);
    }
}
