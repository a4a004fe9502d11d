//! Which request fields an answer depends on, and whether two requests agree in them (RFC 9111 §4.1).

use std::sync::Arc;

use http::header::{ACCEPT_CHARSET, ACCEPT_ENCODING, ACCEPT_LANGUAGE, VARY};
use http::{HeaderMap, HeaderName};

/// What an answer's `Vary` lines say together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Vary {
    /// Every request gets this answer.
    #[default]
    Nothing,
    /// Requests that agree in these fields do; sorted, none twice.
    Fields(Arc<[HeaderName]>),
    /// `*`, or a member that is not a field name: no other request does.
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
                    Ok(name) if member != b"*" => fields.push(name),
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
}

/// One field's lines joined, white space around commas removed; lists of languages, encodings and
/// character sets also without regard to case and order (§4.1: normalisation by known semantics).
fn write_field(name: &HeaderName, request: &HeaderMap, into: &mut Vec<u8>) {
    let folded = *name == ACCEPT_LANGUAGE || *name == ACCEPT_ENCODING || *name == ACCEPT_CHARSET;
    let mut members: Vec<Vec<u8>> = Vec::new();
    for line in request.get_all(name) {
        for member in line.as_bytes().split(|&b| b == b',') {
            members.push(if folded { fold(member) } else { member.trim_ascii().to_vec() });
        }
    }
    if folded {
        members.retain(|member| !member.is_empty());
        members.sort_unstable();
    }
    if request.contains_key(name) {
        into.push(b'=');
        into.extend_from_slice(&members.join(&b","[..]));
    }
    into.push(b'\n');
}

/// Lower case, no white space.
fn fold(member: &[u8]) -> Vec<u8> {
    member.iter().filter(|b| !b.is_ascii_whitespace()).map(u8::to_ascii_lowercase).collect()
}

#[cfg(test)]
mod tests;
