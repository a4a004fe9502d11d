//! One field line, and what the framing fields of a head say together.

use super::octets::{NAME_CLASS, TOKEN, UNDERSCORE, trim};
use super::{Malformed, Side};

/// A length above this is refused: others count in signed 64-bit numbers.
const LENGTH_MAX: u64 = i64::MAX as u64;

/// A field line whose every byte was looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    /// A token.
    pub(super) name: &'a [u8],
    /// With the white space around it.
    value: &'a [u8],
}

/// What `Content-Length` and `Transfer-Encoding` of one head said so far.
#[derive(Debug, Default)]
pub(super) struct Framing {
    length: Option<u64>,
    chunked: bool,
}

/// How long the body of a message is, by its framing fields alone (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announced {
    Nothing,
    Length(u64),
    Chunked,
}

// === impl Field ===

impl<'a> Field<'a> {
    /// `field-name ":" OWS field-value OWS` (RFC 9112 §5) out of a line without control characters.
    #[inline]
    pub(super) fn parse(text: &'a [u8], side: Side) -> Result<Self, Malformed> {
        let colon = text
            .iter()
            .position(|byte| NAME_CLASS[usize::from(*byte)] != TOKEN)
            .unwrap_or(text.len());
        match text[colon..] {
            [b':', ref value @ ..] if colon > 0 => Ok(Self { name: &text[..colon], value }),
            _ => Self::parse_odd(text, side),
        }
    }

    /// Without optional white space.
    pub(super) fn value(&self) -> &'a [u8] {
        trim(self.value)
    }

    pub(super) fn is_named(&self, lowercase: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(lowercase)
    }

    /// A name that has something else than letters, digits and the usual marks: an underscore, which
    /// answers may have, or a fault that gets its name here.
    #[cold]
    fn parse_odd(text: &'a [u8], side: Side) -> Result<Self, Malformed> {
        let end = text.iter().position(|byte| NAME_CLASS[usize::from(*byte)] == 0);
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        let underscore = name.iter().any(|byte| NAME_CLASS[usize::from(*byte)] == UNDERSCORE);
        match *rest {
            [b' ' | b'\t', ..] if name.is_empty() => Err(Malformed::ObsFold),
            [b' ' | b'\t', ..] => Err(Malformed::SpaceBeforeColon),
            [] => Err(Malformed::NoColon),
            [b':', ..] if name.is_empty() => Err(Malformed::NameEmpty),
            [b':', ..] if underscore && side == Side::Request => Err(Malformed::NameUnderscore),
            [b':', ref value @ ..] => Ok(Self { name, value }),
            _ => Err(Malformed::NameInvalid),
        }
    }
}

// === impl Framing ===

impl Framing {
    /// Notes the field if it is one of the two. A second one is a fault even if it says the same:
    /// two places that agree today are two places to disagree.
    #[inline]
    pub(super) fn note(&mut self, field: &Field<'_>, side: Side) -> Result<(), Malformed> {
        match field.name.len() {
            14 if field.is_named(b"content-length") => self.note_length(field.value(), side),
            17 if field.is_named(b"transfer-encoding") => self.note_coding(field.value()),
            _ => Ok(()),
        }
    }

    /// What both fields mean together. RFC 9112 §6.1 lets a server drop the length beside a coding,
    /// §6.3 says that a gateway ought to treat it as an error; so do we.
    pub(super) fn announced(&self, http_1_0: bool) -> Result<Announced, Malformed> {
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Malformed::LengthWithCoding),
            (true, None) if http_1_0 => Err(Malformed::CodingInOldVersion),
            (true, None) => Ok(Announced::Chunked),
            (false, Some(length)) => Ok(Announced::Length(length)),
            (false, None) => Ok(Announced::Nothing),
        }
    }

    fn note_length(&mut self, value: &[u8], side: Side) -> Result<(), Malformed> {
        if self.length.is_some() {
            return Err(Malformed::LengthRepeated);
        }
        self.length = Some(parse_length(value, side).ok_or(Malformed::LengthInvalid)?);
        Ok(())
    }

    fn note_coding(&mut self, value: &[u8]) -> Result<(), Malformed> {
        if self.chunked {
            return Err(Malformed::CodingRepeated);
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Malformed::CodingUnknown);
        }
        self.chunked = true;
        Ok(())
    }
}

/// `1*DIGIT` (RFC 9110 §8.6). In a request no leading zero: some read `010` as eight. Answers may
/// have them: there are servers that write the number later into a field of fixed width.
fn parse_length(value: &[u8], side: Side) -> Option<u64> {
    let leading_zero = value.len() > 1 && value[0] == b'0';
    if value.is_empty() || (leading_zero && side == Side::Request) {
        return None;
    }
    value
        .iter()
        .try_fold(0_u64, |length, byte| {
            let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
            length.checked_mul(10)?.checked_add(digit)
        })
        .filter(|length| *length <= LENGTH_MAX)
}
