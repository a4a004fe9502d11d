//! An answer's body on its way from an upstream: streamed; its connection returns to the pool when
//! it has ended exactly.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::pool::{Connection1, Pool};
use super::send::Progress;
use crate::body::BodyError;
use crate::core::Core;
use crate::deadline::Deadline;
use crate::headers;

/// An upstream's body.
pub struct UpstreamBody {
    incoming: Incoming,
    core: Rc<Core>,
    /// The connection to give back; `None` for HTTP/2, or once given back.
    lease: Option<(Connection1, Rc<Pool>)>,
    /// Whether it comes over HTTP/2.
    over_h2: bool,
    /// Its trailers have come: nobody asks again after them.
    ended: bool,
    /// The request's own body: while it is under way the connection is not idle.
    sent: Rc<Progress>,
    silence_max: Duration,
    /// Armed while the upstream is waited for; a client that doesn't read is not held against it.
    waiting: Option<Deadline>,
}

impl UpstreamBody {
    pub(super) fn new(
        incoming: Incoming,
        core: Rc<Core>,
        lease: Option<(Connection1, Rc<Pool>)>,
        sent: Rc<Progress>,
        silence_max: Duration,
    ) -> Self {
        let over_h2 = lease.is_none();
        let (ended, waiting) = (false, None);
        let mut body = Self { incoming, core, lease, over_h2, ended, sent, silence_max, waiting };
        if body.incoming.is_end_stream() {
            body.give_back();
        }
        body
    }

    /// hyper takes an HTTP/2 stream that was reset with `NO_ERROR` for ended, since a server may
    /// reset the rest of an upload so (RFC 9113 §8.1). Where all was sent it ended nothing but the
    /// answer, and before all of it was there.
    fn is_cut_short(&self) -> bool {
        !self.incoming.is_end_stream()
            && match self.incoming.size_hint().exact() {
                Some(left) => left > 0,
                None => self.over_h2 && self.sent.finished.get(),
            }
    }

    fn give_back(&mut self) {
        if let Some((connection, pool)) = self.lease.take()
            && self.sent.finished.get()
        {
            pool.give_back(&self.core, connection);
        }
    }
}

impl http_body::Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Poll::Ready(polled) = Pin::new(&mut this.incoming).poll_frame(cx) else {
            let (core, limit) = (&this.core, this.silence_max);
            let deadline = this.waiting.get_or_insert_with(|| core.deadlines.after(limit));
            return deadline.poll_expired(cx).map(|()| Some(Err(BodyError::UpstreamTimeout)));
        };
        this.waiting = None;
        Poll::Ready(match polled {
            None if this.is_cut_short() => Some(Err(BodyError::UpstreamCut)),
            None => {
                this.give_back();
                None
            }
            Some(Err(error)) => Some(Err(BodyError::Upstream(error))),
            Some(Ok(frame)) => {
                if this.incoming.is_end_stream() {
                    this.give_back();
                }
                Some(Ok(match frame.into_data() {
                    Ok(data) => Frame::data(data),
                    Err(frame) => {
                        this.ended = true;
                        this.give_back();
                        let mut trailers = frame.into_trailers().unwrap_or_default();
                        headers::clean_trailers(&mut trailers);
                        Frame::trailers(trailers)
                    }
                }))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
