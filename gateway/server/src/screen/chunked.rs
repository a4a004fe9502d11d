//! The chunked coding (RFC 9112 §7.1): sizes, extensions, data, trailers.
//!
//! Chunk lines are a few bytes long, so they are read byte by byte and need no memory; data is a
//! subtraction; trailers are lines like those of a head, with its limits.

use super::field::Field;
use super::lines::{CRLF, Cut, Lines};
use super::octets::is_tchar;
use super::{HeadLimits, Malformed, Side};

/// Bytes from the first `;` of a chunk line to its end. Nobody uses extensions; they are a place to
/// hide things and to waste others' time, so a few names and values must do.
pub const CHUNK_EXTENSION_BYTES_MAX: usize = 256;

/// 16 digits are 64 bits; padding with zeros is allowed up to that.
const SIZE_DIGITS_MAX: u8 = 16;

/// Sizes above this are refused: others count in signed 64-bit numbers.
const SIZE_MAX: u64 = i64::MAX as u64;

/// Where in a chunked body we are. Begins after the head, ends with the empty line after the last
/// chunk or its trailers.
#[derive(Debug)]
pub(super) struct Chunked {
    place: Place,
    side: Side,
    size: u64,
    extension_bytes: usize,
    trailer_bytes: usize,
    trailers: usize,
}

/// A fault, and how many bytes before it may be handed on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) valid: usize,
    pub(super) kind: Malformed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size { digits: u8 },
    ExtensionName { empty: bool },
    ExtensionValue { empty: bool },
    Quoted,
    QuotedPair,
    AfterQuoted,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
}

// === impl Chunked ===

impl Chunked {
    pub(super) fn new(side: Side) -> Self {
        Self {
            place: Place::Size { digits: 0 },
            side,
            size: 0,
            extension_bytes: 0,
            trailer_bytes: 0,
            trailers: 0,
        }
    }

    /// How many bytes belong to this body, and whether it ended with them.
    pub(super) fn watch(
        &mut self,
        bytes: &[u8],
        lines: &mut Lines,
        limits: HeadLimits,
    ) -> Result<(usize, bool), Fault> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match self.place {
                Place::Data => at += self.pass_data(bytes.len() - at),
                Place::Trailers => match self.watch_trailer(&bytes[at..], lines, limits) {
                    Ok((taken, true)) => return Ok((at + taken, true)),
                    Ok((taken, false)) => at += taken,
                    Err(kind) => return Err(Fault { valid: at, kind }),
                },
                _ => {
                    self.place = self.step(*byte).map_err(|kind| Fault { valid: at, kind })?;
                    at += 1;
                }
            }
        }
        Ok((at, false))
    }

    fn pass_data(&mut self, available: usize) -> usize {
        let taken = usize::try_from(self.size).unwrap_or(usize::MAX).min(available);
        self.size -= taken as u64;
        if self.size == 0 {
            self.place = Place::DataCr;
        }
        taken
    }

    /// Where the byte leads to, inside a chunk line or after chunk data.
    fn step(&mut self, byte: u8) -> Result<Place, Malformed> {
        match self.place {
            Place::Size { digits } => self.step_size(digits, byte),
            Place::SizeLf => match byte {
                b'\n' if self.size == 0 => Ok(Place::Trailers),
                b'\n' => Ok(Place::Data),
                _ => Err(Malformed::BareCr),
            },
            Place::DataCr if byte == b'\r' => Ok(Place::DataLf),
            Place::DataLf if byte == b'\n' => {
                self.size = 0;
                self.extension_bytes = 0;
                Ok(Place::Size { digits: 0 })
            }
            Place::DataCr | Place::DataLf => Err(Malformed::ChunkEnd),
            _ => self.step_extension(byte),
        }
    }

    fn step_size(&mut self, digits: u8, byte: u8) -> Result<Place, Malformed> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' if digits > 0 => return Ok(Place::SizeLf),
            b'\n' if digits > 0 => return Err(Malformed::BareLf),
            b';' if digits > 0 => {
                return self.count_extension(Place::ExtensionName { empty: true });
            }
            _ => return Err(Malformed::ChunkSize),
        };
        if digits == SIZE_DIGITS_MAX {
            return Err(Malformed::ChunkSize);
        }
        self.size = (self.size << 4) | u64::from(digit);
        if self.size > SIZE_MAX {
            return Err(Malformed::ChunkSize);
        }
        Ok(Place::Size { digits: digits + 1 })
    }

    /// `";" token [ "=" ( token / quoted-string ) ]`, without the "bad" white space that RFC 9112
    /// §7.1.1 lets old senders put around the marks.
    fn step_extension(&mut self, byte: u8) -> Result<Place, Malformed> {
        let next = match (self.place, byte) {
            (_, b'\n') => return Err(Malformed::BareLf),
            (
                Place::ExtensionName { empty: false }
                | Place::ExtensionValue { empty: false }
                | Place::AfterQuoted,
                b'\r',
            ) => return Ok(Place::SizeLf),
            (
                Place::ExtensionName { empty: false }
                | Place::ExtensionValue { empty: false }
                | Place::AfterQuoted,
                b';',
            ) => Place::ExtensionName { empty: true },
            (Place::ExtensionName { empty: false }, b'=') => Place::ExtensionValue { empty: true },
            (Place::ExtensionName { .. }, _) if is_tchar(byte) => {
                Place::ExtensionName { empty: false }
            }
            (Place::ExtensionValue { empty: true }, b'"') | (Place::QuotedPair, b'\t' | b' '..) => {
                Place::Quoted
            }
            (Place::ExtensionValue { .. }, _) if is_tchar(byte) => {
                Place::ExtensionValue { empty: false }
            }
            (Place::Quoted, b'"') => Place::AfterQuoted,
            (Place::Quoted, b'\\') => Place::QuotedPair,
            (Place::Quoted, b'\t' | b' '..) => Place::Quoted,
            _ => return Err(Malformed::ChunkExtension),
        };
        if byte == 0x7F {
            return Err(Malformed::ChunkExtension);
        }
        self.count_extension(next)
    }

    fn count_extension(&mut self, next: Place) -> Result<Place, Malformed> {
        self.extension_bytes += 1;
        if self.extension_bytes > CHUNK_EXTENSION_BYTES_MAX {
            return Err(Malformed::ChunkExtensionTooLong);
        }
        Ok(next)
    }

    /// One line of the trailer section; true where it was the empty one. Names are not judged here:
    /// a trailer never becomes a header, and those that may not be forwarded are dropped later.
    fn watch_trailer(
        &mut self,
        bytes: &[u8],
        lines: &mut Lines,
        limits: HeadLimits,
    ) -> Result<(usize, bool), Malformed> {
        let room = limits.head_bytes_max - self.trailer_bytes;
        let (text, taken) = match lines.cut(bytes, room) {
            Cut::Text([], taken) => return Ok((taken, true)),
            Cut::Text(text, taken) => (text, taken),
            Cut::Broken(kind) => return Err(kind),
            Cut::Partial => return Ok((bytes.len(), false)),
            Cut::TooLong => return Err(Malformed::HeadTooLarge),
        };
        self.trailer_bytes += text.len() + CRLF.len();
        self.trailers += 1;
        if self.trailers > limits.headers_max {
            return Err(Malformed::TooManyHeaders);
        }
        Field::parse(text, self.side)?;
        Ok((taken, false))
    }
}
