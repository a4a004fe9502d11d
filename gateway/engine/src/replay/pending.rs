//! What a draft has not decided or not ended yet: calls in its line, and calls that run for a time of
//! their own.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Wake, Waker};

use parking_lot::Mutex;

use crate::admission::wait::Waiting;
use crate::route::Route;
use crate::time::{Moment, nanos};

/// What comes next by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// The call at this place ends.
    End(u32),
    /// It has waited as long as it may.
    GiveUp(u32),
}

/// A call in the draft's line.
pub(super) struct Queued {
    pub waiting: Waiting,
    pub route: Arc<Route>,
}

/// Everything that is to come. Bounded by the calls of the recording.
#[derive(Default)]
pub(super) struct Pending {
    due: BinaryHeap<Reverse<(u64, Due)>>,
    queued: HashMap<u32, Queued>,
    granted: Arc<Granted>,
}

/// Calls that were handed a slot, in that order, not decided yet.
#[derive(Default)]
struct Granted(Mutex<VecDeque<u32>>);

/// Tells which call was handed a slot.
struct Bell {
    call: u32,
    granted: Arc<Granted>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.granted.0.lock().push_back(self.call);
    }
}

// === impl Pending ===

impl Pending {
    /// A call ends at a time of its own.
    pub(super) fn ends(&mut self, call: u32, at_ns: u64) {
        self.due.push(Reverse((at_ns, Due::End(call))));
    }

    /// A call waits from now on.
    pub(super) fn waits(&mut self, call: u32, queued: Queued, now: Moment) {
        let bell = Waker::from(Arc::new(Bell { call, granted: Arc::clone(&self.granted) }));
        let gives_up_ns = now.nanos().saturating_add(nanos(queued.waiting.patience()));
        if queued.waiting.is_granted(&bell) {
            bell.wake();
        }
        self.due.push(Reverse((gives_up_ns, Due::GiveUp(call))));
        self.queued.insert(call, queued);
    }

    /// A call that was handed a slot.
    pub(super) fn granted(&mut self) -> Option<(u32, Queued)> {
        loop {
            let call = self.granted.0.lock().pop_front()?;
            if let Some(queued) = self.queued.remove(&call) {
                return Some((call, queued));
            }
        }
    }

    /// What is due at `at` or before, the first of it.
    pub(super) fn due(&mut self, at: Moment) -> Option<(Moment, Due)> {
        let Reverse((due_ns, _)) = *self.due.peek()?;
        if due_ns > at.nanos() {
            return None;
        }
        self.due.pop().map(|Reverse((due_ns, due))| (Moment::from_nanos(due_ns), due))
    }

    /// Takes a call out of the line, where it is in it.
    pub(super) fn give_up(&mut self, call: u32) -> Option<Queued> {
        self.queued.remove(&call)
    }
}
