use http::HeaderValue;
use proptest::prelude::*;
use sumun_policy::policy::{Class, PathPattern, Route as Written, Segment};

use super::*;
use crate::fixture::{at_ms, header, host, method, name, pattern, policy, route, upstream};

fn compile(routes: impl IntoIterator<Item = Written>) -> Snapshot {
    Snapshot::compile(policy([upstream("u", &[1])], routes), 1, &Live::new(), at_ms(0))
}

fn to(text: &str, path: &str) -> Written {
    route(text, path, Class::Interactive, "u")
}

fn with_methods(text: &str, path: &str, methods: &[&str]) -> Written {
    let mut route = to(text, path);
    route.matcher.methods = methods.iter().map(|text| method(text)).collect();
    route
}

fn with_host(text: &str, path: &str, pattern: &str) -> Written {
    let mut route = to(text, path);
    route.matcher.host = Some(host(pattern));
    route
}

fn with_headers(text: &str, path: &str, headers: &[(&str, &str)]) -> Written {
    let mut route = to(text, path);
    route.matcher.headers = headers.iter().map(|(name, value)| header(name, value)).collect();
    route
}

fn found<'a>(snapshot: &'a Snapshot, call: &str, headers: &HeaderMap) -> Option<&'a str> {
    let (verb, rest) = call.split_once(' ').expect("METHOD host/path");
    let (host, path) = rest.split_at(rest.find('/').expect("a path"));
    let route = snapshot.find(&method(verb), host, path, headers)?;
    Some(route.policy.name.as_str())
}

/// Calls as `GET host/path`, each with the route it must find.
fn check(routes: impl IntoIterator<Item = Written>, calls: &[(&str, Option<&str>)]) {
    let snapshot = compile(routes);
    for (call, wanted) in calls {
        assert_eq!(found(&snapshot, call, &HeaderMap::new()), *wanted, "{call}");
    }
}

#[test]
fn patterns_match_whole_segments() {
    check(
        [to("exact", "/a/b"), to("one", "/one/*/end"), to("rest", "/r/**")],
        &[
            ("GET h/a/b", Some("exact")),
            ("GET h/a/b/", None),
            ("GET h/a/bc", None),
            ("GET h/a", None),
            ("GET h/one/x/end", Some("one")),
            ("GET h/one//end", None),
            ("GET h/one/x/y/end", None),
            ("GET h/r", Some("rest")),
            ("GET h/r/", Some("rest")),
            ("GET h/r/x/y/z", Some("rest")),
            ("GET h/rx", None),
            ("GET h/", None),
        ],
    );
}

#[test]
fn the_root_and_the_catch_all() {
    check(
        [to("root", "/"), to("all", "/**")],
        &[("GET h/", Some("root")), ("GET h/x", Some("all")), ("GET h//", Some("all"))],
    );
}

#[test]
fn more_literals_win_then_the_earlier_literal_then_one_segment_then_any_rest() {
    let routes = [
        to("abc", "/a/b/c"),
        to("ab-any", "/a/b/*"),
        to("a-any-c", "/a/*/c"),
        to("any-bc", "/*/b/c"),
        to("a-any-any", "/a/*/*"),
        to("ab-rest", "/a/b/**"),
        to("a-rest", "/a/**"),
        to("all", "/**"),
    ];
    check(
        routes,
        &[
            ("GET h/a/b/c", Some("abc")),
            ("GET h/a/b/d", Some("ab-any")),
            ("GET h/a/x/c", Some("a-any-c")),
            ("GET h/x/b/c", Some("any-bc")),
            ("GET h/a/x/y", Some("a-any-any")),
            ("GET h/a/b", Some("ab-rest")),
            ("GET h/a/b/c/d", Some("ab-rest")),
            ("GET h/a/x", Some("a-rest")),
            ("GET h/x", Some("all")),
        ],
    );
    // More literals beat an earlier one.
    check([to("early", "/a/**"), to("more", "/*/b/c")], &[("GET h/a/b/c", Some("more"))]);
    // The pattern's end beats any rest.
    check([to("end", "/a"), to("rest", "/a/**")], &[("GET h/a", Some("end"))]);
}

#[test]
fn hosts_come_before_paths() {
    let routes = [
        to("any", "/a/b/c"),
        with_host("exact", "/a/**", "api.example.internal"),
        with_host("long", "/**", "*.eu.example.internal"),
        with_host("short", "/a/**", "*.example.internal"),
    ];
    check(
        routes,
        &[
            ("GET api.example.internal/a/b/c", Some("exact")),
            ("GET x.example.internal/a/b/c", Some("short")),
            ("GET x.eu.example.internal/a/b/c", Some("long")),
            ("GET example.internal/a/b/c", Some("any")),
            ("GET .example.internal/a/b/c", Some("any")),
            ("GET other/a/b/c", Some("any")),
            ("GET api.example.internal/z", None),
        ],
    );
}

#[test]
fn a_host_whose_paths_do_not_match_gives_way() {
    check([to("any", "/**"), with_host("exact", "/a", "h")], &[("GET h/b", Some("any"))]);
}

#[test]
fn named_methods_come_before_any_and_get_takes_head() {
    let routes = [
        to("any", "/a"),
        with_methods("get", "/a", &["GET"]),
        with_methods("heads", "/b", &["HEAD"]),
        with_methods("b-get", "/b", &["GET"]),
    ];
    check(
        routes,
        &[
            ("GET h/a", Some("get")),
            ("HEAD h/a", Some("get")),
            ("POST h/a", Some("any")),
            ("HEAD h/b", Some("heads")),
            ("GET h/b", Some("b-get")),
            ("POST h/b", None),
        ],
    );
}

#[test]
fn a_method_that_does_not_match_gives_way_to_a_less_specific_path() {
    check(
        [to("all", "/**"), with_methods("post", "/a/b", &["POST"])],
        &[("POST h/a/b", Some("post")), ("GET h/a/b", Some("all"))],
    );
}

#[test]
fn more_header_conditions_come_first_and_all_must_hold() {
    let snapshot = compile([
        to("plain", "/a"),
        with_headers("one", "/a", &[("x-tenant", "red")]),
        with_headers("two", "/a", &[("x-tenant", "red"), ("x-beta", "1")]),
    ]);
    let mut headers = HeaderMap::new();
    assert_eq!(found(&snapshot, "GET h/a", &headers), Some("plain"));
    headers.insert("x-beta", HeaderValue::from_static("1"));
    assert_eq!(found(&snapshot, "GET h/a", &headers), Some("plain"));
    headers.append("x-tenant", HeaderValue::from_static("blue"));
    headers.append("x-tenant", HeaderValue::from_static("red"));
    assert_eq!(found(&snapshot, "GET h/a", &headers), Some("two"));
    headers.remove("x-beta");
    assert_eq!(found(&snapshot, "GET h/a", &headers), Some("one"));
}

#[test]
fn the_same_condition_twice_is_decided_by_name() {
    check([to("b", "/a"), to("a", "/a")], &[("GET h/a", Some("a"))]);
}

#[test]
fn a_path_without_a_slash_matches_nothing() {
    let snapshot = compile([to("all", "/**")]);
    assert!(snapshot.find(&Method::OPTIONS, "h", "*", &HeaderMap::new()).is_none());
}

#[test]
fn indexes_are_places() {
    let snapshot = compile((0..20).map(|n| to(&format!("r{n}"), &format!("/{n}"))));
    for (n, route) in snapshot.routes().iter().enumerate() {
        assert_eq!(route.index, n);
    }
    assert!(snapshot.routes().is_sorted_by_key(|route| route.policy.name.clone()));
    assert_eq!(snapshot.upstreams()[0].index, 0);
}

#[test]
fn ten_thousand_routes_cost_no_more_than_ten() {
    let headers = HeaderMap::new();
    let cost = |count: usize| {
        let routes = (0..count).map(|n| to(&format!("r{n}"), &format!("/tenant/{n}/orders/*")));
        let snapshot = compile(routes.chain([to("all", "/**")]));
        for n in (0..count).step_by(7) {
            let call = format!("GET h/tenant/{n}/orders/5");
            assert_eq!(found(&snapshot, &call, &headers), Some(&*format!("r{n}")));
        }
        assert_eq!(found(&snapshot, "GET h/tenant/x/orders/5", &headers), Some("all"));
        let call = specificity::Call { method: &Method::GET, headers: &headers };
        snapshot.hosts.any.cost("/tenant/7/orders/5", &call, &snapshot.routes)
    };
    let nodes = cost(10);
    assert!((1..=5).contains(&nodes), "{nodes} nodes");
    assert_eq!(cost(10_000), nodes);
}

#[test]
fn a_function_brings_its_upstream() {
    let mut written = policy([upstream("u", &[1]), upstream("v", &[2])], []);
    let function = crate::fixture::function("f", "v", Some(3));
    written.functions.insert(function.name.clone(), function);
    let mut by_function = to("r", "/f");
    by_function.target =
        sumun_policy::policy::Target::Function { function: name("f"), upstream: name("v") };
    written.routes.insert(name("r"), by_function);
    let snapshot = Snapshot::compile(written, 7, &Live::new(), at_ms(0));
    let route = snapshot.find(&Method::GET, "h", "/f", &HeaderMap::new()).unwrap();
    assert_eq!(route.upstream.policy.name, name("v"));
    assert_eq!(route.function.as_ref().unwrap().policy.reserved, Some(3));
    assert_eq!(snapshot.revision, 7);
}

/// The definition, read aloud: every route is tried.
fn naive<'a>(snapshot: &'a Snapshot, verb: &Method, at: &str, path: &str) -> Option<&'a str> {
    use sumun_policy::policy::HostPattern;
    let segments: Vec<&str> = match path.strip_prefix('/').expect("a path") {
        "" => Vec::new(),
        path => path.split('/').collect(),
    };
    let path_fits = |pattern: &PathPattern| {
        let enough = if pattern.rest {
            segments.len() >= pattern.segments.len()
        } else {
            segments.len() == pattern.segments.len()
        };
        enough
            && pattern.segments.iter().zip(&segments).all(|(pattern, segment)| match pattern {
                Segment::Literal(text) => **text == **segment,
                Segment::Any => !segment.is_empty(),
            })
    };
    let host_fits = |pattern: &Option<HostPattern>| match pattern {
        None => true,
        Some(HostPattern::Exact(text)) => **text == *at,
        Some(HostPattern::Suffix(suffix)) => at.len() > suffix.len() && at.ends_with(&**suffix),
    };
    let headers = HeaderMap::new();
    let call = specificity::Call { method: verb, headers: &headers };
    let fitting = snapshot.routes().iter().filter(|route| {
        let matcher = &route.policy.matcher;
        path_fits(&matcher.path) && host_fits(&matcher.host) && call.meets(matcher)
    });
    fitting.min_by(|a, b| specificity::order(a, b)).map(|route| route.policy.name.as_str())
}

fn any_path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![Just("a"), Just("b"), Just("*")];
    (prop::collection::vec(segment, 0..4), any::<bool>()).prop_map(|(segments, rest)| {
        format!("/{}{}", segments.join("/"), if rest { "/**" } else { "" })
    })
}

fn any_route() -> impl Strategy<Value = Written> {
    let host = prop::option::of(prop_oneof![Just("h.i"), Just("*.i"), Just("*.h.i")]);
    let methods = prop_oneof![Just(vec![]), Just(vec!["GET"]), Just(vec!["POST", "HEAD"])];
    (any_path(), host, methods).prop_map(|(path, at, methods)| {
        let mut route = with_methods("x", "/", &methods);
        route.matcher.path = pattern(&path);
        route.matcher.host = at.map(host_of);
        route
    })
}

fn host_of(text: &str) -> sumun_policy::policy::HostPattern {
    host(text)
}

proptest! {
    #[test]
    fn the_index_finds_what_trying_every_route_finds(
        written in prop::collection::vec(any_route(), 1..25),
        calls in prop::collection::vec(
            (prop::sample::select(vec!["GET", "HEAD", "POST"]),
             prop::sample::select(vec!["h.i", "x.h.i", "i", "z.i", "o"]),
             prop::collection::vec(prop::sample::select(vec!["a", "b", "c", ""]), 0..5)),
            1..20),
    ) {
        let numbered = written.into_iter().enumerate().map(|(n, mut route)| {
            route.name = name(&format!("r{n}"));
            route
        });
        let snapshot = compile(numbered);
        for (verb, at, segments) in calls {
            let path = format!("/{}", segments.join("/"));
            let verb = method(verb);
            let found = snapshot.find(&verb, at, &path, &HeaderMap::new());
            let found = found.map(|route| route.policy.name.as_str());
            prop_assert_eq!(found, naive(&snapshot, &verb, at, &path), "{} {}{}", verb, at, path);
        }
    }
}
