use super::*;
use crate::check::check;

const OLD: &str = "\
version: 1
pool: { total: 200 }
upstreams:
  mailbox: { endpoints: [http://a, http://b], signals: { source: actuator } }
  old: { endpoints: [http://c] }
functions:
  receive: { upstream: mailbox, reserved: 50 }
routes:
  mail-receive:
    match: { methods: [POST], path: /mail/** }
    function: receive
    class: batch
    admission:
      workers: { enter: 85%, exit: 75% }
      rps: { limit: 500, burst: 50 }
  mail-list:
    match: { path: /list }
    upstream: mailbox
    cache: { fresh_for: 30s, key: { headers: [accept] } }
  gone: { match: { path: /gone }, upstream: old }
";

fn meant(text: &str) -> Policy {
    let (policy, problems) = check(&[("t.yaml".to_owned(), text.to_owned())]);
    policy.unwrap_or_else(|| panic!("{problems:#?}"))
}

fn changes(replaced: &[(&str, &str)]) -> Vec<String> {
    let mut text = OLD.to_owned();
    for (old, new) in replaced {
        assert_eq!(text.matches(old).count(), 1, "{old}");
        text = text.replace(old, new);
    }
    diff(&meant(OLD), &meant(&text))
}

#[test]
fn nothing_changed_is_no_words() {
    assert_eq!(changes(&[]), Vec::<String>::new());
    // Comments and lines are no change.
    let moved = format!("# words\n\n{OLD}");
    assert_eq!(diff(&meant(OLD), &meant(&moved)), Vec::<String>::new());
}

#[test]
fn a_changed_value_is_said_with_both_values() {
    for (old, new, words) in [
        ("enter: 85%", "enter: 80%", "route mail-receive: workers enter 85% → 80%"),
        ("class: batch", "class: bulk", "route mail-receive: class batch → bulk"),
        ("burst: 50", "burst: 60", "route mail-receive: rps burst 50 → 60"),
        ("[POST]", "[PUT]", "route mail-receive: matches POST /mail/** → PUT /mail/**"),
        ("total: 200", "total: 300", "pool: total 200 → 300"),
        ("http://b", "http://d:81", "upstream mailbox: endpoint http://b:80 → http://d:81"),
        (", http://b", "", "upstream mailbox: endpoint http://b:80 removed"),
        ("[http://c]", "[http://c, http://d]", "upstream old: endpoint http://d:80 added"),
        (
            "source: actuator }",
            "source: actuator, every: 5s }",
            "upstream mailbox: signals every 1s → 5s",
        ),
        (
            "source: actuator } }",
            "source: actuator }, workers_max: 9 }",
            "upstream mailbox: workers_max 9 added",
        ),
        (", reserved: 50", "", "function receive: reserved 50 → nothing"),
        ("fresh_for: 30s, ", "", "route mail-list: cache fresh_for 30s removed"),
        ("[accept]", "[]", "route mail-list: cache key header accept removed"),
        (
            "path: /list }",
            "path: /list, host: h }",
            "route mail-list: matches any method /list → any method h/list",
        ),
        (
            "upstream: old }",
            "upstream: old, websocket: true }",
            "route gone: websocket false → true",
        ),
        (
            "function: receive",
            "upstream: mailbox",
            "route mail-receive: goes to function receive → upstream mailbox",
        ),
    ] {
        assert_eq!(changes(&[(old, new)]), [words], "{old} → {new}");
    }
}

#[test]
fn added_and_removed_parts_are_said_whole() {
    let words = changes(&[
        ("  old: { endpoints: [http://c] }\n", ""),
        (
            "  gone: { match: { path: /gone }, upstream: old }",
            "  new: { match: { path: /new }, upstream: mailbox }",
        ),
    ]);
    assert_eq!(
        words,
        [
            "upstream old removed",
            "route gone removed",
            "route new added: matches any method /new, goes to upstream mailbox, class \
             interactive",
        ]
    );
}

#[test]
fn a_threshold_or_cache_that_goes_is_said_key_by_key() {
    let words = changes(&[("      rps: { limit: 500, burst: 50 }\n", "")]);
    assert_eq!(
        words,
        [
            "route mail-receive: rps limit 500 removed",
            "route mail-receive: rps burst 50 removed",
            "route mail-receive: rps per route removed",
        ]
    );
    let words = changes(&[("    cache: { fresh_for: 30s, key: { headers: [accept] } }\n", "")]);
    assert_eq!(words[0], "route mail-list: cache removed");
}
