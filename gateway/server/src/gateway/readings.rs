//! What scrapes tell, handed to the engine of the policy in force.

use std::sync::{Arc, Weak};

use sumun_engine::{Endpoint, Reading, Upstream};
use sumun_policy::policy;
use sumun_policy::units::Name;

use crate::core::Shared;
use crate::sense::{Readings, ScrapeError};

/// Hands readings to the engine for as long as the gateway is there.
pub struct ToEngine(pub Weak<Shared>);

impl ToEngine {
    fn with<T>(
        &self,
        upstream: &Name,
        address: &policy::Endpoint,
        tell: impl FnOnce(&Shared, &Upstream, &Endpoint) -> T,
    ) -> Option<T> {
        let shared = self.0.upgrade()?;
        let snapshot = Arc::clone(&shared.plan.load().snapshot);
        // Sorted by name, like everything of a snapshot.
        let upstreams = snapshot.upstreams();
        let index = upstreams.binary_search_by(|known| known.policy.name.cmp(upstream)).ok()?;
        let upstream = &upstreams[index];
        let endpoint = upstream.endpoints().iter().find(|known| known.address == *address)?;
        Some(tell(&shared, upstream, endpoint))
    }
}

impl Readings for ToEngine {
    fn in_flight(&self, upstream: &Name, endpoint: &policy::Endpoint) -> Option<u32> {
        self.with(upstream, endpoint, |_, _, endpoint| endpoint.in_flight())
    }

    fn reading(
        &self,
        upstream: &Name,
        endpoint: &policy::Endpoint,
        reading: Result<Reading, ScrapeError>,
    ) {
        self.with(upstream, endpoint, |shared, upstream, endpoint| {
            let now = shared.clock.now();
            match reading {
                Ok(reading) => upstream.observe(endpoint, &reading, now),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::debug!(endpoint = &*endpoint.label, error, "scrape failed");
                    upstream.scrape_failed(endpoint, now);
                }
            }
        });
    }
}
