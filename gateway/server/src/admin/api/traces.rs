//! Recent traces: what was refused, slow or failed, and one of them whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use http::header;
use serde::{Deserialize, Serialize};

use crate::admin::fault::Fault;
use crate::admin::input::Segment;
use crate::admin::{Desk, watch};
use crate::hex;
use crate::telemetry::traces::{Decision, Kind, StatusWanted, TraceSummary, Wanted};

/// Traces in one answer, where the caller does not say and at most.
const TRACES: usize = 50;
const TRACES_MAX: usize = 200;

/// Digits of a trace's id.
const ID_LEN: usize = 32;

/// Which traces.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Why they are kept.
    kind: Option<Kind>,
    /// Name of their route.
    route: Option<String>,
    /// What was decided; in shadow mode, what would have been.
    decision: Option<Decision>,
    /// What they were answered: `429`, or `4xx`.
    status: Option<String>,
    /// Least duration, milliseconds.
    min_ms: Option<f64>,
    /// Who called.
    caller: Option<String>,
    /// How the cache took part: `hit`, `revalidated`, `miss`, `stale`, `collapsed` or `bypass`.
    cache: Option<String>,
    /// Only those kept before the one with this number.
    before: Option<u64>,
    /// How many: 50 where it is not said, 200 at most.
    limit: Option<usize>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "TraceList"))]
pub(super) struct List {
    /// Newest first.
    traces: Vec<TraceSummary>,
    /// What became of all calls that were to be kept, by kind.
    kinds: BTreeMap<&'static str, KindFigures>,
    /// Spans that never came to be kept: too many in one second.
    spans_passed_over: u64,
    /// Where another tool shows a trace, with `{trace_id}` for its id; null: nobody said.
    link: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "TraceKindFigures"))]
struct KindFigures {
    /// Kept now.
    kept: u64,
    /// Not taken, or forgotten since, since the process began.
    forgotten: u64,
}

/// `GET /api/v1/traces?kind=…&route=…&decision=…&status=…&min_ms=…&caller=…&cache=…&before=N&limit=N`.
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<List>, Fault> {
    let Query(which) = which.map_err(|e| Fault::malformed(e.body_text()))?;
    let watch::Traces { traces, counts, spans_passed_over, link } =
        desk.watch.traces(&which.wanted()?);
    let kinds = counts.into_iter().map(|(kind, counts)| {
        (kind.as_str(), KindFigures { kept: counts.kept, forgotten: counts.forgotten })
    });
    Ok(Json(List { traces, kinds: kinds.collect(), spans_passed_over, link }))
}

/// `GET /api/v1/traces/{trace_id}`: OTLP JSON.
pub(super) async fn read(
    State(desk): State<Arc<Desk>>,
    Segment(id): Segment,
) -> Result<impl IntoResponse, Fault> {
    let unknown = || Fault::unknown(format!("there is no trace `{id}`, or no more"));
    let trace_id = trace_id(&id).ok_or_else(unknown)?;
    let document = desk.watch.trace(trace_id).ok_or_else(unknown)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], document))
}

/// 32 lower-case digits (W3C Trace Context §3.2.2.3).
fn trace_id(text: &str) -> Option<u128> {
    let (high, low) = text.as_bytes().split_at_checked(ID_LEN / 2)?;
    if low.len() != ID_LEN / 2 {
        return None;
    }
    Some(u128::from(hex::read(high)?) << 64 | u128::from(hex::read(low)?))
}

// === impl Which ===

impl Which {
    fn wanted(self) -> Result<Wanted, Fault> {
        let status = self.status.map(|status| {
            let malformed =
                || Fault::malformed(format!("status: `{status}` is neither 429 nor 4xx"));
            StatusWanted::parse(&status).ok_or_else(malformed)
        });
        let least_ms = self.min_ms.unwrap_or(0.0);
        if !least_ms.is_finite() || least_ms < 0.0 {
            return Err(Fault::malformed("min_ms: a duration is 0 or more"));
        }
        Ok(Wanted {
            kind: self.kind,
            route: self.route,
            decision: self.decision,
            status: status.transpose()?,
            least_ns: (least_ms * 1e6) as u64,
            caller: self.caller,
            cache: self.cache,
            before: self.before,
            limit: self.limit.unwrap_or(TRACES).min(TRACES_MAX),
        })
    }
}
