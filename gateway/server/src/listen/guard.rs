//! The time limits of one client connection.
//!
//! One coarse deadline guards all of them: it is looked at when it fires, not armed per call.

use std::rc::Rc;
use std::task::{Context, Poll};

use super::connection::{Connection, Unreadable};
use crate::core::Core;
use crate::deadline::{Deadline, TICK, ticks};

/// Holds all time limits of one connection.
pub struct Guard {
    deadline: Deadline,
    connection: Rc<Connection>,
    core: Rc<Core>,
    header_ticks: u64,
    idle_ticks: u64,
}

impl Guard {
    /// From the connection's beginning on.
    pub fn new(core: &Rc<Core>, connection: &Rc<Connection>) -> Self {
        let limits = &core.shared.settings.limits;
        let first = limits.header_time.min(limits.idle);
        Self {
            deadline: core.deadlines.after(first),
            connection: Rc::clone(connection),
            core: Rc::clone(core),
            header_ticks: ticks(limits.header_time),
            idle_ticks: ticks(limits.idle),
        }
    }

    /// Ready when the connection is to be cut without a word; a slow head is refused instead.
    pub fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.deadline.poll_expired(cx).is_ready() {
            let (connection, now) = (&self.connection, self.core.deadlines.tick());
            let mut next = self.header_ticks.min(self.idle_ticks);
            let mut due = |since: u64, limit: u64| {
                let left = (since + limit).saturating_sub(now);
                next = next.min(left.max(1));
                left == 0
            };
            let head = connection.head_tick.get();
            let stalled = connection.stalled_tick.get();
            if head != 0 && connection.refused.get().is_none() && due(head, self.header_ticks) {
                connection.refused.set(Some(Unreadable::TooSlow));
                cx.waker().wake_by_ref();
            }
            if stalled != 0 && due(stalled, self.idle_ticks) {
                return Poll::Ready(());
            }
            if connection.calls.get() == 0 && due(connection.moved_tick.get(), self.idle_ticks) {
                return Poll::Ready(());
            }
            self.deadline.reset(TICK * u32::try_from(next).unwrap_or(u32::MAX));
        }
        Poll::Pending
    }
}

impl Drop for Guard {
    /// A panic between an accepted upgrade and its tunnel frees the call like any other end.
    fn drop(&mut self) {
        drop(self.connection.tunnel.take());
    }
}
