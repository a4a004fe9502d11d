//! The shared cache: what it holds, and forgetting.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::admin::Desk;
use crate::admin::fault::Fault;
use crate::admin::input;
use crate::admin::watch::Purge;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "CacheFigures"))]
pub(super) struct Figures {
    store: &'static str,
    entries: u64,
    bytes: u64,
    bytes_max: u64,
    hits: u64,
    misses: u64,
    /// Hits as a share of both; null before the first.
    hit_ratio: Option<f64>,
}

/// `GET /api/v1/cache`.
pub(super) async fn figures(State(desk): State<Arc<Desk>>) -> Json<Figures> {
    Json(Figures::of(&desk))
}

impl Figures {
    pub(super) fn of(desk: &Desk) -> Self {
        let figures = desk.watch.cache();
        let asked = figures.hits + figures.misses;
        Self {
            store: "memory",
            entries: figures.entries,
            bytes: figures.bytes,
            bytes_max: figures.bytes_max,
            hits: figures.hits,
            misses: figures.misses,
            hit_ratio: (asked > 0).then(|| figures.hits as f64 / asked as f64),
        }
    }
}

/// Exactly one of these.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PurgeTarget"))]
#[serde(deny_unknown_fields)]
pub(super) struct What {
    url: Option<String>,
    route: Option<String>,
    tag: Option<String>,
    all: Option<bool>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Purged {
    /// Entries that went; null where the store can't tell.
    purged: Option<u64>,
}

/// `POST /api/v1/cache:purge`.
pub(super) async fn purge(
    State(desk): State<Arc<Desk>>,
    request: Request,
) -> Result<Json<Purged>, Fault> {
    desk.writable()?;
    let purge =
        match input::json::<What>(request).await? {
            What { url: Some(url), route: None, tag: None, all: None } => {
                let uri: Option<http::Uri> = url.parse().ok();
                let whole = uri.filter(|uri| uri.authority().is_some());
                Purge::Url(whole.ok_or_else(|| {
                    Fault::malformed("`url` must have a scheme, a host and a path")
                })?)
            }
            What { url: None, route: Some(route), tag: None, all: None } => {
                let known = |name: &str| name == route;
                let found = desk.look(|snapshot| {
                    snapshot.routes().iter().any(|route| known(route.policy.name.as_str()))
                })?;
                if !found {
                    return Err(Fault::unknown(format!("there is no route `{route}`")));
                }
                Purge::Route(route)
            }
            What { url: None, route: None, tag: None, all: Some(true) } => Purge::All,
            What { url: None, route: None, tag: Some(_), all: None } => {
                let detail = "purging by tag is not yet supported";
                return Err(Fault::new(StatusCode::UNPROCESSABLE_ENTITY, "not_supported", detail));
            }
            _ => return Err(Fault::malformed("send one of `url`, `route` or `all: true`")),
        };
    let purged = desk.watch.purge(&purge);
    tracing::info!(what = ?purge, purged, "cache purged");
    Ok(Json(Purged { purged }))
}
