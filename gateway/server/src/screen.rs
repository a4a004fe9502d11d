//! Watches HTTP/1.x bytes on their way into the parser and refuses what a proxy must never repair.
//!
//! A parser that is kind to its peer drops `Content-Length` beside `Transfer-Encoding`, takes a bare
//! LF for a line end and skips empty lines. A server may do that; a gateway that then forwards the
//! repaired message has read one request where somebody else reads two (request smuggling). So each
//! direction of each connection has a screen: every byte that was read is looked at *before* the
//! parser gets it, and from the first ambiguous one on the parser gets nothing.
//!
//! A screen begins with the connection and ends with it, or with [`RequestScreen::stop`] when the
//! connection turns into a tunnel. It is pure: no IO, no clock, nothing async. Whatever way the
//! bytes are split over reads, the verdict is the same.
//!
//! Bounds: a head and a trailer section have at most [`HeadLimits::head_bytes_max`] bytes and
//! [`HeadLimits::headers_max`] fields; the extensions of one chunk [`CHUNK_EXTENSION_BYTES_MAX`]
//! bytes; before one answer there are at most [`INTERIM_ANSWERS_MAX`] interim ones. The only memory
//! is one line that was split over reads, at most `head_bytes_max`; a line that arrives in one piece
//! is never copied. A body costs a subtraction, not a look at each byte.
//!
//! Sources: RFC 9112 (HTTP/1.1), RFC 9110 (semantics), RFC 3986 §3.2 (authority).

mod body;
mod chunked;
mod field;
mod host;
mod lines;
mod malformed;
mod octets;
mod request;
mod response;
mod sweep;

pub use chunked::CHUNK_EXTENSION_BYTES_MAX;
pub use host::is_host;
pub use malformed::Malformed;
pub use request::RequestScreen;
pub use response::{INTERIM_ANSWERS_MAX, ResponseScreen};

/// What a head (and, separately, a trailer section) may have at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes from the first of the start line to the last of the empty line that ends the head.
    pub head_bytes_max: usize,
    /// Field lines.
    pub headers_max: usize,
}

impl Default for HeadLimits {
    /// 64 KiB, as wide as the gateway's read buffer; 128 fields, four times what browsers send.
    fn default() -> Self {
        Self { head_bytes_max: 64 * 1024, headers_max: 128 }
    }
}

/// Why and where the screen closed. It stays closed: each later `watch` says the same, `valid` 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// So many bytes of this slice may still be handed on: complete earlier messages and the part
    /// of the current body before the fault. Nothing of a head that has a fault, unless it came
    /// with earlier slices. The rest must never reach the parser.
    pub valid: usize,
    /// The reason.
    pub kind: Malformed,
    /// Where in the message the fault is.
    pub part: Part,
}

/// The part of a message that has the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Start line or fields: nobody has seen the message yet, so it can be answered.
    Head,
    /// Chunk framing or trailers: the head may have been forwarded, so the call must be cut.
    Body,
}

/// Who sent the message. Some rules are stricter for requests, where the sender may be an attacker
/// who aims at the upstream, than for answers of an upstream of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

#[cfg(test)]
mod tests;
