//! Cuts a stream into lines of text; keeps the beginning of a line that was split over reads.

use super::Malformed;
use super::octets::{check_text, clean_line};

/// A carry that grew above this is given back after its message, so that an idle connection is small.
const CARRY_KEPT_BYTES: usize = 1024;

/// What ends a line; the text of a line comes without it.
pub(super) const CRLF: &[u8] = b"\r\n";

/// The lines of one direction of one connection. Bound: the `room` that each call names.
#[derive(Debug, Default)]
pub(super) struct Lines {
    carry: Vec<u8>,
    /// The carry was handed out as a line and is forgotten at the next call.
    spent: bool,
}

/// What `Lines::cut` found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut<'a> {
    /// A line that ended with CR LF, without it and without control characters but HTAB; and how many
    /// bytes of the slice it took.
    Text(&'a [u8], usize),
    /// A line that ended otherwise or has control characters.
    Broken(Malformed),
    /// No LF yet; the slice was kept.
    Partial,
    /// The line with its end is longer than `room`, whether the end is there or not.
    TooLong,
}

// === impl Lines ===

impl Lines {
    /// The line that begins in the carry, or at the start of `bytes`; at most `room` bytes long.
    #[inline]
    pub(super) fn cut<'a>(&'a mut self, bytes: &'a [u8], room: usize) -> Cut<'a> {
        if self.is_empty()
            && let Some(end) = clean_line(bytes)
        {
            let taken = end + CRLF.len();
            return if taken > room { Cut::TooLong } else { Cut::Text(&bytes[..end], taken) };
        }
        self.cut_carried(bytes, room)
    }

    /// Nothing of a line was kept.
    pub(super) fn is_empty(&self) -> bool {
        self.spent || self.carry.is_empty()
    }

    /// How much of the current line was kept.
    pub(super) fn kept_bytes(&self) -> usize {
        if self.spent { 0 } else { self.carry.len() }
    }

    /// At the end of a message: an idle connection keeps no big carry.
    #[inline]
    pub(super) fn rest(&mut self) {
        if self.carry.capacity() > CARRY_KEPT_BYTES && self.is_empty() {
            self.clear();
        }
    }

    /// Forgets what was kept, and the memory.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// A line that is split, or broken, or both.
    #[cold]
    fn cut_carried(&mut self, bytes: &[u8], room: usize) -> Cut<'_> {
        if self.spent {
            self.spent = false;
            self.carry.clear();
        }
        let end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        if self.carry.len() + part.len() > room {
            return Cut::TooLong;
        }
        self.carry.extend_from_slice(part);
        let Some(taken) = end else { return Cut::Partial };
        self.spent = true;
        let [text @ .., b'\r', b'\n'] = self.carry.as_slice() else {
            return Cut::Broken(Malformed::BareLf);
        };
        match check_text(text) {
            Ok(()) => Cut::Text(text, taken),
            Err(kind) => Cut::Broken(kind),
        }
    }
}

#[cfg(test)]
mod tests;
