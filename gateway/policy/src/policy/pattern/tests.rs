use proptest::prelude::*;

use super::*;

#[test]
fn paths_match_by_segments() {
    for (pattern, matched, unmatched) in [
        ("/", &["/"][..], &["", "/a", "//"][..]),
        ("/a", &["/a"], &["/", "/a/", "/a/b", "/A", "a"]),
        ("/a/", &["/a/"], &["/a", "/a//", "/a/b"]),
        ("/a/*", &["/a/b", "/a/*"], &["/a", "/a/", "/a/b/", "/a/b/c"]),
        ("/a/**", &["/a", "/a/", "/a/b", "/a/b/c", "/a//"], &["/", "/ab", "/b"]),
        ("/*/b", &["/a/b"], &["/b", "//b", "/a/b/"]),
        ("/a/*/c/**", &["/a/b/c", "/a/b/c/d"], &["/a/c", "/a/b/d"]),
        ("/**", &["/", "/a", "/a/b"], &["", "a"]),
        ("/a%20b", &["/a%20b"], &["/a b"]),
    ] {
        let parsed = PathPattern::parse(pattern).expect(pattern);
        assert_eq!(parsed.to_string(), pattern);
        for path in matched {
            assert!(parsed.matches(path), "{pattern} takes {path}");
        }
        for path in unmatched {
            assert!(!parsed.matches(path), "{pattern} does not take {path}");
        }
    }
}

#[test]
fn segments_are_what_stands_between_slashes() {
    let literal = |text: &str| Segment::Literal(text.into());
    for (pattern, segments, rest) in [
        ("/", vec![], false),
        ("/**", vec![], true),
        ("/a/", vec![literal("a"), literal("")], false),
        ("/a/*/**", vec![literal("a"), Segment::Any], true),
    ] {
        assert_eq!(PathPattern::parse(pattern), Ok(PathPattern { segments, rest }), "{pattern}");
    }
}

#[test]
fn bad_paths_are_refused_with_their_reason() {
    for (pattern, why) in [
        ("", "no path"),
        ("a/b", "no path"),
        ("*", "no path"),
        ("http://a/b", "no path"),
        ("//", "empty segment"),
        ("/a//b", "empty segment"),
        ("/a//**", "empty segment"),
        ("/**/a", "before its end"),
        ("/a*", "within a segment"),
        ("/a/***", "within a segment"),
        ("/a/../b", "dot segment"),
        ("/./a", "dot segment"),
        ("/a?b=c", "query or fragment"),
        ("/a#b", "query or fragment"),
        ("/a b", "character"),
        ("/ä", "character"),
        ("/a\\b", "character"),
        ("/{id}", "named segment"),
        ("/{id", "character"),
        ("/a%2", "percent"),
        ("/a%zz", "percent"),
        ("/a%2Fb", "gateway refuses"),
        ("/%2e%2E/a", "gateway refuses"),
    ] {
        let error = PathPattern::parse(pattern).expect_err(pattern);
        assert!(error.message.contains(why), "{pattern}: {error}");
    }
    assert!(PathPattern::parse(&"/a".repeat(64)).is_ok());
    assert!(PathPattern::parse(&"/a".repeat(65)).is_err());
}

#[test]
fn hosts_are_exact_or_a_suffix() {
    for (pattern, shown, matched, unmatched) in [
        ("Mail.Internal", "mail.internal", &["mail.internal"][..], &["a.mail.internal"][..]),
        ("*.internal", "*.internal", &["a.internal", "a.b.internal"], &["internal", ".internal"]),
        ("127.0.0.1", "127.0.0.1", &["127.0.0.1"], &["127.0.0.2"]),
        ("[::0001]", "[::1]", &["[::1]"], &["::1"]),
    ] {
        let parsed = HostPattern::parse(pattern).expect(pattern);
        assert_eq!(parsed.to_string(), shown);
        for host in matched {
            assert!(parsed.matches(host), "{pattern} takes {host}");
        }
        for host in unmatched {
            assert!(!parsed.matches(host), "{pattern} does not take {host}");
        }
    }
    for (pattern, why) in [
        ("", "no host"),
        ("*", "host pattern"),
        ("*.", "host pattern"),
        ("*a.b", "host pattern"),
        ("a.*.b", "no host"),
        ("mail.internal:80", "has a port"),
        ("http://mail", "is a URL"),
        ("a b", "no host"),
        ("a/b", "no host"),
        ("[::1]:80", "no host"),
    ] {
        let error = HostPattern::parse(pattern).expect_err(pattern);
        assert!(error.message.contains(why), "{pattern}: {error}");
    }
}

#[test]
fn a_match_reads_as_a_request() {
    let matcher = Match {
        methods: vec![http::Method::GET, http::Method::HEAD],
        path: PathPattern::parse("/mail/**").expect("valid"),
        host: Some(HostPattern::parse("*.internal").expect("valid")),
        headers: vec![(
            http::HeaderName::from_static("x-tenant"),
            http::HeaderValue::from_static("a"),
        )],
    };
    assert_eq!(matcher.to_string(), "GET, HEAD *.internal/mail/** with x-tenant: a");
}

proptest! {
    #[test]
    fn no_text_makes_them_panic(text in "/?\\PC{0,40}") {
        if let Ok(pattern) = PathPattern::parse(&text) {
            prop_assert_eq!(pattern.to_string(), text.clone());
        }
        let _ = HostPattern::parse(&text);
    }

    #[test]
    fn a_literal_pattern_matches_only_itself(a in "(/[a-c]{0,2}){1,3}", b in "(/[a-c]{0,2}){1,3}") {
        if let Ok(pattern) = PathPattern::parse(&a) {
            prop_assert_eq!(pattern.matches(&b), a == b);
        }
    }
}
