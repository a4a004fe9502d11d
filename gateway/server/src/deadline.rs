//! Deadlines of one core: a hashed timing wheel (Varghese & Lauck 1987, scheme 6) of 32 ms ticks.
//!
//! A call arms a deadline when it begins to wait and drops it when it no longer does. Arming and
//! dropping cost two list operations and no system call; a deadline fires up to one tick late. The
//! wheel is bounded by what holds deadlines: calls in flight and connections.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Length of a tick. Late by at most this: far below the shortest deadline that matters (250 ms).
pub const TICK: Duration = Duration::from_millis(32);

/// Lists of the wheel; a deadline further away than `SLOTS` ticks stays in its list for another turn.
const SLOTS: usize = 512;

const NONE: u32 = u32::MAX;

/// All deadlines of one core.
#[derive(Clone)]
pub struct Deadlines(Rc<RefCell<Wheel>>);

/// One armed deadline; dropping it disarms it.
pub struct Deadline {
    wheel: Rc<RefCell<Wheel>>,
    key: u32,
}

struct Wheel {
    tick: u64,
    entries: Vec<Entry>,
    free: u32,
    heads: Box<[u32; SLOTS]>,
}

struct Entry {
    due: u64,
    waker: Option<Waker>,
    prev: u32,
    next: u32,
    fired: bool,
}

// === impl Deadlines ===

impl Default for Deadlines {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(Wheel {
            tick: 0,
            entries: Vec::new(),
            free: NONE,
            heads: Box::new([NONE; SLOTS]),
        })))
    }
}

impl Deadlines {
    /// Ticks since the core began: a free, coarse clock.
    pub fn tick(&self) -> u64 {
        self.0.borrow().tick
    }

    /// Fires after `duration`, rounded up to ticks.
    pub fn after(&self, duration: Duration) -> Deadline {
        let key = self.0.borrow_mut().arm(ticks(duration));
        Deadline { wheel: Rc::clone(&self.0), key }
    }

    /// Runs `future` for at most `limit`; `None` once that has passed.
    pub async fn within<F: Future>(&self, limit: Duration, future: F) -> Option<F::Output> {
        let deadline = self.after(limit);
        let mut future = std::pin::pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => deadline.poll_expired(cx).map(|()| None),
        })
        .await
    }

    /// Moves time on by one tick and wakes what is due. Called by the core's ticker only.
    pub fn advance(&self) {
        // Wakers run with no borrow held: a waker may drop a deadline.
        let due = self.0.borrow_mut().advance();
        due.into_iter().for_each(Waker::wake);
    }
}

/// A duration in whole ticks, rounded up, plus the running one: a deadline never fires early.
pub fn ticks(duration: Duration) -> u64 {
    let whole = duration.as_millis().div_ceil(TICK.as_millis());
    u64::try_from(whole).unwrap_or(u64::MAX / 2).saturating_add(1)
}

// === impl Deadline ===

impl Deadline {
    /// Ready once the deadline has passed; else wakes the task when it does.
    pub fn poll_expired(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut wheel = self.wheel.borrow_mut();
        let entry = &mut wheel.entries[self.key as usize];
        if entry.fired {
            return Poll::Ready(());
        }
        match &mut entry.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            slot => *slot = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Arms it anew, `duration` from now.
    pub fn reset(&self, duration: Duration) {
        let mut wheel = self.wheel.borrow_mut();
        wheel.unlink(self.key);
        let due = wheel.tick + ticks(duration);
        wheel.link(self.key, due);
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let waker = self.wheel.borrow_mut().release(self.key);
        drop(waker);
    }
}

// === impl Wheel ===

impl Wheel {
    fn arm(&mut self, in_ticks: u64) -> u32 {
        let key = if self.free == NONE {
            self.entries.push(Entry { due: 0, waker: None, prev: NONE, next: NONE, fired: true });
            // One entry per call or connection; both are bounded far below 2^32.
            u32::try_from(self.entries.len() - 1).unwrap_or(NONE - 1)
        } else {
            let key = self.free;
            self.free = self.entries[key as usize].next;
            key
        };
        let due = self.tick + in_ticks;
        self.link(key, due);
        key
    }

    fn link(&mut self, key: u32, due: u64) {
        let head = &mut self.heads[due as usize % SLOTS];
        let next = std::mem::replace(head, key);
        if next != NONE {
            self.entries[next as usize].prev = key;
        }
        let entry = &mut self.entries[key as usize];
        (entry.due, entry.prev, entry.next, entry.fired) = (due, NONE, next, false);
    }

    fn unlink(&mut self, key: u32) {
        let Entry { due, prev, next, fired, .. } = self.entries[key as usize];
        if fired {
            return;
        }
        if prev == NONE {
            self.heads[due as usize % SLOTS] = next;
        } else {
            self.entries[prev as usize].next = next;
        }
        if next != NONE {
            self.entries[next as usize].prev = prev;
        }
        self.entries[key as usize].fired = true;
    }

    fn release(&mut self, key: u32) -> Option<Waker> {
        self.unlink(key);
        let free = std::mem::replace(&mut self.free, key);
        let entry = &mut self.entries[key as usize];
        entry.next = free;
        entry.waker.take()
    }

    fn advance(&mut self) -> Vec<Waker> {
        self.tick += 1;
        let mut woken = Vec::new();
        let mut key = self.heads[self.tick as usize % SLOTS];
        while key != NONE {
            let next = self.entries[key as usize].next;
            if self.entries[key as usize].due <= self.tick {
                self.unlink(key);
                woken.extend(self.entries[key as usize].waker.take());
            }
            key = next;
        }
        woken
    }
}

#[cfg(test)]
mod tests;
