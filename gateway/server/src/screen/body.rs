//! The body of one message, by whatever rule it ends.

use super::chunked::{Chunked, Fault};
use super::lines::Lines;
use super::{HeadLimits, Side};

/// Begins after the head; ends where [`Body::watch`] says so, or with the connection.
#[derive(Debug)]
pub(super) enum Body {
    /// So many bytes are left; never zero.
    Length(u64),
    Chunked(Chunked),
    /// Only answers: until the upstream closes (RFC 9112 §6.3, rule 8).
    UntilClose,
}

// === impl Body ===

impl Body {
    /// A body of so many bytes, unless there are none.
    pub(super) fn of_length(length: u64) -> Option<Self> {
        (length > 0).then_some(Self::Length(length))
    }

    pub(super) fn chunked(side: Side) -> Self {
        Self::Chunked(Chunked::new(side))
    }

    /// How many of the bytes belong to this body, and whether it ended with them.
    #[inline]
    pub(super) fn watch(
        &mut self,
        bytes: &[u8],
        lines: &mut Lines,
        limits: HeadLimits,
    ) -> Result<(usize, bool), Fault> {
        match self {
            Self::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                Ok((taken, *left == 0))
            }
            Self::Chunked(chunked) => chunked.watch(bytes, lines, limits),
            Self::UntilClose => Ok((bytes.len(), false)),
        }
    }
}
