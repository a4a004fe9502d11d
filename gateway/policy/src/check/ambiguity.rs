//! No two routes may take the same calls with equal right: the most specific one wins, so there
//! has to be one.

use std::collections::HashMap;

use http::{HeaderName, HeaderValue, Method};

use crate::policy::Match;
use crate::raw::{Findings, Place};
use crate::units::Name;

/// A route's name, what it matches, and where that is written.
pub(super) type Matching<'a> = (&'a Name, &'a Match, &'a Place);

/// All of a match but its list of methods: one of them, or none where any will do.
#[derive(PartialEq, Eq, Hash)]
struct Claim {
    method: Option<Method>,
    host: Option<String>,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// Refuses the second of two routes that share a method and are equal in everything else. A route
/// for any method and one for a certain method are no such two: the latter is more specific.
pub(super) fn check<'a>(routes: impl Iterator<Item = Matching<'a>>, findings: &Findings) {
    let mut routes: Vec<_> = routes.collect();
    routes.sort_by_key(|(_, _, place)| (place.source.index, place.spot));
    let mut taken: HashMap<Claim, (&Name, &Place)> = HashMap::new();
    for (name, matcher, place) in routes {
        let mut refused = false;
        for claim in claims(matcher) {
            let Some((other, first)) = taken.get(&claim) else {
                taken.insert(claim, (name, place));
                continue;
            };
            // One problem for a pair, however many methods they share.
            if std::mem::replace(&mut refused, true) {
                continue;
            }
            let method = claim.method.as_ref().map_or("any method of", Method::as_str);
            let message =
                format!("the routes `{other}` and `{name}` both take {method} {}", claim.path);
            let help =
                format!("change the method, path, host or headers of one; `{other}` is at {first}");
            findings.add(place, message, help);
        }
    }
}

fn claims(matcher: &Match) -> impl Iterator<Item = Claim> {
    let mut headers = matcher.headers.clone();
    headers.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
    let methods: Vec<Option<Method>> = match matcher.methods.as_slice() {
        [] => vec![None],
        methods => methods.iter().cloned().map(Some).collect(),
    };
    let host = matcher.host.as_ref().map(ToString::to_string);
    let path = matcher.path.to_string();
    methods.into_iter().map(move |method| Claim {
        method,
        host: host.clone(),
        path: path.clone(),
        headers: headers.clone(),
    })
}
