//! Everything kept of one thing: three resolutions of the same seconds.

use super::Span;
use super::columns::Figure;
use super::tier::{Points, Resolution, Tier};
use crate::telemetry::window::FineSum;

/// Seconds for a quarter of an hour, ten seconds for six hours, minutes for a day.
const RESOLUTIONS: [Resolution; 3] = [
    Resolution { every_s: 1, most: 900 },
    Resolution { every_s: 10, most: 2160 },
    Resolution { every_s: 60, most: 1440 },
];

/// A gap of as many seconds leaves nothing worth keeping.
const GAP_MAX_S: u64 = 86_400;

/// The figures of one thing.
#[derive(Debug)]
pub(super) struct Table {
    figures: &'static [Figure],
    tiers: [Tier; 3],
    /// The second that was added last.
    last: Option<u64>,
}

// === impl Table ===

impl Table {
    pub(super) fn new(figures: &'static [Figure]) -> Self {
        let tiers = RESOLUTIONS.map(|resolution| Tier::new(resolution, figures));
        Self { figures, tiers, last: None }
    }

    /// Adds a second. Where seconds are missing before it, it stands for them too: its counts are of
    /// all of them, a second. A second that was there before is left as it is.
    pub(super) fn push(&mut self, second: u64, row: &[f32], durations: Option<&FineSum>) {
        let from = self.last.map_or(second, |last| last + 1);
        if second.saturating_sub(from) > GAP_MAX_S {
            *self = Self::new(self.figures);
            return self.push(second, row, durations);
        }
        for at in from..=second {
            // Calls are counted once.
            let durations = durations.filter(|_| at == second);
            self.tiers.iter_mut().for_each(|tier| tier.add(at, row, durations));
            self.last = Some(at);
        }
    }

    /// Adds a second of which nothing is known.
    pub(super) fn push_unknown(&mut self, second: u64) {
        self.push(second, &vec![f32::NAN; self.figures.len()], None);
    }

    /// The points of a span.
    pub(super) fn points(&self, span: Span) -> Points {
        self.tiers[span as usize].points()
    }

    /// The last seconds of one figure, at most `most`.
    pub(super) fn newest(&self, name: &str, most: usize) -> Vec<f32> {
        self.tiers[0].newest(name, most)
    }

    /// A span of one figure in points of [`Span::sketched_every_s`].
    pub(super) fn sketched(&self, name: &str, span: Span) -> Vec<f32> {
        self.tiers[span as usize].means(name, span.sketched_every_s())
    }

    /// Memory, bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.tiers.iter().map(Tier::bytes).sum::<usize>()
    }
}

// === impl Span ===

impl Span {
    /// Seconds of a point.
    pub const fn every_s(self) -> u64 {
        RESOLUTIONS[self as usize].every_s
    }

    /// Seconds of a point where a span is told in at most 121 of them, as a line of a hand's width
    /// is drawn: a multiple of [`Span::every_s`].
    pub(super) const fn sketched_every_s(self) -> u64 {
        match self {
            Self::Quarter => 10,
            Self::SixHours => 180,
            Self::Day => 720,
        }
    }

    /// The last second of the newest of these points, when `second` was the last that was added. They
    /// begin and end with the wall clock's own, so that none changes once it has ended.
    pub(super) const fn sketched_end(self, second: u64) -> u64 {
        let (every_s, whole_s) = (self.sketched_every_s(), self.every_s());
        let newest = ((second + 1) / whole_s * whole_s).saturating_sub(1);
        (newest / every_s + 1) * every_s - 1
    }
}
