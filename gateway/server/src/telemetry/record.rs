//! Everything known about one finished call: written by the path, read once by telemetry at settle.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{Method, Version};
use sumun_policy::policy::{self, Class};
use sumun_policy::units::Name;

use super::meters::RouteMeters;
use crate::callers::CallerName;
use crate::callers::class::ClassAsked;
use crate::refusal::Code;

/// The trace context of a call (W3C Trace Context level 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// 16 bytes, never zero.
    pub trace_id: u128,
    /// Our SERVER span, never zero.
    pub span_id: u64,
    /// The caller's span, where it sent a valid `traceparent`.
    pub parent_id: Option<u64>,
    /// Decided before anything is recorded; refused, failed and slow calls are kept all the same.
    pub sampled: bool,
}

/// The route of a call: where it is counted, and what is told of it. Made anew with each policy, so
/// that what is told is what the policy said that decided.
#[derive(Debug)]
pub struct CalledRoute {
    /// Its counters.
    pub meters: Arc<RouteMeters>,
    /// Its place in the policy.
    pub place: Arc<RoutePlace>,
}

/// A route's place in the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutePlace {
    /// Its name.
    pub name: Name,
    /// The function whose quota it needs.
    pub function: Option<Name>,
    /// Where its calls go.
    pub upstream: Name,
    /// The policy file that says so.
    pub file: Arc<str>,
}

// === impl CalledRoute ===

impl CalledRoute {
    /// Of a route of the policy and its counters.
    pub fn new(route: &policy::Route, meters: Arc<RouteMeters>) -> Self {
        let place = RoutePlace {
            name: route.name.clone(),
            function: route.target.function().cloned(),
            upstream: route.target.upstream().clone(),
            file: Arc::clone(&route.origin.file),
        };
        Self { meters, place: Arc::new(place) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.place.name.as_str()
    }
}

/// One try at one endpoint; becomes a CLIENT span.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its span.
    pub span_id: u64,
    /// The endpoint's address, `host:port`.
    pub endpoint: Arc<str>,
    /// When it began, monotonic ns.
    pub started_ns: u64,
    /// When the response head came or the attempt failed, monotonic ns; 0 while unknown.
    pub head_ns: u64,
    /// Status of the upstream's answer; 0 where there was none.
    pub status: u16,
    /// Why it failed.
    pub failed: Option<Code>,
}

/// The verdict of a threshold or a quota.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShedRecord {
    /// Which threshold.
    pub code: Code,
    /// `rps`, `cpu` or `workers`; `concurrency` for a quota.
    pub signal: &'static str,
    /// What was seen.
    pub observed: f64,
    /// What it was compared with.
    pub threshold: f64,
}

/// How the cache took part (RFC 9211).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheResult {
    /// Served from the store.
    Hit,
    /// Served after the origin confirmed the stored answer (304).
    Revalidated,
    /// Nothing stored.
    Miss,
    /// Something stored, too old to serve without asking.
    Stale,
    /// Waited for an identical call in flight and was served its answer.
    Collapsed,
    /// Not a question for the cache (method, body, request directives).
    Bypass,
}

/// Bound on attempts per call: the first and one retry.
pub const ATTEMPTS_MAX: usize = 2;

/// One finished call.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// The route; `None` where none matched.
    pub route: Option<Rc<CalledRoute>>,
    /// Trace context.
    pub trace: Trace,
    /// When the request head was complete, monotonic ns.
    pub started_ns: u64,
    /// When the response head was handed to the client's connection, monotonic ns.
    pub head_ns: u64,
    /// When the body ended or was dropped, monotonic ns.
    pub ended_ns: u64,
    /// Method.
    pub method: Method,
    /// Path and query as forwarded.
    pub path: PathAndQuery,
    /// The client's HTTP version.
    pub version: Version,
    /// The client's address (behind trusted proxies: the one they named).
    pub peer: IpAddr,
    /// Status sent; 0 where the client left before there was one.
    pub status: u16,
    /// How much it may be shed: what its route says, or a `Sumun-Class` that counts.
    pub class: Class,
    /// What came of a `Sumun-Class`; `None`: it said nothing, or nobody asked.
    pub class_asked: Option<ClassAsked>,
    /// Who calls, where something depended on it and the name is no secret.
    pub caller: Option<CallerName>,
    /// Why the gateway answered by itself.
    pub refusal: Option<Code>,
    /// When the caller was told to come back, ms from then; 0: it was told nothing.
    pub retry_after_ms: u32,
    /// The threshold or the quota that refused.
    pub shed: Option<ShedRecord>,
    /// The threshold that would have refused (shadow mode).
    pub shadow: Option<ShedRecord>,
    /// How the cache took part; `None`: the route has none.
    pub cache: Option<CacheResult>,
    /// Why the upstream was asked, in the words of the answer's `Cache-Status` (RFC 9211 §2.2).
    pub cache_fwd: Option<&'static str>,
    /// `stored`, or why it is not, or by which rule it was served; the `detail` of `Cache-Status`.
    pub cache_detail: Option<&'static str>,
    /// Tries at endpoints, in order.
    pub attempts: [Option<Attempt>; ATTEMPTS_MAX],
    /// Request body bytes forwarded.
    pub request_bytes: u64,
    /// Response body bytes handed to the client's connection.
    pub response_bytes: u64,
    /// Whether the answer ended as it should; false: the client left or the upstream died in mid-body.
    pub complete: bool,
    /// A revalidation that no client waits for: its admission and its attempts are counted, and it is
    /// no call served.
    pub background: bool,
    /// Policy revision that decided.
    pub revision: u64,
}

// === impl CallRecord ===

impl CallRecord {
    /// A call that has begun: how it was asked is known, and nothing of what becomes of it.
    #[inline]
    pub fn begin(
        trace: Trace,
        started_ns: u64,
        method: Method,
        path: PathAndQuery,
        version: Version,
        peer: IpAddr,
        revision: u64,
    ) -> Self {
        Self {
            route: None,
            trace,
            started_ns,
            head_ns: 0,
            ended_ns: 0,
            method,
            path,
            version,
            peer,
            status: 0,
            class: Class::default(),
            class_asked: None,
            caller: None,
            refusal: None,
            retry_after_ms: 0,
            shed: None,
            shadow: None,
            cache: None,
            cache_fwd: None,
            cache_detail: None,
            attempts: [None, None],
            request_bytes: 0,
            response_bytes: 0,
            complete: false,
            background: false,
            revision,
        }
    }
}
