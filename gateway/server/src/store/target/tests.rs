use proptest::prelude::*;

use super::*;

const BASE: Resource<'_> =
    Resource { scheme: "http", authority: "a.internal", path_and_query: "/b/c/d?q" };

#[test]
fn rfc3986_5_2_references_are_resolved_on_the_same_origin() {
    for (reference, resolved) in [
        ("", Some("/b/c/d?q")),
        ("#f", Some("/b/c/d?q")),
        ("?y", Some("/b/c/d?y")),
        ("g", Some("/b/c/g")),
        ("./g", Some("/b/c/g")),
        ("g/", Some("/b/c/g/")),
        ("/g?x#f", Some("/g?x")),
        ("..", Some("/b/")),
        ("../g", Some("/b/g")),
        ("../../../g", Some("/g")),
        (".", Some("/b/c/")),
        ("//A.internal:80/g", Some("/g")),
        ("//a.internal", Some("/")),
        ("HTTP://a.internal?x", Some("/?x")),
        ("//b.internal/g", None),
        ("http://a.internal:81/g", None),
        ("https://a.internal/g", None),
        ("http:g", None),
        ("mailto:a", None),
    ] {
        assert_eq!(resolve(BASE, reference).as_deref(), resolved, "{reference}");
    }
}

proptest! {
    #[test]
    fn any_reference_resolves_to_an_absolute_path_or_nothing(reference in "\\PC{0,40}") {
        if let Some(resolved) = resolve(BASE, &reference) {
            prop_assert!(resolved.starts_with('/'), "{}", resolved);
        }
    }
}
