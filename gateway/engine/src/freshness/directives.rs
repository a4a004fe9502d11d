//! `Cache-Control` of requests and answers, read once into plain fields (RFC 9111 §5.2).
//!
//! Names are case-insensitive, unknown directives are ignored, commas inside quoted strings do not
//! separate. Of duplicates the most restrictive counts; a number that is none counts as 0 where that
//! restricts (§4.2.1: invalid freshness information means stale).

use http::header::{CACHE_CONTROL, PRAGMA};
use http::{HeaderMap, HeaderName};

/// A number of seconds, capped at 2³¹ (RFC 9111 §1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delta(u32);

impl Delta {
    /// The largest: 2³¹ seconds, about 68 years.
    pub const MAX: Self = Self(1 << 31);
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// Digits only; anything else is `None`. More than [`Delta::MAX`] is [`Delta::MAX`].
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        text.iter()
            .try_fold(0_u64, |sum, byte| {
                let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
                Some((sum * 10 + digit).min(u64::from(Self::MAX.0)))
            })
            .map(|seconds| Self(seconds as u32))
    }

    /// In seconds.
    pub fn seconds(self) -> u64 {
        u64::from(self.0)
    }
}

/// A directive that holds for the whole answer or for named fields only (`no-cache`, `private`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Qualified {
    /// Not given.
    #[default]
    Absent,
    /// Given with a list of fields.
    Fields(Vec<HeaderName>),
    /// Given for the whole answer; beats any list.
    Whole,
}

impl Qualified {
    fn add(&mut self, argument: Option<&[u8]>) {
        let named: Vec<HeaderName> = argument
            .unwrap_or_default()
            .split(|&b| b == b',')
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .collect();
        match self {
            Self::Whole => {}
            // A list without one readable name restricts everything: the careful reading.
            _ if named.is_empty() => *self = Self::Whole,
            Self::Absent => *self = Self::Fields(named),
            Self::Fields(fields) => fields.extend(named),
        }
    }
}

/// An answer's `Cache-Control` (RFC 9111 §5.2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one directive of the RFC")]
pub struct ResponseDirectives {
    /// `no-store`.
    pub no_store: bool,
    /// `no-cache`, possibly with fields.
    pub no_cache: Qualified,
    /// `private`, possibly with fields.
    pub private: Qualified,
    /// `public`.
    pub public: bool,
    /// `must-revalidate`.
    pub must_revalidate: bool,
    /// `proxy-revalidate`.
    pub proxy_revalidate: bool,
    /// `must-understand`.
    pub must_understand: bool,
    /// `max-age`.
    pub max_age: Option<Delta>,
    /// `s-maxage`.
    pub s_maxage: Option<Delta>,
    /// `stale-while-revalidate` (RFC 5861 §3).
    pub stale_while_revalidate: Option<Delta>,
    /// `stale-if-error` (RFC 5861 §4).
    pub stale_if_error: Option<Delta>,
    /// `immutable` (RFC 8246 §2).
    pub immutable: bool,
}

impl ResponseDirectives {
    /// Reads every `Cache-Control` line.
    pub fn read(headers: &HeaderMap) -> Self {
        let mut read = Self::default();
        for line in headers.get_all(CACHE_CONTROL) {
            each(line.as_bytes(), |name, argument| read.take(name, argument));
        }
        read
    }

    /// One directive; an unknown one changes nothing.
    pub(super) fn take(&mut self, name: &[u8], argument: Option<&[u8]>) {
        let is = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
        if is("max-age") {
            self.max_age = Some(least(self.max_age, argument));
        } else if is("stale-while-revalidate") {
            self.stale_while_revalidate = Some(least(self.stale_while_revalidate, argument));
        } else if is("stale-if-error") {
            self.stale_if_error = Some(least(self.stale_if_error, argument));
        } else if is("immutable") {
            self.immutable = true;
        } else if is("s-maxage") {
            self.s_maxage = Some(least(self.s_maxage, argument));
        } else if is("no-store") {
            self.no_store = true;
        } else if is("no-cache") {
            self.no_cache.add(argument);
        } else if is("private") {
            self.private.add(argument);
        } else if is("public") {
            self.public = true;
        } else if is("must-revalidate") {
            self.must_revalidate = true;
        } else if is("proxy-revalidate") {
            self.proxy_revalidate = true;
        } else if is("must-understand") {
            self.must_understand = true;
        }
    }
}

/// What a request asks of caches: its `Cache-Control`, else `Pragma` (RFC 9111 §5.2.1, §5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `no-cache`, or `Pragma: no-cache` where there is no `Cache-Control`.
    pub no_cache: bool,
    /// `no-store`.
    pub no_store: bool,
    /// `only-if-cached`.
    pub only_if_cached: bool,
    /// `max-age`: no older than this.
    pub max_age: Option<Delta>,
    /// `min-fresh`: fresh for at least this much longer.
    pub min_fresh: Option<Delta>,
    /// `max-stale`: stale by no more than this; [`Delta::MAX`] without an argument.
    pub max_stale: Option<Delta>,
    /// `stale-if-error`: stale by no more than this where the origin fails (RFC 5861 §4).
    pub stale_if_error: Option<Delta>,
}

impl Wishes {
    /// Reads every `Cache-Control` line, or `Pragma` where there is none.
    pub fn read(headers: &HeaderMap) -> Self {
        let mut read = Self::default();
        if !headers.contains_key(CACHE_CONTROL) {
            for line in headers.get_all(PRAGMA) {
                each(line.as_bytes(), |name, _| {
                    read.no_cache |= name.eq_ignore_ascii_case(b"no-cache");
                });
            }
            return read;
        }
        for line in headers.get_all(CACHE_CONTROL) {
            each(line.as_bytes(), |name, argument| read.take(name, argument));
        }
        read
    }

    fn take(&mut self, name: &[u8], argument: Option<&[u8]>) {
        let is = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
        if is("no-cache") {
            self.no_cache = true;
        } else if is("no-store") {
            self.no_store = true;
        } else if is("only-if-cached") {
            self.only_if_cached = true;
        } else if is("max-age") {
            self.max_age = Some(least(self.max_age, argument));
        } else if is("min-fresh") {
            self.min_fresh = self.min_fresh.max(argument.and_then(Delta::parse));
        } else if is("stale-if-error") {
            self.stale_if_error = Some(least(self.stale_if_error, argument));
        } else if is("max-stale") {
            // Without an argument any staleness will do; with one that is no number, none.
            let allowed = argument.map_or(Some(Delta::MAX), Delta::parse).unwrap_or(Delta::ZERO);
            self.max_stale = Some(self.max_stale.map_or(allowed, |known| known.min(allowed)));
        }
    }
}

/// The smaller of a known value and a new one; an unreadable one counts as 0.
fn least(known: Option<Delta>, argument: Option<&[u8]>) -> Delta {
    let new = argument.and_then(Delta::parse).unwrap_or(Delta::ZERO);
    known.map_or(new, |known| known.min(new))
}

/// Calls `take` with each `name` or `name=argument` of a comma-separated list; quotes are removed.
///
/// A quote that never closes is an ordinary byte, so that `x="a, no-store` still says `no-store`.
fn each(mut line: &[u8], mut take: impl FnMut(&[u8], Option<&[u8]>)) {
    while !line.is_empty() {
        let (member, rest) = split_member(line);
        line = rest;
        let member = member.trim_ascii();
        match member.iter().position(|&b| b == b'=') {
            _ if member.is_empty() => {}
            None => take(member, None),
            // Space before "=" isn't allowed; the name is still meant, its argument is not readable.
            Some(equals) if member[..equals].ends_with(b" ") => {
                take(member[..equals].trim_ascii(), Some(b""));
            }
            Some(equals) => take(&member[..equals], Some(unquoted(&member[equals + 1..]))),
        }
    }
}

/// Everything before the first comma outside a quoted string, and what follows that comma.
fn split_member(line: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    while at < line.len() {
        match line[at] {
            b',' => return (&line[..at], &line[at + 1..]),
            b'"' => at = closing_quote(line, at).unwrap_or(at),
            _ => {}
        }
        at += 1;
    }
    (line, &[])
}

/// Where the quoted string that opens at `open` closes.
fn closing_quote(line: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    while at < line.len() {
        match line[at] {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// The text between quotes; text without them as it is. Escapes never occur in what is read here.
fn unquoted(argument: &[u8]) -> &[u8] {
    argument.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(argument)
}

#[cfg(test)]
mod tests;
