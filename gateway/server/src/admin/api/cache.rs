//! The shared cache: what it holds, and forgetting.
//!
//! Both walk all that is stored, so they run where blocking does no harm.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};

use crate::admin::Desk;
use crate::admin::fault::Fault;
use crate::admin::guard::Audited;
use crate::admin::input;
use crate::admin::watch::{CachedRoute, Counts, Forgetting, Held, Purge, Purged};

/// Longest tag or name of a group, bytes: what a header field of an origin can say.
const LABEL_BYTES_MAX: usize = 8 * 1024;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "CacheFigures"))]
pub(super) struct Figures {
    /// `memory`, or `redis` where gateways share a second tier.
    store: &'static str,
    entries: u64,
    bytes: u64,
    bytes_max: u64,
    /// Answers that went for want of room since the start.
    evictions: u64,
    hits: u64,
    misses: u64,
    /// Hits as a share of both; null before the first.
    hit_ratio: Option<f64>,
    tiers: Vec<Tier>,
    routes: BTreeMap<String, RouteFigures>,
}

/// One tier: what is known of it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "CacheTier"))]
struct Tier {
    store: &'static str,
    up: bool,
    /// Null where only the store itself knows.
    entries: Option<u64>,
    bytes: Option<u64>,
    bytes_max: Option<u64>,
    evictions: Option<u64>,
    /// Answers that wait to be written to it.
    queued_bytes: Option<u64>,
    /// Purges that it does not know of yet.
    purges_pending: Option<usize>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "CacheRoute"))]
struct RouteFigures {
    entries: u64,
    bytes: u64,
    /// For how long the oldest answer has been stored, seconds; null: nothing is stored.
    oldest_s: Option<f64>,
    evictions: u64,
    hits: u64,
    misses: u64,
    hit_ratio: Option<f64>,
    /// Calls by how the cache took part.
    results: Counts,
}

/// `GET /api/v1/cache`.
pub(super) async fn figures(State(desk): State<Arc<Desk>>) -> Result<Json<Figures>, Fault> {
    blocking(move || figures_of(&desk)).await.map(Json)
}

fn figures_of(desk: &Desk) -> Figures {
    let (figures, shared) = (desk.watch.cache(), desk.watch.shared_store());
    let memory = Tier {
        store: "memory",
        up: true,
        entries: Some(figures.entries),
        bytes: Some(figures.bytes),
        bytes_max: Some(figures.bytes_max),
        evictions: Some(figures.evictions),
        queued_bytes: None,
        purges_pending: None,
    };
    let store = if shared.is_some() { "redis" } else { "memory" };
    let second = shared.map(|shared| Tier {
        store,
        up: shared.up,
        entries: None,
        bytes: None,
        bytes_max: None,
        evictions: None,
        queued_bytes: Some(shared.queued_bytes),
        purges_pending: Some(shared.purges_pending),
    });
    let routes = figures.routes.into_iter().map(RouteFigures::named);
    Figures {
        store,
        entries: figures.entries,
        bytes: figures.bytes,
        bytes_max: figures.bytes_max,
        evictions: figures.evictions,
        hits: figures.hits,
        misses: figures.misses,
        hit_ratio: ratio(figures.hits, figures.misses),
        tiers: std::iter::once(memory).chain(second).collect(),
        routes: routes.collect(),
    }
}

impl RouteFigures {
    fn named(route: CachedRoute) -> (String, Self) {
        let CachedRoute { held, evictions, results, hits, misses } = route;
        let figures = Self {
            entries: held.entries,
            bytes: held.bytes,
            oldest_s: held.oldest.map(|oldest| oldest.as_secs_f64()),
            evictions,
            hits,
            misses,
            hit_ratio: ratio(hits, misses),
            results,
        };
        (held.route, figures)
    }
}

fn ratio(hits: u64, misses: u64) -> Option<f64> {
    (hits + misses > 0).then(|| hits as f64 / (hits + misses) as f64)
}

/// One of `url`, `route`, `tag`, `group` with `origin`, or `all: true`; and how.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PurgeTarget"))]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    url: Option<String>,
    route: Option<String>,
    tag: Option<String>,
    group: Option<String>,
    /// Scheme, host and port whose group it is.
    origin: Option<String>,
    all: Option<bool>,
    /// Stale from now on, in place of gone.
    #[serde(default)]
    soft: bool,
    /// Only say what would go.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Purged"))]
pub(super) struct Report {
    dry_run: bool,
    soft: bool,
    /// Stored answers that went, or are stale now; 0 where it was only asked.
    purged: u64,
    /// Stored answers of this gateway that it is about.
    entries: u64,
    bytes: u64,
    routes: BTreeMap<String, Share>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PurgedShare"))]
struct Share {
    entries: u64,
    bytes: u64,
}

/// `POST /api/v1/cache:purge`.
pub(super) async fn purge(
    State(desk): State<Arc<Desk>>,
    request: Request,
) -> Result<Response, Fault> {
    let wanted = input::json::<Wanted>(request).await?;
    if !wanted.dry_run {
        desk.writable()?;
    }
    let how = match (wanted.dry_run, wanted.soft) {
        (true, _) => Forgetting::Preview,
        (false, true) => Forgetting::Soft,
        (false, false) => Forgetting::Hard,
    };
    let soft = wanted.soft;
    let purge = Purge { what: what(&desk, wanted)?, how };
    let audited = Audited(told(&purge));
    let report = blocking(move || {
        let found = desk.watch.purge(&purge);
        tracing::info!(?purge, entries = total(&found, |held| held.entries), "cache purge");
        report(&found, how, soft)
    });
    let mut response = Json(report.await?).into_response();
    response.extensions_mut().insert(audited);
    Ok(response)
}

fn what(desk: &Desk, wanted: Wanted) -> Result<Purged, Fault> {
    let Wanted { url, route, tag, group, origin, all, .. } = wanted;
    match (url, route, tag, (group, origin), all) {
        (Some(url), None, None, (None, None), None) => {
            let whole = "`url` must have a scheme, a host and a path";
            whole_url(&url).map(Purged::Url).ok_or_else(|| Fault::malformed(whole))
        }
        (None, Some(route), None, (None, None), None) => {
            let is_it = |name: &str| name == route;
            let found = desk.look(|snapshot| {
                snapshot.routes().iter().any(|known| is_it(known.policy.name.as_str()))
            })?;
            if found {
                Ok(Purged::Route(route))
            } else {
                Err(Fault::unknown(format!("there is no route `{route}`")))
            }
        }
        (None, None, Some(tag), (None, None), None) => Ok(Purged::Tag(label(&tag, "tag")?)),
        (None, None, None, (Some(group), Some(origin)), None) => {
            let whole = "`origin` must be a scheme, a host and perhaps a port";
            let origin =
                whole_url(&origin).filter(|url| url.path() == "/" && url.query().is_none());
            let origin = origin.ok_or_else(|| Fault::malformed(whole))?;
            Ok(Purged::Group(origin, label(&group, "group")?))
        }
        (None, None, None, (None, None), Some(true)) => Ok(Purged::All),
        _ => Err(Fault::malformed(
            "send one of `url`, `route`, `tag`, `group` with `origin`, or `all: true`",
        )),
    }
}

/// An absolute `http` or `https` URL.
fn whole_url(text: &str) -> Option<Uri> {
    let url: Uri = text.parse().ok()?;
    let known = matches!(url.scheme_str(), Some("http" | "https"));
    (known && url.authority().is_some()).then_some(url)
}

fn label(text: &str, key: &str) -> Result<String, Fault> {
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed.len() > LABEL_BYTES_MAX {
        return Err(Fault::malformed(format!("`{key}` is empty or too long")));
    }
    Ok(trimmed.to_owned())
}

/// For the audit log, where the method and the path say too little.
fn told(purge: &Purge) -> String {
    let what = match &purge.what {
        Purged::Url(url) => format!("url {url}"),
        Purged::Route(route) => format!("route {route}"),
        Purged::Tag(tag) => format!("tag {tag}"),
        Purged::Group(origin, group) => format!("group {group} of {origin}"),
        Purged::All => "all".to_owned(),
    };
    match purge.how {
        Forgetting::Hard => what,
        Forgetting::Soft => format!("{what}, soft"),
        Forgetting::Preview => format!("{what}, dry run"),
    }
}

fn report(found: &[Held], how: Forgetting, soft: bool) -> Report {
    let entries = total(found, |held| held.entries);
    let share = |held: &Held| Share { entries: held.entries, bytes: held.bytes };
    Report {
        dry_run: how == Forgetting::Preview,
        soft,
        purged: if how == Forgetting::Preview { 0 } else { entries },
        entries,
        bytes: total(found, |held| held.bytes),
        routes: found.iter().map(|held| (held.route.clone(), share(held))).collect(),
    }
}

fn total(found: &[Held], figure: impl Fn(&Held) -> u64) -> u64 {
    found.iter().map(figure).sum()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a walk over the cache failed");
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the cache could not be read")
    })
}
