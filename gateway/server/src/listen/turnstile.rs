//! What a core does first when it has more to do than it can: calls that it has let in before calls
//! that it has not read, and of these the newest.
//!
//! A runtime serves its tasks in the order in which they became ready. Where thousands of connections
//! have sent a call, most of it to be refused, an admitted call queues behind all of them at each of
//! its steps (its head, its upstream's answer, its body), and in the end everybody is answered after
//! their patience has ended. So of the heads that are ready only [`HEADS_MAX`] are read in a round,
//! which is once through the tasks that are ready, and fewer where a round takes longer than
//! [`ROUND_MAX`]; all other work goes on meanwhile. Who has to wait is served newest first (adaptive
//! LIFO, as at Facebook: "Fail at Scale", ACM Queue 2015): who came long ago has likely given up, or
//! will before its answer. Each [`OLDEST_EVERY`]th is the oldest, so that nobody waits for ever.
//!
//! While no round reads that many heads this costs a counter. HTTP/1 only: the streams of an HTTP/2
//! connection are read by its own task, and bounded by their number.
//!
//! Bounds: an entry for each connection that waits, so `limits.connections` of them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sumun_engine::Moment;

use crate::clock::Clock;

/// Heads read in a round: at 10 to 20 µs each, a millisecond between two steps of a call that runs.
pub const HEADS_MAX: u32 = 64;

/// The same, at least, however long a round takes: each has a cost of its own.
const HEADS_MIN: u32 = 4;

/// By how many heads a round may have more than the one before.
const HEADS_STEP: u32 = 4;

/// Longest round that may stay as it is: what a call that runs waits at each of its steps. A core that
/// gets only a part of its time reads fewer heads, and does not lose its upstreams' answers over them.
const ROUND_MAX: Duration = Duration::from_millis(2);

/// Of those that wait, this manieth that is served is the oldest.
const OLDEST_EVERY: u32 = 8;

/// The turnstile of one core.
pub struct Turnstile {
    clock: Clock,
    /// Heads of a round, now.
    allowed: Cell<u32>,
    /// When this round began, where one follows the other.
    begun: Cell<Option<Moment>>,
    /// Heads let through in this round.
    passed: Cell<u32>,
    /// Those that wait, by when they came.
    waiting: RefCell<BTreeMap<u64, Waker>>,
    next: Cell<u64>,
    /// Ever served out of those that waited.
    served: Cell<u32>,
    /// Who begins the rounds.
    usher: RefCell<Option<Waker>>,
}

/// One connection's place at the turnstile.
pub struct Place {
    turnstile: Rc<Turnstile>,
    /// Where it waits.
    number: Cell<Option<u64>>,
    /// Whether its wait is over and its head not read.
    called: Cell<bool>,
}

// === impl Turnstile ===

impl Turnstile {
    /// Open.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            allowed: Cell::new(HEADS_MAX),
            begun: Cell::new(None),
            passed: Cell::new(0),
            waiting: RefCell::default(),
            next: Cell::new(0),
            served: Cell::new(0),
            usher: RefCell::default(),
        }
    }

    /// Begins round after round while there are heads to be read. Run it as a task: a round has ended
    /// when every task that was ready at its beginning has run.
    pub async fn usher(&self) {
        loop {
            poll_fn(|cx| self.poll_full(cx)).await;
            self.begin_round(self.clock.now());
            // To the end of the queue, after what the sockets have to say.
            tokio::task::yield_now().await;
        }
    }

    fn poll_full(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_open() {
            return Poll::Ready(());
        }
        self.begun.set(None);
        *self.usher.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Lets the next ones in.
    fn begin_round(&self, now: Moment) {
        if let Some(begun) = self.begun.replace(Some(now)) {
            let allowed = self.allowed.get();
            self.allowed.set(if now.since(begun) > ROUND_MAX {
                (allowed / 2).max(HEADS_MIN)
            } else {
                (allowed + HEADS_STEP).min(HEADS_MAX)
            });
        }
        self.passed.set(0);
        while self.is_open() {
            let served = self.served.get().wrapping_add(1);
            let mut waiting = self.waiting.borrow_mut();
            let oldest = served.is_multiple_of(OLDEST_EVERY);
            let next = if oldest { waiting.pop_first() } else { waiting.pop_last() };
            drop(waiting);
            let Some((_, waker)) = next else { return };
            self.served.set(served);
            self.passed.set(self.passed.get() + 1);
            waker.wake();
        }
    }

    /// Whether a head may be read at once.
    fn is_open(&self) -> bool {
        self.passed.get() < self.allowed.get()
    }

    fn count(&self) {
        self.passed.set(self.passed.get() + 1);
        if !self.is_open()
            && let Some(usher) = self.usher.take()
        {
            usher.wake();
        }
    }
}

// === impl Place ===

impl Place {
    /// Of a connection that has not come yet.
    pub fn new(turnstile: &Rc<Turnstile>) -> Self {
        Self { turnstile: Rc::clone(turnstile), number: Cell::new(None), called: Cell::new(false) }
    }

    /// Ready where a head may be read now. `is_readable` is asked only where others were there first:
    /// whoever has nothing to say need not wait.
    #[inline]
    pub fn poll_pass(
        &self,
        cx: &mut Context<'_>,
        is_readable: impl FnOnce(&mut Context<'_>) -> bool,
    ) -> Poll<()> {
        if self.number.get().is_none() && (self.called.get() || self.turnstile.is_open()) {
            return Poll::Ready(());
        }
        self.poll_wait(cx, is_readable)
    }

    /// A head was read.
    #[inline]
    pub fn note_read(&self) {
        // Who was called has been counted.
        if !self.called.replace(false) {
            self.turnstile.count();
        }
    }

    fn poll_wait(
        &self,
        cx: &mut Context<'_>,
        is_readable: impl FnOnce(&mut Context<'_>) -> bool,
    ) -> Poll<()> {
        let mut waiting = self.turnstile.waiting.borrow_mut();
        if let Some(number) = self.number.get() {
            let Some(waker) = waiting.get_mut(&number) else {
                self.number.set(None);
                self.called.set(true);
                return Poll::Ready(());
            };
            waker.clone_from(cx.waker());
            return Poll::Pending;
        }
        if is_readable(cx) {
            let number = self.turnstile.next.get();
            self.turnstile.next.set(number + 1);
            self.number.set(Some(number));
            waiting.insert(number, cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(number) = self.number.get() {
            self.turnstile.waiting.borrow_mut().remove(&number);
        }
    }
}

#[cfg(test)]
mod tests;
