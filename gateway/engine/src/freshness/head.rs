//! What of an answer's head is stored, and what a later 304 changes in it (RFC 9111 §3.1, §3.2).

use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName};

/// Fields between two hops, never stored (RFC 9110 §7.6.1, RFC 9111 §3.1).
const HOP_BY_HOP: [HeaderName; 7] =
    [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// The same, of names that the `http` crate has no constant for.
const HOP_BY_HOP_OTHER: [&str; 3] = ["keep-alive", "proxy-connection", "proxy-authentication-info"];

/// Fields of a stored head that a 304 does not change (RFC 9111 §3.2): they describe the stored
/// bytes, and some origins send with a 304 what another encoding of the body would have had.
const BOUND_TO_BODY: [HeaderName; 4] =
    [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE];

/// The part of an answer's head that is stored: without hop-by-hop fields, those that `Connection`
/// names, and `withheld` ones (RFC 9111 §3.1). Order and duplicates are kept.
pub fn storable_head(response: &HeaderMap, withheld: &[HeaderName]) -> HeaderMap {
    let mut head = response.clone();
    for line in response.get_all(CONNECTION) {
        for name in line.as_bytes().split(|&b| b == b',') {
            if let Ok(name) = HeaderName::from_bytes(name.trim_ascii()) {
                head.remove(name);
            }
        }
    }
    for name in HOP_BY_HOP.iter().chain(withheld) {
        head.remove(name);
    }
    for name in HOP_BY_HOP_OTHER {
        head.remove(name);
    }
    head
}

/// Freshens a stored head with a 304's (RFC 9111 §3.2): its fields replace those of the same name.
///
/// `Set-Cookie` is left alone: it was meant for the one client whose request was validated.
pub fn refresh(stored: &HeaderMap, not_modified: &HeaderMap) -> HeaderMap {
    let mut head = stored.clone();
    let fresh = storable_head(not_modified, &[]);
    for name in fresh.keys() {
        if BOUND_TO_BODY.contains(name) || *name == SET_COOKIE {
            continue;
        }
        head.remove(name);
        for value in fresh.get_all(name) {
            head.append(name.clone(), value.clone());
        }
    }
    head
}

#[cfg(test)]
mod tests;
