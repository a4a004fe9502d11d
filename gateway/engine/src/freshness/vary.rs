//! Which request fields an answer depends on, and whether two requests agree in them (RFC 9111 §4.1).

use std::sync::Arc;

use http::header::{ACCEPT_CHARSET, ACCEPT_ENCODING, ACCEPT_LANGUAGE, VARY};
use http::{HeaderMap, HeaderName};

/// Fields that the gateway itself sets on each call and that no other part of a key implies. Requests
/// can't be compared in them as they come in, so an answer that depends on one is for nobody else.
const SET_HERE: [&str; 6] =
    ["forwarded", "sumun-class", "traceparent", "tracestate", "via", "x-forwarded-for"];

/// What an answer's `Vary` lines say together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Vary {
    /// Every request gets this answer.
    #[default]
    Nothing,
    /// Requests that agree in these fields do; sorted, none twice.
    Fields(Arc<[HeaderName]>),
    /// `*`, a member that is not a field name, or a field that the gateway sets: no other request
    /// does.
    Anything,
}

impl Vary {
    /// Reads every `Vary` line; `*` anywhere wins.
    pub fn read(headers: &HeaderMap) -> Self {
        let mut fields: Vec<HeaderName> = Vec::new();
        for line in headers.get_all(VARY) {
            for member in line.as_bytes().split(|&b| b == b',') {
                let member = member.trim_ascii();
                if member.is_empty() {
                    continue;
                }
                // `*` is a valid token and so a valid field name: it has to be looked for first.
                match HeaderName::from_bytes(member) {
                    Ok(name) if member != b"*" && !SET_HERE.contains(&name.as_str()) => {
                        fields.push(name);
                    }
                    _ => return Self::Anything,
                }
            }
        }
        fields.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        fields.dedup();
        if fields.is_empty() { Self::Nothing } else { Self::Fields(fields.into()) }
    }

    /// The values that `request` gives to the named fields, normalised; empty where nothing is named.
    ///
    /// Two requests agree exactly if these bytes are equal: each field is closed by a byte that no
    /// field value can contain, and an absent field differs from an empty one.
    pub fn values(&self, request: &HeaderMap) -> Vec<u8> {
        let mut values = Vec::new();
        if let Self::Fields(fields) = self {
            for name in fields.iter() {
                write_field(name, request, &mut values);
            }
        }
        values
    }

    /// The values that `request` gives to the named fields, byte for byte.
    pub fn verbatim(&self, request: &HeaderMap) -> Vec<u8> {
        let mut verbatim = Vec::new();
        self.each_verbatim(request, |bytes| {
            verbatim.extend_from_slice(bytes);
            true
        });
        verbatim
    }

    /// Whether [`Vary::verbatim`] would be these bytes: equal requests agree without normalising.
    /// Allocates nothing.
    pub fn is_verbatim(&self, request: &HeaderMap, verbatim: &[u8]) -> bool {
        let mut left = verbatim;
        let same = self.each_verbatim(request, |bytes| match left.strip_prefix(bytes) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        });
        same && left.is_empty()
    }

    /// Calls `take` with each piece of the verbatim text until it says false.
    fn each_verbatim(&self, request: &HeaderMap, mut take: impl FnMut(&[u8]) -> bool) -> bool {
        let Self::Fields(fields) = self else { return true };
        fields.iter().all(|name| {
            let mut lines = request.get_all(name).iter();
            // No field value contains either closing byte, so no two requests write the same.
            lines.all(|line| take(line.as_bytes()) && take(b"\n")) && take(b"\0")
        })
    }
}

/// One field's lines joined, white space around commas removed; lists of languages, encodings and
/// character sets also without regard to case and order (§4.1: normalisation by known semantics).
fn write_field(name: &HeaderName, request: &HeaderMap, into: &mut Vec<u8>) {
    let folded = *name == ACCEPT_LANGUAGE || *name == ACCEPT_ENCODING || *name == ACCEPT_CHARSET;
    let lines = request.get_all(name).iter();
    let mut members: Vec<&[u8]> = lines
        .flat_map(|line| line.as_bytes().split(|&b| b == b','))
        .map(<[u8]>::trim_ascii)
        .collect();
    if !members.is_empty() {
        into.push(b'=');
    }
    if folded {
        members.retain(|member| !member.is_empty());
        members.sort_unstable_by(|a, b| fold(a).cmp(fold(b)));
    }
    for (at, member) in members.into_iter().enumerate() {
        if at > 0 {
            into.push(b',');
        }
        if folded {
            into.extend(fold(member));
        } else {
            into.extend_from_slice(member);
        }
    }
    into.push(b'\n');
}

/// Lower case, no white space.
fn fold(member: &[u8]) -> impl Iterator<Item = u8> {
    member.iter().filter(|b| !b.is_ascii_whitespace()).map(u8::to_ascii_lowercase)
}

#[cfg(test)]
mod tests;
