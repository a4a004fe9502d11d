//! Preconditions of a request over a stored or forwarded answer (RFC 9110 §13).

use http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue};

use super::{EntityTag, Tags};
use crate::freshness::{Dated, date_field, parse_date};

/// What an answer can be compared by.
#[derive(Clone, Copy, Debug)]
pub struct Validators<'a> {
    /// Its tag, the origin's or one made here.
    pub etag: Option<EntityTag<'a>>,
    /// Its `Last-Modified`, seconds since 1970; `None` where absent or unreadable.
    pub last_modified_s: Option<u64>,
    /// Its `Date`, or when it came, seconds since 1970.
    pub date_s: u64,
}

impl<'a> Validators<'a> {
    /// Reads an answer's head.
    pub fn of(head: &'a HeaderMap, date_s: u64) -> Self {
        Self {
            etag: head.get(ETAG).and_then(|tag| EntityTag::parse(tag.as_bytes())),
            last_modified_s: match date_field(head, LAST_MODIFIED, date_s) {
                Dated::At(seconds) => Some(seconds),
                Dated::Absent | Dated::Invalid => None,
            },
            date_s,
        }
    }
}

/// Whether a GET or HEAD gets 304 instead of this answer.
///
/// `If-None-Match` alone decides where it is present, by weak comparison (§13.1.2); otherwise
/// `If-Modified-Since`, against `Last-Modified` or, without it, `Date` (§13.1.3, RFC 9111 §4.3.2).
/// The answer has to be a 200: to others conditions do not apply (§13.2.1).
pub fn not_modified(request: &HeaderMap, answer: Validators<'_>) -> bool {
    if request.contains_key(IF_NONE_MATCH) {
        return request.get_all(IF_NONE_MATCH).iter().any(|line| {
            line.as_bytes().trim_ascii() == b"*"
                || answer
                    .etag
                    .is_some_and(|own| Tags::of(line.as_bytes()).any(|theirs| theirs.weak_eq(own)))
        });
    }
    match date_field(request, IF_MODIFIED_SINCE, answer.date_s) {
        Dated::At(since) => answer.last_modified_s.unwrap_or(answer.date_s) <= since,
        Dated::Absent | Dated::Invalid => false,
    }
}

/// Whether `Range` may be applied to this answer (`If-Range`, RFC 9110 §13.1.5).
///
/// A tag has to match strongly; a date has to be the `Last-Modified` and that has to be strong, at
/// least one second older than the answer (§8.8.2.2).
pub fn range_applies(request: &HeaderMap, answer: Validators<'_>) -> bool {
    let Some(wanted) = request.get(IF_RANGE).map(HeaderValue::as_bytes) else {
        return true;
    };
    if let Some(date) = parse_date(wanted, answer.date_s) {
        return answer.last_modified_s == Some(date) && date < answer.date_s;
    }
    match (EntityTag::parse(wanted), answer.etag) {
        (Some(theirs), Some(own)) => theirs.strong_eq(own),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
