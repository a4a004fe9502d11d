//! The only table from a refusal to a response: status, headers, gRPC status, metric label.
//!
//! Shedding by policy is 429; the gateway's own inability is 503; the upstream's failure is 502 or
//! 504. The body is a problem (RFC 9457), `Proxy-Status` says who refused (RFC 9209), a 429 says when
//! to come back (`Retry-After`, and the `RateLimit` fields of draft-ietf-httpapi-ratelimit-headers).

mod text;

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use sumun_engine::admission::Shed;
use sumun_engine::quota::QuotaFull;

use self::text::Text;
use crate::body::Body;
use crate::path::Caller;
use crate::plan::RoutePlan;
use crate::telemetry::record::Trace;

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// Fields of a refusal at most, with room for those that hyper adds: the map never grows.
const FIELDS_MAX: usize = 12;

/// Room for a problem: most take 300 to 400 bytes.
const PROBLEM_BYTES: usize = 448;

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
    /// RFC 9209 §2.3 error type, where the refusal has no finer one.
    proxy_error: &'static str,
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
        let (text, status, proxy_error, grpc) = match self {
            Self::BadRequest          => ("bad_request",          400, "http_request_error",         13),
            Self::RouteUnknown        => ("route_unknown",        404, "destination_not_found",      12),
            Self::MethodNotAllowed    => ("method_not_allowed",   405, "http_request_denied",        12),
            Self::RpsOver             => ("rps_over",             429, "http_request_denied",         8),
            Self::CpuOver             => ("cpu_over",             429, "http_request_denied",         8),
            Self::WorkersOver         => ("workers_over",         429, "http_request_denied",         8),
            Self::QuotaFull           => ("quota_full",           429, "http_request_denied",         8),
            Self::BodyTooLarge        => ("body_too_large",       413, "http_request_denied",         8),
            Self::HeadTooLarge        => ("head_too_large",       431, "http_request_denied",         8),
            Self::TargetTooLong       => ("target_too_long",      414, "http_request_denied",         8),
            Self::RequestTimeout      => ("request_timeout",      408, "http_request_error",          4),
            Self::NotCached           => ("not_cached",           504, "http_request_denied",         5),
            Self::VersionUnknown      => ("version_unknown",      505, "http_request_error",         12),
            Self::Loop                => ("loop",                 508, "proxy_loop_detected",        13),
            Self::UpstreamUnreachable => ("upstream_unreachable", 502, "destination_unavailable",    14),
            Self::UpstreamReset       => ("upstream_reset",       502, "connection_terminated",      14),
            Self::UpstreamTimeout     => ("upstream_timeout",     504, "http_response_timeout",       4),
            Self::NoEndpoint          => ("no_endpoint",          503, "destination_unavailable",    14),
            Self::Draining            => ("draining",             503, "proxy_internal_response",    14),
            Self::GatewayOverloaded   => ("gateway_overloaded",   503, "connection_limit_reached",   14),
        };
        // All of them are in 100..=999.
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Row { text, status, proxy_error, grpc }
    }
}

// === impl Refusal ===

impl Refusal {
    /// A refusal that a sentence explains.
    pub fn new(code: Code, detail: &'static str) -> Self {
        Self { code, detail, proxy_error: None, limit: Limit::None, partition: None }
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

    /// The response. gRPC callers get a trailers-only answer, others a problem.
    pub fn response(
        &self,
        caller: Caller,
        route: Option<&RoutePlan>,
        trace: &Trace,
    ) -> Response<Body> {
        let row = self.code.row();
        let mut response = Response::new(Body::Empty);
        let mut headers = HeaderMap::with_capacity(FIELDS_MAX);
        if caller.grpc {
            self.grpc(&row, &mut headers);
        } else {
            *response.status_mut() = row.status;
            *response.body_mut() = Body::Full(self.problem(&row, route, trace));
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        }
        let error = self.proxy_error.unwrap_or(row.proxy_error);
        let status = Text::with_capacity(96).put("sumun; error=").put(error);
        let status = status.put("; details=\"").put(row.text).put("\"");
        headers.insert(PROXY_STATUS, status.into_value());
        if let Some(after) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
            self.rate_limit(&mut headers, after);
        }
        if self.code == Code::MethodNotAllowed {
            let allowed = "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS";
            headers.insert(http::header::ALLOW, HeaderValue::from_static(allowed));
        }
        if !caller.h2 && self.ends_connection() {
            headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
        }
        *response.headers_mut() = headers;
        response
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

    fn grpc(&self, row: &Row, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(GRPC_STATUS, HeaderValue::from(u16::from(row.grpc)));
        let message = Text::with_capacity(96).put(row.text).put(": ").put(self.detail);
        headers.insert(GRPC_MESSAGE, message.into_value());
        if let Some(after) = self.retry_after() {
            headers.insert(GRPC_PUSHBACK, HeaderValue::from(millis(after)));
        }
    }

    fn rate_limit(&self, headers: &mut HeaderMap, after: Duration) {
        let (name, quota, unit) = match &self.limit {
            Limit::None => return,
            Limit::Shed(shed) if self.code == Code::RpsOver => ("rps", shed.limit, ";w=1"),
            Limit::Shed(shed) => (shed.reason.signal(), shed.limit, CONCURRENT),
            Limit::Quota(full) => ("quota", full.limit, CONCURRENT),
        };
        let named = || Text::with_capacity(64).put("\"").put(name);
        let policy = named().put("\";q=").number(quota.into()).put(unit);
        let now = named().put("\";r=0;t=").number(whole_seconds(after));
        let (policy, now) = match self.partition {
            None => (policy, now),
            Some(key) => (policy.partition(key), now.partition(key)),
        };
        headers.insert(RATE_LIMIT_POLICY, policy.into_value());
        headers.insert(RATE_LIMIT, now.into_value());
    }

    /// The problem (RFC 9457). Codes, titles, details and names need no escaping: none has a quote or
    /// a control character; the policy's place is escaped when the policy is compiled.
    fn problem(&self, row: &Row, route: Option<&RoutePlan>, trace: &Trace) -> Bytes {
        let title = row.status.canonical_reason().unwrap_or("Refused");
        let text = Text::with_capacity(PROBLEM_BYTES)
            .put("{\"type\":\"urn:sumun:problem:")
            .put(row.text)
            .put("\",\"title\":\"")
            .put(title)
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
        let text = text.put(",\"trace_id\":\"").hex(trace.trace_id).put("\"");
        let (signal, observed, threshold) = match &self.limit {
            Limit::None => return text.put("}").into_bytes(),
            Limit::Shed(shed) => (shed.reason.signal(), shed.observed, shed.threshold),
            Limit::Quota(full) => ("concurrency", f64::from(full.in_use), f64::from(full.limit)),
        };
        let text = match route {
            Some(plan) => text.put(",\"policy\":").put(&plan.place_json),
            None => text,
        };
        text.put(",\"signal\":\"")
            .put(signal)
            .put("\",\"observed\":")
            .figure(observed)
            .put(",\"threshold\":")
            .figure(threshold)
            .put(",\"retry_after_ms\":")
            .number(self.retry_after().map_or(0, millis))
            .put("}")
            .into_bytes()
    }
}

/// Rounded up, at least 1: zero would say "at once" (RFC 9110 §10.2.3).
fn whole_seconds(duration: Duration) -> u64 {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).max(1)
}

/// Rounded up.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
