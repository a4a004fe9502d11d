//! Client → gateway: requests, one after the other, pipelined or not.

use super::body::Body;
use super::field::{Announced, Field, Framing};
use super::host::is_host;
use super::lines::{CRLF, Cut, Lines};
use super::octets::{control_fault, is_target_text, is_tchar};
use super::sweep::sweep;
use super::{HeadLimits, Malformed, Part, Side, Violation};

/// The requests of one connection. Begins with its first byte; ends with the connection or `stop`.
#[derive(Debug)]
pub struct RequestScreen {
    limits: HeadLimits,
    state: State,
    head: Head,
    lines: Lines,
}

#[derive(Debug)]
enum State {
    Head,
    Body(Body),
    /// A tunnel: bytes mean nothing here.
    Opaque,
    Refused(Malformed, Part),
}

/// What is known of the current head.
#[derive(Debug, Default)]
struct Head {
    bytes: usize,
    fields: usize,
    place: Place,
    http_1_0: bool,
    has_host: bool,
    framing: Framing,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Boundary,
    /// One empty line was skipped (RFC 9112 §2.2: old clients sent one after a POST).
    AfterEmptyLine,
    Fields,
}

// === impl RequestScreen ===

impl RequestScreen {
    /// Before the first byte of a connection.
    pub fn new(limits: HeadLimits) -> Self {
        Self { limits, state: State::Head, head: Head::default(), lines: Lines::default() }
    }

    /// Looks at `bytes` as they arrive, split in any way. On `Ok` all of them may be handed on.
    #[inline]
    pub fn watch(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let mut at = 0;
        loop {
            match &mut self.state {
                State::Opaque => return Ok(()),
                State::Refused(kind, part) => {
                    return Err(Violation { valid: 0, kind: *kind, part: *part });
                }
                _ if at == bytes.len() => return Ok(()),
                State::Head => match self.watch_head(&bytes[at..]) {
                    Ok(taken) => at += taken,
                    Err(kind) => return Err(self.refuse(at, kind, Part::Head)),
                },
                State::Body(body) => match body.watch(&bytes[at..], &mut self.lines, self.limits) {
                    Ok((taken, ended)) => {
                        at += taken;
                        if ended {
                            self.lines.rest();
                            self.state = State::Head;
                        }
                    }
                    Err(fault) => {
                        return Err(self.refuse(at + fault.valid, fault.kind, Part::Body));
                    }
                },
            }
        }
    }

    /// Nothing of a next message was seen yet: the connection is idle, and may be closed.
    pub fn at_message_boundary(&self) -> bool {
        matches!(self.state, State::Head)
            && self.head.place != Place::Fields
            && self.lines.is_empty()
    }

    /// Bytes seen of a head that has not come whole: what must be held back from a parser.
    pub fn partial_head_bytes(&self) -> usize {
        match self.state {
            State::Head => self.head.bytes + self.lines.kept_bytes(),
            _ => 0,
        }
    }

    /// The head of the current message is complete, its body is not.
    pub fn in_body(&self) -> bool {
        matches!(self.state, State::Body(_))
    }

    /// After an accepted upgrade (101) everything is opaque. Nothing opens a screen that refused.
    pub fn stop(&mut self) {
        if !matches!(self.state, State::Refused(..)) {
            self.state = State::Opaque;
        }
        self.lines.clear();
    }

    #[cold]
    fn refuse(&mut self, valid: usize, kind: Malformed, part: Part) -> Violation {
        self.state = State::Refused(kind, part);
        self.lines.clear();
        Violation { valid, kind, part }
    }

    /// A head, to its end or to the end of the slice. Tells how many bytes it took.
    #[inline]
    fn watch_head(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        if self.head.place == Place::Boundary
            && self.lines.is_empty()
            && let Some(swept) = sweep(bytes, self.limits)
        {
            self.state = swept.body.map_or(State::Head, State::Body);
            return Ok(swept.bytes);
        }
        self.watch_lines(bytes)
    }

    /// A head line by line: one that came in parts, or has something odd.
    #[cold]
    fn watch_lines(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut at = 0;
        while at < bytes.len() {
            let in_fields = self.head.place == Place::Fields;
            if !in_fields && self.lines.is_empty() {
                check_first(bytes[at])?;
            }
            let room = self.limits.head_bytes_max - self.head.bytes;
            let (text, taken) = match self.lines.cut(&bytes[at..], room) {
                Cut::Text(text, taken) => (text, taken),
                Cut::Broken(kind) => return Err(kind),
                Cut::Partial => return Ok(bytes.len()),
                Cut::TooLong if in_fields => return Err(Malformed::HeadTooLarge),
                Cut::TooLong => return Err(Malformed::RequestLineTooLong),
            };
            at += taken;
            match (in_fields, text) {
                (true, []) => {
                    self.state = self.head.end()?;
                    self.head = Head::default();
                    self.lines.rest();
                    return Ok(at);
                }
                (true, _) => self.head.note_field(text, self.limits.headers_max)?,
                (false, []) => self.head.skip_empty_line()?,
                (false, _) => self.head.begin(text)?,
            }
        }
        Ok(at)
    }
}

// === impl Head ===

impl Head {
    fn skip_empty_line(&mut self) -> Result<(), Malformed> {
        if self.place == Place::AfterEmptyLine {
            return Err(Malformed::EmptyLines);
        }
        self.place = Place::AfterEmptyLine;
        Ok(())
    }

    fn begin(&mut self, text: &[u8]) -> Result<(), Malformed> {
        self.http_1_0 = check_request_line(text)?;
        self.bytes = text.len() + CRLF.len();
        self.place = Place::Fields;
        Ok(())
    }

    #[inline]
    fn note_field(&mut self, text: &[u8], headers_max: usize) -> Result<(), Malformed> {
        self.bytes += text.len() + CRLF.len();
        self.fields += 1;
        if self.fields > headers_max {
            return Err(Malformed::TooManyHeaders);
        }
        let field = Field::parse(text, Side::Request)?;
        if field.name.len() == 4 && field.is_named(b"host") {
            if self.has_host {
                return Err(Malformed::HostRepeated);
            }
            if !is_host(field.value()) {
                return Err(Malformed::HostInvalid);
            }
            self.has_host = true;
        }
        self.framing.note(&field, Side::Request)
    }

    fn end(&self) -> Result<State, Malformed> {
        let body = announced_body(self.http_1_0, self.has_host, &self.framing)?;
        Ok(body.map_or(State::Head, State::Body))
    }
}

/// What follows a head. A request without framing fields has no body (RFC 9112 §6.3, rule 7).
#[inline]
pub(super) fn announced_body(
    http_1_0: bool,
    has_host: bool,
    framing: &Framing,
) -> Result<Option<Body>, Malformed> {
    if !has_host && !http_1_0 {
        return Err(Malformed::HostMissing);
    }
    Ok(match framing.announced(http_1_0)? {
        Announced::Nothing => None,
        Announced::Length(length) => Body::of_length(length),
        Announced::Chunked => Some(Body::chunked(Side::Request)),
    })
}

/// Something that is no HTTP at all (a TLS hello, say) has no line end to wait for.
fn check_first(byte: u8) -> Result<(), Malformed> {
    match byte {
        b'\r' => Ok(()),
        b' ' | b'\t' => Err(Malformed::RequestLine),
        _ if is_tchar(byte) => Ok(()),
        _ => Err(control_fault(byte).unwrap_or(Malformed::Method)),
    }
}

/// `method SP request-target SP HTTP-version` (RFC 9112 §3), each mark exactly as written. Tells
/// whether it is HTTP/1.0.
#[inline]
pub(super) fn check_request_line(text: &[u8]) -> Result<bool, Malformed> {
    let http_1_0 = text.ends_with(b" HTTP/1.0");
    if !http_1_0 && !text.ends_with(b" HTTP/1.1") {
        return Err(name_version_fault(text));
    }
    let rest = &text[..text.len() - b" HTTP/1.1".len()];
    let space = rest.iter().position(|byte| !is_tchar(*byte)).unwrap_or(rest.len());
    let (method, target) = match rest[space..] {
        [b' ', ..] if space > 0 => (&rest[..space], &rest[space + 1..]),
        // No target at all, as in `GET HTTP/1.1`, or no method.
        [] | [b' ', ..] => return Err(Malformed::RequestLine),
        _ => return Err(Malformed::Method),
    };
    if !is_target_text(target) {
        let spaced = target.iter().any(|byte| matches!(byte, b' ' | b'\t'));
        return Err(if spaced { Malformed::RequestLine } else { Malformed::Target });
    }
    if is_target_form(method, target) { Ok(http_1_0) } else { Err(Malformed::Target) }
}

/// A line whose end is not one of the two versions: another version, or no request line.
#[cold]
fn name_version_fault(text: &[u8]) -> Malformed {
    let mut words = text.split(|byte| *byte == b' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(_), Some(_), Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None)
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Malformed::Version
        }
        _ => Malformed::RequestLine,
    }
}

/// The four forms of RFC 9112 §3.2, each only with the methods it is for; absolute ones only for
/// http and https, without user information. CONNECT is refused later, by its name.
fn is_target_form(method: &[u8], target: &[u8]) -> bool {
    if method == b"CONNECT" {
        return is_host(target);
    }
    match target {
        [b'/', ..] => true,
        b"*" => method == b"OPTIONS",
        _ => strip_scheme(target).is_some_and(|rest| {
            let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
            is_host(&rest[..end.unwrap_or(rest.len())])
        }),
    }
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    [b"http://".as_slice(), b"https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}
