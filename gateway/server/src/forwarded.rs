//! What proxies in front say of a call, and what its upstream is told of it.
//!
//! The family is `X-Forwarded-For`, `-Proto`, `-Host`, `-Port`, `-Prefix`, `X-Real-IP` and `Forwarded`
//! (RFC 7239). From strangers none of it counts; from trusted proxies it is passed on, and on routes that
//! cache it tells the URL by which the client knows the service ([`Front`]).
//!
//! Services make links, redirects and decisions of these fields without naming them in `Vary`. So an
//! answer that may be stored for everybody is asked for with nothing in them that its key does not hold
//! ([`keep_keyed`]): scheme and host are those of the key, port and prefix belong to it as they came,
//! and everything about the one client who happens to ask first stays here.

use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};

use crate::authority::Authority;
use crate::headers::has_forwarded;

/// The addresses that a call has come by.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The scheme that the client used.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Whom the client asked.
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The port that the client asked.
pub const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// What a proxy took off the path's beginning.
pub const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Whom a client asked, by the word of the trusted proxy that passed its call on.
pub struct Front {
    /// Whether by `https`.
    pub tls: bool,
    /// Host and port as keys hold them; `None`: it says none, so what the call itself asks for counts.
    pub authority: Option<Authority>,
}

// === impl Front ===

impl Front {
    /// What these fields of a trusted proxy say; `None` where there are none of the family. `tls`:
    /// whether the proxy itself used it, which counts where it does not say what its client used.
    ///
    /// Of a list the first member counts, which is the proxy's that is nearest to the client; what
    /// is neither `http` nor `https`, or no authority, is as good as not said. `X-Forwarded-*` goes
    /// before `Forwarded`.
    pub fn read(headers: &HeaderMap, tls: bool) -> Option<Self> {
        if !has_forwarded(headers) {
            return None;
        }
        let first = |name| headers.get(name).map(|value| first_member(value.as_bytes()));
        let elsewhere = |name| parameter(headers.get(FORWARDED)?.as_bytes(), name);
        let tls = first(X_FORWARDED_PROTO)
            .and_then(is_tls)
            .or_else(|| elsewhere("proto").and_then(is_tls))
            .unwrap_or(tls);
        let authority = |text: &[u8]| Authority::parse(HeaderValue::from_bytes(text).ok()?);
        let mut authority = first(X_FORWARDED_HOST)
            .and_then(authority)
            .or_else(|| elsewhere("host").and_then(authority));
        if let Some(authority) = &mut authority {
            authority.normalise(tls);
        }
        Some(Self { tls, authority })
    }
}

fn is_tls(scheme: &[u8]) -> Option<bool> {
    let is = |known: &[u8]| scheme.eq_ignore_ascii_case(known);
    if is(b"https") { Some(true) } else { is(b"http").then_some(false) }
}

fn first_member(list: &[u8]) -> &[u8] {
    let end = memchr::memchr(b',', list).unwrap_or(list.len());
    list[..end].trim_ascii()
}

/// A parameter of the first element of a `Forwarded` field (RFC 7239 §4).
fn parameter<'a>(list: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = list;
    loop {
        let (known, after) = rest.split_at_checked(memchr::memchr(b'=', rest)?)?;
        let after = &after[1..];
        let (value, after) = match after.strip_prefix(b"\"") {
            // One with an escaped character is cut short there, and then is neither scheme nor host.
            Some(quoted) => {
                let end = memchr::memchr(b'"', quoted)?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => after.split_at(memchr::memchr2(b';', b',', after).unwrap_or(after.len())),
        };
        if known.trim_ascii().eq_ignore_ascii_case(name.as_bytes()) {
            return Some(value.trim_ascii());
        }
        rest = after.trim_ascii_start().strip_prefix(b";")?;
    }
}

/// Leaves of a trusted proxy's fields what the key of an answer holds, for a call whose answer may be
/// stored. `keyed`: the fields that the policy makes part of the key, which stay as they came.
///
/// - `X-Forwarded-Proto` and `-Host` become what the key says, one value each, whatever list came.
/// - `X-Forwarded-Port` and `-Prefix` stay: the key holds them as they came.
/// - `Forwarded` goes: what it says of scheme and host is in the two above, the rest is of one client.
/// - `X-Real-IP` and what came as `X-Forwarded-For` go: a client can write there what it likes, and no
///   two clients share an address, so keyed they would leave nothing to share. The upstream's log gets
///   the address that the connection proves, as it does from a stranger; the client's is in the access
///   log and trace of the gateway, which `traceparent` leads to.
pub fn keep_keyed(headers: &mut HeaderMap, front: Option<&Front>, keyed: &[HeaderName]) {
    // Without a front there is none of them.
    let Some(front) = front else { return };
    for name in [FORWARDED, X_FORWARDED_FOR, X_REAL_IP] {
        if !keyed.contains(&name) {
            headers.remove(name);
        }
    }
    let scheme = if front.tls { "https" } else { "http" };
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    match &front.authority {
        Some(authority) => headers.insert(X_FORWARDED_HOST, authority.value().clone()),
        None => headers.remove(X_FORWARDED_HOST),
    };
}

#[cfg(test)]
mod tests;
