//! Which routes and endpoints are counted, by name.
//!
//! Bounds: the routes of the running policy, plus those of earlier ones for [`ROUTE_KEPT`]; the
//! endpoints that calls went to, of which those long idle are forgotten over [`ENDPOINTS_MAX`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sumun_policy::policy;
use sumun_policy::units::Name;

use super::meters::{EndpointMeters, RouteMeters};

/// How long a route's counts outlive the last policy that named it: two scrapes at a long period,
/// and a policy that was taken back by mistake finds its counts again.
const ROUTE_KEPT: Duration = Duration::from_mins(10);

/// Routes that no policy names any more, at most; over this the oldest go at once.
const ROUTES_GONE_MAX: usize = 1024;

/// Endpoints without a sweep. Over it those without a call since the last sweep are forgotten.
const ENDPOINTS_MAX: usize = 1024;

/// Time between two sweeps of endpoints.
const SWEEP: Duration = Duration::from_mins(10);

/// Meters by name.
#[derive(Debug)]
pub(super) struct Registry {
    cores: usize,
    unrouted: Arc<RouteMeters>,
    routes: Mutex<HashMap<Name, Entry>>,
    endpoints: Mutex<Endpoints>,
}

#[derive(Debug)]
struct Entry {
    meters: Arc<RouteMeters>,
    /// Since when nothing holds the meters but this registry, monotonic ns.
    gone_ns: Option<u64>,
}

#[derive(Debug, Default)]
struct Endpoints {
    known: HashMap<Arc<str>, (Arc<EndpointMeters>, u64)>,
    swept_ns: u64,
}

// === impl Registry ===

impl Registry {
    pub(super) fn new(cores: usize) -> Self {
        Self {
            cores,
            unrouted: Arc::new(RouteMeters::new(None, cores)),
            routes: Mutex::default(),
            endpoints: Mutex::default(),
        }
    }

    /// Meters of calls that match no route.
    pub(super) fn unrouted(&self) -> &Arc<RouteMeters> {
        &self.unrouted
    }

    /// The meters of a route, the same as long as its name is known.
    pub(super) fn route(&self, route: &policy::Route) -> Arc<RouteMeters> {
        let mut routes = self.routes.lock();
        if let Some(entry) = routes.get_mut(&route.name) {
            entry.gone_ns = None;
            entry.meters.update(route);
            return Arc::clone(&entry.meters);
        }
        let meters = Arc::new(RouteMeters::new(Some(route), self.cores));
        let entry = Entry { meters: Arc::clone(&meters), gone_ns: None };
        routes.insert(route.name.clone(), entry);
        meters
    }

    /// The meters of an endpoint.
    pub(super) fn endpoint(&self, address: &Arc<str>) -> Arc<EndpointMeters> {
        let mut endpoints = self.endpoints.lock();
        let fresh = || {
            let meters = EndpointMeters::new(Arc::clone(address), self.cores);
            (Arc::new(meters), 0)
        };
        let (meters, _) = endpoints.known.entry(Arc::clone(address)).or_insert_with(fresh);
        Arc::clone(meters)
    }

    /// Every route known, by name, first the calls that match none.
    pub(super) fn routes(&self) -> Vec<Arc<RouteMeters>> {
        let mut routes: Vec<_> =
            self.routes.lock().values().map(|entry| Arc::clone(&entry.meters)).collect();
        routes.push(Arc::clone(&self.unrouted));
        routes.sort_unstable_by(|a, b| a.name().cmp(b.name()));
        routes
    }

    /// Every endpoint known, by address.
    pub(super) fn endpoints(&self) -> Vec<Arc<EndpointMeters>> {
        let mut endpoints: Vec<_> =
            self.endpoints.lock().known.values().map(|(meters, _)| Arc::clone(meters)).collect();
        endpoints.sort_unstable_by(|a, b| a.address.cmp(&b.address));
        endpoints
    }

    /// Once a second: samples every route and forgets what is long gone. Gives the routes with their
    /// calls so far.
    pub(super) fn tick(&self, now_ns: u64) -> Vec<(Arc<RouteMeters>, u64)> {
        self.forget_routes(now_ns);
        self.sweep_endpoints(now_ns);
        // Outside of the lock: a reload must not wait for ten thousand sums.
        let sampled = self.routes().into_iter().map(|route| {
            let calls = route.sample(now_ns);
            (route, calls)
        });
        sampled.collect()
    }

    fn forget_routes(&self, now_ns: u64) {
        let mut routes = self.routes.lock();
        let mut gone: Vec<u64> = Vec::new();
        for entry in routes.values_mut() {
            entry.gone_ns = match entry.gone_ns {
                _ if Arc::strong_count(&entry.meters) > 1 => None,
                None => Some(now_ns),
                known => known,
            };
            gone.extend(entry.gone_ns);
        }
        gone.sort_unstable();
        let crowded = gone.len().checked_sub(ROUTES_GONE_MAX).and_then(|over| gone.get(over));
        let kept_from = now_ns.saturating_sub(ROUTE_KEPT.as_nanos() as u64);
        let kept_from = crowded.map_or(kept_from, |crowded| kept_from.max(*crowded));
        routes.retain(|_, entry| entry.gone_ns.is_none_or(|gone_ns| gone_ns >= kept_from));
    }

    fn sweep_endpoints(&self, now_ns: u64) {
        let mut endpoints = self.endpoints.lock();
        if now_ns < endpoints.swept_ns + SWEEP.as_nanos() as u64 {
            return;
        }
        endpoints.swept_ns = now_ns;
        let crowded = endpoints.known.len() > ENDPOINTS_MAX;
        endpoints.known.retain(|_, (meters, attempts_before)| {
            let attempts = meters.attempts();
            let idle = attempts == *attempts_before;
            *attempts_before = attempts;
            let keep = !(crowded && idle);
            if !keep {
                meters.retire();
            }
            keep
        });
    }
}

#[cfg(test)]
mod tests;
