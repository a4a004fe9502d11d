//! What is told about calls: metrics, traces, the access log.
//!
//! Begins before the first listener and ends after the last call has settled. The path hands a
//! [`record::CallRecord`] to its core's [`CoreTelemetry`] when a call ends; all else happens on the
//! background runtime and on one writer thread. Nothing here ever makes a call wait: every ring and
//! buffer is bounded, and what finds no room is counted (`sumun_spans_dropped_total`,
//! `sumun_access_log_dropped_total`).
//!
//! | metric | from |
//! |---|---|
//! | durations, admissions, refusals, cache results | counters per core, summed when read |
//! | in flight, limits, signals, slots | [`gauges::Gauges`], read of the engine when asked |
//!
//! What these were over the last day is kept by [`series`].

mod access;
pub mod cells;
mod collect;
mod core;
pub mod exposition;
pub mod families;
#[cfg(test)]
mod fixture;
pub mod gates;
pub mod gauges;
pub mod labels;
pub mod log;
pub mod meters;
pub mod otlp;
mod process;
pub mod record;
mod registry;
pub mod sampling;
pub mod series;
mod spans;
mod step;
pub mod traceparent;
pub mod traces;
mod wall;
pub mod window;

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use sumun_policy::policy;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use self::access::AccessLog;
use self::cells::Counter;
use self::collect::Collector;
pub use self::core::CoreTelemetry;
use self::families::{Sources, Totals};
use self::gauges::{Gauges, LiveState};
use self::meters::RouteMeters;
use self::otlp::metrics::MetricsSender;
use self::otlp::settings::OtelSettings;
use self::otlp::{Envelope, Export, Flush, OtlpError, Rejections, SpanEncoder, Target};
use self::process::ProcessState;
use self::registry::Registry;
use self::series::{Kept, Observe, Of, Series, Sketch, Span};
use self::spans::{Intake, RingState, SpanDrain, SpanRing};
use self::traces::{TraceCounts, TraceSummary, Traces, Wanted};
use self::wall::Wall;
use crate::clock::Clock;
use crate::settings::AccessLogSettings;

/// How often rates and quantiles are sampled.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
const SECOND_NS: u64 = 1_000_000_000;

/// What telemetry is built from.
#[derive(Clone, Debug)]
pub struct TelemetrySettings {
    /// The access log.
    pub access_log: AccessLogSettings,
    /// Cores of the data path.
    pub cores: usize,
    /// `http` or `https`: what the data listener speaks.
    pub scheme: &'static str,
    /// The `OTEL_*` variables.
    pub otel: OtelSettings,
    /// The clock that records are measured with.
    pub clock: Clock,
}

/// Telemetry could not be built.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The access log.
    #[error("cannot open the access log {} (setting `access_log.to`)", path.display())]
    AccessLog {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// OTLP.
    #[error(transparent)]
    Otlp(#[from] OtlpError),
}

/// Telemetry of one process.
pub struct Telemetry {
    clock: Clock,
    wall: Wall,
    scheme: &'static str,
    cores: usize,
    otel: OtelSettings,
    registry: Registry,
    series: Series,
    log: Option<AccessLog>,
    rings: Mutex<Rings>,
    traces: Arc<Traces>,
    /// Spans lost after they left their ring.
    unsent: Arc<Counter>,
    /// Points of metrics that the receiver did not take.
    points_unsent: Counter,
    flushes: mpsc::Sender<Flush>,
    /// Towards receivers.
    tls: TlsConnector,
    /// What this process is, as OTLP tells it.
    resource: Vec<(String, String)>,
    background: Handle,
    tasks: Mutex<Vec<AbortHandle>>,
}

/// The cores' rings until they are taken, and their counters.
struct Rings {
    free: Vec<Option<SpanRing>>,
    states: Vec<Arc<RingState>>,
}

// === impl Telemetry ===

impl Telemetry {
    /// Opens the log, sets up the exporters and starts the tasks on `background`. `tls`: towards
    /// receivers.
    pub fn build(
        settings: TelemetrySettings,
        tls: &TlsConnector,
        background: &Handle,
    ) -> Result<Arc<Self>, TelemetryError> {
        // Clients of gRPC look for the runtime when they are made.
        let _within = background.enter();
        let TelemetrySettings { access_log, cores, scheme, otel, clock } = settings;
        let wall = Wall::of(&clock);
        let log = AccessLog::start(&access_log, cores, wall).map_err(|source| {
            let path = access_log.to.clone().unwrap_or_else(|| "stdout".into());
            TelemetryError::AccessLog { path, source }
        })?;
        let unsent = Arc::new(Counter::default());
        // Tells this process from others of the same service.
        let resource = otlp::resource(&otel, &format!("{:016x}", fastrand::u64(..)));
        let (envelope, encoder) = (Envelope::new(&resource), SpanEncoder { wall, scheme });
        let traces = Arc::new(Traces::new(encoder, envelope.clone()));
        let (flushes, flush_requests) = mpsc::channel(1);
        let mut tasks = Vec::new();
        let mut export = None;
        if let Some(receiver) = &otel.traces {
            let target = Target { receiver, tls: tls.clone(), resource: &resource };
            let (batches, sender) = otlp::export(&target, envelope, &unsent)?;
            tasks.push(background.spawn(sender.run()).abort_handle());
            export = Some(batches);
        }
        let wake = Arc::new(Notify::new());
        let (rings, drains) = Rings::new(cores, &wake, intake(&otel, export.as_ref()));
        let collector = Collector {
            drains,
            wake,
            flushes: flush_requests,
            traces: Arc::clone(&traces),
            encoder,
            export,
        };
        tasks.push(background.spawn(collector.run()).abort_handle());
        let telemetry = Arc::new(Self {
            registry: Registry::new(cores),
            series: Series::default(),
            rings: Mutex::new(rings),
            background: background.clone(),
            tasks: Mutex::new(tasks),
            clock,
            wall,
            scheme,
            cores,
            otel,
            log,
            traces,
            unsent,
            points_unsent: Counter::default(),
            flushes,
            tls: tls.clone(),
            resource,
        });
        let sampler = background.spawn(sample(Arc::downgrade(&telemetry)));
        telemetry.tasks.lock().push(sampler.abort_handle());
        Ok(telemetry)
    }

    /// The end of data-path core `id`.
    ///
    /// # Panics
    /// Where `id` is not below the number of cores, or was taken before: two writers of one cell
    /// would lose counts.
    pub fn core(self: &Arc<Self>, id: usize) -> CoreTelemetry {
        let mut rings = self.rings.lock();
        assert!(id < self.cores, "core {id} of {}", self.cores);
        let Some(spans) = rings.free[id].take() else { panic!("core {id} is taken") };
        drop(rings);
        CoreTelemetry::new(self, id, spans, self.log.as_ref().map(|log| log.core(id)))
    }

    /// The meters of a route, the same for every policy that has one of this name.
    pub fn route(&self, route: &policy::Route) -> Arc<RouteMeters> {
        self.registry.route(route)
    }

    /// The meters of calls that match no route.
    pub fn unrouted(&self) -> &Arc<RouteMeters> {
        self.registry.unrouted()
    }

    /// The text of `/metrics`; its content type is [`exposition::CONTENT_TYPE`].
    pub fn prometheus(&self, live: &dyn Gauges) -> String {
        exposition::render(&self.families(&live.read()))
    }

    /// Sends all metrics by OTLP once a period, as long as `live` lives. Does nothing where no
    /// receiver is set.
    pub fn push_metrics(self: &Arc<Self>, live: Weak<dyn Gauges>) -> Result<(), TelemetryError> {
        let Some(receiver) = &self.otel.metrics else { return Ok(()) };
        let _within = self.background.enter();
        let started = self.wall.unix_ns(0);
        let target = Target { receiver, tls: self.tls.clone(), resource: &self.resource };
        let sender = MetricsSender::new(&target, started)?;
        let every = self.otel.metrics_every;
        let task = self.background.spawn(push(Arc::downgrade(self), live, sender, every));
        self.tasks.lock().push(task.abort_handle());
        Ok(())
    }

    /// Keeps series of what goes on, from now on and as long as `observe` lives.
    pub fn keep_series(&self, observe: Weak<dyn Observe>) {
        self.series.begin(observe);
    }

    /// What is kept of something; its times are those of the wall clock as it is now.
    pub fn series(&self, of: &Of, span: Span) -> Kept {
        let mut kept = self.series.read(of, span);
        if let Kept::Points(points) = &mut kept {
            points.to_unix_s = self.wall.now_s(points.to_unix_s, &self.clock);
        }
        kept
    }

    /// Every kept route in a few points, of a span or of the last minute.
    pub fn sketch(&self, span: Option<Span>) -> Sketch {
        let mut sketch = self.series.sketch(span);
        sketch.to_unix_s = self.wall.now_s(sketch.to_unix_s, &self.clock);
        sketch
    }

    /// Writes and sends what is still here, at most for `limit`: the last step of a drain.
    pub async fn flush(self: &Arc<Self>, limit: Duration) {
        let lines = Arc::clone(self);
        let lines = tokio::task::spawn_blocking(move || {
            if let Some(log) = &lines.log {
                log.flush(limit);
            }
        });
        let spans = async {
            let (done, sent) = oneshot::channel();
            if self.flushes.send(done).await.is_ok() {
                let _ = sent.await; // The task may have ended: there is nothing left to send.
            }
        };
        let _ = tokio::time::timeout(limit, async { tokio::join!(lines, spans) }).await;
    }

    /// Recent traces, the newest first.
    pub fn traces(&self, wanted: &Wanted) -> Vec<TraceSummary> {
        self.traces.list(wanted)
    }

    /// A recent trace as OTLP JSON; `None`: it is not kept, or no more.
    pub fn trace(&self, trace_id: u128) -> Option<Bytes> {
        self.traces.document(trace_id)
    }

    /// What became of the traces that were to be kept, and spans that did not even get that far: over
    /// the bounds of a core or a route.
    pub fn trace_counts(&self) -> (TraceCounts, u64) {
        (self.traces.counts(), self.rings.lock().dropped())
    }

    /// Opens the access log's file anew (SIGHUP after a rotation).
    pub fn reopen(&self) {
        if let Some(log) = &self.log {
            log.reopen();
        }
    }

    /// The clock of records and views.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    pub(self) fn sampler(&self) -> sampling::Sampler {
        self.otel.sampler
    }

    pub(self) fn endpoint(&self, address: &Arc<str>) -> Arc<meters::EndpointMeters> {
        self.registry.endpoint(address)
    }

    fn families(&self, live: &LiveState) -> Vec<families::Family> {
        let process = ProcessState::read(self.wall.unix_ns(0) as f64 / 1e9);
        families::gather(&Sources {
            routes: &self.registry.routes(),
            endpoints: &self.registry.endpoints(),
            scheme: self.scheme,
            live,
            process: &process,
            totals: self.totals(),
        })
    }

    fn totals(&self) -> Totals {
        let exported = self.otel.traces.is_some();
        let passed_over = if exported { self.rings.lock().dropped() } else { 0 };
        Totals {
            spans_dropped: passed_over + self.unsent.get(),
            points_dropped: self.points_unsent.get(),
            traces: self.traces.counts(),
            lines_dropped: self.log.as_ref().map_or(0, AccessLog::dropped),
        }
    }
}

// === impl Rings ===

impl Rings {
    /// A ring for each core, and where they are emptied.
    fn new(cores: usize, wake: &Arc<Notify>, intake: Intake) -> (Self, Vec<SpanDrain>) {
        let (ends, drains): (Vec<_>, Vec<_>) =
            (0..cores).map(|core| spans::ring(core, Arc::clone(wake), intake)).unzip();
        let states = drains.iter().map(|drain| Arc::clone(drain.state())).collect();
        (Self { free: ends.into_iter().map(Some).collect(), states }, drains)
    }

    /// Spans that found no place.
    fn dropped(&self) -> u64 {
        self.states.iter().map(|ring| ring.dropped.get()).sum()
    }
}

/// How much goes through the rings.
fn intake(otel: &OtelSettings, export: Option<&Export>) -> Intake {
    match export {
        Some(_) => Intake::exported(),
        None => Intake::local(otel.unexported),
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.tasks.get_mut().drain(..).for_each(|task| task.abort());
    }
}

async fn sample(telemetry: Weak<Telemetry>) {
    let Some(starting) = telemetry.upgrade() else { return };
    // In the middle of seconds of the wall clock: a tick that is a little late is still in its own.
    let into_ns = starting.wall.unix_ns(starting.clock.now().nanos()) % SECOND_NS;
    let first = Duration::from_nanos((SECOND_NS + SECOND_NS / 2 - into_ns) % SECOND_NS);
    drop(starting);
    let mut tick = tokio::time::interval_at(Instant::now() + first, SAMPLE_EVERY);
    loop {
        tick.tick().await;
        let Some(telemetry) = telemetry.upgrade() else { return };
        let now_ns = telemetry.clock.now().nanos();
        let routes = telemetry.registry.tick(now_ns);
        telemetry.series.tick(telemetry.wall.unix_ns(now_ns) / SECOND_NS, &routes);
    }
}

async fn push(
    telemetry: Weak<Telemetry>,
    live: Weak<dyn Gauges>,
    sender: MetricsSender,
    every: Duration,
) {
    let mut tick = tokio::time::interval(every);
    tick.tick().await; // The first comes at once; there is nothing to tell yet.
    let (mut failing, mut rejections) = (false, Rejections::default());
    loop {
        tick.tick().await;
        let gathered = match (telemetry.upgrade(), live.upgrade()) {
            (Some(telemetry), Some(live)) => {
                let now_ns = telemetry.wall.unix_ns(telemetry.clock.now().nanos());
                (telemetry.families(&live.read()), now_ns)
            }
            _ => return,
        };
        let points: usize = gathered.0.iter().map(|family| family.points.len()).sum();
        let outcome = sender.send(&gathered.0, gathered.1).await;
        let lost = match &outcome {
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "the receiver of metrics takes none");
                }
                points as u64
            }
            Ok(partial) => {
                if failing {
                    tracing::info!("the receiver of metrics takes them again");
                }
                if let Some(rejected) = rejections.note(partial, Instant::now()) {
                    let text = &*partial.text;
                    tracing::warn!(
                        rejected,
                        text,
                        "the receiver of metrics did not take all points"
                    );
                }
                partial.rejected.min(points as u64)
            }
        };
        failing = outcome.is_err();
        let Some(telemetry) = telemetry.upgrade() else { return };
        telemetry.points_unsent.add_shared(lost);
    }
}

#[cfg(test)]
mod tests;
