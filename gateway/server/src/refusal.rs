//! The only table from a refusal to a response: status, headers, gRPC status, metric label.
//!
//! Shedding by policy is 429; the gateway's own inability is 503; the upstream's failure is 502 or
//! 504. The body is a problem (RFC 9457), `Proxy-Status` says who refused (RFC 9209), a 429 says when
//! to come back (`Retry-After`, and the `RateLimit` fields of draft-ietf-httpapi-ratelimit-headers).

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use sumun_engine::admission::Shed;
use sumun_engine::quota::QuotaFull;

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
        Self { code, detail, proxy_error: None, limit: Limit::None }
    }

    /// Over a threshold.
    pub fn shed(code: Code, shed: Shed) -> Self {
        let detail = match code {
            Code::RpsOver => "this route's requests per second are used up",
            Code::CpuOver => "the CPU behind this route is over its threshold",
            _ => "the workers behind this route are over their threshold",
        };
        Self { code, detail, proxy_error: None, limit: Limit::Shed(shed) }
    }

    /// Out of slots.
    pub fn quota(full: QuotaFull) -> Self {
        let detail = "the function's concurrency is used up";
        Self { code: Code::QuotaFull, detail, proxy_error: None, limit: Limit::Quota(full) }
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
        Self { code, detail, proxy_error: Some(proxy_error), limit: Limit::None }
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
        let mut response = if caller.grpc {
            self.grpc_response(&row)
        } else {
            let problem = self.problem(&row, route, trace);
            let mut response = Response::new(Body::Full(Bytes::from(problem)));
            *response.status_mut() = row.status;
            let problem_json = HeaderValue::from_static("application/problem+json");
            response.headers_mut().insert(CONTENT_TYPE, problem_json);
            response
        };
        let headers = response.headers_mut();
        let error = self.proxy_error.unwrap_or(row.proxy_error);
        headers
            .insert(PROXY_STATUS, text(format!("sumun; error={error}; details=\"{}\"", row.text)));
        if let Some(after) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
            self.rate_limit(headers, after);
        }
        if self.code == Code::MethodNotAllowed {
            let allowed = "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS";
            headers.insert(http::header::ALLOW, HeaderValue::from_static(allowed));
        }
        if !caller.h2 && self.ends_connection() {
            headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
        }
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

    fn grpc_response(&self, row: &Row) -> Response<Body> {
        let mut response = Response::new(Body::Empty);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(GRPC_STATUS, HeaderValue::from(u16::from(row.grpc)));
        headers.insert(GRPC_MESSAGE, text(format!("{}: {}", row.text, self.detail)));
        if let Some(after) = self.retry_after() {
            headers.insert(GRPC_PUSHBACK, HeaderValue::from(millis(after)));
        }
        response
    }

    fn rate_limit(&self, headers: &mut http::HeaderMap, after: Duration) {
        let (name, quota, unit) = match &self.limit {
            Limit::None => return,
            Limit::Shed(shed) if self.code == Code::RpsOver => ("rps", shed.limit, ";w=1"),
            Limit::Shed(shed) => (shed.reason.signal(), shed.limit, ";qu=\"concurrent-requests\""),
            Limit::Quota(full) => ("quota", full.limit, ";qu=\"concurrent-requests\""),
        };
        headers.insert(RATE_LIMIT_POLICY, text(format!("\"{name}\";q={quota}{unit}")));
        headers.insert(RATE_LIMIT, text(format!("\"{name}\";r=0;t={}", whole_seconds(after))));
    }

    fn problem(&self, row: &Row, route: Option<&RoutePlan>, trace: &Trace) -> String {
        let title = row.status.canonical_reason().unwrap_or("Refused");
        let mut json = String::with_capacity(512);
        // Codes, titles, details and names need no escaping: none has a quote or a control character.
        let mut put = |args: std::fmt::Arguments<'_>| {
            let _ = json.write_fmt(args); // writing to a String does not fail
        };
        put(format_args!(
            "{{\"type\":\"urn:sumun:problem:{}\",\"title\":\"{title}\",\"status\":{},\"detail\":\"{}\",\"code\":\"{}\"",
            row.text,
            row.status.as_u16(),
            self.detail,
            row.text,
        ));
        match route {
            Some(plan) => put(format_args!(",\"route\":\"{}\"", plan.route.policy.name)),
            None => put(format_args!(",\"route\":null")),
        }
        put(format_args!(",\"trace_id\":\"{:032x}\"", trace.trace_id));
        let (signal, observed, threshold) = match &self.limit {
            Limit::None => {
                put(format_args!("}}"));
                return json;
            }
            Limit::Shed(shed) => (shed.reason.signal(), shed.observed, shed.threshold),
            Limit::Quota(full) => ("concurrency", f64::from(full.in_use), f64::from(full.limit)),
        };
        if let Some(plan) = route {
            put(format_args!(",\"policy\":{}", serde_json::json!(plan.policy)));
        }
        let after = self.retry_after().map_or(0, millis);
        put(format_args!(
            ",\"signal\":\"{signal}\",\"observed\":{},\"threshold\":{},\"retry_after_ms\":{after}}}",
            rounded(observed),
            rounded(threshold),
        ));
        json
    }
}

/// For people: four decimals at most.
fn rounded(value: f64) -> f64 {
    if value.is_finite() { (value * 1e4).round() / 1e4 } else { 0.0 }
}

/// Rounded up, at least 1: zero would say "at once" (RFC 9110 §10.2.3).
fn whole_seconds(duration: Duration) -> u64 {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).max(1)
}

/// Rounded up.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// A header value from our own texts and numbers.
fn text(value: String) -> HeaderValue {
    HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static("sumun"))
}

#[cfg(test)]
mod tests;
