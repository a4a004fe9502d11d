use super::*;
use crate::fixture::{pattern, policy, route, upstream};
use sumun_policy::policy::Class;

fn drafted(routes: &[(&str, &str)]) -> Policy {
    let routes = routes.iter().map(|(name, path)| route(name, path, Class::Batch, "u"));
    policy([upstream("u", &[1])], routes)
}

#[test]
fn patterns_overlap_where_one_path_fits_both() {
    let table = [
        ("/a/b", "/a/b", true),
        ("/a/b", "/a/c", false),
        ("/a/*", "/a/c", true),
        ("/a/**", "/a/c/d", true),
        ("/a", "/a/c", false),
        ("/**", "/a/c", true),
        ("/a/**", "/b/**", false),
    ];
    for (a, b, expected) in table {
        assert_eq!(paths(&pattern(a), &pattern(b)), expected, "{a} {b}");
        assert_eq!(paths(&pattern(b), &pattern(a)), expected, "{b} {a}");
    }
}

#[test]
fn only_calls_that_a_change_of_matching_may_touch_are_skipped() {
    let recorded = drafted(&[("mail", "/mail/**"), ("shop", "/shop/**")]);
    let of = |name: &str, draft: &[(&str, &str)]| {
        let route = &recorded.routes[&crate::fixture::name(name)];
        skipped(route, &recorded, &drafted(draft))
    };
    let new = [("mail", "/mail/**"), ("shop", "/shop/**"), ("new", "/mail/list")];
    assert_eq!(of("mail", &new), Some(Skipped::MatchedElsewhere));
    assert_eq!(of("shop", &new), None);
    assert_eq!(of("mail", &[("shop", "/shop/**")]), Some(Skipped::RouteRemoved));
    assert_eq!(of("mail", &[("mail", "/post/**")]), Some(Skipped::MatchChanged));
}
