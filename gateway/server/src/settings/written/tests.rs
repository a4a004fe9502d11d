use super::*;

#[test]
fn every_node_knows_its_place_and_its_bytes() {
    let text = "# head\nlimits: { idle: 60s, list: [a, \"b c\"] }\nläst:\n  deep: 'x'\n";
    let root = read(text).unwrap().unwrap();
    let (_, limits) = root.entry("limits").unwrap();
    let (key, idle) = limits.entry("idle").unwrap();
    assert_eq!(key.place, Place { line: 2, column: 11 });
    assert_eq!(&text[idle.range.clone()], "60s");
    let (_, list) = limits.entry("list").unwrap();
    let Value::List(items) = &list.value else { panic!("a list") };
    assert_eq!(&text[items[1].range.clone()], "\"b c\"");
    assert_eq!(items[1].scalar(), Some("b c"));
    let (_, deep) = root.entry("läst").unwrap().1.entry("deep").unwrap();
    assert_eq!(&text[deep.range.clone()], "'x'");
    assert_eq!(deep.place, Place { line: 4, column: 9 });
}

#[test]
fn nothing_written_is_no_tree() {
    for text in ["", "# only a comment\n", "---\n", "~\n", "null"] {
        assert_eq!(read(text).unwrap(), None, "{text:?}");
    }
}

#[test]
fn what_is_no_yaml_names_its_line() {
    let error = read("a: 1\nb: [1, 2\n").unwrap_err();
    assert!(error.place.line >= 2, "{error:?}");
    let error = read("a: 1\n---\nb: 2\n").unwrap_err();
    assert!(error.message.contains("second document"), "{error:?}");
}

#[test]
fn nesting_is_bounded() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert!(read(&deep).is_err());
    let blocks: Vec<String> = (0..100).map(|n| format!("{}a:", " ".repeat(n))).collect();
    assert!(read(&blocks.join("\n")).is_err());
}

#[test]
fn aliases_and_anchors_are_seen() {
    let root = read("a: &n 5\nb: *n\n").unwrap().unwrap();
    assert!(root.entry("a").unwrap().1.anchored);
    assert_eq!(root.entry("b").unwrap().1.value, Value::Alias);
}
