//! A policy compiled: for matching, and wired to the live state. Immutable; replaced whole.
//!
//! # Which route a call takes
//! The most specific route whose conditions all hold, whatever the order in the files. Compared in
//! this order, the first difference decides:
//! 1. host: exact, then a suffix (the longer first), then any;
//! 2. path: more literal segments; then, segment by segment from the left, a literal before `*`
//!    before the pattern's end before `**`;
//! 3. more header conditions;
//! 4. named methods before any method;
//! 5. the name, alphabetically (two routes that match the very same calls).
//!
//! A route for GET also takes HEAD, unless an equally specific one names HEAD.

mod host;
mod specificity;
mod trie;

use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderMap, Method};
use sumun_policy::Policy;
use sumun_policy::units::Name;

use crate::admission::lane::Lane;
use crate::live::{Entries, Live};
use crate::quota::{Function, PoolView};
use crate::route::Route;
use crate::snapshot::host::Hosts;
use crate::time::Moment;
use crate::upstream::{Parts, Upstream};

/// A policy compiled.
#[derive(Debug)]
pub struct Snapshot {
    /// The revision that it was compiled as.
    pub revision: u64,
    /// What it was compiled from.
    pub policy: Arc<Policy>,
    routes: Vec<Arc<Route>>,
    upstreams: Vec<Arc<Upstream>>,
    functions: Vec<Arc<Function>>,
    hosts: Hosts,
    live: Live,
    generation: u64,
}

impl Snapshot {
    /// Compiles a policy and puts its numbers in force: from here on this snapshot sets the limits,
    /// and any older one only finishes the calls it holds.
    pub fn compile(policy: Policy, revision: u64, live: &Live, now: Moment) -> Self {
        let policy = Arc::new(policy);
        let mut entries = live.entries().lock();
        let generation = entries.next_generation();
        let functions = functions(&policy, &mut entries, live);
        let lanes: HashMap<&Name, Arc<Lane>> = policy
            .routes
            .iter()
            .map(|(name, route)| (name, Arc::new(Lane::new(route, entries.lane(name)))))
            .collect();
        let upstreams = upstreams(&policy, &lanes, generation, &mut entries, live, now);
        let routes = routes(&policy, &lanes, &upstreams, &functions);
        let hosts = Hosts::new(&routes);
        // Still under the lock: of two compilations the later one is the one in force.
        let parts = Beginning { policy: &policy, functions: &functions, upstreams: &upstreams };
        parts.begin(lanes.values(), &entries, live, now);
        entries.sweep(&policy);
        drop(entries);
        let live = live.clone();
        drop(lanes);
        Self { revision, policy, routes, upstreams, functions, hosts, live, generation }
    }

    /// The most specific route that takes a call; no allocation. `host` is lower case and without
    /// port, `path` normalised and without query.
    pub fn find(
        &self,
        method: &Method,
        host: &str,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<&Arc<Route>> {
        let call = specificity::Call { method, headers };
        self.hosts.find(host, path, &call, &self.routes).map(|index| &self.routes[index])
    }

    /// All routes, by name; `routes()[i].index == i`.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// All upstreams, by name; `upstreams()[i].index == i`.
    pub fn upstreams(&self) -> &[Arc<Upstream>] {
        &self.upstreams
    }

    /// All functions, by name.
    pub fn functions(&self) -> &[Arc<Function>] {
        &self.functions
    }

    /// Which compilation on its live state it is, from 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The concurrency of all functions.
    pub fn pool(&self) -> PoolView {
        self.live.pool().view()
    }

    /// One turn of the slow loop: signals age, limits follow, what nothing holds is forgotten.
    /// About every 100 ms from a background task; does nothing on a snapshot that was replaced.
    pub fn tick(&self, now: Moment) {
        self.upstreams.iter().for_each(|upstream| upstream.refresh(now));
        let mut entries = self.live.entries().lock();
        if entries.is_newest(self.generation) {
            entries.sweep_orphans(&self.policy);
        }
    }
}

/// What a policy that comes into force changes of the live state.
struct Beginning<'a> {
    policy: &'a Policy,
    functions: &'a [Arc<Function>],
    upstreams: &'a [Arc<Upstream>],
}

impl Beginning<'_> {
    /// Puts its numbers in force, at everything at once: no call meets half of them.
    fn begin<'a>(
        &self,
        lanes: impl Iterator<Item = &'a Arc<Lane>>,
        entries: &Entries,
        live: &Live,
        now: Moment,
    ) {
        let installing: Vec<_> = self.upstreams.iter().map(|upstream| upstream.install()).collect();
        let turn = live.recorder().map(|recorder| {
            let orders = entries.upstreams().filter_map(|(_, state)| state.order());
            recorder.stamps.take_all(orders, live.pool())
        });
        let numbers = self.functions.iter().map(|f| (&*f.state, f.policy.reserved));
        live.pool().apply(self.policy.pool.total, &numbers.collect::<Vec<_>>());
        lanes.for_each(|lane| lane.begin(live.callers_max(), now));
        let stamp = turn.as_ref().map(|turn| turn.stamp);
        let handed: Vec<_> = installing.into_iter().map(|one| one.begin(stamp, now)).collect();
        drop(turn);
        drop(handed); // wakes who waited
    }
}

fn functions(policy: &Policy, entries: &mut Entries, live: &Live) -> Vec<Arc<Function>> {
    let pool = live.pool();
    policy
        .functions
        .iter()
        .map(|(name, function)| {
            Arc::new(Function { policy: function.clone(), state: entries.function(name, pool) })
        })
        .collect()
}

fn upstreams(
    policy: &Policy,
    lanes: &HashMap<&Name, Arc<Lane>>,
    generation: u64,
    entries: &mut Entries,
    live: &Live,
    now: Moment,
) -> Vec<Arc<Upstream>> {
    let mut lanes_of: HashMap<&Name, Vec<Arc<Lane>>> = HashMap::new();
    for (name, route) in &policy.routes {
        lanes_of.entry(route.target.upstream()).or_default().push(Arc::clone(&lanes[name]));
    }
    let compile = |(index, (name, upstream)): (usize, (&Name, &sumun_policy::policy::Upstream))| {
        let endpoints = upstream.endpoints.iter();
        Arc::new(Upstream::new(Parts {
            policy: upstream.clone(),
            index,
            state: entries.upstream(name, live.recorder()),
            endpoints: endpoints.map(|address| entries.endpoint(name, address)).collect(),
            lanes: lanes_of.remove(name).unwrap_or_default(),
            gateway_cpu: Arc::clone(live.own_cpu()),
            generation,
            since: now,
        }))
    };
    policy.upstreams.iter().enumerate().map(compile).collect()
}

fn routes(
    policy: &Policy,
    lanes: &HashMap<&Name, Arc<Lane>>,
    upstreams: &[Arc<Upstream>],
    functions: &[Arc<Function>],
) -> Vec<Arc<Route>> {
    // Both are in the order of their names. The policy's references have been resolved, so what a
    // route names is there.
    let upstream = |name: &Name| {
        let found = upstreams.binary_search_by_key(&name, |upstream| &upstream.policy.name);
        found.ok().map(|index| Arc::clone(&upstreams[index]))
    };
    let function = |name: &Name| {
        let found = functions.binary_search_by_key(&name, |function| &function.policy.name);
        found.ok().map(|index| Arc::clone(&functions[index]))
    };
    let resolved = policy
        .routes
        .iter()
        .filter_map(|(name, route)| Some((name, route, upstream(route.target.upstream())?)));
    let compile = |(index, (name, route, upstream)): (usize, (&Name, &_, _))| {
        let route: &sumun_policy::policy::Route = route;
        let function = route.target.function().and_then(function);
        let lane = Arc::clone(&lanes[name]);
        Arc::new(Route { index, policy: route.clone(), upstream, function, lane })
    };
    resolved.enumerate().map(compile).collect()
}

#[cfg(all(test, not(loom)))]
mod tests;
