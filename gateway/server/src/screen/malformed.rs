//! Every reason to refuse a message, with the status and the words it is answered with.

use std::fmt;

/// Why bytes were refused; one variant for each reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // `facts` below says each in words
pub enum Malformed {
    // Lines.
    BareLf,
    BareCr,
    Nul,
    Control,
    // The start line.
    EmptyLines,
    RequestLine,
    Method,
    Target,
    Version,
    RequestLineTooLong,
    StatusLine,
    // Fields.
    ObsFold,
    NoColon,
    SpaceBeforeColon,
    NameEmpty,
    NameInvalid,
    NameUnderscore,
    HeadTooLarge,
    TooManyHeaders,
    // Host.
    HostMissing,
    HostRepeated,
    HostInvalid,
    // Framing.
    LengthInvalid,
    LengthRepeated,
    LengthWithCoding,
    CodingUnknown,
    CodingRepeated,
    CodingInOldVersion,
    FramingForbidden,
    // Chunks.
    ChunkSize,
    ChunkExtension,
    ChunkExtensionTooLong,
    ChunkEnd,
    // Sequence of answers.
    TooManyInterim,
    Unsolicited,
}

// === impl Malformed ===

impl Malformed {
    /// All of them, in the order of the enum.
    pub const ALL: [Self; 35] = [
        Self::BareLf,
        Self::BareCr,
        Self::Nul,
        Self::Control,
        Self::EmptyLines,
        Self::RequestLine,
        Self::Method,
        Self::Target,
        Self::Version,
        Self::RequestLineTooLong,
        Self::StatusLine,
        Self::ObsFold,
        Self::NoColon,
        Self::SpaceBeforeColon,
        Self::NameEmpty,
        Self::NameInvalid,
        Self::NameUnderscore,
        Self::HeadTooLarge,
        Self::TooManyHeaders,
        Self::HostMissing,
        Self::HostRepeated,
        Self::HostInvalid,
        Self::LengthInvalid,
        Self::LengthRepeated,
        Self::LengthWithCoding,
        Self::CodingUnknown,
        Self::CodingRepeated,
        Self::CodingInOldVersion,
        Self::FramingForbidden,
        Self::ChunkSize,
        Self::ChunkExtension,
        Self::ChunkExtensionTooLong,
        Self::ChunkEnd,
        Self::TooManyInterim,
        Self::Unsolicited,
    ];

    /// The status that a *request* with this fault is answered with: 400, 414, 431 or 505. A fault
    /// in an answer of an upstream is always a 502; that is for the caller to say.
    pub fn status(self) -> u16 {
        match self {
            Self::RequestLineTooLong => 414,
            Self::HeadTooLarge | Self::TooManyHeaders => 431,
            Self::Version => 505,
            _ => 400,
        }
    }

    /// A stable word for logs, metrics and the `code` of a problem; snake case.
    pub fn code(self) -> &'static str {
        self.facts().0
    }

    /// One sentence for people, without anything of the message itself.
    pub fn detail(self) -> &'static str {
        self.facts().1
    }

    fn facts(self) -> (&'static str, &'static str) {
        self.line_facts().unwrap_or_else(|| self.framing_facts())
    }

    /// Lines, start line and names: RFC 9112 §2.2, §3, §4, §5.
    fn line_facts(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::BareLf => ("bare_lf", "a line ends with LF alone instead of CR LF"),
            Self::BareCr => ("bare_cr", "a CR is not followed by LF"),
            Self::Nul => ("nul", "the message head has a NUL byte"),
            Self::Control => ("control", "the message head has a control character"),
            Self::EmptyLines => ("empty_lines", "more than one empty line before the request"),
            Self::RequestLine => ("request_line", "the request line is not METHOD target HTTP/1.1"),
            Self::Method => ("method", "the method is not a token"),
            Self::Target => ("target", "the request target is not a valid one for this method"),
            Self::Version => ("version", "only HTTP/1.0 and HTTP/1.1 are spoken here"),
            Self::RequestLineTooLong => ("request_line_too_long", "the request line is too long"),
            Self::StatusLine => ("status_line", "the status line is not HTTP/1.x 3DIGIT reason"),
            Self::ObsFold => ("obs_fold", "a field is folded over several lines"),
            Self::NoColon => ("no_colon", "a field line has no colon"),
            Self::SpaceBeforeColon => {
                ("space_before_colon", "white space in or after a field name")
            }
            Self::NameEmpty => ("name_empty", "a field has no name"),
            Self::NameInvalid => ("name_invalid", "a field name is not a token"),
            Self::NameUnderscore => ("name_underscore", "a field name has an underscore"),
            Self::HeadTooLarge => ("head_too_large", "the fields have too many bytes"),
            Self::TooManyHeaders => ("too_many_headers", "the message has too many fields"),
            Self::HostMissing => ("host_missing", "an HTTP/1.1 request needs a Host"),
            Self::HostRepeated => ("host_repeated", "the request has more than one Host"),
            Self::HostInvalid => ("host_invalid", "Host is not a name or address with a port"),
            _ => return None,
        })
    }

    /// Framing and sequence: RFC 9112 §6, §7, §9.2.
    fn framing_facts(self) -> (&'static str, &'static str) {
        match self {
            Self::LengthInvalid => ("length_invalid", "Content-Length is not one decimal number"),
            Self::LengthRepeated => ("length_repeated", "more than one Content-Length"),
            Self::LengthWithCoding => {
                ("length_with_coding", "Content-Length beside Transfer-Encoding")
            }
            Self::CodingUnknown => ("coding_unknown", "Transfer-Encoding is not exactly chunked"),
            Self::CodingRepeated => ("coding_repeated", "more than one Transfer-Encoding"),
            Self::CodingInOldVersion => {
                ("coding_in_old_version", "Transfer-Encoding in an HTTP/1.0 message")
            }
            Self::FramingForbidden => {
                ("framing_forbidden", "an answer that has no body announces one")
            }
            Self::ChunkSize => ("chunk_size", "a chunk size is not 1 to 16 hexadecimal digits"),
            Self::ChunkExtension => ("chunk_extension", "a chunk extension is malformed"),
            Self::ChunkExtensionTooLong => {
                ("chunk_extension_too_long", "the extensions of a chunk are too long")
            }
            Self::ChunkEnd => ("chunk_end", "chunk data does not end where its size says"),
            Self::TooManyInterim => ("too_many_interim", "too many interim answers"),
            // What `line_facts` has does not come here.
            _ => ("unsolicited", "bytes that belong to no answer"),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())
    }
}

impl std::error::Error for Malformed {}
