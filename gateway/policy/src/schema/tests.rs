//! The schema and the check know the same keys: each key of the schema is read by the check, and
//! each that the check accepts in a whole policy stands in the schema.

use super::*;
use crate::check::check;

/// Every form of the schema with the lines that lead to it; its keys stand `indent` deep.
const PLACES: [(&str, &str, usize); 16] = [
    ("", "", 0),
    ("pool", "pool:\n", 2),
    ("upstream", "upstreams:\n  x:\n", 4),
    ("timeout", "upstreams:\n  x:\n    timeout:\n", 6),
    ("signals", "upstreams:\n  x:\n    signals:\n", 6),
    ("worker_series", "upstreams:\n  x:\n    signals:\n      workers:\n", 8),
    ("function", "functions:\n  x:\n", 4),
    ("route", "routes:\n  x:\n", 4),
    ("match", "routes:\n  x:\n    match:\n", 6),
    ("admission", "routes:\n  x:\n    admission:\n", 6),
    ("rps", "routes:\n  x:\n    admission:\n      rps:\n", 8),
    ("cpu", "routes:\n  x:\n    admission:\n      cpu:\n", 8),
    ("workers", "routes:\n  x:\n    admission:\n      workers:\n", 8),
    ("cache", "routes:\n  x:\n    cache:\n", 6),
    ("cache_key", "routes:\n  x:\n    cache:\n      key:\n", 8),
    ("cache_query", "routes:\n  x:\n    cache:\n      key:\n        query:\n", 10),
];

fn keys(form: &str) -> Vec<String> {
    let schema = schema();
    let form = if form.is_empty() { &schema } else { &schema["$defs"][form] };
    form["properties"].as_object().expect("an object").keys().cloned().collect()
}

#[test]
fn every_form_is_covered_below() {
    let schema = schema();
    let mut forms: Vec<&str> =
        schema["$defs"].as_object().expect("definitions").keys().map(String::as_str).collect();
    let mut covered: Vec<&str> = PLACES.iter().map(|place| place.0).skip(1).collect();
    forms.sort_unstable();
    covered.sort_unstable();
    assert_eq!(forms, covered);
}

#[test]
fn every_key_of_the_schema_is_read_by_the_check() {
    for (form, lead, indent) in PLACES {
        for key in keys(form) {
            let head = if key == "version" { "" } else { "version: 1\n" };
            // No value of the format is a list in a list.
            let text = format!("{head}{lead}{}{key}: [[]]\n", " ".repeat(indent));
            let last = u32::try_from(text.lines().count()).expect("short");
            let problems = check(&[("t.yaml".to_owned(), text.clone())]).1;
            // The value was looked at: a problem stands at it, not only at the key.
            let value = u32::try_from(indent + key.len() + 3).expect("short");
            let about = problems.iter().filter(|p| p.line == last && p.column >= value);
            assert_eq!(about.count(), 1, "{text}{problems:#?}");
        }
    }
}

#[test]
fn no_other_key_is_accepted() {
    for (form, lead, indent) in PLACES {
        let text = format!("version: 1\n{lead}{}zzz: 1\n", " ".repeat(indent));
        let problems = check(&[("t.yaml".to_owned(), text.clone())]).1;
        assert!(
            problems.iter().any(|p| p.message.contains("no key `zzz`")),
            "{form}: {problems:#?}"
        );
        let schema = schema();
        let form = if form.is_empty() { &schema } else { &schema["$defs"][form] };
        assert_eq!(form["additionalProperties"], false);
    }
}

#[test]
fn every_key_has_its_manual_and_forms_have_theirs() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().expect("definitions").values();
    for form in definitions.chain([&schema]) {
        let about = |value: &Value| value["description"].as_str().is_some_and(|t| t.len() > 10);
        assert!(about(form), "{form}");
        for (key, value) in form["properties"].as_object().expect("properties") {
            assert!(about(value), "{key}");
            assert!(
                ["type", "const", "enum", "$ref"].iter().any(|k| value.get(k).is_some()),
                "{key}: {value}"
            );
        }
    }
}

#[test]
fn defaults_are_typed_and_named() {
    let schema = schema();
    let default =
        |form: &str, key: &str| schema["$defs"][form]["properties"][key]["default"].clone();
    assert_eq!(default("pool", "total"), 1000);
    assert_eq!(default("route", "strict_path"), true);
    assert_eq!(default("route", "class"), "interactive");
    assert_eq!(default("cache", "max_object"), "1MiB");
    assert_eq!(schema["required"], serde_json::json!(["version"]));
    assert_eq!(
        schema["$defs"]["route"]["oneOf"],
        serde_json::json!([{"required": ["function"]}, {"required": ["upstream"]}])
    );
    let per = schema["$defs"]["rps"]["properties"]["per"]["description"].to_string();
    assert!(per.contains("`caller`") && per.contains("`callers.by`"), "{per}");
}

#[test]
fn what_the_check_takes_as_a_text_an_editor_takes_too() {
    let text = "\
version: 1
upstreams: { 7: { endpoints: [http://a] } }
routes:
  r: { match: { path: /a, host: 10, headers: { x-shard: 3, x-on: true } }, upstream: 7 }
  s: { match: { path: /b, methods: [2GET, GET] }, upstream: 7, cache: { key: { query: { drop: [1] } } } }
";
    let (policy, problems) = check(&[("t.yaml".to_owned(), text.to_owned())]);
    assert!(policy.is_some(), "{problems:#?}");
    let schema = schema();
    let of = |form: &str, key: &str| schema["$defs"][form]["properties"][key].clone();
    let scalars = serde_json::json!(["string", "number", "boolean"]);
    for text in [
        of("route", "upstream"),
        of("match", "host"),
        of("match", "headers")["additionalProperties"].clone(),
        of("cache_query", "drop")["items"].clone(),
    ] {
        assert_eq!(text["type"], scalars, "{text}");
    }
    assert_eq!(of("match", "methods")["items"]["pattern"], "^[A-Z0-9-]+$");
    assert_eq!(of("match", "path")["type"], "string");
    assert_eq!(of("upstream", "endpoints")["items"]["type"], "string");
}

#[test]
fn the_defaults_of_the_tables_are_those_of_the_types() {
    // Written out, every default means the same as nothing written.
    let bare = "\
version: 1
upstreams:
  u: { endpoints: [http://a], timeout: {}, signals: { source: actuator } }
functions:
  f: { upstream: u }
routes:
  r:
    match: { path: /a }
    function: f
    cache: { key: { query: {} } }
  b:
    match: { path: /b }
    function: f
    class: batch
    admission: { rps: { limit: 5 }, cpu: { enter: 50% } }
";
    let mut full = format!("pool: {{}}\n{bare}");
    for (form, open) in [
        ("pool", "pool: {"),
        ("timeout", "timeout: {"),
        ("cache", "cache: {"),
        ("cache_query", "query: {"),
        ("admission", "admission: {"),
        ("rps", "rps: {"),
        ("cpu", "cpu: {"),
        ("upstream", "u: {"),
    ] {
        let schema = schema();
        let written: Vec<String> = schema["$defs"][form]["properties"]
            .as_object()
            .expect("properties")
            .iter()
            .filter_map(|(key, value)| Some((key, value.get("default")?)))
            .map(|(key, value)| format!("{key}: {}", value.to_string().trim_matches('"')))
            .collect();
        assert!(!written.is_empty(), "{form}");
        let tail = if full.contains(&format!("{open}}}")) { "" } else { "," };
        full = full.replacen(open, &format!("{open} {}{tail}", written.join(", ")), 1);
    }
    let meant = |text: &str| {
        let (policy, problems) = check(&[("t.yaml".to_owned(), text.to_owned())]);
        policy.unwrap_or_else(|| panic!("{text}\n{problems:#?}"))
    };
    assert_eq!(crate::diff(&meant(bare), &meant(&full)), Vec::<String>::new());
}
