//! What the README tells a newcomer to type works as it says.
//!
//! A `sh` block of the README is a command; the lines after it that begin with `#=> ` must each be
//! found in what it prints. Blocks without a language are not run: they need something of the
//! reader's own.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use std::process::Command;

use sumun::demo::Demo;
use sumun_tests::{DEADLINE, Sumun, within};

use crate::demo::{any_ports, with_policies};
use crate::tidy::root;

/// A command of the README and what it must print.
struct Step {
    command: String,
    printed: Vec<String>,
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

#[test]
fn blocks_are_found() {
    let text = "a\n```sh\nmake run\n#=> One: Two\n```\nb\n```\nsumun run --to x\n```\n";
    let steps = steps(text);
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0].command, "make run");
    assert_eq!(steps[0].printed, ["one: two"]);
}

#[tokio::test]
async fn the_tour_shows_what_it_says() {
    let demo = Demo::services_only(any_ports()).unwrap();
    let gateway = with_policies(Sumun::with(), demo.addresses()).start().await;
    let steps = steps(&std::fs::read_to_string(root().join("README.md")).unwrap());
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
