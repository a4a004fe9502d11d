//! A request head that came in one piece, looked at in one go.
//!
//! Nearly every head arrives whole and has nothing odd in it. For those this does in one pass what
//! `request` does line by line between reads, by the same rules. Whatever it does not take as it is
//! — a head that has not come whole, a fault, an empty line before it — is `None`, and `request`
//! says what it is: there is one place that names faults.

use super::body::Body;
use super::field::{Field, Framing};
use super::host::is_host;
use super::lines::CRLF;
use super::octets::clean_line;
use super::request::{announced_body, check_request_line};
use super::{HeadLimits, Side};

/// A whole head at the start of some bytes.
pub(super) struct Swept {
    /// Its length, the empty line that ends it included.
    pub(super) bytes: usize,
    /// What comes after it.
    pub(super) body: Option<Body>,
}

/// The head that `bytes` begin with, if it is whole and faultless.
#[inline]
pub(super) fn sweep(bytes: &[u8], limits: HeadLimits) -> Option<Swept> {
    let end = clean_line(bytes)?;
    let http_1_0 = check_request_line(&bytes[..end]).ok()?;
    let (mut at, mut fields, mut has_host) = (end + CRLF.len(), 0, false);
    let mut framing = Framing::default();
    while !bytes[at..].starts_with(CRLF) {
        let end = clean_line(&bytes[at..])?;
        let field = Field::parse(&bytes[at..at + end], Side::Request).ok()?;
        match field.name.len() {
            4 if field.is_named(b"host") => {
                if has_host || !is_host(field.value()) {
                    return None;
                }
                has_host = true;
            }
            14 | 17 => framing.note(&field, Side::Request).ok()?,
            _ => {}
        }
        fields += 1;
        at += end + CRLF.len();
    }
    let bytes = at + CRLF.len();
    if fields > limits.headers_max || bytes > limits.head_bytes_max {
        return None;
    }
    Some(Swept { bytes, body: announced_body(http_1_0, has_host, &framing).ok()? })
}
