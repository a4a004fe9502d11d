//! The body of an answer on its way to the client: streamed, never buffered whole by this type.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::upstream::UpstreamBody;

/// Why a body ended before its end. The caller's connection is then cut (HTTP/1) or its stream reset
/// (HTTP/2): a truncated answer never looks complete.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The upstream's connection failed or its framing was wrong.
    #[error("upstream failed in mid-body")]
    Upstream(#[source] hyper::Error),
    /// The upstream ended its answer before all of it was there, as if that were no error.
    #[error("upstream ended in mid-body")]
    UpstreamCut,
    /// The upstream sent nothing for longer than its response timeout.
    #[error("upstream sent nothing for too long")]
    UpstreamTimeout,
    /// The client sent less than `limits.body_rate` for too long.
    #[error("request body came too slowly")]
    TooSlow,
    /// The client's body was cut, malformed or over its limit.
    #[error("request body failed")]
    Request(#[source] hyper::Error),
    /// The client's body is larger than `limits.max_body`.
    #[error("request body is over the limit")]
    TooLarge,
}

/// A body with no settlement: what stages hand to one another.
pub type DynBody = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError>>>;

/// The body of an answer.
#[derive(Default)]
pub enum Body {
    /// No bytes.
    #[default]
    Empty,
    /// These bytes, shared, not copied.
    Full(Bytes),
    /// Bytes as they come from an upstream.
    Upstream(Box<UpstreamBody>),
    /// Bytes as they come, teed into the cache.
    Stream(DynBody),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        match this {
            Self::Empty => Poll::Ready(None),
            Self::Full(_) => match std::mem::take(this) {
                Self::Full(bytes) if !bytes.is_empty() => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                _ => Poll::Ready(None),
            },
            Self::Upstream(body) => Pin::new(body.as_mut()).poll_frame(cx),
            Self::Stream(stream) => stream.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Upstream(body) => body.is_end_stream(),
            Self::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Upstream(body) => body.size_hint(),
            Self::Stream(stream) => stream.size_hint(),
        }
    }
}
