//! The API: every path of it, in one table.

mod cache;
mod concurrency;
mod events;
mod live;
pub(super) mod openapi;
pub(super) mod policies;
pub(super) mod preview;
mod revisions;
mod series;
mod session;
mod traces;

use std::sync::Arc;

use axum::routing::{MethodRouter, delete, get, post, put};
use http::StatusCode;
use sumun_engine::snapshot::Snapshot;

use super::Desk;
use super::fault::Fault;
use super::guard::Needs::{self, Change, Look, Oversee};

/// Paths under `/api`, what they ask of their caller, and what may be done there.
pub(super) fn endpoints() -> Vec<(&'static str, Needs, MethodRouter<Arc<Desk>>)> {
    let session = get(session::show).post(session::begin).delete(session::end);
    let file = get(policies::read).put(policies::write).delete(policies::remove);
    let concurrency = put(concurrency::set).delete(concurrency::release);
    vec![
        ("/v1/session", Look, session),
        ("/v1/status", Look, get(live::status)),
        ("/v1/live", Look, get(events::stream)),
        ("/v1/series", Look, get(series::series)),
        ("/v1/series/routes", Look, get(series::sketch)),
        ("/v1/routes", Look, get(live::routes)),
        ("/v1/routes/{name}", Look, get(live::route)),
        ("/v1/upstreams", Look, get(live::upstreams)),
        ("/v1/functions", Look, get(live::functions)),
        ("/v1/functions/{name}", Look, get(live::function)),
        ("/v1/functions/{name}/concurrency", Change, concurrency),
        ("/v1/cache", Look, get(cache::figures)),
        ("/v1/cache:purge", Change, post(cache::purge)),
        ("/v1/policies", Look, get(policies::list)),
        ("/v1/policies/{file}", Change, file),
        ("/v1/policies:check", Look, post(policies::check)),
        ("/v1/policies:preview", Look, post(preview::preview)),
        ("/v1/revisions", Look, get(revisions::list)),
        ("/v1/revisions/{id}", Change, get(revisions::read).post(revisions::restore)),
        ("/v1/reverts", Look, get(revisions::pending)),
        ("/v1/reverts/{file}", Change, delete(revisions::keep)),
        ("/v1/traces", Look, get(traces::list)),
        ("/v1/traces/{trace_id}", Look, get(traces::read)),
        ("/v1/audit", Oversee, get(session::audit)),
        ("/v1/openapi.json", Look, get(openapi::show)),
    ]
}

// === impl Desk ===

impl Desk {
    /// What `see` finds in the policy that runs; 503 before the first.
    fn look<T>(&self, see: impl FnOnce(&Snapshot) -> T) -> Result<T, Fault> {
        let (mut see, mut seen) = (Some(see), None);
        self.watch.look(&mut |snapshot| {
            if let Some(see) = see.take() {
                seen = Some(see(snapshot));
            }
        });
        seen.ok_or_else(|| {
            Fault::new(StatusCode::SERVICE_UNAVAILABLE, "starting", "no policy runs yet")
        })
    }

    /// 403 where changes are refused.
    fn writable(&self) -> Result<(), Fault> {
        if !self.read_only {
            return Ok(());
        }
        let detail = "this gateway takes no changes through its API (admin.read_only)";
        Err(Fault::new(StatusCode::FORBIDDEN, "read_only", detail))
    }
}
