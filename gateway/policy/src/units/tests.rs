use proptest::prelude::*;

use super::*;

#[test]
fn durations_are_a_whole_number_and_a_unit() {
    for (text, ms) in [
        ("0ms", 0),
        ("250ms", 250),
        ("1s", 1_000),
        ("2m", 120_000),
        ("1h", 3_600_000),
        ("90s", 90_000),
        ("007s", 7_000),
    ] {
        assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
    }
}

#[test]
fn other_spellings_of_durations_are_refused_with_a_remedy() {
    for (text, help) in [
        ("30", "`30s`"),
        ("1.5s", "a whole number of a smaller unit"),
        ("-1s", "a whole number"),
        ("+1s", "a whole number"),
        ("", "a whole number"),
        ("s", "a whole number"),
        ("1 s", "`1s`"),
        ("1S", "`1s`"),
        ("1d", "`24h`"),
        ("1m30s", "one number and one unit"),
        ("99999999999999999999s", "longer than any"),
        ("18446744073709551615h", "longer than any"),
        ("\u{0661}s", "a whole number"),
    ] {
        let error = parse_duration(text).expect_err(text);
        assert!(error.help.contains(help), "{text}: {error}");
        assert!(error.message.contains("is not a duration"), "{text}: {error}");
    }
}

#[test]
fn sizes_are_a_whole_number_and_a_binary_unit() {
    for (text, bytes) in [
        ("0B", 0),
        ("512B", 512),
        ("1KiB", 1_024),
        ("64MiB", 64 << 20),
        ("1GiB", 1 << 30),
        ("1500B", 1_500),
    ] {
        assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
    }
}

#[test]
fn other_spellings_of_sizes_are_refused_with_a_remedy() {
    for (text, help) in [
        ("64", "`64B` or `64KiB`"),
        ("64MB", "`64MiB`"),
        ("64M", "`64MiB`"),
        ("1k", "`1KiB`"),
        ("2GB", "`2GiB`"),
        ("-1B", "a whole number"),
        ("1.5MiB", "a whole number of a smaller unit"),
        ("1 MiB", "`1MiB`"),
        ("99999999999GiB", "larger than any"),
    ] {
        let error = parse_bytes(text).expect_err(text);
        assert!(error.help.contains(help), "{text}: {error}");
    }
}

#[test]
fn percentages_carry_their_sign() {
    for (text, ratio) in
        [("0%", 0.0), ("85%", 0.85), ("12.5%", 0.125), ("100%", 1.0), ("100.00%", 1.0)]
    {
        let percent = Percent::parse(text).expect(text);
        assert!((percent.ratio() - ratio).abs() < 1e-12, "{text}");
    }
    for (text, help) in [
        ("85", "`85%`"),
        ("0.85", "`85%`"),
        ("101%", "0% to 100%"),
        ("-1%", "0% to 100%"),
        ("1e1%", "0% to 100%"),
        ("%", "0% to 100%"),
        (".5%", "0% to 100%"),
        ("5.%", "0% to 100%"),
        ("33.333%", "two decimals"),
        ("NaN%", "0% to 100%"),
        ("inf", "percent sign"),
        ("much", "percent sign"),
    ] {
        let error = Percent::parse(text).expect_err(text);
        assert!(error.help.contains(help), "{text}: {error}");
    }
}

#[test]
fn what_was_probably_meant_is_the_remedy() {
    for (text, help) in [
        ("5min", "write `5m`"),
        ("5 s", "write `5s`"),
        ("5S", "write `5s`"),
        ("2hours", "write `2h`"),
        ("250 millis", "write `250ms`"),
        ("1.5s", "`1500ms` for 1.5 s"),
        ("1m30s", "`90s` for 1 m 30 s"),
        ("500us", "the units are"),
        ("99999999999999999999h", "longer than any duration"),
        ("soon", "a whole number and a unit"),
    ] {
        let error = parse_duration(text).expect_err(text);
        assert!(error.help.contains(help), "{text}: {error}");
    }
    for (text, help) in [
        ("64Ki", "write `64KiB`"),
        ("1 mb", "write `1MiB`"),
        ("10bytes", "write `10B`"),
        ("0.5MiB", "`512KiB` for 0.5 MiB"),
        ("1TiB", "the units are"),
        ("18446744073709551616GiB", "larger than any size"),
    ] {
        let error = parse_bytes(text).expect_err(text);
        assert!(error.help.contains(help), "{text}: {error}");
    }
    assert_eq!(Percent::parse("85 %").expect_err("a space").help, "write `85%`");
}

#[test]
fn names_are_short_lower_case_and_start_with_a_letter_or_digit() {
    for good in ["a", "0", "mail-receive", "a.b_c-9", &"x".repeat(63)] {
        assert_eq!(Name::new(good).expect(good).as_str(), good);
    }
    for bad in ["", "-a", ".a", "A", "mail receive", "ä", "a/b", &"x".repeat(64)] {
        assert_eq!(Name::new(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn durations_round_trip(ms in 0..u64::from(u32::MAX)) {
        let duration = Duration::from_millis(ms);
        prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
    }

    #[test]
    fn sizes_round_trip(bytes in 0..u64::MAX) {
        prop_assert_eq!(parse_bytes(&show_bytes(bytes)), Ok(bytes));
    }

    #[test]
    fn round_sizes_round_trip(number in 0..1_024_u64, shift in 0..40_u32) {
        let bytes = number << shift;
        prop_assert_eq!(parse_bytes(&show_bytes(bytes)), Ok(bytes));
    }

    #[test]
    fn percentages_round_trip(hundredths in 0..=10_000_u32) {
        let percent = Percent::from_ratio(f64::from(hundredths) / 10_000.0).expect("in range");
        let again = Percent::parse(&percent.to_string()).expect("as displayed");
        prop_assert!((again.ratio() - percent.ratio()).abs() < 1e-12);
    }

    #[test]
    fn no_text_makes_a_unit_panic(text in "\\PC{0,24}") {
        let _ = (parse_duration(&text), parse_bytes(&text), Percent::parse(&text));
        let _ = Name::new(&text);
    }
}
