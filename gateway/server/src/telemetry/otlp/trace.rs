//! The export of spans: batches in a short queue, and the task that sends them.
//!
//! Whoever makes batches never waits for the receiver: a batch that finds the queue full is dropped
//! and counted, and so is one that the receiver doesn't take after [`TRIES_MAX`] tries, and what it
//! refuses of one that it takes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::super::cells::Counter;
use super::form::{Envelope, Writer};
use super::partial::{Partial, Rejections};
use super::send::{SendError, Sender};
use super::settings::Protocol;
use super::{OtlpError, Target};

/// Batches that may wait for the receiver, each at most about 500 KiB: a second of 2,000 calls.
const BATCHES_WAITING_MAX: usize = 4;

/// Tries of one batch.
const TRIES_MAX: u32 = 3;

/// Pause before the second try; it doubles.
const PAUSE: Duration = Duration::from_millis(100);

/// Most of what a batch begins with room for, bytes.
const BYTES_USUAL_MAX: usize = 512 << 10;

/// The gRPC method.
const METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Asks for everything to be sent now; answered when it was.
pub(in super::super) type Flush = oneshot::Sender<()>;

/// An encoded request.
#[derive(Debug)]
pub(in super::super) struct Batch {
    bytes: Bytes,
    /// Spans in it.
    spans: u64,
}

/// Where batches are handed over.
pub(in super::super) struct Export {
    envelope: Envelope,
    json: bool,
    /// Size of the last batch.
    bytes_last: usize,
    queue: mpsc::Sender<Outgoing>,
    dropped: Arc<Counter>,
}

enum Outgoing {
    Batch(Batch),
    Flush(Flush),
}

/// Sends batches, one after the other.
pub(in super::super) struct SpanSender {
    sender: Sender,
    queue: mpsc::Receiver<Outgoing>,
    dropped: Arc<Counter>,
    failing: bool,
    rejections: Rejections,
}

/// Both ends of an export; what is lost is added to `dropped`. Call it within the runtime that the
/// sender will run on.
pub(in super::super) fn export(
    target: &Target<'_>,
    envelope: Envelope,
    dropped: &Arc<Counter>,
) -> Result<(Export, SpanSender), OtlpError> {
    let sender = Sender::new(target, METHOD).map_err(|error| OtlpError::Traces(Box::new(error)))?;
    let json = target.receiver.protocol == Protocol::HttpJson;
    let (tx, rx) = mpsc::channel(BATCHES_WAITING_MAX);
    let export = Export { envelope, json, bytes_last: 0, queue: tx, dropped: Arc::clone(dropped) };
    let sender = SpanSender {
        sender,
        queue: rx,
        dropped: Arc::clone(dropped),
        failing: false,
        rejections: Rejections::default(),
    };
    Ok((export, sender))
}

// === impl Export ===

impl Export {
    /// Begins a batch.
    pub(in super::super) fn writer(&self) -> Writer<'_> {
        Writer::new(&self.envelope, self.json, self.bytes_last.min(BYTES_USUAL_MAX))
    }

    /// Hands a batch over, or drops it where the receiver is too slow.
    pub(in super::super) fn offer(&mut self, batch: Batch) {
        self.bytes_last = batch.bytes.len();
        if let Err(TrySendError::Full(lost) | TrySendError::Closed(lost)) =
            self.queue.try_send(Outgoing::Batch(batch))
            && let Outgoing::Batch(lost) = lost
        {
            self.dropped.add_shared(lost.spans);
        }
    }

    /// Hands a batch over, waiting for its turn.
    pub(in super::super) async fn hand(&mut self, batch: Batch) {
        let spans = batch.spans;
        if self.queue.send(Outgoing::Batch(batch)).await.is_err() {
            self.dropped.add_shared(spans);
        }
    }

    /// Has `flush` answered once everything that was handed over has been sent.
    pub(in super::super) async fn flush(&mut self, flush: Flush) {
        // Where the sender has ended, whoever asked learns it by the drop.
        let _ = self.queue.send(Outgoing::Flush(flush)).await;
    }
}

// === impl Batch ===

impl Batch {
    /// What was written, of so many spans.
    pub(in super::super) fn new(writer: Writer<'_>, spans: u64) -> Self {
        Self { bytes: writer.finish(), spans }
    }
}

// === impl SpanSender ===

impl SpanSender {
    /// Runs until the other end is gone.
    pub(in super::super) async fn run(mut self) {
        while let Some(next) = self.queue.recv().await {
            match next {
                Outgoing::Batch(batch) => self.send(batch).await,
                Outgoing::Flush(flush) => {
                    let _ = flush.send(()); // Whoever asked may have given up.
                }
            }
        }
    }

    async fn send(&mut self, batch: Batch) {
        let Batch { bytes, spans } = batch;
        match self.tries(bytes).await {
            Ok(partial) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the receiver of traces takes spans again");
                }
                self.taken(&partial, spans);
            }
            Err(error) => {
                self.dropped.add_shared(spans);
                if !self.failing {
                    self.failing = true;
                    tracing::warn!(%error, spans, "the receiver of traces takes no spans");
                }
            }
        }
    }

    /// A batch of so many spans was taken, perhaps not all of it.
    fn taken(&mut self, partial: &Partial, spans: u64) {
        // A receiver can't lose more than it was sent.
        self.dropped.add_shared(partial.rejected.min(spans));
        if let Some(rejected) = self.rejections.note(partial, Instant::now()) {
            let text = &*partial.text;
            tracing::warn!(rejected, text, "the receiver of traces did not take all spans");
        }
    }

    async fn tries(&self, bytes: Bytes) -> Result<Partial, SendError> {
        let mut pause = PAUSE;
        for _ in 1..TRIES_MAX {
            match self.sender.send(bytes.clone()).await {
                Err(error) if error.is_passing() => tokio::time::sleep(pause).await,
                outcome => return outcome,
            }
            pause *= 2;
        }
        self.sender.send(bytes).await
    }
}
