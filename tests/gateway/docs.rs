//! What the documents say of the code is so: what they name exists, and the map shows every room.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use sumun_tests::binary_path;

use crate::tidy::{File, STAGES, files, root};

/// The documents of the repository.
fn documents() -> Vec<File> {
    let documents: Vec<_> = files().into_iter().filter(|file| file.path.ends_with(".md")).collect();
    assert!(documents.len() >= 6, "the documents are gone");
    documents
}

fn document(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// What stands between single backticks, outside blocks.
fn spans(markdown: &str) -> Vec<&str> {
    let outside = markdown.split("\n```").step_by(2);
    outside.flat_map(|text| text.split('`').skip(1).step_by(2)).collect()
}

/// What the commands of a document are called with: spans of ours, and lines of blocks.
fn commands(markdown: &str) -> Vec<&str> {
    let blocks = markdown.split("\n```").skip(1).step_by(2).flat_map(str::lines);
    let all = spans(markdown).into_iter().chain(blocks);
    all.filter(|text| text.starts_with("sumun ") || text.starts_with("--")).collect()
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

fn help(subcommand: &[&str]) -> String {
    let output = Command::new(binary_path()).args(subcommand).arg("--help").output().unwrap();
    assert!(output.status.success(), "no `sumun {subcommand:?}`");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn spans_and_words_are_found() {
    let text = "a `b c`\n```\nsumun run --to x\n```\n`make test`, `make run`\n";
    assert_eq!(spans(text), ["b c", "make test", "make run"]);
    assert_eq!(commands(text), ["sumun run --to x"]);
    assert_eq!(after(text, "make "), ["run", "test"].into());
    assert_eq!(after(text, "sumun "), ["run"].into());
}

#[test]
fn every_command_that_is_named_exists() {
    let makefile = document("Makefile");
    let all = help(&[]);
    let listed = all.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let listed: BTreeSet<_> = listed.filter(|word| !word.is_empty()).collect();
    for File { path, text } in documents() {
        for target in after(&text, "`make ") {
            let rule = makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
            assert!(rule, "{path}: no `make {target}`");
        }
        for subcommand in after(&text, "`sumun ") {
            assert!(listed.contains(subcommand), "{path}: no `sumun {subcommand}`");
        }
    }
    let readme = document("README.md");
    let named: Vec<_> = after(&readme, "`make ").into_iter().collect();
    assert_eq!(named, ["bench", "bench-overload", "check", "run", "test"]);
}

#[test]
fn every_flag_that_is_named_exists() {
    let known = ["run", "check", "explain"].map(|subcommand| help(&[subcommand])).concat();
    let readme = document("README.md");
    let commands = commands(&readme);
    let flags: BTreeSet<_> = commands
        .iter()
        .flat_map(|command| command.split(' ').filter(|word| word.starts_with("--")))
        .collect();
    assert!(flags.len() >= 5, "the flags are not read: {flags:?}");
    for flag in flags {
        assert!(
            known.contains(&format!("{flag} ")) || known.contains(&format!("{flag}\n")),
            "{flag}"
        );
    }
}

#[test]
fn every_link_leads_somewhere() {
    for File { path, text } in documents() {
        let folder = Path::new(&path).parent().unwrap();
        for link in text.split("](").skip(1) {
            let (link, _) = link.split_once(')').unwrap();
            let here = link.starts_with("https://") || root().join(folder).join(link).exists();
            assert!(here, "{path}: {link} is not there");
        }
    }
}

/// Whether a span reads as a path within the repository.
fn is_path(span: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    let within = |span: &str| span.contains('/') && !span.starts_with('/');
    span.chars().all(plain) && within(span.trim_end_matches('/')) && !span.starts_with("target/")
}

/// Whether files lie there, or one, with or without its extension; `named` may leave out the folders
/// above, as one does who speaks of one crate.
fn leads_somewhere(named: &str, files: &[File]) -> bool {
    let named = format!("/{}", named.trim_end_matches('/'));
    files.iter().any(|file| {
        let path = format!("/{}", file.path);
        let stem = path.rsplit_once('.').map_or(path.as_str(), |(stem, _)| stem);
        path.contains(&format!("{named}/")) || path.ends_with(&named) || stem.ends_with(&named)
    })
}

#[test]
fn every_path_that_is_named_exists() {
    let files = files();
    let mut count = 0;
    for File { path, text } in documents() {
        for named in spans(&text).into_iter().filter(|span| is_path(span)) {
            assert!(leads_somewhere(named, &files), "{path}: {named} is not there");
            count += 1;
        }
    }
    assert!(count >= 20, "the paths are not read: {count}");
    assert!(!leads_somewhere("gateway/elsewhere", &files));
}

/// The modules of a crate that are no tests.
fn rooms(krate: &str) -> Vec<String> {
    let text = document(&format!("gateway/{krate}/src/lib.rs"));
    let mut before = "";
    let mut rooms = Vec::new();
    for line in text.lines() {
        let module = line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ");
        if let Some(name) = module.and_then(|rest| rest.strip_suffix(';'))
            && !before.starts_with("#[cfg(")
        {
            rooms.push(name.to_owned());
        }
        before = line;
    }
    rooms
}

/// The rows of the code map that speak of a place: the one that names it, and those below without a
/// name.
fn on_the_map<'a>(map: &'a str, place: &str) -> Vec<&'a str> {
    let from = map.lines().skip_while(|line| !line.starts_with(&format!("| `{place}` |")));
    let (first, rest) = (from.clone().take(1), from.skip(1));
    first.chain(rest.take_while(|line| line.starts_with("| |"))).collect()
}

#[test]
fn the_code_map_shows_every_room_and_none_that_is_not_there() {
    let (files, map) = (files(), document("ARCHITECTURE.md"));
    for krate in ["policy", "engine", "server"] {
        let place = format!("gateway/{krate}");
        let rows = on_the_map(&map, &place).join("\n");
        let shown: BTreeSet<_> = spans(&rows).into_iter().collect();
        let rooms = rooms(krate);
        assert!(rooms.len() >= 5, "{place}: {rooms:?}");
        for room in rooms {
            assert!(shown.contains(room.as_str()), "{place}: `{room}` is not on the map");
        }
        let inside: Vec<_> =
            files.iter().filter(|file| file.path.starts_with(&place)).cloned().collect();
        let is_room = |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        for word in shown.iter().filter(is_room) {
            assert!(leads_somewhere(word, &inside), "{place}: `{word}` is not there");
        }
    }
}

/// The stages as a document draws them, one after the other in a line.
fn drawn(markdown: &str) -> Vec<&str> {
    let is_path = |line: &&str| ["listen", "▶", "settle"].iter().all(|word| line.contains(word));
    let line = markdown.lines().find(is_path).unwrap();
    let stages = line.split('▶').map(|stage| stage.trim_matches([' ', '─']));
    // Callers stand before the first, services behind the last.
    stages.filter(|name| !["callers", "services"].contains(name)).collect()
}

#[test]
fn the_path_is_drawn_as_it_is() {
    let stages = ["listen"].into_iter().chain(STAGES).collect::<Vec<_>>();
    assert_eq!(drawn(&document("ARCHITECTURE.md")), stages);
    assert_eq!(drawn(&document("README.md")), stages);
    let path = root().join("gateway/server/src/path");
    for stage in STAGES {
        assert!(path.join(format!("{stage}.rs")).exists(), "{stage} has no file");
    }
}
