//! The policy in force, compiled, with what the server attaches to each route.

use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, Method};
use sumun_engine::{Endpoint, Live, Moment, Route, Snapshot};
use sumun_policy::policy::{self, Class, Mode, Per};

use crate::refusal::Prepared;
use crate::telemetry::meters::RouteMeters;
use crate::telemetry::record::CalledRoute;
use crate::upstream::{Pool, Pools};

/// One snapshot and its routes' meters; shared by all workers, replaced whole.
pub struct Plan {
    /// What the engine decides by.
    pub snapshot: Arc<Snapshot>,
    /// Meters by route index.
    pub meters: Vec<Arc<RouteMeters>>,
    /// Numbers in the recording by route index; empty where nothing is recorded.
    pub recorded: Vec<Option<u16>>,
}

/// One worker's view of a plan: its routes with the worker's own connection pools.
pub struct CorePlan {
    shared: Arc<Plan>,
    routes: Vec<Rc<RoutePlan>>,
}

/// One route as a worker sees it.
pub struct RoutePlan {
    /// What the engine decides by.
    pub route: Arc<Route>,
    /// Its counters, and what is told of it.
    pub called: Rc<CalledRoute>,
    /// File and route, as a refusal names them, a JSON string: `"mail.yaml#mail-receive"`.
    pub place_json: Box<str>,
    /// Its number in the recording, where its calls are recorded.
    pub recorded: Option<u16>,
    /// The compilation that it belongs to, as recorded.
    pub generation: u16,
    /// Whether any threshold may shed its calls, or would.
    pub has_thresholds: bool,
    /// Whether each caller has its own requests per second.
    pub rps_per_caller: bool,
    /// Its last 429, the pattern for the next one.
    pub refused: Prepared,
    pools: Vec<(Arc<Endpoint>, Rc<Pool>)>,
}

impl Plan {
    /// Before the first policy: every call is nobody's.
    pub fn empty(live: &Live, now: Moment) -> Self {
        let snapshot = Snapshot::compile(sumun_policy::Policy::default(), 0, live, now);
        Self { snapshot: Arc::new(snapshot), meters: Vec::new(), recorded: Vec::new() }
    }
}

impl CorePlan {
    /// A worker's view, its pools kept where endpoints stay.
    pub fn new(shared: Arc<Plan>, pools: &Pools) -> Self {
        let routes = std::iter::zip(shared.snapshot.routes(), &shared.meters)
            .map(|(route, meters)| {
                let protocol = route.upstream.policy.protocol;
                let endpoints = route.upstream.endpoints().iter();
                Rc::new(RoutePlan {
                    route: Arc::clone(route),
                    called: Rc::new(CalledRoute::new(&route.policy, Arc::clone(meters))),
                    place_json: place_json(&route.policy),
                    recorded: shared.recorded.get(route.index).copied().flatten(),
                    generation: shared.snapshot.generation() as u16,
                    has_thresholds: has_thresholds(&route.policy),
                    rps_per_caller: rps_per_caller(&route.policy),
                    refused: Prepared::default(),
                    pools: endpoints
                        .map(|endpoint| {
                            (Arc::clone(endpoint), pools.of(&endpoint.address, protocol))
                        })
                        .collect(),
                })
            })
            .collect();
        Self { shared, routes }
    }

    /// What all workers share of it.
    pub fn shared(&self) -> &Arc<Plan> {
        &self.shared
    }

    /// Its revision.
    pub fn revision(&self) -> u64 {
        self.shared.snapshot.revision
    }

    /// The most specific route that matches.
    pub fn find(
        &self,
        method: &Method,
        host: &str,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<&Rc<RoutePlan>> {
        let route = self.shared.snapshot.find(method, host, path, headers)?;
        self.routes.get(route.index)
    }
}

impl RoutePlan {
    /// The worker's connections to one of the route's endpoints.
    pub fn pool(&self, endpoint: &Arc<Endpoint>) -> Option<&Rc<Pool>> {
        self.pools.iter().find(|(known, _)| Arc::ptr_eq(known, endpoint)).map(|(_, pool)| pool)
    }
}

fn has_thresholds(route: &policy::Route) -> bool {
    let on = route.admission.as_ref().is_some_and(|admission| admission.mode != Mode::Off);
    on && route.class != Class::Interactive
}

fn rps_per_caller(route: &policy::Route) -> bool {
    let rps = route.admission.as_ref().and_then(|admission| admission.rps);
    rps.is_some_and(|rps| rps.per == Per::Caller)
}

fn place_json(route: &policy::Route) -> Box<str> {
    serde_json::Value::from(format!("{}#{}", route.origin.file, route.name)).to_string().into()
}
