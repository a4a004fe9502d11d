//! **open**: is this a request that a proxy may act on, and what exactly does it say?
//!
//! After this stage there is one host, one path and no field that concerns only the client's
//! connection; matching, policy, cache key, log and forwarding all use these same bytes. What is
//! ambiguous is refused, never repaired (RFC 9110 §7, RFC 9112 §3, RFC 9113 §8).

use std::rc::Rc;

use http::header::{self, HOST, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Version, request};

use super::call::{Call, Opened};
use crate::authority::Authority;
use crate::headers::{self, Present};
use crate::listen::REFUSED_PATH;
use crate::listen::connection::Unreadable;
use crate::listen::upload::Upload;
use crate::refusal::{Code, Refusal};

/// Checks and normalises.
pub fn open(call: &mut Call, request: Request<Option<Upload>>) -> Result<Opened, Refusal> {
    let (mut head, body) = request.into_parts();
    if let Some(why) = call.connection.refused.get()
        && head.uri.path() == REFUSED_PATH
    {
        return Err(unreadable(why));
    }
    if !matches!(head.version, Version::HTTP_10 | Version::HTTP_11 | Version::HTTP_2) {
        return Err(Refusal::new(Code::VersionUnknown, "this HTTP version is not spoken here"));
    }
    if head.method == Method::CONNECT || head.method == Method::TRACE {
        return Err(Refusal::new(Code::MethodNotAllowed, "CONNECT and TRACE are not forwarded"));
    }
    let authority = authority(call, &head)?;
    let path_doubt = settle_path(&mut head)?;
    if let Some(settled) = head.uri.path_and_query()
        && call.settlement.record.path != *settled
    {
        call.settlement.record.path = settled.clone();
    }
    let present = call.present;
    check_fields(call, &head, present)?;
    let limit = call.core.shared.settings.limits.body_bytes_max;
    let length = body.as_ref().and_then(|body| http_body::Body::size_hint(body).exact());
    if length.is_some_and(|length| length > limit) {
        return Err(Refusal::new(Code::BodyTooLarge, "the body is over limits.max_body"));
    }
    let websocket = head.version == Version::HTTP_11
        && head.method == Method::GET
        // A body would still be under way when the tunnel begins.
        && body.is_none()
        && present.has(Present::UPGRADE)
        && headers::asks_websocket(&head.headers);
    if present.has(Present::HOP_BY_HOP) {
        headers::strip_hop_by_hop(&mut head.headers);
    }
    Ok(Opened { head, body, authority, path_doubt, websocket, front: None, storable: false })
}

fn unreadable(why: Unreadable) -> Refusal {
    match why {
        Unreadable::TooSlow => Refusal::new(
            Code::RequestTimeout,
            "the request head took longer than limits.header_time",
        ),
        Unreadable::Malformed(kind) => {
            let code = match kind.status() {
                431 => Code::HeadTooLarge,
                414 => Code::TargetTooLong,
                505 => Code::VersionUnknown,
                _ => Code::BadRequest,
            };
            Refusal::new(code, kind.code())
        }
    }
}

/// The target's authority wins over `Host` (RFC 9112 §3.2.2, RFC 9113 §8.3.1).
fn authority(call: &Call, head: &request::Parts) -> Result<Rc<Authority>, Refusal> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(bad("more than one Host"));
    }
    match (head.uri.authority(), host) {
        (Some(authority), _) => parsed(call, authority.as_str().as_bytes()),
        (None, Some(host)) => parsed(call, host.as_bytes()),
        // HTTP/1.0 may come without: then it is the listener that is asked.
        (None, None) if head.version == Version::HTTP_10 => {
            let listener = call.core.shared.own.first().map(ToString::to_string);
            parsed(call, listener.as_deref().unwrap_or_default().as_bytes())
        }
        (None, None) => Err(bad("no Host")),
    }
}

/// Whom a text names; taken apart once for all calls of a connection that ask for the same.
fn parsed(call: &Call, text: &[u8]) -> Result<Rc<Authority>, Refusal> {
    let mut asked = call.connection.asked.borrow_mut();
    if let Some(known) = asked.as_ref().filter(|known| known.value().as_bytes() == text) {
        return Ok(Rc::clone(known));
    }
    // A copy: what came holds the whole head in memory.
    let value = HeaderValue::from_bytes(text).ok();
    let fresh = value.and_then(Authority::parse).map(Rc::new);
    asked.clone_from(&fresh);
    fresh.ok_or_else(|| bad("Host is not a host and port"))
}

/// Makes the URI origin form with dot segments removed, where it isn't already; returns why it is
/// doubtful, where it is.
fn settle_path(head: &mut request::Parts) -> Result<Option<&'static str>, Refusal> {
    let is_origin_form = head.uri.scheme().is_none() && head.uri.authority().is_none();
    let Some(target) = head.uri.path_and_query() else {
        head.uri = http::Uri::from(PathAndQuery::from_static("/"));
        return Ok(None);
    };
    if target.path() == "*" && head.method == Method::OPTIONS {
        head.uri = http::Uri::from(target.clone()); // HTTP/2 has an authority in it
        return Ok(None);
    }
    if !target.path().starts_with('/') {
        return Err(bad("the path does not begin with a slash"));
    }
    // `http://host?query` has an empty path, which stands for `/` (RFC 9110 §4.2.3).
    let begins_with_query = target.as_str().starts_with('?');
    if begins_with_query && head.version == Version::HTTP_2 {
        return Err(bad("the path does not begin with a slash"));
    }
    if is_origin_form && is_plain(target.path()) && target.as_str().is_ascii() {
        return Ok(None);
    }
    let doubt = path_doubt(target.as_str());
    let settled = match without_dot_segments(target.path()) {
        None if is_origin_form => return Ok(doubt),
        None if !begins_with_query => target.clone(),
        settled => {
            let path = settled.as_deref().unwrap_or_else(|| target.path());
            let text = match target.query() {
                Some(query) => format!("{path}?{query}"),
                None => path.to_owned(),
            };
            PathAndQuery::try_from(text).map_err(|_| bad("the path can't be normalised"))?
        }
    };
    head.uri = http::Uri::from(settled);
    Ok(doubt)
}

/// Whether a path is made of letters, digits and the marks that mean nothing anywhere, without a dot
/// that begins a segment: nothing to doubt, nothing to remove. Nearly all are.
fn is_plain(path: &str) -> bool {
    let mut before = b'/';
    path.bytes().all(|byte| {
        let after = std::mem::replace(&mut before, byte);
        match PATH_CLASS[usize::from(byte)] {
            PathClass::Plain => true,
            PathClass::Dot => after != b'/',
            PathClass::Other => false,
        }
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PathClass {
    Plain,
    Dot,
    Other,
}

static PATH_CLASS: [PathClass; 256] = {
    let mut classes = [PathClass::Other; 256];
    let mut byte = 0;
    while byte < 128 {
        if (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'/' | b'-' | b'_' | b'~') {
            classes[byte] = PathClass::Plain;
        }
        byte += 1;
    }
    classes[b'.' as usize] = PathClass::Dot;
    classes
};

/// What services and proxies decode differently, and attackers use (Spring's `StrictHttpFirewall`
/// refuses the same). The query is only held to visible ASCII.
pub(crate) fn path_doubt(target: &str) -> Option<&'static str> {
    if !target.is_ascii() {
        return Some("the target has bytes that are not ASCII");
    }
    let path = target.split_once('?').map_or(target, |(path, _)| path).as_bytes();
    // Most paths have none of these, and nothing to doubt.
    memchr::memchr3(b'%', b';', b'\\', path)?;
    for (at, byte) in path.iter().enumerate() {
        match byte {
            b'\\' => return Some("the path has a backslash"),
            b';' if beside_dots(path, at) => return Some("the path has a ; beside dots"),
            b'%' => match path.get(at + 1..at + 3) {
                Some(hex) if hex.iter().all(u8::is_ascii_hexdigit) => {
                    if let Some(why) = encoded_doubt(hex) {
                        return Some(why);
                    }
                }
                _ => return Some("the path has a % that encodes nothing"),
            },
            _ => {}
        }
    }
    None
}

fn encoded_doubt(hex: &[u8]) -> Option<&'static str> {
    match &[hex[0].to_ascii_lowercase(), hex[1].to_ascii_lowercase()] {
        b"2e" => Some("the path has an encoded dot"),
        b"2f" => Some("the path has an encoded slash"),
        b"5c" => Some("the path has an encoded backslash"),
        b"25" => Some("the path is encoded twice"),
        b"3b" => Some("the path has an encoded semicolon"),
        [b'0' | b'1', _] | b"7f" => Some("the path has an encoded control character"),
        // Never part of valid UTF-8: overlong forms of ASCII and what lies past U+10FFFF.
        b"c0" | b"c1" => Some("the path has overlong UTF-8"),
        [b'f', b'5'..=b'9' | b'a'..=b'f'] => Some("the path has invalid UTF-8"),
        _ => None,
    }
}

/// Whether the segment around `at` begins with a dot: `/..;/` is `/../` to a servlet container.
fn beside_dots(path: &[u8], at: usize) -> bool {
    let begin = path[..at].iter().rposition(|b| *b == b'/').map_or(0, |slash| slash + 1);
    let before = &path[begin..at];
    let after = path.get(at + 1..).unwrap_or_default();
    (!before.is_empty() && before.iter().all(|b| *b == b'.')) || after.starts_with(b".")
}

/// The path without `.` and `..` segments (RFC 3986 §5.2.4); `None` where it has none.
pub(crate) fn without_dot_segments(path: &str) -> Option<String> {
    memchr::memmem::find(path.as_bytes(), b"/.")?;
    let dotted = |segment: &str| segment == "." || segment == "..";
    if !path.split('/').any(dotted) {
        return None;
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment == ".." {
            kept.pop();
        } else if segment != "." {
            kept.push(segment);
        }
        if segments.peek().is_none() && dotted(segment) {
            kept.push("");
        }
    }
    Some(format!("/{}", kept.join("/")))
}

/// What HTTP/1's screen has seen to already, for HTTP/2; and the loop.
fn check_fields(call: &Call, head: &request::Parts, present: Present) -> Result<(), Refusal> {
    if head.version == Version::HTTP_2 {
        if head.headers.len() > call.core.shared.settings.limits.headers {
            return Err(Refusal::new(Code::HeadTooLarge, "more fields than limits.headers"));
        }
        if head.headers.keys().any(|name| name.as_str().contains('_')) {
            return Err(bad("a field name has an underscore"));
        }
        if head.headers.values().any(|value| is_padded(value.as_bytes())) {
            return Err(bad("a field value has white space around it"));
        }
        check_length(&head.headers)?;
    }
    if present.has(Present::VIA) && is_loop(&head.headers, &call.core.shared.pseudonym) {
        return Err(Refusal::new(Code::Loop, "this call has passed this gateway before"));
    }
    Ok(())
}

/// One length, written in one way: HTTP/2 tells where the body ends without it, but not every upstream
/// does, and two that agree here may not agree there.
fn check_length(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok(()) };
    if lengths.next().is_some() {
        return Err(bad("more than one Content-Length"));
    }
    match length.as_bytes() {
        [b'0', _, ..] => Err(bad("Content-Length begins with a zero")),
        _ => Ok(()),
    }
}

/// Whether there is white space at either end, which HTTP/1.1 takes for none of the value (RFC 9113
/// §8.2.1).
fn is_padded(value: &[u8]) -> bool {
    matches!(value, [b' ' | b'\t', ..] | [.., b' ' | b'\t'])
}

fn is_loop(headers: &HeaderMap, pseudonym: &str) -> bool {
    headers
        .get_all(header::VIA)
        .iter()
        .any(|via| memchr::memmem::find(via.as_bytes(), pseudonym.as_bytes()).is_some())
}

fn bad(detail: &'static str) -> Refusal {
    Refusal::new(Code::BadRequest, detail)
}

#[cfg(test)]
mod tests;
