//! What the README tells a newcomer to type works as it says.
//!
//! A `sh` block of the README is a command; the lines after it that begin with `#=> ` must each be
//! found in what it prints. Blocks without a language are not run (they need something of the
//! reader's own), but what they call must exist.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use std::collections::BTreeSet;
use std::process::Command;

use sumun::demo::Demo;
use sumun_tests::{DEADLINE, Sumun, within};

use crate::demo::{any_ports, with_policies};
use crate::tidy::root;

/// Subcommands that the binary has by contract.
const SUBCOMMANDS: [&str; 6] = ["run", "demo", "check", "explain", "schema", "config"];

/// A command of the README and what it must print.
struct Step {
    command: String,
    printed: Vec<String>,
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The `sh` blocks of a text.
fn steps(markdown: &str) -> Vec<Step> {
    let blocks = markdown.split("\n```sh\n").skip(1);
    blocks
        .map(|block| {
            let (block, _) = block.split_once("\n```").expect("a block ends");
            let (said, typed): (Vec<&str>, Vec<&str>) =
                block.lines().partition(|line| line.starts_with("#=> "));
            let printed = said.iter().map(|line| line[4..].to_lowercase()).collect();
            Step { command: typed.join("\n"), printed }
        })
        .collect()
}

/// Words that follow `word` anywhere in a text.
fn after<'a>(text: &'a str, word: &str) -> BTreeSet<&'a str> {
    let end = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    text.match_indices(word)
        .filter(|(at, _)| !text[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '/'))
        .map(|(at, _)| text[at + word.len()..].split(end).next().unwrap())
        .filter(|word| !word.is_empty())
        .collect()
}

#[test]
fn blocks_and_words_are_found() {
    let text = "a\n```sh\nmake run\n#=> One: Two\n```\nb `make test`\n```\nsumun run --to x\n```\n";
    let steps = steps(text);
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0].command, "make run");
    assert_eq!(steps[0].printed, ["one: two"]);
    assert_eq!(after(text, "make "), ["run", "test"].into());
    assert_eq!(after(text, "sumun "), ["run"].into());
}

#[test]
fn every_make_target_and_subcommand_that_is_named_exists() {
    let makefile = read("Makefile");
    for document in ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"] {
        let text = read(document);
        for target in after(&text, "`make ") {
            let rule = makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
            assert!(rule, "{document}: no `make {target}`");
        }
        for subcommand in after(&text, "`sumun ") {
            assert!(SUBCOMMANDS.contains(&subcommand), "{document}: no `sumun {subcommand}`");
        }
    }
    let readme = read("README.md");
    let named: Vec<_> = after(&readme, "`make ").into_iter().collect();
    assert_eq!(named, ["bench", "bench-overload", "check", "run", "test"]);
}

#[test]
fn every_link_leads_somewhere() {
    for document in ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "SECURITY.md"] {
        let text = read(document);
        for link in text.split("](").skip(1) {
            let (link, _) = link.split_once(')').unwrap();
            let here = link.starts_with("https://") || root().join(link).exists();
            assert!(here, "{document}: {link} is not there");
        }
    }
}

#[tokio::test]
async fn the_tour_shows_what_it_says() {
    let demo = Demo::services_only(any_ports()).unwrap();
    let gateway = with_policies(Sumun::with(), demo.addresses()).start().await;
    let steps = steps(&read("README.md"));
    assert!(steps.len() >= 5, "the tour is gone");
    for Step { command, printed } in steps {
        let command = command.replace("127.0.0.1:8080", &gateway.address().to_string());
        let run = command.clone();
        let output = within(
            "a command of the tour",
            DEADLINE,
            tokio::task::spawn_blocking(move || Command::new("sh").args(["-c", &run]).output()),
        );
        let output = output.await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
        for expected in printed {
            assert!(said.contains(&expected), "{command}\nprints no {expected:?} but\n{said}");
        }
    }
    demo.stop();
}
