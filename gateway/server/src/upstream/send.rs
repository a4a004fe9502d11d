//! A request body on its way to an upstream: streamed, bounded in size and in patience.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};

use crate::body::BodyError;
use crate::deadline::{Deadline, Deadlines, TICK};
use crate::headers;
use crate::listen::upload::Upload;
use crate::refusal::Code;

/// How long a client may be slow before its rate counts.
const RATE_GRACE: Duration = Duration::from_secs(5);

/// How often its rate is looked at after that.
const RATE_CHECK_EVERY: Duration = Duration::from_secs(1);

/// A request body: none, or the client's.
#[derive(Default)]
pub enum RequestBody {
    /// No bytes.
    #[default]
    Empty,
    /// As the client sends it.
    Stream(Box<Inbound>),
}

/// The client's body with its bounds.
pub struct Inbound {
    incoming: Upload,
    progress: Rc<Progress>,
    bytes_max: u64,
    rate_min: u64,
    deadlines: Deadlines,
    /// Armed while the client is waited for.
    waiting: Option<Deadline>,
    waiting_since: u64,
    waited_ticks: u64,
}

/// What became of a request body: shared with the call, which outlives it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Whether any of it has been asked for.
    pub started: Cell<bool>,
    /// Whether all of it has been handed on.
    pub finished: Cell<bool>,
    /// Bytes handed on.
    pub bytes: Cell<u64>,
    /// The core's tick at which it last moved or ended; 0: it has not.
    pub moved_tick: Cell<u64>,
    /// Why the client is to blame that it ended early.
    pub failed: Cell<Option<Code>>,
}

impl RequestBody {
    /// The client's body, where there is one; `bytes_max` bounds it where it tells no length,
    /// `rate_min` (bytes a second while waited for, after 5 s) where it drips.
    pub fn new(
        incoming: Option<Upload>,
        deadlines: &Deadlines,
        bytes_max: u64,
        rate_min: u64,
        progress: &Rc<Progress>,
    ) -> Self {
        let Some(incoming) = incoming else {
            progress.finished.set(true);
            return Self::Empty;
        };
        Self::Stream(Box::new(Inbound {
            incoming,
            progress: Rc::clone(progress),
            bytes_max,
            rate_min,
            deadlines: deadlines.clone(),
            waiting: None,
            waiting_since: 0,
            waited_ticks: 0,
        }))
    }

    /// Whether there are no bytes to send.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Stream(inbound) => inbound.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Stream(inbound) => inbound.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Stream(inbound) => inbound.incoming.size_hint(),
        }
    }
}

// === impl Inbound ===

impl Inbound {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.progress.started.set(true);
        let polled = match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Pending => return self.wait(cx),
            Poll::Ready(polled) => polled,
        };
        if self.waiting.take().is_some() {
            self.waited_ticks += self.deadlines.tick() - self.waiting_since;
            if self.is_too_slow(self.waited_ticks) {
                return Poll::Ready(Some(Err(self.fail(Code::RequestTimeout, BodyError::TooSlow))));
            }
        }
        self.progress.moved_tick.set(self.deadlines.tick());
        Poll::Ready(match polled {
            None => {
                self.progress.finished.set(true);
                None
            }
            Some(Err(error)) => Some(Err(self.fail(Code::BadRequest, BodyError::Request(error)))),
            Some(Ok(frame)) => Some(self.pass(frame)),
        })
    }

    fn pass(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        match frame.into_data() {
            Ok(data) => {
                let bytes = self.progress.bytes.get() + data.len() as u64;
                self.progress.bytes.set(bytes);
                if bytes > self.bytes_max {
                    return Err(self.fail(Code::BodyTooLarge, BodyError::TooLarge));
                }
                // With a known length nobody asks for the end that HTTP/2 may tell in another frame.
                let is_whole = self.incoming.size_hint().exact() == Some(0);
                if is_whole || self.incoming.is_end_stream() {
                    self.progress.finished.set(true);
                }
                Ok(Frame::data(data))
            }
            Err(frame) => {
                self.progress.finished.set(true);
                let mut trailers = frame.into_trailers().unwrap_or_default();
                headers::clean_trailers(&mut trailers);
                headers::drop_aliases(&mut trailers);
                Ok(Frame::trailers(trailers))
            }
        }
    }

    fn fail(&self, code: Code, error: BodyError) -> BodyError {
        self.progress.failed.set(Some(code));
        error
    }

    /// Whether the client has been waited for too long for what it has sent.
    fn is_too_slow(&self, waited_ticks: u64) -> bool {
        let waited_s = TICK.as_secs_f64() * waited_ticks as f64;
        let least = waited_s * self.rate_min as f64;
        waited_s >= RATE_GRACE.as_secs_f64() && (self.progress.bytes.get() as f64) < least
    }

    /// The client is waited for: fails once it has been slower than the least rate for too long.
    /// Time that passed while the upstream was waited for does not count.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let now = self.deadlines.tick();
        let deadline = self.waiting.take().unwrap_or_else(|| {
            self.waiting_since = now;
            let grace_left = RATE_GRACE.saturating_sub(TICK * self.waited_ticks as u32);
            self.deadlines.after(grace_left.max(RATE_CHECK_EVERY))
        });
        while deadline.poll_expired(cx).is_ready() {
            if self.is_too_slow(self.waited_ticks + now - self.waiting_since) {
                return Poll::Ready(Some(Err(self.fail(Code::RequestTimeout, BodyError::TooSlow))));
            }
            deadline.reset(RATE_CHECK_EVERY);
        }
        self.waiting = Some(deadline);
        Poll::Pending
    }
}
