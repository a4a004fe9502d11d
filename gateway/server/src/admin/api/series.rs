//! What was: `GET /api/v1/series` and its short form for all routes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use sumun_engine::snapshot::Snapshot;

use crate::admin::Desk;
use crate::admin::fault::Fault;
use crate::telemetry::series::{Kept, Of, Points, Span};

/// Of what, and how far back. One of the names at most; none: of the whole gateway.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// A route.
    route: Option<String>,
    /// An upstream.
    upstream: Option<String>,
    /// A function.
    function: Option<String>,
    /// `true`: the pool that functions share.
    pool: Option<bool>,
    /// 15 minutes of seconds, where it is not said; 6 hours of ten seconds; a day of minutes.
    span: Option<Span>,
}

/// Figures over time.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Series {
    /// Now, ms since 1970.
    at_unix_ms: u64,
    /// `kept`; `nothing`: it was not called yet; `no_room`: others have all the places.
    state: &'static str,
    /// Seconds of a point.
    every_s: u64,
    /// How many there are of each figure.
    points: usize,
    /// The last second of the newest point, since 1970; 0 without points.
    to_unix_s: u64,
    /// By figure, the oldest point first; null: unknown. Counts are calls a second. `.max` is the
    /// highest second of a point, and not there where a point is a second. Shares are 0 to 1, a
    /// `limit` is the least of its point. Left out: what was never known, and of `refused.…`,
    /// `shadow_refused`, `stale` and `cache.…` what was always zero.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, Vec<Option<f32>>>"))]
    figures: BTreeMap<&'static str, Vec<f32>>,
}

/// How far back each route is told.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct AskedOfAll {
    /// The last minute, where it is not said; else all of it in at most 121 points.
    span: Option<Span>,
}

/// Each route that was called, in a few points.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Sparks {
    /// Now, ms since 1970.
    at_unix_ms: u64,
    /// Seconds of a point.
    every_s: u64,
    /// The last second of the newest point, since 1970; of a span it may be yet to come.
    to_unix_s: u64,
    /// By route.
    routes: BTreeMap<String, Spark>,
}

/// Lists of the same length, at most 60, of a span 121, the oldest point first; null: unknown.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Spark {
    /// Calls a second.
    #[cfg_attr(test, schemars(with = "Vec<Option<f32>>"))]
    calls: Vec<f32>,
    /// Of these, answered by the gateway itself.
    #[cfg_attr(test, schemars(with = "Vec<Option<f32>>"))]
    refused: Vec<f32>,
}

/// `GET /api/v1/series?route=NAME&span=6h`.
pub(super) async fn series(
    State(desk): State<Arc<Desk>>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Series>, Fault> {
    let Query(asked) = asked.map_err(|e| Fault::malformed(e.body_text()))?;
    let span = asked.span.unwrap_or_default();
    let of = asked.of()?;
    let kept = desk.watch.series(&of, span);
    // What is still kept is known, though the policy may not name it any more.
    let is_known = matches!(kept, Kept::Points(_)) || desk.look(|snapshot| names(snapshot, &of))?;
    if !is_known {
        return Err(Fault::unknown("the policy names nothing of that name"));
    }
    Ok(Json(Series::new(now_ms(&desk), span, kept)))
}

/// `GET /api/v1/series/routes?span=6h`.
pub(super) async fn sketch(
    State(desk): State<Arc<Desk>>,
    asked: Result<Query<AskedOfAll>, QueryRejection>,
) -> Result<Json<Sparks>, Fault> {
    let Query(asked) = asked.map_err(|e| Fault::malformed(e.body_text()))?;
    let sketch = desk.watch.sketch(asked.span);
    let spark = |(name, (calls, refused))| (name, Spark { calls, refused });
    Ok(Json(Sparks {
        at_unix_ms: now_ms(&desk),
        every_s: sketch.every_s,
        to_unix_s: sketch.to_unix_s,
        routes: sketch.routes.into_iter().map(spark).collect(),
    }))
}

fn now_ms(desk: &Desk) -> u64 {
    let now = desk.watch.wall(desk.watch.now());
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// Whether the policy knows it.
fn names(snapshot: &Snapshot, of: &Of) -> bool {
    match of {
        Of::Gateway | Of::Pool => true,
        Of::Route(name) => snapshot.routes().iter().any(|r| r.policy.name.as_str() == name),
        Of::Upstream(name) => snapshot.upstreams().iter().any(|u| u.policy.name.as_str() == name),
        Of::Function(name) => snapshot.functions().iter().any(|f| f.policy.name.as_str() == name),
    }
}

// === impl Asked ===

impl Asked {
    fn of(self) -> Result<Of, Fault> {
        let pool = self.pool.unwrap_or(false).then_some(Of::Pool);
        let named = [self.route.map(Of::Route), self.upstream.map(Of::Upstream)];
        let mut all = named.into_iter().chain([self.function.map(Of::Function), pool]).flatten();
        match (all.next(), all.next()) {
            (None, _) => Ok(Of::Gateway),
            (Some(of), None) => Ok(of),
            (Some(_), Some(_)) => {
                let detail = "ask for one of `route`, `upstream`, `function` and `pool`";
                Err(Fault::malformed(detail))
            }
        }
    }
}

// === impl Series ===

impl Series {
    fn new(at_unix_ms: u64, span: Span, kept: Kept) -> Self {
        let (state, points) = match kept {
            Kept::Points(points) => ("kept", points),
            Kept::Nothing => ("nothing", Points::default()),
            Kept::NoRoom => ("no_room", Points::default()),
        };
        Self {
            at_unix_ms,
            state,
            every_s: span.every_s(),
            points: points.count,
            to_unix_s: points.to_unix_s,
            figures: points.figures.into_iter().collect(),
        }
    }
}
