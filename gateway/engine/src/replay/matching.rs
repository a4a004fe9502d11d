//! Whether a draft would send a recorded call the same way. The recording knows a call's route, not
//! its path: where the draft's matching differs, some calls cannot be said to go anywhere.

use http::Method;
use sumun_policy::Policy;
use sumun_policy::policy::{HostPattern, Match, PathPattern, Route, Segment};

use crate::replay::Skipped;

/// Why the calls of a route can't be played under a draft; `None`: they take the route of the same
/// name.
pub(super) fn skipped(route: &Route, recorded: &Policy, draft: &Policy) -> Option<Skipped> {
    let Some(same) = draft.routes.get(&route.name) else { return Some(Skipped::RouteRemoved) };
    if same.matcher != route.matcher {
        return Some(Skipped::MatchChanged);
    }
    let stood = |other: &Route| {
        recorded.routes.get(&other.name).is_some_and(|known| known.matcher == other.matcher)
    };
    let others = draft.routes.values().filter(|other| other.name != route.name);
    let taken = others.filter(|other| !stood(other)).any(|o| overlap(&o.matcher, &route.matcher));
    taken.then_some(Skipped::MatchedElsewhere)
}

/// Whether a call may exist that both match; header conditions may always both hold.
fn overlap(a: &Match, b: &Match) -> bool {
    let takes = |m: &Match, method: &Method| {
        m.methods.is_empty()
            || m.methods.contains(method)
            || (method == Method::HEAD && m.methods.contains(&Method::GET))
    };
    let methods = a.methods.is_empty()
        || b.methods.is_empty()
        || a.methods.iter().any(|method| takes(b, method))
        || b.methods.iter().any(|method| takes(a, method));
    let hosts = match (&a.host, &b.host) {
        (Some(HostPattern::Exact(a)), Some(HostPattern::Exact(b))) => a == b,
        (Some(HostPattern::Exact(exact)), Some(HostPattern::Suffix(suffix)))
        | (Some(HostPattern::Suffix(suffix)), Some(HostPattern::Exact(exact))) => {
            exact.ends_with(&**suffix)
        }
        (Some(HostPattern::Suffix(a)), Some(HostPattern::Suffix(b))) => {
            a.ends_with(&**b) || b.ends_with(&**a)
        }
        _ => true,
    };
    methods && hosts && paths(&a.path, &b.path)
}

fn paths(a: &PathPattern, b: &PathPattern) -> bool {
    let meets = |a: &Segment, b: &Segment| match (a, b) {
        (Segment::Literal(a), Segment::Literal(b)) => a == b,
        _ => true,
    };
    let common = std::iter::zip(&a.segments, &b.segments).all(|(a, b)| meets(a, b));
    let (short, long) = if a.segments.len() < b.segments.len() { (a, b) } else { (b, a) };
    common && (short.segments.len() == long.segments.len() || short.rest)
}

#[cfg(all(test, not(loom)))]
mod tests;
