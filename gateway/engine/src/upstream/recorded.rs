//! What is kept of an upstream for a replay: the order of its turns, and what its slow loop saw.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::journal::{Journal, Made, Note};
use crate::live::Recorder;
use crate::order::{Order, Turn};
use crate::quota::Pool;
use crate::time::{Moment, nanos};
use crate::upstream::turn::Scratch;
use crate::upstream::{Upstream, UpstreamState};

/// Rounds between two looks for notes that are too old.
const FORGET_EVERY_ROUNDS: u32 = 64;

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
            order: Order::new(Arc::clone(&recorder.stamps)),
            journal: Mutex::new(Journal::new(Arc::clone(&recorder.budget))),
            keep: recorder.keep,
        }
    }
}

impl Upstream {
    /// Takes a turn, also at the pool where there is one to take; `None` where nothing is recorded.
    pub(crate) fn take_turn<'a>(&'a self, pool: Option<&'a Pool>) -> Option<Turn<'a>> {
        self.state.recorded.as_ref().map(|recorded| recorded.order.take(pool))
    }

    /// A round of the slow loop in a turn of its own, and what is kept of it.
    pub(super) fn round(&self, scratch: &mut Scratch, now: Moment) {
        let turn = self.take_turn(None);
        let handed = self.turn_from_last(scratch, now);
        let made = turn.as_ref().map(|turn| Made {
            at: now,
            stamp: turn.stamp,
            generation: self.generation,
            installs: false,
        });
        self.keep(made, scratch);
        drop(turn);
        drop(handed); // wakes them
        self.forget(scratch, now);
    }

    /// Keeps what a round saw; within its turn.
    pub(super) fn keep(&self, made: Option<Made>, scratch: &mut Scratch) {
        if let (Some(recorded), Some(made)) = (&self.state.recorded, made) {
            recorded.journal.lock().note(made, &scratch.seen);
            scratch.rounds = scratch.rounds.wrapping_add(1);
        }
    }

    fn forget(&self, scratch: &Scratch, now: Moment) {
        let Some(recorded) = &self.state.recorded else { return };
        if scratch.rounds.is_multiple_of(FORGET_EVERY_ROUNDS) {
            let kept_ns = now.nanos().saturating_sub(nanos(recorded.keep));
            recorded.journal.lock().forget_before(Moment::from_nanos(kept_ns));
        }
    }
}

impl UpstreamState {
    /// The order of its turns; `None` where nothing is recorded.
    pub(crate) fn order(&self) -> Option<&Order> {
        self.recorded.as_ref().map(|recorded| &recorded.order)
    }

    /// Returns once every turn that was held has ended.
    pub(crate) fn pass(&self) {
        if let Some(order) = self.order() {
            order.pass();
        }
    }

    /// What its slow loop saw; `None` where nothing is recorded.
    pub(crate) fn notes(&self) -> Option<Vec<Note>> {
        Some(self.recorded.as_ref()?.journal.lock().notes())
    }
}
