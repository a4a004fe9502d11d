//! `GET /api/v1/live`: the figures of this second, as server-sent events (HTML, section 9.2).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use sumun_engine::time::Moment;
use sumun_engine::upstream::Upstream;

use super::live;
use crate::admin::Desk;
use crate::admin::events::{Cut, Told};
use crate::admin::fault::Fault;
use crate::admin::watch::Readiness;
use crate::store::CacheView;

/// One event.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Tick {
    /// When it was computed, ms since 1970.
    at_unix_ms: u64,
    /// As `GET /api/v1/status`.
    status: live::Status,
    /// As `GET /api/v1/routes`; empty before the first policy.
    routes: Vec<live::RouteState>,
    /// Upstreams in short; empty before the first policy.
    upstreams: Vec<UpstreamTick>,
    /// As `GET /api/v1/functions`; null before the first policy.
    functions: Option<live::Functions>,
    /// The cache's first tier in short: counting by route would walk all of it.
    cache: CacheTick,
}

/// The cache's first tier in short.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CacheTick {
    /// Keys with something stored.
    entries: u64,
    bytes: u64,
    bytes_max: u64,
}

/// An upstream in short.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct UpstreamTick {
    name: String,
    in_flight: u32,
    /// Endpoints by state.
    endpoints: BTreeMap<&'static str, usize>,
    /// What is wrong with its signals: how many findings.
    findings: usize,
}

/// `GET /api/v1/live`.
pub(super) async fn stream(
    State(desk): State<Arc<Desk>>,
    cut: Option<Extension<Cut>>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    if drains(&desk) {
        return Err(later("draining", "the gateway drains"));
    }
    let teller = Arc::clone(&desk);
    let tell = move || Told { json: Tick::json(&teller), is_last: drains(&teller) };
    let sessions = Arc::clone(&desk);
    // The token ends with the process.
    let is_session = !headers.contains_key(header::AUTHORIZATION);
    let lives = move || !is_session || sessions.sessions.lives(&headers);
    let cut = cut.map_or_else(Cut::default, |Extension(cut)| cut);
    let events = desk.events.listen(tell, lives, cut);
    let events = events.map_err(|_| later("streams_full", "too many streams are open"))?;
    let media = HeaderValue::from_static("text/event-stream");
    Ok(([(header::CONTENT_TYPE, media)], Body::from_stream(events)).into_response())
}

fn later(code: &'static str, detail: &str) -> Fault {
    Fault::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
        .with(header::RETRY_AFTER, HeaderValue::from_static("5"))
}

fn drains(desk: &Desk) -> bool {
    matches!(desk.watch.readiness(), Readiness::NotReady(reason) if reason.starts_with("draining"))
}

impl Tick {
    fn json(desk: &Desk) -> Vec<u8> {
        let tick = Self::of(desk);
        serde_json::to_vec(&tick).unwrap_or_else(|error| {
            tracing::error!(%error, "the live figures could not be written");
            b"null".to_vec()
        })
    }

    fn of(desk: &Desk) -> Self {
        let now = desk.watch.now();
        let at = desk.watch.wall(now).duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut tick = Self {
            at_unix_ms: at.as_millis() as u64,
            status: live::Status::of(desk),
            routes: Vec::new(),
            upstreams: Vec::new(),
            functions: None,
            cache: {
                let CacheView { entries, bytes, bytes_max } = desk.watch.cache_view();
                CacheTick { entries, bytes, bytes_max }
            },
        };
        // One look: all of it is of one policy.
        desk.watch.look(&mut |snapshot| {
            tick.routes = live::RouteState::all(snapshot, &*desk.watch);
            tick.functions = Some(live::Functions::of(snapshot));
            let upstreams = snapshot.upstreams().iter();
            tick.upstreams = upstreams.map(|u| UpstreamTick::of(u, desk, now)).collect();
        });
        tick
    }
}

impl UpstreamTick {
    fn of(upstream: &Upstream, desk: &Desk, now: Moment) -> Self {
        let mut endpoints = BTreeMap::new();
        for endpoint in upstream.endpoints() {
            *endpoints.entry(endpoint.view(now).state).or_insert(0) += 1;
        }
        let name = upstream.policy.name.to_string();
        let findings = desk.watch.findings(&name).len();
        Self { name, in_flight: upstream.in_flight(), endpoints, findings }
    }
}
