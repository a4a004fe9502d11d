//! Dates as they are written: for logs, and for the `Date` field of answers.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use sumun_engine::freshness::date::civil;

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
