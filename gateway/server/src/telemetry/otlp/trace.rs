//! The task that sends spans.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry_otlp::{
    Protocol as OtlpProtocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use tonic::metadata::MetadataMap;

use super::super::cells::Counter;
use super::super::spans::SpanDrain;
use super::super::wall::Wall;
use super::settings::Protocol;
use super::span::SpanContextOf;
use super::{OtlpError, Target};

/// Calls in one batch; with attempts about 1,000 spans, 500 KiB encoded.
const BATCH_CALLS: usize = 512;

/// Longest wait of a span for its batch.
const EVERY: Duration = Duration::from_secs(1);

/// Asks for everything to be sent now; answered when it was.
pub(in super::super) type Flush = oneshot::Sender<()>;

/// Drains the rings and sends.
pub(in super::super) struct TraceTask {
    exporter: SpanExporter,
    common: SpanContextOf,
    drains: Vec<SpanDrain>,
    wake: Arc<Notify>,
    flushes: mpsc::Receiver<Flush>,
    dropped: Arc<Counter>,
    failing: bool,
}

// === impl TraceTask ===

impl TraceTask {
    /// A task that is yet to run. Call it within the runtime it will run on.
    pub(in super::super) fn new(
        target: &Target<'_>,
        wall: Wall,
        scheme: &'static str,
        ends: TaskEnds,
    ) -> Result<Self, OtlpError> {
        let mut exporter = exporter(target).map_err(OtlpError::Traces)?;
        exporter.set_resource(&super::resource(target));
        let scope =
            InstrumentationScope::builder("sumun").with_version(env!("CARGO_PKG_VERSION")).build();
        let TaskEnds { drains, wake, flushes, dropped } = ends;
        let common = SpanContextOf { wall, scheme, scope };
        Ok(Self { exporter, common, drains, wake, flushes, dropped, failing: false })
    }

    /// Runs until telemetry is dropped.
    pub(in super::super) async fn run(mut self) {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                flush = self.flushes.recv() => {
                    let Some(flush) = flush else { return };
                    self.send_all().await;
                    let _ = flush.send(()); // Whoever asked may have given up.
                }
                () = self.wake.notified() => self.send_all().await,
                _ = tick.tick() => self.send_all().await,
            }
        }
    }

    async fn send_all(&mut self) {
        loop {
            let batch = self.batch();
            if batch.is_empty() {
                return;
            }
            let spans = batch.len() as u64;
            match self.exporter.export(batch).await {
                Ok(()) if self.failing => {
                    self.failing = false;
                    tracing::info!("the receiver of traces takes spans again");
                }
                Ok(()) => {}
                Err(error) => {
                    self.dropped.add_shared(spans);
                    if !self.failing {
                        self.failing = true;
                        tracing::warn!(%error, spans, "the receiver of traces takes no spans");
                    }
                }
            }
        }
    }

    /// One batch from all rings, each with the same share.
    fn batch(&mut self) -> Vec<SpanData> {
        let mut batch = Vec::new();
        let share = BATCH_CALLS.div_ceil(self.drains.len().max(1));
        for drain in &self.drains {
            drain.drain(share).for_each(|record| self.common.encode(&record, &mut batch));
        }
        batch
    }
}

/// What connects the task with the cores.
pub(in super::super) struct TaskEnds {
    pub(in super::super) drains: Vec<SpanDrain>,
    pub(in super::super) wake: Arc<Notify>,
    pub(in super::super) flushes: mpsc::Receiver<Flush>,
    pub(in super::super) dropped: Arc<Counter>,
}

fn exporter(target: &Target<'_>) -> Result<SpanExporter, Box<dyn std::error::Error + Send + Sync>> {
    let receiver = target.receiver;
    let protocol = match receiver.protocol {
        Protocol::Grpc => {
            let exporter = SpanExporter::builder()
                .with_tonic()
                .with_channel(super::channel(target)?)
                .with_timeout(receiver.timeout)
                .with_metadata(MetadataMap::from_headers(receiver.header_map()))
                .build()?;
            return Ok(exporter);
        }
        Protocol::HttpProtobuf => OtlpProtocol::HttpBinary,
        Protocol::HttpJson => OtlpProtocol::HttpJson,
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(super::client(target))
        .with_protocol(protocol)
        .with_endpoint(&receiver.endpoint)
        .with_timeout(receiver.timeout)
        .with_headers(receiver.headers.clone())
        .build()?;
    Ok(exporter)
}
