//! The one range of bytes that a request asks for (RFC 9110 §14).

use http::header::RANGE;
use http::{HeaderMap, HeaderValue};

/// What part of a complete body to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// All of it: no `Range`, one that is not understood, or several ranges (§14.2 lets us ignore it).
    Whole,
    /// From `first` to `last`, both included: 206.
    Part {
        /// First byte, from 0.
        first: u64,
        /// Last byte, below the length.
        last: u64,
    },
    /// Nothing of it lies in the body: 416.
    Unsatisfiable,
}

/// Reads `Range` over a body of `length` bytes.
pub fn requested_span(request: &HeaderMap, length: u64) -> Span {
    let mut lines = request.get_all(RANGE).iter();
    match (lines.next().map(HeaderValue::as_bytes), lines.next()) {
        (Some(line), None) => parse(line, length).unwrap_or(Span::Whole),
        _ => Span::Whole,
    }
}

/// `None` where the field is to be ignored.
fn parse(line: &[u8], length: u64) -> Option<Span> {
    let (unit, set) = std::str::from_utf8(line).ok()?.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = set.trim().split_once('-')?;
    if first.is_empty() {
        let suffix = number(last)?;
        return Some(match (suffix, length) {
            (0, _) | (_, 0) => Span::Unsatisfiable,
            _ => Span::Part { first: length.saturating_sub(suffix), last: length - 1 },
        });
    }
    let first = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    if last < first {
        return None;
    }
    Some(if first < length {
        Span::Part { first, last: last.min(length - 1) }
    } else {
        Span::Unsatisfiable
    })
}

/// Digits only; more than fits is the largest.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
