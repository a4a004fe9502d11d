//! Calls of an HTTP/1 connection that are read and answered in front of hyper, while that rests.
//!
//! hyper rests when it waits for a head and has nothing left to write. From then on the connection's
//! task does not poll it: what comes is read into the core's own room, screened, and offered to
//! [`Calls`]. Only what those leave to hyper — and the end of the connection — wakes it. So a
//! connection whose calls are all small never fills hyper's buffers, and costs none of its steps.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use std::io;
use tokio::io::ReadBuf;

use super::{SharedWire, State, Wire};
use crate::listen::early::{Calls, Early, Ended};

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Ours,
    Hypers,
}

// === impl SharedWire ===

impl SharedWire {
    /// Serves calls while hyper rests. Ready when it is hyper's turn, at once where it does not rest.
    pub fn poll_calls(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut wire = self.0.borrow_mut();
        while wire.rests {
            match ready!(wire.poll_call(cx)) {
                Ok(turn) => wire.rests = turn == Turn::Ours,
                Err(error) => wire.end(Err(error)),
            }
        }
        Poll::Ready(())
    }

    /// Whether hyper rests: its last step has left it without anything to do.
    pub fn rests(&self) -> bool {
        self.0.borrow().rests
    }

    /// Whether the socket has not taken all of an answer.
    pub fn is_sending(&self) -> bool {
        let wire = self.0.borrow();
        wire.unflushed || !wire.unsent.is_empty()
    }

    /// Ends hyper's rest: there is something to do that is not read from the connection.
    pub fn wake(&self) {
        self.0.borrow_mut().rests = false;
    }
}

// === impl Wire ===

impl Wire {
    /// The next step of the call under way, or of the next one.
    fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Turn>> {
        let Some((calls, _)) = &self.calls else { return Poll::Ready(Ok(Turn::Hypers)) };
        match calls.poll_under_way(cx) {
            Poll::Ready(None) => {}
            Poll::Ready(Some(Ended::Answered(answer))) => self.unsent = answer,
            Poll::Ready(Some(Ended::ForHyper(head))) => {
                let behind = std::mem::take(&mut self.ready);
                self.ready.extend_from_slice(&head);
                self.ready.unsplit(behind);
            }
            Poll::Pending => return self.poll_left(cx),
        }
        ready!(self.poll_sent(cx))?;
        ready!(self.poll_flushed(cx))?;
        if !self.ready.is_empty() || !self.is_at_head() || !self.may_answer() {
            return Poll::Ready(Ok(Turn::Hypers));
        }
        let begins = self.held.is_empty();
        if begins {
            ready!(self.poll_pass(cx));
        }
        let read = ready!(self.poll_head(cx, begins))?;
        Poll::Ready(Ok(match read {
            None if self.ended.is_some() => Turn::Hypers,
            None => Turn::Ours, // a part of a head
            Some(head) => self.begin(head),
        }))
    }

    /// Reads; `Some`: what may be acted on, which nobody has seen yet.
    fn poll_head(&mut self, cx: &mut Context<'_>, begins: bool) -> Poll<io::Result<Option<Bytes>>> {
        let Some(calls) = self.calls() else { return Poll::Ready(Ok(None)) };
        let mut scratch = calls.scratch();
        let mut buf = ReadBuf::new(&mut scratch);
        if ready!(self.read_raw(cx, &mut buf))? == 0 {
            self.end(Ok(()));
            return Poll::Ready(Ok(None));
        }
        if begins {
            self.note_read();
        }
        self.screen_read(&mut buf, 0);
        let fresh = buf.filled();
        Poll::Ready(Ok(if !fresh.is_empty() {
            Some(calls.head(fresh))
        } else if !self.ready.is_empty() {
            Some(std::mem::take(&mut self.ready).freeze()) // and its room with it
        } else {
            None
        }))
    }

    /// Begins the call that `head` asks for, where it is one and whole, and hyper need not see it.
    fn begin(&mut self, head: Bytes) -> Turn {
        if head[..] == *b"\r\n" {
            return Turn::Ours; // an empty line before a head, of which the screen lets one by
        }
        let left = match &self.calls {
            Some((calls, _)) if self.is_between_messages() => match calls.answer(head) {
                Early::Answered(answer) => {
                    self.unsent = answer;
                    return Turn::Ours;
                }
                Early::Later => return Turn::Ours,
                Early::ForHyper(head) => head,
            },
            _ => head,
        };
        self.ready.extend_from_slice(&left);
        Turn::Hypers
    }

    /// Ready when the client has closed while its call is under way, which then ends. What it sends
    /// instead is kept for later; the rest is left in the socket.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Turn>> {
        let Some(calls) = self.calls() else { return Poll::Pending };
        let mut scratch = calls.scratch();
        while self.state == State::Open && self.ready.is_empty() {
            let mut buf = ReadBuf::new(&mut scratch);
            let read = ready!(self.read_raw(cx, &mut buf));
            if !matches!(read, Ok(1..)) {
                drop(scratch); // a call that ends may want it
                calls.drop_under_way();
                self.end(read.map(drop));
                return Poll::Ready(Ok(Turn::Hypers));
            }
            self.screen_read(&mut buf, 0);
            self.ready.extend_from_slice(buf.filled());
        }
        Poll::Pending
    }

    /// The client has closed, or can't be reached any more.
    fn end(&mut self, how: io::Result<()>) {
        self.ended = Some(how);
        self.rests = false;
    }

    fn calls(&self) -> Option<Rc<Calls>> {
        self.calls.as_ref().map(|(calls, _)| Rc::clone(calls))
    }

    /// Whether what comes next is a head, or the rest of one.
    #[inline]
    fn is_at_head(&self) -> bool {
        self.state == State::Open
            && self.connection.refused.get().is_none()
            && self.screen.as_ref().is_some_and(|screen| !screen.in_body())
    }

    /// Whether nothing of an earlier call is under way, and the next may be answered at once.
    #[inline]
    pub(super) fn may_answer(&self) -> bool {
        self.calls.as_ref().is_some_and(|(calls, _)| calls.may_answer())
    }

    /// Ready when it is the connection's turn to have a head read.
    #[inline]
    pub(super) fn poll_pass(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Some((_, place)) = &self.calls else { return Poll::Ready(()) };
        let transport = self.transport.get_ref();
        place.poll_pass(cx, |cx| !self.sniffed.is_empty() || transport.is_readable(cx))
    }

    /// A head was read, or the beginning of one.
    #[inline]
    pub(super) fn note_read(&self) {
        if let Some((_, place)) = &self.calls {
            place.note_read();
        }
    }
}
