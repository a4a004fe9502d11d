//! What the admin listener sees of the running gateway, and the little it may ask of it.
//!
//! Plain figures: nothing here holds a lock of the data path. Everything that can be computed from
//! a [`Snapshot`] is computed from it by the API itself.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sumun_engine::replay::Recording;
use sumun_engine::snapshot::Snapshot;
use sumun_engine::time::Moment;

use crate::sense::finding::Finding;
use crate::store::CacheView;
use crate::telemetry::series::{Kept, Of, Sketch, Span};
use crate::telemetry::traces::{TraceCounts, TraceSummary, Wanted};

/// Counts by a label; labels come from the code, never from a request.
pub type Counts = BTreeMap<&'static str, u64>;

/// The running gateway, as the admin listener sees it. Every call returns at once.
pub trait Watch: Send + Sync + 'static {
    /// Shows the policy that runs to `see`, once; not at all before the first.
    fn look(&self, see: &mut dyn FnMut(&Snapshot));

    /// Now, on the clock of the snapshot.
    fn now(&self) -> Moment;

    /// Whether calls should be sent here.
    fn readiness(&self) -> Readiness;

    /// Since the process began.
    fn uptime(&self) -> Duration;

    /// Data connections open now.
    fn connections(&self) -> usize;

    /// The gateway's own CPU as a share of what it may use; `None` before the first reading.
    fn own_cpu(&self) -> Option<f64>;

    /// What the process may use.
    fn bounds(&self) -> Bounds;

    /// What was counted on a route; `None` before its first call and for an unknown name.
    fn route(&self, name: &str) -> Option<RouteFigures>;

    /// What was kept of the last minutes, hours, day of something.
    fn series(&self, of: &Of, span: Span) -> Kept;

    /// Every route that has calls in a few points: of a span, or of the last minute.
    fn sketch(&self, span: Option<Span>) -> Sketch;

    /// What the doctor says of an upstream's signals; empty for an unknown name.
    fn findings(&self, upstream: &str) -> Vec<Finding>;

    /// All metrics as Prometheus text.
    fn metrics(&self) -> Metrics;

    /// What the shared cache holds, by route: walks all of it, so call it where blocking does no harm.
    fn cache(&self) -> CacheFigures;

    /// What the shared cache holds, in short.
    fn cache_view(&self) -> CacheView;

    /// What is wrong with the files of keys; where something is, older keys are used.
    fn key_problems(&self) -> Vec<String>;

    /// What is kept of calls; `None`: nothing is.
    fn recording(&self) -> Option<RecordingFigures>;

    /// The recorded calls; `None`: nothing is recorded. Copies them, so call it where waiting for a
    /// second does no harm.
    fn recorded(&self) -> Option<Recorded>;

    /// The name of a recorded caller, where it is known.
    fn caller_name(&self, caller: u64) -> Option<String>;

    /// The wall time of a moment, by today's wall clock.
    fn wall(&self, at: Moment) -> SystemTime;

    /// The store that gateways share; `None` where everything is kept in this process.
    fn shared_store(&self) -> Option<StoreFigures>;

    /// Recent traces, the newest first.
    fn traces(&self, wanted: &Wanted) -> Traces;

    /// A recent trace as OTLP JSON; `None`: it is not kept, or no more.
    fn trace(&self, trace_id: u128) -> Option<Bytes>;

    /// Forgets stored answers; what of this gateway's they were. Walks the whole store.
    fn purge(&self, purge: &Purge) -> Vec<Held>;
}

/// Whether calls should be sent here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Yes.
    Ready,
    /// No, and why: `starting`, `warming`, `draining`, perhaps with details.
    NotReady(Cow<'static, str>),
}

/// What the process may use.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Data-path threads.
    pub workers: usize,
    /// Most data connections.
    pub connections_max: usize,
}

/// What was counted on a route since the process began; rate and latency over recent seconds.
#[derive(Clone, Debug, Default)]
pub struct RouteFigures {
    /// Calls a second, recently.
    pub rate: f64,
    /// Calls let through.
    pub admitted: u64,
    /// Calls refused, by code.
    pub refused: Counts,
    /// Calls that shadow mode would have refused, by code.
    pub shadow_refused: Counts,
    /// How the cache took part.
    pub cache: Counts,
    /// Latency quantiles in milliseconds; `None`: no calls recently.
    pub latency_ms: Option<Quantiles>,
}

/// Latency quantiles in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Quantiles {
    /// Half of the calls took less.
    pub p50: f64,
    /// 90 % took less.
    pub p90: f64,
    /// 99 % took less.
    pub p99: f64,
}

/// A metrics exposition.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Its media type with parameters.
    pub content_type: &'static str,
    /// Its text.
    pub text: String,
}

/// What the shared cache holds.
#[derive(Clone, Debug, Default)]
pub struct CacheFigures {
    /// Stored answers.
    pub entries: u64,
    /// Bytes in use, metadata and bodies on their way in included.
    pub bytes: u64,
    /// Most bytes.
    pub bytes_max: u64,
    /// Answers that went for want of room.
    pub evictions: u64,
    /// Calls answered from the cache.
    pub hits: u64,
    /// Calls that the cache could not answer.
    pub misses: u64,
    /// The routes that cache, or have something stored.
    pub routes: Vec<CachedRoute>,
}

/// What the shared cache does for one route.
#[derive(Clone, Debug, Default)]
pub struct CachedRoute {
    /// What it holds.
    pub held: Held,
    /// Answers that went for want of room.
    pub evictions: u64,
    /// Calls by how the cache took part.
    pub results: Counts,
    /// Calls answered from the cache.
    pub hits: u64,
    /// Calls that the cache could not answer.
    pub misses: u64,
}

/// What is stored of one route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Its name.
    pub route: String,
    /// Stored answers.
    pub entries: u64,
    /// Their bytes, metadata included.
    pub bytes: u64,
    /// For how long the oldest has been stored; `None`: nothing is.
    pub oldest: Option<Duration>,
}

/// Recent traces.
#[derive(Clone, Debug)]
pub struct Traces {
    /// Those that were asked for.
    pub traces: Vec<TraceSummary>,
    /// What became of all.
    pub counts: TraceCounts,
    /// Spans that never came to be kept: too many in one second.
    pub spans_passed_over: u64,
    /// Where another tool shows a trace, with `{trace_id}` for its id.
    pub link: Option<String>,
}

/// What is kept of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RecordingFigures {
    /// Memory taken.
    pub bytes: u64,
    /// Most memory.
    pub bytes_max: u64,
    /// How long a call is kept, seconds.
    pub keep_s: u64,
    /// Calls forgotten before that time for want of memory, since the process began.
    pub lost: u64,
}

/// The recorded calls, to be played.
pub struct Recorded {
    /// In order.
    pub recording: Recording,
    /// Calls of the time to keep that are not in it.
    pub lost: u64,
}

/// The store that gateways share.
#[derive(Clone, Debug)]
pub struct StoreFigures {
    /// Whether it is used now.
    pub up: bool,
    /// For how long that has been so.
    pub since: Duration,
    /// Why it is not used.
    pub reason: Option<String>,
    /// Purges that it does not know of yet.
    pub purges_pending: usize,
    /// Bytes of answers that wait to be written to it.
    pub queued_bytes: u64,
}

/// What to forget, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purge {
    /// What.
    pub what: Purged,
    /// How.
    pub how: Forgetting,
}

/// What to forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purged {
    /// Every variant of one URL, as a caller writes it.
    Url(http::Uri),
    /// Everything of one route.
    Route(String),
    /// Everything with a tag.
    Tag(String),
    /// Everything of a group (RFC 9875) of an origin, which is a URL without path.
    Group(http::Uri, String),
    /// Everything.
    All,
}

/// How to forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgetting {
    /// At once and for good.
    Hard,
    /// Stale from now on: served by the stale rules only, and revalidated.
    Soft,
    /// Not at all: only say what would go.
    Preview,
}
