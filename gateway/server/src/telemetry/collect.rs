//! The task between the cores' rings and everything that wants spans.
//!
//! Looks once a second, or when a ring is half full. Every record is encoded, where traces are
//! exported, and then offered to the recent traces. It never waits for a receiver, but at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::MissedTickBehavior;

use super::otlp::{Batch, Export, Flush, SpanEncoder};
use super::spans::SpanDrain;
use super::traces::Traces;

/// Calls in one batch; with attempts about 1,000 spans, 500 KiB encoded.
const BATCH_CALLS: usize = 512;

/// Longest wait of a span for its batch.
const EVERY: Duration = Duration::from_secs(1);

/// Takes records out of the rings.
pub(super) struct Collector {
    pub(super) drains: Vec<SpanDrain>,
    pub(super) wake: Arc<Notify>,
    pub(super) flushes: mpsc::Receiver<Flush>,
    pub(super) traces: Arc<Traces>,
    pub(super) encoder: SpanEncoder,
    /// `None`: nothing is exported.
    pub(super) export: Option<Export>,
}

// === impl Collector ===

impl Collector {
    /// Runs until telemetry is dropped.
    pub(super) async fn run(mut self) {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let flush = tokio::select! {
                flush = self.flushes.recv() => match flush {
                    Some(flush) => Some(flush),
                    None => return,
                },
                () = self.wake.notified() => None,
                _ = tick.tick() => None,
            };
            self.collect_all(flush.is_some()).await;
            match (flush, &mut self.export) {
                (Some(flush), Some(export)) => export.flush(flush).await,
                (Some(flush), None) => {
                    let _ = flush.send(()); // Whoever asked may have given up.
                }
                (None, _) => {}
            }
        }
    }

    /// Empties the rings; `last`: each batch may wait for its turn.
    async fn collect_all(&mut self, last: bool) {
        while let Some(batch) = self.collect() {
            match (batch, &mut self.export) {
                (Some(batch), Some(export)) if last => export.hand(batch).await,
                (Some(batch), Some(export)) => export.offer(batch),
                _ => {}
            }
            // Others have their turn, however much there is to do.
            tokio::task::yield_now().await;
        }
    }

    /// One batch from all rings, each with the same share; `None`: they are empty.
    #[expect(clippy::option_option, reason = "empty rings, and nothing to export of full ones")]
    fn collect(&mut self) -> Option<Option<Batch>> {
        let share = BATCH_CALLS.div_ceil(self.drains.len().max(1));
        let mut writer = None;
        let (mut calls, mut spans) = (0_usize, 0);
        for drain in &self.drains {
            for record in drain.drain(share) {
                calls += 1;
                spans += record.spans();
                if let Some(export) = &self.export {
                    writer.get_or_insert_with(|| export.writer()).put(&self.encoder, &record);
                }
                self.traces.keep(record);
            }
        }
        (calls > 0).then(|| writer.map(|writer| Batch::new(writer, spans)))
    }
}
