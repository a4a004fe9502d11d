//! Upstream → gateway: one answer for each request that was announced with `expect`.

use super::body::Body;
use super::field::{Announced, Field, Framing};
use super::lines::{CRLF, Cut, Lines};
use super::{HeadLimits, Malformed, Part, Side, Violation};

/// Interim answers (1xx) before one final answer. 100, 102 now and then and 103 need a few; an
/// upstream that sends them for ever would hold a slot for ever.
pub const INTERIM_ANSWERS_MAX: usize = 32;

/// What every status line begins with.
const LINE_START: &[u8] = b"HTTP/1.";

/// The answers of one connection. Begins with it, ends with it or with `stop`.
#[derive(Debug)]
pub struct ResponseScreen {
    limits: HeadLimits,
    state: State,
    head: Head,
    lines: Lines,
    /// The request asked for the head alone.
    head_request: bool,
    interim: usize,
    /// Requests and answers are no longer in step.
    in_doubt: bool,
}

#[derive(Debug)]
enum State {
    /// No answer is awaited.
    Idle,
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
    /// Zero until the status line was read.
    status: u16,
    http_1_0: bool,
    framing: Framing,
}

/// What follows a head.
enum Next {
    /// It was an interim answer.
    AnotherHead,
    Nothing,
    Tunnel,
    Body(Body),
}

// === impl ResponseScreen ===

impl ResponseScreen {
    /// Before the first request on a connection: nothing may arrive.
    pub fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            state: State::Idle,
            head: Head::default(),
            lines: Lines::default(),
            head_request: false,
            interim: 0,
            in_doubt: false,
        }
    }

    /// A request is about to be sent; `head_request`: its method is HEAD. To be called once for each
    /// request, after the answer before it ended. Called too early it changes nothing, but the
    /// connection is never reusable again.
    pub fn expect(&mut self, head_request: bool) {
        if matches!(self.state, State::Idle) {
            self.state = State::Head;
            self.head_request = head_request;
            self.interim = 0;
        } else {
            self.in_doubt = true;
        }
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
                State::Idle => return Err(self.refuse(at, Malformed::Unsolicited, Part::Head)),
                State::Head => match self.watch_head(&bytes[at..]) {
                    Ok(taken) => at += taken,
                    Err(kind) => return Err(self.refuse(at, kind, Part::Head)),
                },
                State::Body(body) => match body.watch(&bytes[at..], &mut self.lines, self.limits) {
                    Ok((taken, ended)) => {
                        at += taken;
                        if ended {
                            self.lines.rest();
                            self.state = State::Idle;
                        }
                    }
                    Err(fault) => {
                        return Err(self.refuse(at + fault.valid, fault.kind, Part::Body));
                    }
                },
            }
        }
    }

    /// True while no answer is awaited: the last one ended exactly and nothing followed. Only then
    /// may the connection be used again. `Connection: close` is not looked at here.
    pub fn reusable(&self) -> bool {
        matches!(self.state, State::Idle) && !self.in_doubt
    }

    /// After an upgrade everything is opaque. Nothing opens a screen that refused.
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

    /// The lines of one head, to its end or to the end of the slice. Tells how many bytes it took.
    fn watch_head(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut at = 0;
        while at < bytes.len() {
            let in_fields = self.head.status != 0;
            let room = self.limits.head_bytes_max - self.head.bytes;
            if !in_fields {
                check_start(self.lines.kept_bytes(), &bytes[at..], room)?;
            }
            let (text, taken) = match self.lines.cut(&bytes[at..], room) {
                Cut::Text(text, taken) => (text, taken),
                Cut::Broken(kind) => return Err(kind),
                Cut::Partial => return Ok(bytes.len()),
                Cut::TooLong => return Err(Malformed::HeadTooLarge),
            };
            at += taken;
            match (in_fields, text) {
                (true, []) => {
                    let next = self.head.end(self.head_request)?;
                    self.lines.rest();
                    self.end_head(next)?;
                    return Ok(at);
                }
                (true, _) => self.head.note_field(text, self.limits.headers_max)?,
                (false, _) => self.head.begin(text)?,
            }
        }
        Ok(at)
    }

    fn end_head(&mut self, next: Next) -> Result<(), Malformed> {
        self.head = Head::default();
        self.state = match next {
            Next::AnotherHead if self.interim == INTERIM_ANSWERS_MAX => {
                return Err(Malformed::TooManyInterim);
            }
            Next::AnotherHead => {
                self.interim += 1;
                State::Head
            }
            Next::Nothing => State::Idle,
            Next::Tunnel => State::Opaque,
            Next::Body(body) => State::Body(body),
        };
        Ok(())
    }
}

// === impl Head ===

impl Head {
    fn begin(&mut self, text: &[u8]) -> Result<(), Malformed> {
        // `check_start` saw the start of every line that got here.
        let [version, b' ', hundreds, tens, ones, b' ', ..] = &text[LINE_START.len()..] else {
            return Err(Malformed::StatusLine);
        };
        let digits = [hundreds, tens, ones];
        if !matches!(version, b'0' | b'1')
            || !digits.iter().all(|digit| digit.is_ascii_digit())
            || *hundreds == b'0'
        {
            return Err(Malformed::StatusLine);
        }
        self.http_1_0 = *version == b'0';
        self.status =
            digits.iter().fold(0, |status, digit| status * 10 + u16::from(**digit - b'0'));
        self.bytes = text.len() + CRLF.len();
        Ok(())
    }

    #[inline]
    fn note_field(&mut self, text: &[u8], headers_max: usize) -> Result<(), Malformed> {
        self.bytes += text.len() + CRLF.len();
        self.fields += 1;
        if self.fields > headers_max {
            return Err(Malformed::TooManyHeaders);
        }
        let field = Field::parse(text, Side::Response)?;
        self.framing.note(&field, Side::Response)
    }

    /// The rules of RFC 9112 §6.3, in their order. An answer that can have no body may not announce
    /// one (§6.1, RFC 9110 §8.6), else a peer that believes the fields waits for it; `204` with a
    /// length of zero is common and says nothing wrong.
    fn end(&self, head_request: bool) -> Result<Next, Malformed> {
        let announced = self.framing.announced(self.http_1_0)?;
        match (self.status, announced) {
            (100..=199, Announced::Nothing) if self.status == 101 => Ok(Next::Tunnel),
            (100..=199, Announced::Nothing) => Ok(Next::AnotherHead),
            (204, Announced::Nothing | Announced::Length(0)) | (304, _) => Ok(Next::Nothing),
            (100..=199 | 204, _) => Err(Malformed::FramingForbidden),
            _ if head_request => Ok(Next::Nothing),
            (_, Announced::Nothing) => Ok(Next::Body(Body::UntilClose)),
            (_, Announced::Chunked) => Ok(Next::Body(Body::chunked(Side::Response))),
            (_, Announced::Length(length)) => {
                Ok(Body::of_length(length).map_or(Next::Nothing, Next::Body))
            }
        }
    }
}

/// Something that is no HTTP/1 at all has no line end to wait for. What is beyond `room` is judged
/// by its length alone.
fn check_start(kept_bytes: usize, bytes: &[u8], room: usize) -> Result<(), Malformed> {
    let awaited = LINE_START.get(kept_bytes..room.min(LINE_START.len())).unwrap_or_default();
    let begins_so = awaited.iter().zip(bytes).all(|(awaited, byte)| awaited == byte);
    if begins_so { Ok(()) } else { Err(Malformed::StatusLine) }
}
