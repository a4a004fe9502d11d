//! Patterns of paths and hosts: how they are read, shown, and what they match by definition.
//!
//! [`PathPattern::matches`] is the definition, segment by segment; the engine compiles patterns
//! into something faster that must agree with it.

use std::fmt;
use std::net::Ipv6Addr;

use super::endpoint::is_host_name;
use super::{HostPattern, Match, PathPattern, Segment};
use crate::problem::quoted;
use crate::units::Misread;

impl PathPattern {
    /// Most segments of a pattern. Matching costs one step each.
    pub const SEGMENTS_MAX: usize = 64;

    /// Reads `/a/b` (exact), `/a/*` (one segment), `/a/**` (any rest, also none).
    ///
    /// `/` has no segments, nor has `/**` before its rest. Otherwise the text behind the first
    /// slash is split at slashes, so `/a/` is `a` and an empty literal: patterns with and without
    /// a slash at the end differ, as paths do.
    pub fn parse(text: &str) -> Result<Self, Misread> {
        let wrong = |why: &str, help: &str| Misread::new(format!("{} {why}", quoted(text)), help);
        let Some(rest) = text.strip_prefix('/') else {
            let help = if matches!(text, "*" | "**") {
                "write `/**` for every path"
            } else {
                "begin it with `/`"
            };
            return Err(wrong("is no path", help));
        };
        let mut written: Vec<&str> = segments_of(rest).collect();
        let rest = written.last() == Some(&"**");
        if rest {
            written.pop();
        }
        if written.len() > Self::SEGMENTS_MAX {
            return Err(wrong("has too many segments", "write at most 64, then `**`"));
        }
        let last = written.len().saturating_sub(1);
        let mut segments = Vec::with_capacity(written.len());
        for (at, segment) in written.into_iter().enumerate() {
            if segment.is_empty() && (rest || at != last) {
                return Err(wrong("has an empty segment", "write one slash, not two"));
            }
            segments.push(read_segment(segment).map_err(|(why, help)| wrong(why, help))?);
        }
        Ok(Self { segments, rest })
    }

    /// Whether a path (with its leading slash, without query) is matched.
    pub fn matches(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else { return false };
        let mut given = segments_of(path);
        for segment in &self.segments {
            let Some(given) = given.next() else { return false };
            let same = match segment {
                Segment::Literal(text) => **text == *given,
                Segment::Any => !given.is_empty(),
            };
            if !same {
                return false;
            }
        }
        self.rest || given.next().is_none()
    }
}

/// The segments of a path without its leading slash.
fn segments_of(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').take(if path.is_empty() { 0 } else { usize::MAX })
}

fn read_segment(text: &str) -> Result<Segment, (&'static str, &'static str)> {
    match text {
        "*" => return Ok(Segment::Any),
        "**" => return Err(("has `**` before its end", "`**` stands only at the end")),
        "." | ".." => return Err(("has a dot segment", "write the path without `.` and `..`")),
        _ => {}
    }
    if text.starts_with('{') && text.ends_with('}') {
        return Err(("has a named segment", "write `*` for one segment; it needs no name"));
    }
    if text.contains('*') {
        return Err(("has `*` within a segment", "`*` stands for one whole segment"));
    }
    if text.contains(['?', '#']) {
        return Err(("has a query or fragment", "match the path only"));
    }
    // RFC 3986 §3.3 `pchar`; everything else comes percent-encoded or is refused on the wire.
    let pchar = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()+,;=:@%".contains(&b);
    if !text.bytes().all(pchar) {
        let help = "percent-encode it as callers do, for example `%20` for a space";
        return Err(("has a character that no path can have", help));
    }
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices('%') {
        let Some(code) = bytes.get(at + 1..at + 3).filter(|c| c.iter().all(u8::is_ascii_hexdigit))
        else {
            return Err(("has a broken percent encoding", "write `%` and two hexadecimal digits"));
        };
        if matches!(&*code.to_ascii_lowercase(), b"2e" | b"2f" | b"5c" | b"00") {
            let help = "calls with an encoded dot, slash, backslash or zero byte are refused";
            return Err(("matches only paths that the gateway refuses", help));
        }
    }
    Ok(Segment::Literal(text.into()))
}

impl fmt::Display for PathPattern {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segments.is_empty() && !self.rest {
            return f.write_str("/");
        }
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::Any => f.write_str("/*")?,
            }
        }
        if self.rest { f.write_str("/**") } else { Ok(()) }
    }
}

impl HostPattern {
    /// Reads `mail.internal` (exact) or `*.example.internal` (every host under it).
    pub fn parse(text: &str) -> Result<Self, Misread> {
        let wrong = |why: &str, help: &str| Misread::new(format!("{} {why}", quoted(text)), help);
        let host = text.to_ascii_lowercase();
        if let Some(suffix) = host.strip_prefix('*') {
            let name = suffix.strip_prefix('.').unwrap_or_default();
            return if is_host_name(name) {
                Ok(Self::Suffix(suffix.into()))
            } else {
                Err(wrong("is no host pattern", "write `*.` and a host name, or leave `host` out"))
            };
        }
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(address) = bracketed.and_then(|inner| inner.parse::<Ipv6Addr>().ok()) {
            return Ok(Self::Exact(format!("[{address}]").into()));
        }
        if is_host_name(&host) {
            return Ok(Self::Exact(host.into()));
        }
        Err(match host.split_once(':') {
            Some((_, rest)) if rest.starts_with("//") => {
                wrong("is a URL", "write the host only; a route is the same for every scheme")
            }
            Some((name, _)) if is_host_name(name) => {
                wrong("has a port", "write the host only; a route is the same on every port")
            }
            _ => wrong("is no host", "write a host name, an IP address, or `*.` and a host name"),
        })
    }

    /// Whether a host (lower case, without port) is matched. `*.a` does not match `a`.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(text) => **text == *host,
            Self::Suffix(suffix) => host.len() > suffix.len() && host.ends_with(&**suffix),
        }
    }
}

impl fmt::Display for HostPattern {
    /// As it was written, in lower case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Suffix(suffix) => write!(f, "*{suffix}"),
        }
    }
}

impl fmt::Display for Match {
    /// In words of a request: `GET, HEAD mail.internal/mail/list/** with x-tenant: a`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.methods.is_empty() {
            f.write_str("any method ")?;
        }
        for (at, method) in self.methods.iter().enumerate() {
            let end = if at + 1 == self.methods.len() { " " } else { ", " };
            write!(f, "{method}{end}")?;
        }
        if let Some(host) = &self.host {
            write!(f, "{host}")?;
        }
        write!(f, "{}", self.path)?;
        for (at, (name, value)) in self.headers.iter().enumerate() {
            let word = if at == 0 { " with" } else { " and" };
            write!(f, "{word} {name}: {}", value.to_str().unwrap_or("?"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
