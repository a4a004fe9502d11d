//! Cuts a stream into lines; keeps the beginning of a line that was split over reads.

/// A carry that grew above this is given back after its line, so that an idle connection is small.
const CARRY_KEPT_BYTES: usize = 1024;

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
    /// A line with its LF, and how many bytes of the slice it ended after.
    Line(&'a [u8], usize),
    /// No LF yet; the slice was kept.
    Partial,
    /// The line is longer than `room`, whether its LF is there or not.
    TooLong,
}

// === impl Lines ===

impl Lines {
    /// The line that begins in the carry, or at the start of `bytes`; at most `room` bytes long.
    #[inline]
    pub(super) fn cut<'a>(&'a mut self, bytes: &'a [u8], room: usize) -> Cut<'a> {
        let end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
        if self.is_empty()
            && let Some(end) = end
        {
            return if end > room { Cut::TooLong } else { Cut::Line(&bytes[..end], end) };
        }
        self.cut_carried(bytes, end, room)
    }

    /// Nothing of a line was kept.
    pub(super) fn is_empty(&self) -> bool {
        self.spent || self.carry.is_empty()
    }

    /// How much of the current line was kept.
    pub(super) fn kept_bytes(&self) -> usize {
        if self.spent { 0 } else { self.carry.len() }
    }

    /// Forgets what was kept, and the memory.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    #[cold]
    fn cut_carried<'a>(&'a mut self, bytes: &[u8], end: Option<usize>, room: usize) -> Cut<'a> {
        if self.spent {
            self.spent = false;
            self.carry.clear();
            self.carry.shrink_to(CARRY_KEPT_BYTES);
        }
        let part = &bytes[..end.unwrap_or(bytes.len())];
        if self.carry.len() + part.len() > room {
            return Cut::TooLong;
        }
        self.carry.extend_from_slice(part);
        match end {
            Some(end) => {
                self.spent = true;
                Cut::Line(&self.carry, end)
            }
            None => Cut::Partial,
        }
    }
}
