//! A body that is stored while it streams to the client.
//!
//! Begins with the answer's head; ends when the body ends (stored), fails, carries trailers, grows
//! over a bound or is dropped by the client (not stored). Whatever happens to the storing, the client
//! gets every frame as it came, when it came.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use sumun_engine::freshness::NotStored;

use super::errand::Deposit;
use super::filling::Collected;
use crate::body::{Body, BodyError};

/// An upstream's body with a copy on its way into the store.
pub(crate) struct Tee {
    inner: Body,
    /// `None` once stored or given up.
    storing: Option<Storing>,
}

struct Storing {
    collected: Collected,
    deposit: Deposit,
}

impl Tee {
    pub(crate) fn new(inner: Body, collected: Collected, deposit: Deposit) -> Self {
        Self { inner, storing: Some(Storing { collected, deposit }) }
    }

    /// The body is complete.
    fn finish(&mut self) {
        if let Some(Storing { collected, deposit }) = self.storing.take() {
            match collected.complete() {
                Some(body) => deposit.store(body),
                // Shorter than promised: not stored, and the lead goes to a follower.
                None => drop(deposit),
            }
        }
    }

    fn take(&mut self, frame: &Frame<Bytes>) {
        let Some(storing) = &mut self.storing else { return };
        let taken = match frame.data_ref() {
            Some(chunk) => storing.collected.push(chunk),
            None => Err(NotStored::Trailers),
        };
        if let Err(why) = taken
            && let Some(Storing { deposit, .. }) = self.storing.take()
        {
            deposit.give_up(why);
        }
    }
}

impl http_body::Body for Tee {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let polled = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        match &polled {
            Some(Ok(frame)) => {
                this.take(frame);
                // The connection need not ask again after the last byte, so the end is seen here.
                if this.inner.is_end_stream() {
                    this.finish();
                }
            }
            Some(Err(_)) => this.storing = None,
            None => this.finish(),
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        // With `Content-Length` a connection stops asking after the last byte: nothing is missing then.
        if self.storing.as_ref().is_some_and(|storing| storing.collected.is_as_promised()) {
            self.finish();
        }
    }
}
