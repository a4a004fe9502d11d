//! Entity tags: read, compared and made (RFC 9110 §8.8); conditional requests and ranges over them.
//!
//! Reading is lenient where callers are known to be sloppy (no quotes, `w/`), and total: any bytes
//! give some list of tags. Made tags are weak, and name how they were made.

mod condition;
mod range;

use http::HeaderValue;
use xxhash_rust::xxh3::xxh3_128;

pub use condition::{Validators, not_modified, range_applies};
pub use range::{Span, requested_span};

/// An entity tag (RFC 9110 §8.8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag<'a> {
    /// Whether it says only "equivalent", not "the same bytes".
    pub weak: bool,
    /// What stands between the quotes.
    pub opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// The tag of an `ETag` field; `None` where it is empty.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        Tags { rest: value }.next()
    }

    /// Weak comparison: the same but for weakness (RFC 9110 §8.8.3.2), what `If-None-Match` wants.
    pub fn weak_eq(self, other: Self) -> bool {
        self.opaque == other.opaque
    }

    /// Strong comparison: the same and neither weak (RFC 9110 §8.8.3.2), what `If-Range` wants.
    pub fn strong_eq(self, other: Self) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }
}

/// The tags of an `If-None-Match` line, in order. Commas inside quotes belong to the tag.
#[derive(Clone, Debug)]
pub struct Tags<'a> {
    rest: &'a [u8],
}

impl<'a> Tags<'a> {
    /// Reads one line's value.
    pub fn of(line: &'a [u8]) -> Self {
        Self { rest: line }
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = EntityTag<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let separators =
            self.rest.iter().take_while(|&&b| matches!(b, b',' | b' ' | b'\t')).count();
        let start = &self.rest[separators..];
        if start.is_empty() {
            self.rest = start;
            return None;
        }
        let (weak, tag) = match start {
            [b'W' | b'w', b'/', tag @ ..] => (true, tag),
            tag => (false, tag),
        };
        let quoted = tag
            .strip_prefix(b"\"")
            .and_then(|inner| Some((inner, inner.iter().position(|&b| b == b'"')?)));
        let opaque = if let Some((inner, end)) = quoted {
            self.rest = &inner[end + 1..];
            &inner[..end]
        } else {
            let end = tag.iter().position(|&b| b == b',').unwrap_or(tag.len());
            self.rest = &tag[end..];
            tag[..end].trim_ascii()
        };
        Some(EntityTag { weak, opaque })
    }
}

/// A weak tag from `Last-Modified` and the body's length: `W/"lm-SECONDS-LENGTH"`, both in hex.
///
/// The length is there because the date has a resolution of one second.
pub fn tag_from_modified(last_modified_s: u64, length: u64) -> HeaderValue {
    made(&format!("W/\"lm-{last_modified_s:x}-{length:x}\""))
}

/// A weak tag from the body's bytes: `W/"xxh3-…"`, xxh3-128 in 32 hex digits. The prefix names the
/// algorithm, so that another one can follow without two bodies ever sharing a tag by accident.
pub fn tag_from_body(body: &[u8]) -> HeaderValue {
    made(&format!("W/\"xxh3-{:032x}\"", xxh3_128(body)))
}

fn made(tag: &str) -> HeaderValue {
    HeaderValue::from_str(tag).expect("hex digits, letters and quotes are valid in a field value")
}

#[cfg(test)]
mod tests;
