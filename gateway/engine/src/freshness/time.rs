//! Dates and ages as header fields say them (RFC 9110 §5.6.7, RFC 9111 §5.1, §5.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{AGE, HeaderName};
use http::{HeaderMap, HeaderValue};

use super::date;
use super::directives::Delta;

/// Seconds of a wall time since 1970; 0 before.
pub fn seconds_of(wall: SystemTime) -> u64 {
    wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A wall time as a `Date` field, IMF-fixdate.
pub fn http_date(seconds: u64) -> HeaderValue {
    // The last second of the year 9999 is the last that the format can say.
    let wall = UNIX_EPOCH + Duration::from_secs(seconds.min(253_402_300_799));
    HeaderValue::try_from(httpdate::fmt_http_date(wall)).unwrap_or(HeaderValue::from_static("0"))
}

/// What a date field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dated {
    /// No such field.
    Absent,
    /// Not one of the three formats, or more than one line.
    Invalid,
    /// Seconds since 1970.
    At(u64),
}

/// Reads a date field strictly: one line, one of the three formats of RFC 9110 §5.6.7. `near_s`: a
/// time not long from now, which tells the century of a two-digit year.
pub(crate) fn date_field(headers: &HeaderMap, name: HeaderName, near_s: u64) -> Dated {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Dated::Absent,
        (Some(line), None) => {
            date::parse(line.as_bytes(), near_s).map_or(Dated::Invalid, Dated::At)
        }
        (Some(_), Some(_)) => Dated::Invalid,
    }
}

/// `Age`: the first member of the first line, digits only; anything else is 0 (RFC 9111 §5.1).
pub(crate) fn age_field(headers: &HeaderMap) -> Delta {
    let line = headers.get(AGE).map(HeaderValue::as_bytes).unwrap_or_default();
    let first = line.split(|&b| b == b',').next().unwrap_or_default();
    Delta::parse(first.trim_ascii()).unwrap_or(Delta::ZERO)
}

#[cfg(test)]
mod tests;
