//! HTTP/1.1 as bytes: a parser that repairs nothing (RFC 9112).
//!
//! Both sides use it: the scripted upstream to say whether what it was sent is well-formed, the
//! client to say whether an answer is. Anything that two implementations could read differently
//! is an error here.

use std::fmt;

/// Longest head that is read, bytes. A bound for tests; the gateway's own is smaller.
const HEAD_BYTES_MAX: usize = 1 << 20;

/// Why bytes are not an HTTP/1.1 message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn malformed<T>(why: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(why.into()))
}

/// A start line and its header lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The first line without its CRLF.
    pub start_line: String,
    /// Names as written, values without surrounding white space, in order.
    pub headers: Vec<(String, String)>,
    /// Every byte, with the empty line.
    pub raw: Vec<u8>,
}

// === impl Head ===

impl Head {
    /// `Ok(None)` where the empty line hasn't come yet; else the head, whose length is `raw.len()`.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some(end) = find(bytes, b"\r\n\r\n") else {
            if bytes.len() > HEAD_BYTES_MAX {
                return malformed("head too long");
            }
            return Ok(None);
        };
        let raw = bytes[..end + 4].to_vec();
        let mut lines = split_lines(&bytes[..end + 2])?.into_iter();
        let start_line = lines.next().unwrap_or_default();
        if start_line.is_empty() {
            return malformed("empty start line");
        }
        let headers = lines.map(|line| parse_line(&line)).collect::<Result<_, _>>()?;
        Ok(Some(Self { start_line, headers, raw }))
    }

    /// The first value of a header; the name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// Every value of a header, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// Part `index` of the start line, split at single spaces.
    pub fn word(&self, index: usize) -> &str {
        self.start_line.split(' ').nth(index).unwrap_or_default()
    }

    /// Framing that the headers declare: Content-Length, chunked, or neither.
    pub fn framing(&self) -> Result<Option<Framing>, Malformed> {
        let codings = self.all("transfer-encoding");
        let lengths = self.all("content-length");
        match (codings.as_slice(), lengths.as_slice()) {
            ([], []) => Ok(None),
            ([coding], []) if coding.eq_ignore_ascii_case("chunked") => Ok(Some(Framing::Chunked)),
            ([], [length]) if is_digits(length) => match length.parse() {
                Ok(length) => Ok(Some(Framing::Length(length))),
                Err(_) => malformed(format!("content-length {length}")),
            },
            _ => malformed(format!("ambiguous framing: {codings:?} {lengths:?}")),
        }
    }
}

/// How a message's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After this many bytes.
    Length(u64),
    /// With a chunk of size 0 and a trailer section.
    Chunked,
    /// With the connection; responses only.
    UntilClose,
}

/// Framing of a request by its head; a request without any has no body.
pub fn request_framing(head: &Head) -> Result<Framing, Malformed> {
    Ok(head.framing()?.unwrap_or(Framing::Length(0)))
}

/// Framing of a response to `method` by its head (RFC 9112 §6.3).
pub fn response_framing(head: &Head, method: &str, status: u16) -> Result<Framing, Malformed> {
    let declared = head.framing()?;
    if method == "HEAD" || status < 200 || status == 204 || status == 304 {
        return Ok(Framing::Length(0));
    }
    Ok(declared.unwrap_or(Framing::UntilClose))
}

/// Takes a body off a buffer piece by piece.
#[derive(Clone, Debug)]
pub struct BodyDecoder {
    state: State,
    /// The body so far, without chunk framing.
    pub body: Vec<u8>,
    /// The trailer section, once it has been read.
    pub trailers: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fixed(u64),
    UntilClose,
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    Done,
}

// === impl BodyDecoder ===

impl BodyDecoder {
    /// A decoder at the first byte after the head.
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Fixed(length),
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClose => State::UntilClose,
        };
        Self { state, body: Vec::new(), trailers: Vec::new() }
    }

    /// Whether the body has ended.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the end of the connection is the end of the body.
    pub fn ends_with_connection(&self) -> bool {
        self.state == State::UntilClose
    }

    /// Takes what it can from the front of `bytes` and returns how many bytes that was.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut used = 0;
        while let Some(step) = self.step(&bytes[used..])? {
            used += step;
        }
        Ok(used)
    }

    /// One step of the state machine; `None` where it needs more bytes or has ended.
    fn step(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        match self.state {
            State::Done => Ok(None),
            State::UntilClose if bytes.is_empty() => Ok(None),
            State::UntilClose => {
                self.body.extend_from_slice(bytes);
                Ok(Some(bytes.len()))
            }
            State::Fixed(left) => Ok(self.take(bytes, left, State::Done, State::Fixed)),
            State::ChunkData(left) => Ok(self.take(bytes, left, State::ChunkEnd, State::ChunkData)),
            State::ChunkEnd if bytes.len() < 2 => Ok(None),
            State::ChunkEnd if bytes.starts_with(b"\r\n") => {
                self.state = State::ChunkSize;
                Ok(Some(2))
            }
            State::ChunkEnd => malformed("no CRLF after chunk data"),
            State::ChunkSize => self.chunk_size(bytes),
            State::Trailers => self.trailer_line(bytes),
        }
    }

    fn take(
        &mut self,
        bytes: &[u8],
        left: u64,
        done: State,
        more: fn(u64) -> State,
    ) -> Option<usize> {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        if taken == 0 {
            return None;
        }
        self.body.extend_from_slice(&bytes[..taken]);
        let left = left - taken as u64;
        self.state = if left == 0 { done } else { more(left) };
        Some(taken)
    }

    fn chunk_size(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let Some(end) = find(bytes, b"\r\n") else {
            return if bytes.len() > 4096 || bytes.contains(&b'\n') {
                malformed("chunk size line")
            } else {
                Ok(None)
            };
        };
        let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
        if text.is_empty() || text.len() > 16 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            // Extensions are legal, but the gateway should drop them: neither side needs one here.
            return malformed(format!("chunk size {text:?}"));
        }
        let Ok(size) = u64::from_str_radix(&text, 16) else {
            return malformed(format!("chunk size {text:?}"));
        };
        self.state = if size == 0 { State::Trailers } else { State::ChunkData(size) };
        Ok(Some(end + 2))
    }

    fn trailer_line(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let Some(end) = find(bytes, b"\r\n") else { return Ok(None) };
        if end == 0 {
            self.state = State::Done;
            return Ok(Some(2));
        }
        for line in split_lines(&bytes[..end + 2])? {
            self.trailers.push(parse_line(&line)?);
        }
        Ok(Some(end + 2))
    }
}

/// Position of `needle` in `bytes`.
pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// Lines that end in CRLF; a bare CR, a bare LF or a NUL anywhere is an error.
fn split_lines(bytes: &[u8]) -> Result<Vec<String>, Malformed> {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
    if lines.iter().any(|line| line.contains(['\r', '\n', '\0'])) {
        return malformed(format!("bare CR, LF or NUL in {text:?}"));
    }
    // The text ends in CRLF, so the last piece is empty.
    Ok(lines[..lines.len() - 1].to_vec())
}

fn parse_line(line: &str) -> Result<(String, String), Malformed> {
    let Some((name, value)) = line.split_once(':') else {
        return malformed(format!("header line without colon: {line:?}"));
    };
    if name.is_empty() || !name.bytes().all(is_token) {
        return malformed(format!("header name {name:?}"));
    }
    let value = value.trim_matches([' ', '\t']);
    if value.chars().any(|c| c.is_ascii_control() && c != '\t') {
        return malformed(format!("control character in {line:?}"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// `tchar` of RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}
