//! Dates of the civil calendar: for logs, and for the `Date` field of answers.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

/// Year, month, day of a day since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`): years are counted from March, so that the leap day comes last.
pub(crate) fn civil(day: u64) -> (u64, u64, u64) {
    let shifted = day + 719_468; // days from 0000-03-01
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// RFC 3339, UTC, to the second. A time before 1970 is 1970.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let second = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil(second / 86_400);
    let (hour, minute, second) = (second / 3600 % 24, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Length of an IMF-fixdate (RFC 9110 §5.6.7).
const HTTP_DATE_BYTES: usize = 29;

/// What `Date` says (RFC 9110 §6.6.1), written anew once a tick of its core's deadlines: the field is
/// told in whole seconds.
#[derive(Default)]
pub struct HttpDate(Cell<Option<(u64, [u8; HTTP_DATE_BYTES])>>);

impl HttpDate {
    /// The date at `tick`, which may be as old as one.
    pub fn text(&self, tick: u64) -> [u8; HTTP_DATE_BYTES] {
        match self.0.get() {
            Some((at, text)) if at == tick => text,
            _ => {
                let mut text = [b' '; HTTP_DATE_BYTES];
                let written = httpdate::fmt_http_date(SystemTime::now());
                text.copy_from_slice(&written.as_bytes()[..HTTP_DATE_BYTES]);
                self.0.set(Some((tick, text)));
                text
            }
        }
    }
}

#[cfg(test)]
mod tests;
