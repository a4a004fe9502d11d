//! What holds between the parts: references, signals behind thresholds, reservations, ambiguity.

use std::collections::BTreeMap;

use crate::policy::{CpuOf, Function, Policy, Pool, Route, Source, Target, Upstream};
use crate::problem::{Problem, quoted};
use crate::raw::{Findings, Located, Place, closest};
use crate::units::Name;

use super::ambiguity;
use super::draft::{Draft, Section};
use super::route::RouteDraft;

impl Draft {
    /// The policy, if every part of it is without problems. `files` is how many there are.
    pub(super) fn resolve(self, findings: &Findings, files: usize) -> Option<Policy> {
        self.check_reservations(findings);
        self.check_functions(findings);
        for entry in self.routes.0.values() {
            if let Some(route) = &entry.item {
                let upstream = self.check_target(route, findings);
                check_signals(route, upstream.filter(|upstream| self.sound(upstream)), findings);
            }
        }
        let drafts = self.routes.0.values().filter_map(|entry| entry.item.as_ref());
        let matching = drafts.filter_map(|route| {
            let matcher = route.matcher.as_ref()?;
            Some((&route.name, &matcher.value, &matcher.place))
        });
        ambiguity::check(matching, findings);
        if self.routes.0.is_empty() && findings.is_empty() {
            let help = "add `routes:` with at least one, or every call gets a 404";
            let problem = || Problem::whole_file("*.yaml", "the policy has no routes", help);
            findings.add_ready(files, problem);
        }
        if findings.is_empty() { self.build() } else { None }
    }

    fn pool(&self) -> Pool {
        self.pool.as_ref().map_or_else(Pool::default, |pool| pool.value)
    }

    /// `total − Σ reserved ≥ unreserved_min`, as in AWS Lambda. The problem stands at the
    /// reservation that goes over, in the order written.
    fn check_reservations(&self, findings: &Findings) {
        let pool = self.pool();
        let mut reservations: Vec<&Located<u32>> =
            self.functions.0.values().filter_map(|f| f.item.as_ref()?.reserved.as_ref()).collect();
        reservations.sort_by_key(|r| (r.place.source.index, r.place.spot));
        let sum: u64 = reservations.iter().map(|r| u64::from(r.value)).sum();
        let free = u64::from(pool.total - pool.unreserved_min);
        if sum <= free {
            return;
        }
        let mut so_far = 0;
        let over = reservations.into_iter().find(|r| {
            so_far += u64::from(r.value);
            so_far > free
        });
        let Some(over) = over else { return };
        let (total, least) = (pool.total, pool.unreserved_min);
        let message = format!(
            "the reservations add up to {sum}; of the pool's {total}, at least {least} stay \
             unreserved, so {free} can be reserved"
        );
        let help = format!("reserve {} less, or raise the pool's `total`", sum - free);
        findings.add(&over.place, message, help);
    }

    fn check_functions(&self, findings: &Findings) {
        for function in self.functions.0.values().filter_map(|entry| entry.item.as_ref()) {
            self.check_upstream(&function.upstream, findings);
        }
    }

    /// Checks a reference to an upstream; the upstream, if it is there and without problems.
    fn check_upstream(&self, name: &Located<String>, findings: &Findings) -> Option<&Upstream> {
        if !self.upstreams.0.contains_key(&name.value) {
            self.refuse_unknown("upstream", name, &self.upstreams, findings);
        }
        self.upstreams.item(&name.value)
    }

    fn check_target(&self, route: &RouteDraft, findings: &Findings) -> Option<&Upstream> {
        // A route with both is a problem already; both names are looked up all the same.
        let straight = route.upstream.as_ref().and_then(|name| {
            let function = self.functions.0.contains_key(&name.value);
            if function && !self.upstreams.0.contains_key(&name.value) {
                let message = format!("{} is a function, no upstream", quoted(&name.value));
                findings.add(&name.place, message, format!("write `function: {}`", name.value));
                return None;
            }
            self.check_upstream(name, findings)
        });
        let through = route.function.as_ref().and_then(|name| {
            if !self.functions.0.contains_key(&name.value) {
                self.refuse_unknown("function", name, &self.functions, findings);
            }
            self.upstreams.item(&self.functions.item(&name.value)?.upstream.value)
        });
        through.or(straight)
    }

    /// Whether an upstream says all that it means.
    fn sound(&self, upstream: &Upstream) -> bool {
        self.upstreams.0.get(upstream.name.as_str()).is_some_and(|entry| entry.sound)
    }

    fn refuse_unknown<T>(
        &self,
        kind: &str,
        name: &Located<String>,
        section: &Section<T>,
        findings: &Findings,
    ) {
        // It may stand in a part that could not be read.
        if self.partial || findings.is_full() {
            return;
        }
        let help = match closest(&name.value, section.0.keys().map(String::as_str)) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("define it under `{kind}s`"),
        };
        findings.add(&name.place, format!("there is no {kind} {}", quoted(&name.value)), help);
    }

    fn build(self) -> Option<Policy> {
        let pool = self.pool();
        let mut policy = Policy { pool, ..Policy::default() };
        for upstream in self.upstreams.0.into_values() {
            let upstream = upstream.item?;
            policy.upstreams.insert(upstream.name.clone(), upstream);
        }
        for entry in self.functions.0.into_values() {
            let draft = entry.item?;
            let function = Function {
                name: draft.name,
                origin: entry.place.origin(),
                upstream: Name::new(&draft.upstream.value)?,
                reserved: draft.reserved.map(|reserved| reserved.value),
            };
            policy.functions.insert(function.name.clone(), function);
        }
        for entry in self.routes.0.into_values() {
            let route = build_route(entry.item?, &entry.place, &policy.functions)?;
            policy.routes.insert(route.name.clone(), route);
        }
        Some(policy)
    }
}

/// A threshold needs something that is measured.
fn check_signals(route: &RouteDraft, upstream: Option<&Upstream>, findings: &Findings) {
    let (Some(upstream), Some(admission)) = (upstream, &route.admission) else { return };
    let signals = upstream.signals.as_ref();
    let orca = signals.is_some_and(|signals| signals.source == Source::Orca);
    if let (Some(_), Some(place)) = (admission.workers, &route.workers_at) {
        let read = orca || signals.is_some_and(|signals| signals.workers.is_some());
        if !read && upstream.workers_max.is_none() {
            let message = format!("nothing tells the workers of the upstream `{}`", upstream.name);
            let help = "give the upstream `signals` with `workers`, or `workers_max`";
            findings.add(place, message, help);
        }
    }
    if let (Some(cpu), Some(place)) = (admission.cpu, &route.cpu_at) {
        let read = orca || signals.is_some_and(|signals| signals.cpu.is_some());
        if cpu.of == CpuOf::Upstream && !read {
            let message = format!("nothing tells the CPU of the upstream `{}`", upstream.name);
            let help = "give the upstream `signals` with `cpu`, or write `of: gateway`";
            findings.add(place, message, help);
        }
    }
}

fn build_route(
    draft: RouteDraft,
    place: &Place,
    functions: &BTreeMap<Name, Function>,
) -> Option<Route> {
    let target = match draft.function {
        Some(function) => {
            let function = functions.get(function.value.as_str())?;
            let upstream = function.upstream.clone();
            Target::Function { function: function.name.clone(), upstream }
        }
        None => Target::Upstream(Name::new(&draft.upstream?.value)?),
    };
    Some(Route {
        name: draft.name,
        origin: place.origin(),
        matcher: draft.matcher?.value,
        target,
        class: draft.class,
        admission: draft.admission,
        cache: draft.cache,
        websocket: draft.websocket,
        strict_path: draft.strict_path,
    })
}
