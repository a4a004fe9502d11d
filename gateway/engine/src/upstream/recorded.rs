//! What is kept of an upstream for a replay: the order of its turns, and what its slow loop saw.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::journal::{Journal, Made, Note};
use crate::live::Recorder;
use crate::order::{Order, Turn};
use crate::time::{Moment, nanos};
use crate::upstream::turn::Scratch;
use crate::upstream::{Upstream, UpstreamState};

/// Turns between two looks for notes that are too old.
const FORGET_EVERY_TURNS: u64 = 64;

/// What is kept of an upstream.
#[derive(Debug)]
pub(super) struct Recorded {
    order: Order,
    journal: Mutex<Journal>,
    keep: Duration,
}

impl Recorded {
    pub(super) fn new(recorder: &Recorder) -> Self {
        Self {
            order: Order::default(),
            journal: Mutex::new(Journal::new(Arc::clone(&recorder.budget))),
            keep: recorder.keep,
        }
    }
}

impl Upstream {
    /// Takes a turn, for a decision or the end of a call; `None` where nothing is recorded. Hold it
    /// over the decision and its consequences, not longer.
    pub fn take_turn(&self) -> Option<Turn<'_>> {
        self.state.recorded.as_ref().map(|recorded| recorded.order.take())
    }

    /// A turn of the slow loop, and what is kept of it where anything is.
    pub(super) fn recorded_turn(&self, scratch: &mut Scratch, now: Moment, installs: bool) {
        let Some(recorded) = &self.state.recorded else { return self.turn_from_last(scratch, now) };
        let turn = recorded.order.take();
        let made = Made { at: now, number: turn.number, generation: self.generation, installs };
        self.turn_from_last(scratch, now);
        drop(turn);
        let mut journal = recorded.journal.lock();
        journal.note(made, &self.endpoints, &self.gateway_cpu);
        if made.number.is_multiple_of(FORGET_EVERY_TURNS) {
            let kept_ns = now.nanos().saturating_sub(nanos(recorded.keep));
            journal.forget_before(Moment::from_nanos(kept_ns));
        }
    }
}

impl UpstreamState {
    /// Turns that overlapped another, ever.
    pub(crate) fn overlapped(&self) -> u64 {
        self.recorded.as_ref().map_or(0, |recorded| recorded.order.overlapped())
    }

    /// What its slow loop saw, and the number of its last turn; `None` where nothing is recorded.
    pub(crate) fn journal(&self) -> Option<(Vec<Note>, u64)> {
        let recorded = self.recorded.as_ref()?;
        let notes = recorded.journal.lock().notes();
        Some((notes, recorded.order.last()))
    }
}
