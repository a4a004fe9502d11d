use std::sync::Arc;

use super::node::Value;
use super::*;

fn tree(text: &str) -> (Option<node::Node>, Vec<String>) {
    let findings = Findings::default();
    let node = read(&Arc::new(Source::new("t.yaml", 0, text.to_owned())), &findings);
    (node, findings.into_sorted().iter().map(ToString::to_string).collect())
}

#[test]
fn every_key_and_value_knows_its_place() {
    let text = "a: one\nb:\n  - two\n  - {c: \"three\"}\nd: |\n  four\n";
    let (node, problems) = tree(text);
    assert_eq!(problems, Vec::<String>::new());
    let node = node.expect("is YAML");
    let Value::Map(entries) = &node.value else { panic!("{node:?}") };
    let spot = |line, column, width| Spot { line, column, width };
    assert_eq!((entries[0].at, entries[0].node.spot), (spot(1, 1, 1), spot(1, 4, 3)));
    let Value::List(items) = &entries[1].node.value else { panic!("{node:?}") };
    assert_eq!(items[0].spot, spot(3, 5, 3));
    let Value::Map(inner) = &items[1].value else { panic!("{node:?}") };
    assert_eq!((inner[0].at, inner[0].node.spot), (spot(4, 6, 1), spot(4, 9, 7)));
    assert!(
        matches!(&entries[2].node.value, Value::Text { text, plain: false } if text == "four\n")
    );
}

#[test]
fn a_key_written_twice_does_not_hide_what_follows() {
    let (node, problems) = tree("a: 1\nb: 2\na: 3\nb: 4\nc: 5\n");
    let Some(Value::Map(entries)) = node.map(|node| node.value) else { panic!("{problems:?}") };
    assert_eq!(entries.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(
        problems,
        [
            "t.yaml:3:1: `a` is written twice; the first is at t.yaml:1:1",
            "t.yaml:4:1: `b` is written twice; the first is at t.yaml:2:1",
        ]
    );
}

#[test]
fn nothing_is_told_from_text() {
    for (text, null) in [
        ("a:\n", true),
        ("a: ~\n", true),
        ("a: null\n", true),
        ("a: 'null'\n", false),
        ("a: \"\"\n", false),
        ("a: nil\n", false),
    ] {
        let Some(Value::Map(entries)) = tree(text).0.map(|node| node.value) else {
            panic!("{text}")
        };
        assert_eq!(matches!(entries[0].node.value, Value::Null), null, "{text}");
    }
}

#[test]
fn the_line_of_a_problem_is_the_line_of_the_file() {
    for end in ["\n", "\r\n", "\r"] {
        let text = format!("first: 1{end}second: 2{end}first: 3{end}");
        let findings = Findings::default();
        read(&Arc::new(Source::new("t.yaml", 0, text)), &findings);
        let problems = findings.into_sorted();
        assert_eq!(problems[0].line, 3, "{end:?}");
        assert!(problems[0].render().contains("| first: 3\n"), "{end:?}");
    }
}

#[test]
fn what_was_meant_is_found_among_what_there_is() {
    let words = ["mailbox", "catalog", "workers_max", "up"];
    for (word, found) in [
        ("mailbx", Some("mailbox")),
        ("malibox", Some("mailbox")),
        ("MAILBOX", Some("mailbox")),
        ("workers-max", Some("workers_max")),
        ("uq", Some("up")),
        ("zz", None),
        ("billing", None),
        (&"mailbox".repeat(100), None),
    ] {
        assert_eq!(closest(word, words), found, "{word}");
    }
}
