//! Every kind of problem with its exact place, one table per part of the format.

mod corruption;
mod examples;
mod folders;
mod meaning;
mod places;

use super::*;

/// A policy without problems that tests add their own to: two upstreams, a function, a route.
const GROUND: &str = "\
version: 1
upstreams:
  up:
    endpoints: [http://127.0.0.1:1]
    workers_max: 20
functions:
  fun: { upstream: up, reserved: 5 }
";

/// Checks one file.
fn check_one(text: &str) -> (Option<Policy>, Vec<Problem>) {
    check(&[("t.yaml".to_owned(), text.to_owned())])
}

/// The problems of one file as `line:col: message`, with the help behind ` | `.
fn problems_of(text: &str) -> Vec<String> {
    let (policy, problems) = check_one(text);
    assert_eq!(policy.is_some(), problems.is_empty());
    problems
        .iter()
        .map(|p| format!("{}:{}: {} | {}", p.line, p.column, p.message, p.help))
        .collect()
}

/// The policy of one file that has to be without problems.
fn meant(text: &str) -> Policy {
    let (policy, problems) = check_one(text);
    let rendered: Vec<_> = problems.iter().map(Problem::render).collect();
    policy.unwrap_or_else(|| panic!("no policy:\n{}\nof\n{text}", rendered.join("\n")))
}

/// Each row: a text and its problems. A problem's place marks the token in the text: what stands
/// in the row is `line:col: message | help`, whole or its beginning up to `…`.
fn assert_table(rows: &[(&str, &[&str])]) {
    for (text, expected) in rows {
        let found = problems_of(text);
        let fits = found.len() == expected.len()
            && found.iter().zip(*expected).all(|(found, expected)| {
                match expected.strip_suffix('…') {
                    Some(beginning) => found.starts_with(beginning),
                    None => found == expected,
                }
            });
        assert!(fits, "text:\n{text}\nexpected: {expected:#?}\nfound: {found:#?}");
    }
}
