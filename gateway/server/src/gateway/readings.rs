//! What scrapes tell, handed to the engine of the policy in force and to the doctor.

use std::sync::{Arc, Weak};

use sumun_engine::{Endpoint, Upstream};
use sumun_policy::policy;
use sumun_policy::units::Name;

use crate::core::Shared;
use crate::sense::charts::Charts;
use crate::sense::{Outcome, Readings};

/// Hands readings on for as long as the gateway is there.
pub struct ToEngine {
    pub shared: Weak<Shared>,
    pub charts: Arc<Charts>,
}

impl ToEngine {
    fn with<T>(
        &self,
        upstream: &Name,
        address: &policy::Endpoint,
        tell: impl FnOnce(&Shared, &Upstream, &Endpoint) -> T,
    ) -> Option<T> {
        let shared = self.shared.upgrade()?;
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

    fn outcome(&self, upstream: &Name, endpoint: &policy::Endpoint, outcome: Outcome) {
        self.with(upstream, endpoint, |shared, upstream, endpoint| {
            let now = shared.clock.now();
            match &outcome {
                Ok(told) => upstream.observe(endpoint, &told.reading, now),
                Err(error) => {
                    if error.is_pressure() {
                        upstream.scrape_failed(endpoint, now);
                    }
                    let error: &dyn std::error::Error = error;
                    tracing::debug!(endpoint = &*endpoint.label, error, "scrape failed");
                }
            }
        });
        self.charts.note(upstream, endpoint, &outcome);
    }
}
