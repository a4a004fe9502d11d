//! The API: every path of it, in one table.

mod cache;
mod concurrency;
mod live;
mod policies;
pub(super) mod preview;

use std::sync::Arc;

use axum::routing::{MethodRouter, get, post, put};
use http::StatusCode;
use sumun_engine::snapshot::Snapshot;

use super::Desk;
use super::fault::Fault;

/// Paths under `/api` and what may be done there.
pub(super) fn endpoints() -> Vec<(&'static str, MethodRouter<Arc<Desk>>)> {
    vec![
        ("/v1/status", get(live::status)),
        ("/v1/routes", get(live::routes)),
        ("/v1/routes/{name}", get(live::route)),
        ("/v1/upstreams", get(live::upstreams)),
        ("/v1/functions", get(live::functions)),
        ("/v1/functions/{name}", get(live::function)),
        ("/v1/functions/{name}/concurrency", put(concurrency::set).delete(concurrency::release)),
        ("/v1/cache", get(cache::figures)),
        ("/v1/cache:purge", post(cache::purge)),
        ("/v1/policies", get(policies::list)),
        ("/v1/policies/{file}", get(policies::read).put(policies::write).delete(policies::remove)),
        ("/v1/policies:check", post(policies::check)),
        ("/v1/policies:preview", post(preview::preview)),
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
