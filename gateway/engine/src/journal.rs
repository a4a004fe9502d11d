//! What the slow loop of an upstream saw at each of its turns, kept for a replay.
//!
//! A turn depends on the gauges of its endpoints, on which of them are up, and on what is in flight.
//! The last is replayed; the rest is noted here, and only where it changed since the turn before. So
//! a scrape costs a few notes a period, and readings that came and went between two turns cost
//! nothing. Notes are written by the slow loop under its own lock; the fast loop never meets them.
//!
//! Bounds: all journals of one [`crate::Live`] share a number of notes of [`NOTE_BYTES`]; where they
//! are used up, a journal forgets its oldest.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use crate::endpoint::GAUGES;
use crate::signals::Sample;
use crate::time::Moment;
use crate::upstream::seen::{EndpointSeen, Seen};

/// Memory of one note.
pub const NOTE_BYTES: usize = size_of::<Note>();

/// What is noted of an endpoint besides its gauges, behind them: whether it is up (1 or 0), and our own
/// calls where they stand in for what it does not tell.
pub(crate) const UP: u8 = GAUGES as u8;
pub(crate) const IN_FLIGHT: u8 = UP + 1;

/// Notes of one endpoint that a turn can make.
const KINDS: usize = IN_FLIGHT as usize + 1;

/// One thing that a turn saw, or the turn itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Note {
    /// What is read by the next turn.
    Read(Read),
    /// A turn.
    Turn(TurnNote),
}

/// Something that had changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Read {
    /// Which one.
    pub source: GaugeOf,
    pub value: f64,
    /// When it was read.
    pub at: Moment,
}

/// Which gauge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum GaugeOf {
    /// The gateway's own CPU.
    OwnCpu,
    /// Of the endpoint with index `.0` the gauge `.1` of [`crate::Endpoint::gauges`], or [`UP`], or
    /// [`IN_FLIGHT`].
    Endpoint(u16, u8),
}

/// A turn of the slow loop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TurnNote {
    pub at: Moment,
    /// Its stamp, the lower half.
    pub order: u32,
    /// The compilation that it belongs to, the lower half.
    pub generation: u16,
    /// Whether it was the first of a compilation, which compiling makes by itself.
    pub installs: bool,
}

/// Notes that may still be kept, over all journals.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicUsize,
    max: usize,
}

/// The notes of one upstream.
#[derive(Debug)]
pub(crate) struct Journal {
    budget: Arc<Budget>,
    notes: VecDeque<Note>,
    /// What was last noted of each gauge, and when it was read; of the generation that it belongs to.
    seen: Vec<Option<(Moment, u64)>>,
    generation: u64,
}

/// A turn as the slow loop makes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    pub at: Moment,
    pub stamp: u64,
    pub generation: u64,
    pub installs: bool,
}

// === impl GaugeOf ===

impl GaugeOf {
    /// Its place among the gauges of an upstream.
    fn place(self) -> usize {
        match self {
            Self::OwnCpu => 0,
            Self::Endpoint(index, kind) => 1 + usize::from(index) * KINDS + usize::from(kind),
        }
    }
}

// === impl Budget ===

impl Budget {
    pub(crate) fn new(max: usize) -> Self {
        Self { left: AtomicUsize::new(max), max }
    }

    /// Bytes that notes take.
    pub(crate) fn used_bytes(&self) -> usize {
        (self.max - self.left.load(Relaxed)) * NOTE_BYTES
    }

    fn take(&self) -> bool {
        self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    fn give(&self, count: usize) {
        self.left.fetch_add(count, Relaxed);
    }
}

// === impl Journal ===

impl Journal {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, notes: VecDeque::new(), seen: Vec::new(), generation: 0 }
    }

    /// Notes a turn and what it saw.
    pub(crate) fn note(&mut self, made: Made, seen: &Seen) {
        if self.generation != made.generation {
            // Another policy may number other endpoints.
            self.seen.clear();
            self.generation = made.generation;
        }
        self.read(GaugeOf::OwnCpu, seen.own_cpu);
        for (index, endpoint) in (0u16..).zip(&seen.endpoints) {
            self.endpoint(index, endpoint, seen.stood_in);
        }
        self.push(Note::Turn(TurnNote {
            at: made.at,
            order: made.stamp as u32,
            generation: made.generation as u16,
            installs: made.installs,
        }));
    }

    /// All notes, oldest first, from the first whole turn on.
    pub(crate) fn notes(&self) -> Vec<Note> {
        self.notes.iter().copied().collect()
    }

    /// Forgets the turns before a moment.
    pub(crate) fn forget_before(&mut self, at: Moment) {
        let old = |note: &Note| match note {
            Note::Read(_) => true,
            Note::Turn(turn) => turn.at < at,
        };
        let kept = self.notes.iter().position(|note| !old(note)).unwrap_or(self.notes.len());
        // What the first turn that stays has read stays with it.
        let reads = self.notes.range(..kept).rev().take_while(|n| matches!(n, Note::Read(_)));
        let count = kept - reads.count();
        self.notes.drain(..count);
        self.budget.give(count);
    }

    fn endpoint(&mut self, index: u16, endpoint: &EndpointSeen, in_flight: bool) {
        for (kind, sample) in (0u8..).zip(endpoint.gauges) {
            self.read(GaugeOf::Endpoint(index, kind), sample);
        }
        let state = |value| Some(Sample { value, at: Moment::default() });
        self.read(GaugeOf::Endpoint(index, UP), state(f64::from(u8::from(endpoint.up))));
        if in_flight {
            self.read(GaugeOf::Endpoint(index, IN_FLIGHT), state(f64::from(endpoint.in_flight)));
        }
    }

    fn read(&mut self, source: GaugeOf, sample: Option<Sample>) {
        let Some(sample) = sample else { return };
        let place = source.place();
        if self.seen.len() <= place {
            self.seen.resize(place + 1, None);
        }
        let known = (sample.at, sample.value.to_bits());
        if self.seen[place].replace(known) == Some(known) {
            return;
        }
        self.push(Note::Read(Read { source, value: sample.value, at: sample.at }));
    }

    fn push(&mut self, note: Note) {
        if !self.budget.take() {
            // Its place is another's: without one, this upstream is not noted.
            if self.notes.pop_front().is_none() {
                return;
            }
        }
        self.notes.push_back(note);
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.budget.give(self.notes.len());
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
