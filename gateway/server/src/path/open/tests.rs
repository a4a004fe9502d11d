use http::HeaderMap;
use http::header::{HeaderValue, VIA};
use proptest::prelude::*;

use super::{is_loop, path_doubt, without_dot_segments};

#[test]
fn doubtful_paths_are_told() {
    for target in [
        "/a/%2e%2e/b",
        "/a/%2E./b",
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a\\b",
        "/a%00",
        "/a%0d%0aX",
        "/a%7f",
        "/a/..;/b",
        "/a/.;x/b",
        "/a/;.b",
        "/%c0%ae/",
        "/%C1%9c",
        "/%252e",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a%3b",
        "/caf\u{e9}",
        "/a%f5",
        "/a%ff",
    ] {
        assert!(path_doubt(target).is_some(), "{target}");
    }
}

#[test]
fn ordinary_paths_are_not() {
    for target in [
        "/",
        "/a/b.c",
        "/a;v=1/b",
        "/a%20b",
        "/%ED%95%9C%EA%B5%AD",
        "/a?x=%2e%2e%2f;..",
        "/a.b..c/d",
        "/~u/+$,@:&='()!*",
    ] {
        assert_eq!(path_doubt(target), None, "{target}");
    }
}

#[test]
fn dot_segments_are_removed_as_rfc3986_5_2_4() {
    for (path, settled) in [
        ("/a/b/c/./../../g", "/a/g"),
        ("/./a", "/a"),
        ("/../a", "/a"),
        ("/a/..", "/"),
        ("/a/.", "/a/"),
        ("/a/b/..", "/a/"),
        ("/a/../../../b", "/b"),
        ("/..", "/"),
    ] {
        assert_eq!(without_dot_segments(path).as_deref(), Some(settled), "{path}");
    }
    for path in ["/", "/a", "/a/.b", "/a/..b", "/a/b..", "/.well-known/x", "/..."] {
        assert_eq!(without_dot_segments(path), None, "{path}");
    }
}

#[test]
fn a_call_that_has_been_here_is_a_loop() {
    let mut headers = HeaderMap::new();
    headers.append(VIA, HeaderValue::from_static("1.1 other, 2 sumun-0a1b2c3d"));
    assert!(is_loop(&headers, "sumun-0a1b2c3d"));
    assert!(!is_loop(&headers, "sumun-00000000"));
}

proptest! {
    /// Nothing that is left after settling climbs.
    #[test]
    fn no_dot_segment_survives(path in "(/[.a%;]{0,3}){1,8}/?") {
        let settled = without_dot_segments(&path).unwrap_or(path);
        prop_assert!(settled.starts_with('/'));
        prop_assert!(settled.split('/').all(|segment| segment != "." && segment != ".."));
        prop_assert_eq!(without_dot_segments(&settled), None);
    }
}
