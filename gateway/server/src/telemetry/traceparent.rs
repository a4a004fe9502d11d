//! The `traceparent` header, read and written strictly.
//!
//! W3C Trace Context level 1, section 3.2.2: version, trace id, parent id and flags in lower-case
//! hex. Anything else is as if there were no header: the gateway starts a new trace and the path
//! drops `tracestate` with it.

use http::{HeaderMap, HeaderValue};

use super::record::Trace;
use crate::hex;

/// The header's name.
pub const TRACEPARENT: http::HeaderName = http::HeaderName::from_static("traceparent");

/// Length of version 00, bytes.
const LEN: usize = 55;

/// What a caller says about the trace it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Never zero.
    pub trace_id: u128,
    /// The caller's span, never zero.
    pub span_id: u64,
    /// Whether the caller may have recorded it.
    pub sampled: bool,
}

impl Parent {
    /// From a request's headers; `None` where there is none, more than one, or it is malformed.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => Self::parse(value.as_bytes()),
            _ => None,
        }
    }

    /// `None` where malformed.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() < LEN || text[2] != b'-' || text[35] != b'-' || text[52] != b'-' {
            return None;
        }
        let version = hex::read(&text[..2])?;
        let known = version == 0 && text.len() == LEN;
        // Later versions may append fields; they must be set off by a dash.
        let later = (1..0xff).contains(&version) && text.get(LEN).is_none_or(|&byte| byte == b'-');
        if !known && !later {
            return None;
        }
        let high = u128::from(hex::read(&text[3..19])?);
        let parent = Self {
            trace_id: high << 64 | u128::from(hex::read(&text[19..35])?),
            span_id: hex::read(&text[36..52])?,
            sampled: hex::read(&text[53..55])? & 1 == 1,
        };
        (parent.trace_id != 0 && parent.span_id != 0).then_some(parent)
    }
}

impl Trace {
    /// The header for a call that the SERVER span makes itself.
    pub fn to_header(&self) -> HeaderValue {
        header(self, self.span_id)
    }

    /// The header for a call of the CLIENT span `span_id`: the upstream's span becomes its child.
    pub fn to_header_of(&self, span_id: u64) -> HeaderValue {
        header(self, span_id)
    }
}

fn header(trace: &Trace, span_id: u64) -> HeaderValue {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    text[3..35].copy_from_slice(&hex::of_u128(trace.trace_id));
    text[36..52].copy_from_slice(&hex::of_u64(span_id));
    text[54] = if trace.sampled { b'1' } else { b'0' };
    // Digits and dashes are always a valid value.
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests;
