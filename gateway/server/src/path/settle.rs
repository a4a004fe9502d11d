//! **settle**: the end of a call, whatever ended it.
//!
//! One [`Settlement`] holds everything a call must give back. It travels from the call's future into
//! the answer's body; dropping it settles, exactly once: a client that leaves, a reset, a timeout and
//! a panic all end here. A slow download keeps its slot until the last byte.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Version;
use http_body::{Body as _, Frame, SizeHint};
use sumun_engine::admission::Slot;
use sumun_engine::endpoint::Load;
use sumun_engine::quota::Permit;
use sumun_engine::time::Moment;

use crate::body::{Body, BodyError};
use crate::core::Core;
use crate::listen::connection::Connection;
use crate::telemetry::record::CallRecord;
use crate::upstream::Progress;

use super::order::Recorded;

/// HTTP/2: bytes of a stored body that are handed on at once, as many as a frame has. The library takes
/// whatever it is handed, and with all of it taken the call would be over before its client has it.
const H2_PIECE_BYTES: usize = 16 * 1024;

/// What a call holds until it ends.
pub struct Settlement {
    /// What will be told about the call.
    pub record: CallRecord,
    /// Its place among the calls in flight to the upstream.
    pub slot: Option<Slot>,
    /// Its share of the function's quota.
    pub permit: Option<Permit>,
    /// Its place in the recording, while it holds a slot.
    pub recorded: Option<Recorded>,
    /// Its weight in balancing.
    pub load: Option<Load>,
    /// Its request body, where it was forwarded.
    pub sent: Option<Rc<Progress>>,
    core: Rc<Core>,
    connection: Rc<Connection>,
}

impl Settlement {
    /// Begins a call.
    #[inline]
    pub fn new(record: CallRecord, core: Rc<Core>, connection: Rc<Connection>) -> Box<Self> {
        connection.calls.set(connection.calls.get() + 1);
        Box::new(Self {
            record,
            slot: None,
            permit: None,
            recorded: None,
            load: None,
            sent: None,
            core,
            connection,
        })
    }
}

impl Settlement {
    /// Gives back what others wait for; `now` is asked where that is recorded.
    pub fn free(&mut self, now: impl FnOnce() -> Moment) {
        drop(self.load.take());
        let recorded = self.recorded.take();
        let now = recorded.as_ref().map(|_| now());
        let turn = recorded.as_ref().and_then(Recorded::turn);
        let handed = self.slot.take().map(Slot::leave);
        drop(self.permit.take());
        if let (Some(recorded), Some(turn), Some(now)) = (&recorded, &turn, now) {
            recorded.end(&self.core, turn.stamp, now);
        }
        drop(turn);
        // Whoever was handed the slot is woken: that takes longer than a turn should.
        drop(handed);
    }

    /// HTTP/2: tells the stream's task whether its client is waited for, or the upstream.
    fn note_polled(&self, ready: bool) {
        if let Some(handed) = &*self.connection.stream.borrow() {
            handed.set(if ready { self.core.deadlines.tick().max(1) } else { 0 });
        }
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        // Freed before anything is told: a line that can't be written holds nobody up.
        let now = self.core.now();
        self.free(|| now);
        self.connection.calls.set(self.connection.calls.get() - 1);
        self.connection.moved_tick.set(self.core.deadlines.tick());
        if let Some(sent) = &self.sent {
            self.record.request_bytes += sent.bytes.get();
        }
        self.record.ended_ns = now.nanos();
        self.core.telemetry.settle(&self.record);
    }
}

/// The body that hyper gets: an answer's bytes, and the settlement that ends with them.
pub struct Settled {
    body: Body,
    settlement: Option<Box<Settlement>>,
}

impl Settled {
    /// Ties a settlement to a body.
    pub fn new(body: Body, settlement: Box<Settlement>) -> Self {
        Self { body, settlement: Some(settlement) }
    }

    /// The answer of an accepted upgrade: the settlement goes into the tunnel.
    pub fn detached() -> Self {
        Self { body: Body::Empty, settlement: None }
    }

    /// The length of a body that is there as a whole, bytes.
    pub fn whole(&self) -> Option<usize> {
        match &self.body {
            Body::Empty if self.settlement.is_some() => Some(0),
            Body::Full(bytes) => Some(bytes.len()),
            _ => None,
        }
    }

    /// Takes a body that is there as a whole, to be handed to the connection; settles the call.
    pub fn take_whole(&mut self) -> Bytes {
        let Body::Full(bytes) = std::mem::take(&mut self.body) else { return Bytes::new() };
        if let Some(settlement) = &mut self.settlement {
            settlement.record.response_bytes += bytes.len() as u64;
        }
        bytes
    }

    fn complete(&mut self) {
        if let Some(settlement) = &mut self.settlement {
            settlement.record.complete = true;
        }
    }
}

impl http_body::Body for Settled {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(settlement) = &this.settlement {
            std::task::ready!(settlement.connection.poll_writable(cx));
        }
        let polled = match (&mut this.body, &this.settlement) {
            (Body::Full(bytes), Some(settlement))
                if settlement.connection.h2 && bytes.len() > H2_PIECE_BYTES =>
            {
                Poll::Ready(Some(Ok(Frame::data(bytes.split_to(H2_PIECE_BYTES)))))
            }
            (body, _) => Pin::new(body).poll_frame(cx),
        };
        if let Some(settlement) = &this.settlement {
            settlement.note_polled(polled.is_ready());
        }
        let polled = std::task::ready!(polled);
        match &polled {
            Some(Ok(frame)) => {
                if let (Some(data), Some(settlement)) = (frame.data_ref(), &mut this.settlement) {
                    settlement.record.response_bytes += data.len() as u64;
                    settlement.connection.note_handed(data.len());
                }
                if this.body.is_end_stream() {
                    this.complete();
                }
            }
            Some(Err(_)) => {
                if let Some(settlement) = this.settlement.take() {
                    // Without chunks an orderly close would be the end of the answer.
                    let unframed = settlement.record.version == Version::HTTP_10;
                    settlement.connection.cut.set(unframed);
                }
            }
            None => {
                this.complete();
                this.settlement = None;
            }
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Settled {
    fn drop(&mut self) {
        // An empty body is never polled; it is as complete as it can be.
        if self.body.is_end_stream() {
            self.complete();
        }
    }
}
