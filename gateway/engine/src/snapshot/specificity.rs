//! The order of routes, most specific first, and whether a call meets a route's conditions.

use std::cmp::Ordering;

use http::{HeaderMap, Method};
use sumun_policy::policy::{HostPattern, Match, PathPattern, Segment};

use crate::route::Route;

/// What is asked of a call besides host and path.
pub(super) struct Call<'a> {
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
}

impl Call<'_> {
    /// Whether the call meets a route's conditions on methods and headers.
    pub(super) fn meets(&self, matcher: &Match) -> bool {
        self.has_method(&matcher.methods)
            && matcher.headers.iter().all(|(name, wanted)| {
                self.headers.get_all(name).iter().any(|value| value == wanted)
            })
    }

    fn has_method(&self, methods: &[Method]) -> bool {
        let named = |wanted: &Method| methods.iter().any(|method| method == wanted);
        methods.is_empty()
            || named(self.method)
            || (self.method == Method::HEAD && named(&Method::GET))
    }
}

/// `Less`: `a` is more specific than `b`.
pub(super) fn order(a: &Route, b: &Route) -> Ordering {
    let (one, two) = (&a.policy.matcher, &b.policy.matcher);
    host(two.host.as_ref())
        .cmp(&host(one.host.as_ref()))
        .then_with(|| path(&one.path, &two.path))
        .then_with(|| two.headers.len().cmp(&one.headers.len()))
        .then_with(|| methods(one).cmp(&methods(two)))
        .then_with(|| a.policy.name.cmp(&b.policy.name))
}

/// Higher is more specific.
fn host(pattern: Option<&HostPattern>) -> (u8, usize) {
    match pattern {
        Some(HostPattern::Exact(_)) => (2, 0),
        Some(HostPattern::Suffix(suffix)) => (1, suffix.len()),
        None => (0, 0),
    }
}

fn path(a: &PathPattern, b: &PathPattern) -> Ordering {
    let literals = |pattern: &PathPattern| {
        pattern.segments.iter().filter(|segment| matches!(segment, Segment::Literal(_))).count()
    };
    let kinds = |pattern: &PathPattern, n: usize| match pattern.segments.get(n) {
        Some(Segment::Literal(_)) => 0,
        Some(Segment::Any) => 1,
        None if pattern.rest => 3,
        None => 2,
    };
    let longest = a.segments.len().max(b.segments.len());
    let from_left = (0..=longest).map(|n| kinds(a, n).cmp(&kinds(b, n)));
    literals(b).cmp(&literals(a)).then_with(|| from_left.fold(Ordering::Equal, Ordering::then))
}

/// Lower is more specific: HEAD by name before HEAD by way of GET, any method last.
fn methods(matcher: &Match) -> u8 {
    match matcher.methods.as_slice() {
        [] => 2,
        named if named.contains(&Method::HEAD) => 0,
        _ => 1,
    }
}
