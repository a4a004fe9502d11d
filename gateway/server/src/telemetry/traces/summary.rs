//! A kept call in one line.

use super::{Kept, Kind};
use crate::hex;
use crate::telemetry::labels::cache_label;
use crate::telemetry::record::Attempt;
use crate::telemetry::wall::Wall;

/// A kept call in one line; its spans say more.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TraceSummary {
    /// Its place in the order of keeping, for `before`.
    pub number: u64,
    /// Why it is kept.
    pub kind: Kind,
    /// 32 digits.
    pub trace_id: String,
    /// Of the SERVER span: 16 digits.
    pub span_id: String,
    /// The caller's span, where it sent a valid `traceparent`.
    pub parent_id: Option<String>,
    /// When it began, Unix ms.
    pub at_unix_ms: u64,
    /// How long it took, ms.
    pub duration_ms: f64,
    /// `_OTHER` where it is none that the conventions know.
    pub method: &'static str,
    /// Without its query, cut where it is long.
    pub path: String,
    /// `null`: none matched.
    pub route: Option<String>,
    /// What it was answered; 0: the client left before that.
    pub status: u16,
    /// Whether the answer ended as it should.
    pub complete: bool,
    /// Who called, where something depended on it and the name is no secret.
    pub caller: Option<String>,
    /// `admit`, `refuse`, `stale` or `none`; in shadow mode, what would have been.
    pub decision: &'static str,
    /// Whether that was only counted.
    pub shadow: bool,
    /// Why it was refused, as the code of the problem has it.
    pub reason: Option<&'static str>,
    /// What was looked at: `rps`, `cpu`, `workers` or `concurrency`.
    pub signal: Option<&'static str>,
    /// What was seen.
    pub observed: Option<f64>,
    /// What it was compared with.
    pub threshold: Option<f64>,
    /// When the caller was told to come back.
    pub retry_after_ms: Option<u32>,
    /// Where calls of the route go.
    pub upstream: Option<String>,
    /// The file of the route.
    pub policy_file: Option<String>,
    /// The policy revision that decided.
    pub revision: u64,
    /// How the cache took part.
    pub cache: Option<&'static str>,
    /// Why the service was asked, as `fwd` of `Cache-Status` (RFC 9211) has it.
    pub cache_fwd: Option<&'static str>,
    /// Tries at endpoints.
    pub attempts: usize,
    /// The endpoint of the last one.
    pub endpoint: Option<String>,
}

// === impl TraceSummary ===

impl TraceSummary {
    pub(super) fn of(kept: &Kept, wall: Wall) -> Self {
        let Kept { number, kind, record } = kept;
        let (told, trace) = (record.told(), &record.trace);
        let place = record.place.as_deref();
        Self {
            number: *number,
            kind: *kind,
            trace_id: text(&hex::of_u128(trace.trace_id)),
            span_id: text(&hex::of_u64(trace.span_id)),
            parent_id: trace.parent_id.map(|id| text(&hex::of_u64(id))),
            at_unix_ms: wall.unix_ns(record.started_ns) / 1_000_000,
            duration_ms: record.ended_ns.saturating_sub(record.started_ns) as f64 / 1e6,
            method: record.method,
            path: record.path.as_str().to_owned(),
            route: record.route_name().map(str::to_owned),
            status: record.status,
            complete: record.complete,
            caller: record.caller.as_deref().map(str::to_owned),
            decision: told.decision,
            shadow: told.shadow,
            reason: told.reason,
            signal: told.limit.map(|limit| limit.signal),
            observed: told.limit.map(|limit| limit.observed),
            threshold: told.limit.map(|limit| limit.threshold),
            retry_after_ms: (record.retry_after_ms != 0).then_some(record.retry_after_ms),
            upstream: place.map(|place| place.upstream.as_str().to_owned()),
            policy_file: place.map(|place| place.file.to_string()),
            revision: record.revision,
            cache: record.cache.map(cache_label),
            cache_fwd: record.cache_fwd,
            attempts: record.attempts().count(),
            endpoint: record.attempts().last().map(|Attempt { endpoint, .. }| endpoint.to_string()),
        }
    }
}

fn text(digits: &[u8]) -> String {
    String::from_utf8_lossy(digits).into_owned()
}
