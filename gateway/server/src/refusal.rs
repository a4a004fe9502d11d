//! The only table from a refusal to a response: status, headers, gRPC status, metric label.
//!
//! Shedding by policy is 429; the gateway's own inability is 503; the upstream's failure is 502 or
//! 504. The body is a problem (RFC 9457), `Proxy-Status` says who refused (RFC 9209), a 429 says when
//! to come back (`Retry-After`, and the `RateLimit` fields of draft-ietf-httpapi-ratelimit-headers).

mod pattern;
mod prepared;
mod text;

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use sumun_engine::admission::Shed;
use sumun_engine::quota::QuotaFull;

pub use self::prepared::Prepared;
use self::text::Text;
use crate::body::Body;
use crate::path::Caller;
use crate::plan::RoutePlan;
use crate::telemetry::record::{ShedRecord, Trace};

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// Fields of a refusal at most, with room for those that hyper adds: the map never grows.
const FIELDS_MAX: usize = 12;

/// Room for a problem that no threshold is in: most take 200 to 300 bytes.
const PROBLEM_BYTES: usize = 320;

/// What `RateLimit-Policy` counts where it isn't requests in a window.
const CONCURRENT: &str = ";qu=\"concurrent-requests\"";

/// When a caller may come back to a full quota: slots free themselves call by call, so soon.
const QUOTA_RETRY_AFTER: Duration = Duration::from_secs(1);

/// When a caller may come back to a gateway or upstream that can't take calls now.
const UNABLE_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why the gateway answers by itself. The text is the `code` of the problem and the metric's `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// Malformed or ambiguous request.
    BadRequest,
    /// No route matches.
    RouteUnknown,
    /// CONNECT, TRACE or a method the gateway doesn't forward.
    MethodNotAllowed,
    /// Over the requests per second.
    RpsOver,
    /// Over the CPU threshold.
    CpuOver,
    /// Over the workers threshold.
    WorkersOver,
    /// The function is out of slots.
    QuotaFull,
    /// Request body over its limit.
    BodyTooLarge,
    /// Request head over its limit.
    HeadTooLarge,
    /// Request target too long.
    TargetTooLong,
    /// The request took too long to arrive.
    RequestTimeout,
    /// `only-if-cached` and not cached.
    NotCached,
    /// HTTP version not supported.
    VersionUnknown,
    /// The call has been here before (Via).
    Loop,
    /// The upstream could not be reached.
    UpstreamUnreachable,
    /// The upstream closed, reset or answered malformed bytes.
    UpstreamReset,
    /// The upstream was too slow.
    UpstreamTimeout,
    /// No usable endpoint.
    NoEndpoint,
    /// The gateway is draining.
    Draining,
    /// The gateway itself is at its limit.
    GatewayOverloaded,
}

/// One row of the table.
struct Row {
    text: &'static str,
    status: StatusCode,
    /// `Proxy-Status` with the error type (RFC 9209 §2.3) where the refusal has no finer one.
    proxy_status: &'static str,
    /// gRPC status code (grpc/grpc doc/http-grpc-status-mapping.md).
    grpc: u8,
}

/// An answer that the gateway makes itself.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Which one.
    pub code: Code,
    detail: &'static str,
    proxy_error: Option<&'static str>,
    limit: Limit,
    /// Whose share of the limit is used up: the caller's hash.
    partition: Option<u64>,
}

/// What was over, for a 429.
#[derive(Clone, Debug)]
enum Limit {
    None,
    Shed(Shed),
    Quota(QuotaFull),
}

/// The numbers of a 429.
struct Over {
    /// As the `RateLimit` fields name it.
    policy: &'static str,
    /// What the limit counts, as a parameter of `RateLimit-Policy`.
    unit: &'static str,
    limit: u32,
    signal: &'static str,
    observed: f64,
    threshold: f64,
    after: Duration,
    /// Whose limit, where each caller has its own.
    partition: Option<u64>,
}

// === impl Code ===

impl Code {
    /// Every code, in the order of the table.
    pub const ALL: [Self; 20] = [
        Self::BadRequest,
        Self::RouteUnknown,
        Self::MethodNotAllowed,
        Self::RpsOver,
        Self::CpuOver,
        Self::WorkersOver,
        Self::QuotaFull,
        Self::BodyTooLarge,
        Self::HeadTooLarge,
        Self::TargetTooLong,
        Self::RequestTimeout,
        Self::NotCached,
        Self::VersionUnknown,
        Self::Loop,
        Self::UpstreamUnreachable,
        Self::UpstreamReset,
        Self::UpstreamTimeout,
        Self::NoEndpoint,
        Self::Draining,
        Self::GatewayOverloaded,
    ];

    /// The `code` of the problem and the metric's `reason`.
    pub fn as_str(self) -> &'static str {
        self.row().text
    }

    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        self.row().status
    }

    #[rustfmt::skip] // a table reads as one
    fn row(self) -> Row {
        macro_rules! row {
            ($text:literal, $status:literal, $error:literal, $grpc:literal) => {
                ($text, $status, concat!("sumun; error=", $error, "; details=\"", $text, "\""), $grpc)
            };
        }
        let (text, status, proxy_status, grpc) = match self {
            Self::BadRequest          => row!("bad_request",          400, "http_request_error",         13),
            Self::RouteUnknown        => row!("route_unknown",        404, "destination_not_found",      12),
            Self::MethodNotAllowed    => row!("method_not_allowed",   405, "http_request_denied",        12),
            Self::RpsOver             => row!("rps_over",             429, "http_request_denied",         8),
            Self::CpuOver             => row!("cpu_over",             429, "http_request_denied",         8),
            Self::WorkersOver         => row!("workers_over",         429, "http_request_denied",         8),
            Self::QuotaFull           => row!("quota_full",           429, "http_request_denied",         8),
            Self::BodyTooLarge        => row!("body_too_large",       413, "http_request_denied",         8),
            Self::HeadTooLarge        => row!("head_too_large",       431, "http_request_denied",         8),
            Self::TargetTooLong       => row!("target_too_long",      414, "http_request_denied",         8),
            Self::RequestTimeout      => row!("request_timeout",      408, "http_request_error",          4),
            Self::NotCached           => row!("not_cached",           504, "http_request_denied",         5),
            Self::VersionUnknown      => row!("version_unknown",      505, "http_request_error",         12),
            Self::Loop                => row!("loop",                 508, "proxy_loop_detected",        13),
            Self::UpstreamUnreachable => row!("upstream_unreachable", 502, "destination_unavailable",    14),
            Self::UpstreamReset       => row!("upstream_reset",       502, "connection_terminated",      14),
            Self::UpstreamTimeout     => row!("upstream_timeout",     504, "http_response_timeout",       4),
            Self::NoEndpoint          => row!("no_endpoint",          503, "destination_unavailable",    14),
            Self::Draining            => row!("draining",             503, "proxy_internal_response",    14),
            Self::GatewayOverloaded   => row!("gateway_overloaded",   503, "connection_limit_reached",   14),
        };
        // All of them are in 100..=999.
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Row { text, status, proxy_status, grpc }
    }
}

// === impl Refusal ===

impl Refusal {
    /// A refusal that a sentence explains.
    pub fn new(code: Code, detail: &'static str) -> Self {
        Self { code, detail, proxy_error: None, limit: Limit::None, partition: None }
    }

    /// As the record of a call holds it: for a full quota.
    pub fn quota_record(&self) -> Option<ShedRecord> {
        let Limit::Quota(full) = &self.limit else { return None };
        Some(ShedRecord {
            code: self.code,
            signal: "concurrency",
            observed: f64::from(full.in_use),
            threshold: f64::from(full.limit),
        })
    }

    /// Over a threshold.
    pub fn shed(code: Code, shed: Shed) -> Self {
        let detail = match code {
            Code::RpsOver => "this route's requests per second are used up",
            Code::CpuOver => "the CPU behind this route is over its threshold",
            _ => "the workers behind this route are over their threshold",
        };
        Self { code, detail, proxy_error: None, limit: Limit::Shed(shed), partition: None }
    }

    /// Over a limit that each caller has for itself; `None`: callers that are not known share one.
    #[must_use]
    pub fn of_caller(self, caller: Option<u64>) -> Self {
        let detail = "this caller's requests per second are used up";
        Self { detail, partition: caller, ..self }
    }

    /// Out of slots.
    pub fn quota(full: QuotaFull) -> Self {
        let detail = "the function's concurrency is used up";
        Self {
            code: Code::QuotaFull,
            detail,
            proxy_error: None,
            limit: Limit::Quota(full),
            partition: None,
        }
    }

    /// An attempt that failed, with its RFC 9209 error type.
    pub fn upstream(code: Code, proxy_error: &'static str) -> Self {
        let detail = match code {
            Code::UpstreamTimeout => "the upstream did not answer in time",
            Code::UpstreamUnreachable => "the upstream can't be reached",
            Code::UpstreamReset => "the upstream closed the connection or its answer is not HTTP",
            Code::BodyTooLarge => "the body is over limits.max_body",
            Code::RequestTimeout => "the body came slower than limits.body_rate",
            _ => "the request body is malformed or ended early",
        };
        Self { code, detail, proxy_error: Some(proxy_error), limit: Limit::None, partition: None }
    }

    /// When the caller may come back; `None`: nothing will have changed by waiting.
    fn retry_after(&self) -> Option<Duration> {
        match &self.limit {
            Limit::Shed(shed) => Some(shed.retry_after),
            Limit::Quota(_) => Some(QUOTA_RETRY_AFTER),
            Limit::None => (self.code.status() == StatusCode::SERVICE_UNAVAILABLE)
                .then_some(UNABLE_RETRY_AFTER),
        }
    }

    /// When the caller may come back, ms, as its record holds it; 0: it is not told.
    pub fn retry_after_ms(&self) -> u32 {
        // Nobody is sent away for 49 days.
        self.retry_after().map_or(0, |after| u32::try_from(millis(after)).unwrap_or(u32::MAX))
    }

    /// What was over, where it is a 429.
    fn over(&self) -> Option<Over> {
        let concurrent = |limit| (limit, CONCURRENT);
        let (policy, (limit, unit), signal, observed, threshold) = match &self.limit {
            Limit::None => return None,
            Limit::Shed(shed) => {
                let rps = self.code == Code::RpsOver;
                let counted = if rps { (shed.limit, ";w=1") } else { concurrent(shed.limit) };
                let signal = shed.reason.signal();
                (signal, counted, signal, shed.observed, shed.threshold)
            }
            Limit::Quota(full) => {
                let (in_use, limit) = (f64::from(full.in_use), f64::from(full.limit));
                ("quota", concurrent(full.limit), "concurrency", in_use, limit)
            }
        };
        let after = self.retry_after().unwrap_or_default();
        let partition = self.partition;
        Some(Over { policy, unit, limit, signal, observed, threshold, after, partition })
    }

    /// The response. gRPC callers get a trailers-only answer, others a problem.
    pub fn response(
        &self,
        caller: Caller,
        route: Option<&RoutePlan>,
        trace: &Trace,
    ) -> Response<Body> {
        let row = self.code.row();
        let mut response = Response::new(Body::Empty);
        let over = self.over();
        let mut headers = if caller.grpc {
            self.trailers_only(&row, over.as_ref())
        } else {
            *response.status_mut() = row.status;
            let (headers, problem) = match (route, &over) {
                (Some(plan), Some(over)) => plan.refused.answer(self, over, plan, trace),
                (_, over) => (self.fields(&row, over.as_ref()), self.problem(&row, route, trace)),
            };
            *response.body_mut() = Body::Full(problem);
            headers
        };
        if !caller.h2 && self.ends_connection() {
            headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
        }
        *response.headers_mut() = headers;
        response
    }

    /// Writes the response as HTTP/1.1 with this `Date`, where it is a 429 of a route that needs no
    /// more than that; tells how many bytes its body has.
    pub fn write(
        &self,
        caller: Caller,
        route: Option<&RoutePlan>,
        trace: &Trace,
        date: &[u8],
        text: &mut Vec<u8>,
    ) -> Option<usize> {
        let (plan, over) = route.zip(self.over())?;
        (!caller.grpc && !caller.h2)
            .then(|| plan.refused.write(self, &over, plan, trace, date, text))
    }

    /// Where the rest of the connection can't be told apart from the request that was refused.
    fn ends_connection(&self) -> bool {
        matches!(
            self.code,
            Code::BadRequest
                | Code::HeadTooLarge
                | Code::TargetTooLong
                | Code::RequestTimeout
                | Code::VersionUnknown
        )
    }

    fn fields(&self, row: &Row, over: Option<&Over>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(FIELDS_MAX);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        self.common_fields(row, over, &mut headers);
        headers
    }

    fn common_fields(&self, row: &Row, over: Option<&Over>, headers: &mut HeaderMap) {
        let status = match self.proxy_error {
            None => HeaderValue::from_static(row.proxy_status),
            Some(error) => {
                let status = Text::with_capacity(96).put("sumun; error=").put(error);
                status.put("; details=\"").put(row.text).put("\"").into_value()
            }
        };
        headers.insert(PROXY_STATUS, status);
        if let Some(after) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
        }
        if let Some(over) = over {
            headers.insert(RATE_LIMIT_POLICY, over.rate_limit_policy());
            headers.insert(RATE_LIMIT, over.rate_limit());
        }
        if self.code == Code::MethodNotAllowed {
            let allowed = "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS";
            headers.insert(http::header::ALLOW, HeaderValue::from_static(allowed));
        }
    }

    fn trailers_only(&self, row: &Row, over: Option<&Over>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(FIELDS_MAX);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(GRPC_STATUS, HeaderValue::from(u16::from(row.grpc)));
        let message = Text::with_capacity(96).put(row.text).put(": ").put(self.detail);
        headers.insert(GRPC_MESSAGE, message.into_value());
        if let Some(after) = self.retry_after() {
            headers.insert(GRPC_PUSHBACK, HeaderValue::from(millis(after)));
        }
        self.common_fields(row, over, &mut headers);
        headers
    }

    /// The problem (RFC 9457) where there is no route or nothing was over; [`Prepared`] has the
    /// other ones.
    fn problem(&self, row: &Row, route: Option<&RoutePlan>, trace: &Trace) -> Bytes {
        let text = self.opening(row, route).hex(trace.trace_id);
        let Some(over) = self.over() else { return text.put("\"}").into_bytes() };
        over.ending(over.middle(text, route)).into_bytes()
    }

    /// The problem up to its trace id. Codes, titles, details and names need no escaping: none has a
    /// quote or a control character.
    fn opening(&self, row: &Row, route: Option<&RoutePlan>) -> Text {
        let text = Text::with_capacity(PROBLEM_BYTES)
            .put("{\"type\":\"urn:sumun:problem:")
            .put(row.text)
            .put("\",\"title\":\"")
            .put(row.status.canonical_reason().unwrap_or("Refused"))
            .put("\",\"status\":")
            .number(row.status.as_u16().into())
            .put(",\"detail\":\"")
            .put(self.detail)
            .put("\",\"code\":\"")
            .put(row.text);
        let text = match route {
            Some(plan) => {
                text.put("\",\"route\":\"").put(plan.route.policy.name.as_str()).put("\"")
            }
            None => text.put("\",\"route\":null"),
        };
        text.put(",\"trace_id\":\"")
    }
}

// === impl Over ===

impl Over {
    fn rate_limit_policy(&self) -> HeaderValue {
        let text = Text::with_capacity(64).put("\"").put(self.policy).put("\";q=");
        self.named(text.number(self.limit.into()).put(self.unit))
    }

    fn rate_limit(&self) -> HeaderValue {
        let text = Text::with_capacity(64).put("\"").put(self.policy).put("\";r=0;t=");
        self.named(text.number(whole_seconds(self.after)))
    }

    /// Says whose limit it is, where each caller has its own.
    fn named(&self, text: Text) -> HeaderValue {
        match self.partition {
            None => text.into_value(),
            Some(key) => text.partition(key).into_value(),
        }
    }

    /// The problem between its trace id and its figures. The policy's place was escaped when the
    /// policy was compiled.
    fn middle(&self, text: Text, route: Option<&RoutePlan>) -> Text {
        let text = match route {
            Some(plan) => text.put("\",\"policy\":").put(&plan.place_json),
            None => text.put("\""),
        };
        text.put(",\"signal\":\"").put(self.signal)
    }

    /// The figures, to the end of the problem.
    fn ending(&self, text: Text) -> Text {
        self.figures(text).number(millis(self.after)).put("}")
    }

    /// The figures up to when to come back.
    fn figures(&self, text: Text) -> Text {
        text.put("\",\"observed\":")
            .figure(self.observed)
            .put(",\"threshold\":")
            .figure(self.threshold)
            .put(",\"retry_after_ms\":")
    }
}

/// Rounded up, at least 1: zero would say "at once" (RFC 9110 §10.2.3).
fn whole_seconds(duration: Duration) -> u64 {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).max(1)
}

/// Rounded up.
fn millis(duration: Duration) -> u64 {
    let of_seconds = duration.as_secs().saturating_mul(1000);
    of_seconds.saturating_add(duration.subsec_nanos().div_ceil(1_000_000).into())
}

#[cfg(test)]
mod tests;
