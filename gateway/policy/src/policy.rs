//! The policy as meant: what the checked files say, in types that cannot hold an invalid policy.
//!
//! Built only by [`crate::check`]; everything else reads it. References between parts have been
//! resolved: a [`Target`] names an upstream that exists, thresholds stand only on routes that may
//! be shed, and the reservations fit the pool.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};

use crate::units::{Name, Percent};

mod endpoint;
mod pattern;
mod words;

/// All files of the policy folder together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// Concurrency of the whole gateway's functions.
    pub pool: Pool,
    /// Services behind the gateway, by name.
    pub upstreams: BTreeMap<Name, Upstream>,
    /// Named shares of the pool, by name.
    pub functions: BTreeMap<Name, Function>,
    /// What is matched and what holds for it, by name.
    pub routes: BTreeMap<Name, Route>,
}

/// Where something was written: the file's name within the policy folder and its first line (1-based).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// File name, for example `mail.yaml`.
    pub file: Arc<str>,
    /// Line of the entry's name, from 1.
    pub line: u32,
}

/// Concurrency shared by all functions, as AWS Lambda's account concurrency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Calls in flight over all functions, at most. Default 1,000.
    pub total: u32,
    /// What reservations must leave unreserved. Default 100 (or `total`, where that is less).
    pub unreserved_min: u32,
}

impl Default for Pool {
    fn default() -> Self {
        Self { total: 1000, unreserved_min: 100 }
    }
}

/// A service behind the gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// Its stable name.
    pub name: Name,
    /// Where it was written.
    pub origin: Origin,
    /// Its instances; never empty, no address twice.
    pub endpoints: Vec<Endpoint>,
    /// HTTP version spoken to it.
    pub protocol: Protocol,
    /// Time limits of a call to it.
    pub timeout: Timeout,
    /// Where its load is read; `None`: only from ORCA response headers.
    pub signals: Option<Signals>,
    /// Worker threads per endpoint where no signal tells: own calls in flight are then "busy".
    pub workers_max: Option<u32>,
}

/// One instance of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// Whether the connection is TLS (`https://`).
    pub tls: bool,
    /// Host name or IP address, lower case; an IPv6 address without brackets.
    pub host: Arc<str>,
    /// TCP port (80 or 443 where none is written).
    pub port: u16,
}

/// HTTP version spoken to an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1; on TLS whatever ALPN yields.
    #[default]
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only: prior knowledge (h2c) without TLS, ALPN `h2` with it. What gRPC needs.
    Http2,
}

/// Time limits of one call to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    /// TCP and TLS set-up. Default 1 s, 1 ms to 60 s.
    pub connect: Duration,
    /// From the request sent to the response head, and between two chunks of its body.
    /// Default 30 s, 1 ms to 1 h.
    pub response: Duration,
}

impl Default for Timeout {
    fn default() -> Self {
        Self { connect: Duration::from_secs(1), response: Duration::from_secs(30) }
    }
}

/// How an upstream's load is read from each of its endpoints.
#[derive(Clone, Debug, PartialEq)]
pub struct Signals {
    /// The text format and its default path.
    pub source: Source,
    /// Path of the scrape, for example `/actuator/prometheus`.
    pub path: String,
    /// Period. Default 1 s, 100 ms to 60 s.
    pub every: Duration,
    /// Series of the busy and the most workers; `None` where the source is ORCA.
    pub workers: Option<WorkerSeries>,
    /// Series of the CPU share 0..1.
    pub cpu: Option<String>,
}

/// Names of the Prometheus series of a worker pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSeries {
    /// Gauge of the busy workers.
    pub busy: String,
    /// Gauge of the most workers.
    pub max: String,
}

/// Kind of a load signal's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Spring Boot Actuator's Prometheus text.
    Actuator,
    /// Any Prometheus text exposition.
    Prometheus,
    /// ORCA response headers only; nothing is scraped.
    Orca,
}

/// A named share of the pool, as a function's reserved concurrency in AWS Lambda.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its stable name.
    pub name: Name,
    /// Where it was written.
    pub origin: Origin,
    /// The upstream that runs it.
    pub upstream: Name,
    /// `Some(n)`: always n slots, never more; 0 pauses it. `None`: shares the unreserved pool.
    pub reserved: Option<u32>,
}

/// What is matched and what holds for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Its stable name.
    pub name: Name,
    /// Where it was written.
    pub origin: Origin,
    /// Which calls it takes.
    pub matcher: Match,
    /// Where they go.
    pub target: Target,
    /// How much they may be shed.
    pub class: Class,
    /// Thresholds; `None` on interactive routes and where none are written.
    pub admission: Option<Admission>,
    /// The shared cache; `None`: no caching.
    pub cache: Option<Cache>,
    /// Whether `Upgrade: websocket` is passed on. Default false.
    pub websocket: bool,
    /// Whether encoded dots, slashes and the like are refused with 400. Default true.
    pub strict_path: bool,
}

/// Which calls a route takes: all conditions hold; the most specific route wins, not the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// Methods; empty: any.
    pub methods: Vec<Method>,
    /// Path pattern.
    pub path: PathPattern,
    /// Host, without port; `None`: any.
    pub host: Option<HostPattern>,
    /// Headers that must be present with exactly this value; at most 8.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// A path pattern: `/a/b` exact, `/a/*` one segment, `/a/**` any rest (also none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    /// The segments before the rest.
    pub segments: Vec<Segment>,
    /// Whether `**` ends the pattern.
    pub rest: bool,
}

/// One segment of a path pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// This text, byte for byte.
    Literal(Box<str>),
    /// Any one segment that is not empty.
    Any,
}

/// A host pattern, lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// This host.
    Exact(Box<str>),
    /// `*.example.internal`: any host under this suffix (kept with its leading dot).
    Suffix(Box<str>),
}

/// Where a route's calls go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Straight to an upstream.
    Upstream(Name),
    /// Through a function's quota to that function's upstream.
    Function {
        /// The function.
        function: Name,
        /// Its upstream.
        upstream: Name,
    },
}

impl Target {
    /// The upstream that takes the call.
    pub fn upstream(&self) -> &Name {
        match self {
            Self::Upstream(upstream) | Self::Function { upstream, .. } => upstream,
        }
    }

    /// The function whose quota the call needs.
    pub fn function(&self) -> Option<&Name> {
        match self {
            Self::Upstream(_) => None,
            Self::Function { function, .. } => Some(function),
        }
    }
}

/// How much a call may be shed. The order is the order of shedding: `Bulk` first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Shed first.
    Bulk,
    /// Shed second.
    Batch,
    /// Shed last.
    Default,
    /// Never shed.
    #[default]
    Interactive,
}

impl Class {
    /// Every class, in the order of shedding.
    pub const ALL: [Self; 4] = [Self::Bulk, Self::Batch, Self::Default, Self::Interactive];
}

/// Thresholds over which a route's calls are refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Admission {
    /// Whether refusals are real.
    pub mode: Mode,
    /// Requests per second.
    pub rps: Option<Rps>,
    /// CPU share.
    pub cpu: Option<Cpu>,
    /// Busy workers of the upstream as a share of its most.
    pub workers: Option<Workers>,
    /// What holds when the signal is gone.
    pub on_stale: OnStale,
}

/// Whether refusals are real.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Refuse.
    #[default]
    Enforce,
    /// Count and report what would have been refused; refuse nothing.
    Shadow,
    /// Decide nothing.
    Off,
}

/// A limit of requests per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rps {
    /// Sustained requests per second, 0.001 to 1,000,000.
    pub limit: f64,
    /// Bucket size in requests, 1 to 1,000,000. Default: one second's worth, at least 1.
    pub burst: u32,
    /// Whose requests are counted together.
    pub per: Per,
}

/// Whose requests share one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Per {
    /// All of the route's.
    #[default]
    Route,
    /// Each caller's own.
    Caller,
}

/// A CPU threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cpu {
    /// Whose CPU.
    pub of: CpuOf,
    /// Over `enter` the limit is cut, under `exit` it recovers.
    pub bounds: Hysteresis,
}

/// Whose CPU a threshold looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CpuOf {
    /// The upstream's.
    #[default]
    Upstream,
    /// The gateway's own (cgroup v2 quota where there is one).
    Gateway,
}

/// A threshold on busy workers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Workers {
    /// Where shedding begins and ends.
    pub bounds: Hysteresis,
    /// The share of the workers that calls of the route may fill, `enter` at least. Over `enter` the
    /// share of the calls that is shed rises to all of them here. The same as `enter`: whoever comes
    /// over it is shed, and what is above is left to others.
    pub full: Percent,
    /// How long a call may wait for a slot before it is refused; `None`: not at all.
    pub wait: Option<Duration>,
}

/// Two bounds of one signal; `exit` ≤ `enter`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hysteresis {
    /// Over this, shedding begins; for CPU the limit on calls in flight is cut.
    pub enter: Percent,
    /// Under this, it ends. Default: ten points under `enter`.
    pub exit: Percent,
}

/// What holds when a signal has expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnStale {
    /// The limit under which the last hour was healthy.
    #[default]
    Proven,
    /// No limit.
    Open,
    /// Refuse.
    Closed,
}

/// The shared cache of a route: RFC 9111 with explicit freshness, and these.
#[derive(Clone, Debug, PartialEq)]
pub struct Cache {
    /// Freshness where the origin gives none; `None`: such answers are not stored.
    pub fresh_for: Option<Duration>,
    /// Freshness as a share of `Date` − `Last-Modified` where the origin gives none; goes before
    /// `fresh_for`. `None`: no guessing.
    pub heuristic: Option<Percent>,
    /// So long after its freshness an answer is served while it is revalidated, where the origin
    /// says nothing of it (RFC 5861 §3).
    pub stale_while_revalidate: Option<Duration>,
    /// So long after its freshness an answer is served where the upstream fails, where the origin
    /// says nothing of it (RFC 5861 §4).
    pub stale_if_error: Option<Duration>,
    /// So long after its freshness an answer is served where the call would be refused with 429.
    pub stale_if_shed: Option<Duration>,
    /// Largest body that is stored, bytes. Default 1 MiB, at most 64 MiB.
    pub object_bytes_max: u64,
    /// What belongs to the key besides method class, scheme, authority, path and query.
    pub key: CacheKey,
    /// Whether answers with `Set-Cookie` are stored. Default false.
    pub store_set_cookie: bool,
    /// Whether only answers marked `public` are stored. Default false.
    pub require_public: bool,
}

/// Additions to, and omissions from, a route's cache key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheKey {
    /// Request headers whose values belong to the key, at most 8.
    pub headers: Vec<HeaderName>,
    /// Query parameters left out of the key, and of what is forwarded where the answer may be stored; at
    /// most 64.
    pub query_drop: Vec<Box<str>>,
    /// Whether parameters are ordered by name in the key.
    pub query_sort: bool,
}
