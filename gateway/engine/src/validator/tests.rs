use proptest::prelude::*;

use super::*;

fn tags(line: &str) -> Vec<(bool, &str)> {
    Tags::of(line.as_bytes())
        .map(|tag| (tag.weak, std::str::from_utf8(tag.opaque).expect("text")))
        .collect()
}

#[test]
fn rfc9110_8_8_3_tags_are_read_as_sloppy_as_they_come() {
    for (line, expected) in [
        ("\"a\"", vec![(false, "a")]),
        ("W/\"a\"", vec![(true, "a")]),
        ("w/\"a\"", vec![(true, "a")]),
        ("\"\"", vec![(false, "")]),
        ("\"a,b\", \"c\"", vec![(false, "a,b"), (false, "c")]),
        ("\"a\",W/\"b\" ,, \"c\"", vec![(false, "a"), (true, "b"), (false, "c")]),
        ("a, \"b\"", vec![(false, "a"), (false, "b")]),
        ("W/a", vec![(true, "a")]),
        ("\"a", vec![(false, "\"a")]),
        ("\"a\"b", vec![(false, "a"), (false, "b")]),
        (" , ", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(tags(line), expected, "{line}");
    }
}

#[test]
fn rfc9110_8_8_3_2_comparison() {
    for (a, b, strong, weak) in [
        ("W/\"1\"", "W/\"1\"", false, true),
        ("W/\"1\"", "W/\"2\"", false, false),
        ("W/\"1\"", "\"1\"", false, true),
        ("\"1\"", "\"1\"", true, true),
    ] {
        let parse = |text: &'static str| EntityTag::parse(text.as_bytes()).expect("a tag");
        let (x, y) = (parse(a), parse(b));
        assert_eq!((x.strong_eq(y), x.weak_eq(y)), (strong, weak), "{a} {b}");
    }
}

#[test]
fn made_tags_are_weak_and_say_how_they_were_made() {
    assert_eq!(tag_from_modified(0x10, 0x20), "W/\"lm-10-20\"");
    assert_ne!(tag_from_modified(1, 2), tag_from_modified(1, 3));
    let body = tag_from_body(b"");
    assert_eq!(body, "W/\"xxh3-99aa06d3014798d86001c324468d497f\"");
    assert!(EntityTag::parse(body.as_bytes()).is_some_and(|tag| tag.weak));
}

proptest! {
    #[test]
    fn any_bytes_give_some_tags_and_an_end(line in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(Tags::of(&line).count() <= line.len());
    }

    #[test]
    fn comparison_is_symmetric_and_strong_is_stricter(
        a in prop::collection::vec(any::<u8>(), 0..8),
        b in prop::collection::vec(any::<u8>(), 0..8),
        weak in any::<(bool, bool)>(),
    ) {
        let (x, y) =
            (EntityTag { weak: weak.0, opaque: &a }, EntityTag { weak: weak.1, opaque: &b });
        prop_assert_eq!(x.weak_eq(y), y.weak_eq(x));
        prop_assert_eq!(x.strong_eq(y), y.strong_eq(x));
        prop_assert!(!x.strong_eq(y) || x.weak_eq(y));
        prop_assert!(x.weak_eq(x));
    }

    #[test]
    fn written_tags_read_as_themselves(list in prop::collection::vec(("[!#-~]{0,6}", any::<bool>()), 0..5)) {
        let line: Vec<String> = list
            .iter()
            .map(|(opaque, weak)| format!("{}\"{opaque}\"", if *weak { "W/" } else { "" }))
            .collect();
        let expected: Vec<(bool, &str)> = list.iter().map(|(o, weak)| (*weak, o.as_str())).collect();
        let line = line.join(", ");
        prop_assert_eq!(tags(&line), expected);
    }
}
