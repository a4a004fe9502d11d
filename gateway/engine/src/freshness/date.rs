//! HTTP dates (RFC 9110 §5.6.7): the one format that is written and the two that are only read; and the
//! calendar beneath them.
//!
//! Case is ignored (RFC 9111 §4.2); a zone other than `GMT`, another format or a day that no calendar
//! has is no date. The name of the weekday has to be one; whether it is the right one says nothing
//! about the time.

/// Seconds of a day.
const DAY_S: u64 = 86_400;

/// A two-digit year is never read as one that lies further ahead than this (RFC 9110 §5.6.7).
const AHEAD_YEARS_MAX: u64 = 50;

const MONTHS: [&[u8]; 12] = [
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
];

const WEEKDAYS: [&[u8]; 7] =
    [b"monday", b"tuesday", b"wednesday", b"thursday", b"friday", b"saturday", b"sunday"];

/// Seconds since 1970 of a date in one of the three formats; `None` before 1970, too. `now_s` decides
/// the century of a two-digit year.
pub(crate) fn parse(text: &[u8], now_s: u64) -> Option<u64> {
    match text.iter().position(|&b| b == b',') {
        Some(3) => fixdate(text),
        Some(_) => rfc850(text, now_s),
        None => asctime(text),
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn fixdate(text: &[u8]) -> Option<u64> {
    let [w1, w2, w3, b',', b' ', d1, d2, b' ', m1, m2, m3, b' ', y1, y2, y3, y4, b' ', rest @ ..] =
        text
    else {
        return None;
    };
    is_short_weekday(&[*w1, *w2, *w3]).then_some(())?;
    let day = number(&[*d1, *d2])?;
    let year = number(&[*y1, *y2, *y3, *y4])?;
    seconds(year, month(&[*m1, *m2, *m3])?, day, zoned(rest)?)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`.
fn rfc850(text: &[u8], now_s: u64) -> Option<u64> {
    let comma = text.iter().position(|&b| b == b',')?;
    let (weekday, rest) = text.split_at(comma);
    WEEKDAYS.iter().any(|known| known.eq_ignore_ascii_case(weekday)).then_some(())?;
    let [b',', b' ', d1, d2, b'-', m1, m2, m3, b'-', y1, y2, b' ', rest @ ..] = rest else {
        return None;
    };
    let (this_year, _, _) = civil(now_s / DAY_S);
    let in_century = this_year / 100 * 100 + number(&[*y1, *y2])?;
    let year = if in_century > this_year + AHEAD_YEARS_MAX { in_century - 100 } else { in_century };
    seconds(year, month(&[*m1, *m2, *m3])?, number(&[*d1, *d2])?, zoned(rest)?)
}

/// `Sun Nov  6 08:49:37 1994`.
fn asctime(text: &[u8]) -> Option<u64> {
    let [w1, w2, w3, b' ', m1, m2, m3, b' ', d1, d2, b' ', rest @ ..] = text else { return None };
    is_short_weekday(&[*w1, *w2, *w3]).then_some(())?;
    let day = if *d1 == b' ' { number(&[*d2])? } else { number(&[*d1, *d2])? };
    let (clock, year) = rest.split_at_checked(8)?;
    let year = year.strip_prefix(b" ").filter(|year| year.len() == 4)?;
    seconds(number(year)?, month(&[*m1, *m2, *m3])?, day, time_of_day(clock)?)
}

/// `08:49:37 GMT`: seconds since midnight.
fn zoned(text: &[u8]) -> Option<u64> {
    let (clock, zone) = text.split_at_checked(8)?;
    zone.eq_ignore_ascii_case(b" GMT").then(|| time_of_day(clock)).flatten()
}

/// `08:49:37`; 60 is a leap second.
fn time_of_day(text: &[u8]) -> Option<u64> {
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = text else { return None };
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[m1, m2])?, number(&[s1, s2])?);
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

fn is_short_weekday(text: &[u8]) -> bool {
    text.len() == 3 && WEEKDAYS.iter().any(|known| known[..3].eq_ignore_ascii_case(text))
}

/// From 1.
fn month(text: &[u8]) -> Option<u64> {
    MONTHS.iter().position(|known| known.eq_ignore_ascii_case(text)).map(|at| at as u64 + 1)
}

/// Digits only; the callers hand in four at most.
fn number(text: &[u8]) -> Option<u64> {
    text.iter()
        .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

fn seconds(year: u64, month: u64, day: u64, since_midnight: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_of_month = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if year < 1970 || !(1..=days_of_month).contains(&day) {
        return None;
    }
    Some(days(year, month, day) * DAY_S + since_midnight)
}

/// Days since 1970 of a date in the Gregorian calendar, 1970 or later. Years begin in March here, so
/// that the leap day is a year's last.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    // 719,468 days lie between the 1st of March of the year 0 and 1970.
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

/// Year, month and day of a number of days since 1970 (Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms", `civil_from_days`).
pub fn civil(days_since: u64) -> (u64, u64, u64) {
    let shifted = days_since + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests;
