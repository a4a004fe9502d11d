//! The body of a request, whose rest its connection reads where nobody else does.
//!
//! A call that is refused, or answered early, leaves its body unread, and most clients send it all the
//! same. On HTTP/1 it must be out of the way before the next request can be read, else the connection
//! has to close (RFC 9112 §9.3) — the more connections, the more calls are shed. hyper reads on only as
//! far as it has bytes at hand. So what is dropped of a body goes to its connection, whose task reads
//! it and forgets it.
//!
//! Begins when a body is dropped before its end; ends with it, after [`REST_BYTES_MAX`] or
//! [`REST_TIME_MAX`]: then hyper closes. Where the client asked whether it should send a body at all
//! (`Expect`), nobody can tell what comes next on the connection, which closes at once.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::connection::Connection;
use crate::deadline::{Deadline, Deadlines};

/// Bytes of a body that are read for nothing: what a client has sent before it can have read the
/// answer. A larger body costs more than a new connection.
const REST_BYTES_MAX: u64 = 64 * 1024;

/// How long they may take: a client that means to send them does.
const REST_TIME_MAX: Duration = Duration::from_secs(1);

/// A request's body.
pub struct Upload {
    /// `None` once it is dropped.
    incoming: Option<Incoming>,
    /// Who reads its rest; `None`: nobody.
    connection: Option<Rc<Connection>>,
}

/// What is left of a body that was dropped.
pub struct Rest {
    incoming: Incoming,
    bytes: u64,
    deadline: Option<Deadline>,
}

// === impl Upload ===

impl Upload {
    /// The body of a request on this connection, where it has one.
    pub fn of(request: Request<Incoming>, connection: &Rc<Connection>) -> Request<Option<Self>> {
        if request.body().is_end_stream() {
            return request.map(|_| None);
        }
        // On HTTP/2 the stream is reset, and the others go on.
        let reads_on = !connection.h2 && !request.headers().contains_key(header::EXPECT);
        let connection = reads_on.then(|| Rc::clone(connection));
        request.map(|incoming| Some(Self { incoming: Some(incoming), connection }))
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.incoming {
            Some(incoming) => Pin::new(incoming).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (Some(incoming), Some(connection)) = (self.incoming.take(), self.connection.take())
        else {
            return;
        };
        if incoming.is_end_stream() {
            return;
        }
        if incoming.size_hint().lower() > REST_BYTES_MAX {
            return connection.ends.set(true);
        }
        let mut rest = Rest { incoming, bytes: 0, deadline: None };
        // Takes what has come, so that hyper asks for more and wakes the connection's task with it.
        if rest.poll_read(&mut Context::from_waker(Waker::noop())).is_pending() {
            connection.rest.replace(Some(rest));
        }
    }
}

// === impl Rest ===

impl Rest {
    /// Reads what is left of the connection's last body, if anything is.
    pub fn read_on(connection: &Connection, deadlines: &Deadlines, cx: &mut Context<'_>) {
        let mut slot = connection.rest.borrow_mut();
        let Some(rest) = &mut *slot else { return };
        if rest.poll_read(cx).is_ready() || rest.poll_late(deadlines, cx).is_ready() {
            let ended = slot.take();
            drop(slot);
            drop(ended);
        }
    }

    /// Ready when it has ended, or is not to be read any further.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(Ok(frame)) = ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
            self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            if self.bytes > REST_BYTES_MAX {
                break;
            }
        }
        Poll::Ready(())
    }

    fn poll_late(&mut self, deadlines: &Deadlines, cx: &mut Context<'_>) -> Poll<()> {
        self.deadline.get_or_insert_with(|| deadlines.after(REST_TIME_MAX)).poll_expired(cx)
    }
}
