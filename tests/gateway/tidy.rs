//! Style as tests: what the architecture forbids is looked for in the files themselves.
//!
//! Each rule is a function from one file to its offences, and is shown here to find one.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Folders that are made, not written.
const MADE: [&str; 6] = [".git", ".sumun", "dist", "node_modules", "target", "__pycache__"];

/// Lines of one source file at most.
const LINES_MAX: usize = 500;

/// Stages of the request path, in their order.
pub(crate) const STAGES: [&str; 8] =
    ["open", "route", "recall", "admit", "reserve", "forward", "remember", "settle"];

/// Trees that policy and engine must not have: they wait, do IO, or observe.
const EFFECTS: [&str; 5] = ["tokio", "hyper", "redis", "tracing", "opentelemetry"];

/// One file of the repository.
#[derive(Clone)]
pub(crate) struct File {
    /// From the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Everything that is written, not made.
pub(crate) fn files() -> Vec<File> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_symlink() || MADE.contains(&name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push(File { path, text });
            }
        }
    }
    assert!(found.len() > 50, "this is not the repository: {} files", found.len());
    found
}

fn check(rule: impl Fn(&File) -> Vec<String>) {
    let offences: Vec<String> = files().iter().flat_map(rule).collect();
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

/// Offences of a text at a path, for showing that a rule finds them.
fn found(rule: impl Fn(&File) -> Vec<String>, path: &str, text: &str) -> usize {
    rule(&File { path: path.into(), text: text.into() }).len()
}

/// `path:line: message` for each line that is an offence.
fn each_line(file: &File, message: &str, offends: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = file.text.lines().enumerate().filter(|(_, line)| offends(line));
    lines
        .map(|(at, line)| format!("{}:{}: {message}: {}", file.path, at + 1, line.trim()))
        .collect()
}

impl File {
    fn has_extension(&self, extensions: &[&str]) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
    }

    /// Rust that is built into the product: no tests.
    fn is_product_rust(&self) -> bool {
        self.has_extension(&["rs"])
            && self.path.starts_with("gateway/")
            && !self.path.ends_with("/tests.rs")
            && !self.path.contains("/tests/")
            && !self.path.contains("/benches/")
    }

    /// The room of the server that the file stands in: `src/path/open.rs` and `src/path.rs` are
    /// both `path`.
    fn server_room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("gateway/server/src/")?;
        Some(
            inside.split_once('/').map_or_else(|| inside.trim_end_matches(".rs"), |(room, _)| room),
        )
    }
}

// === what a file may say ===

fn too_long(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    let long = file.has_extension(&["rs", "ts", "svelte", "css", "py"]) && lines > LINES_MAX;
    if long { vec![format!("{}: {lines} lines, at most {LINES_MAX}", file.path)] } else { vec![] }
}

#[test]
fn files_are_short() {
    assert_eq!(found(too_long, "a.rs", &"\n".repeat(501)), 1);
    assert_eq!(found(too_long, "a.rs", &"\n".repeat(500)), 0);
    check(too_long);
}

/// Unit tests stand in a sibling file: whoever reads what a file does need not scroll past them.
fn tests_inside(file: &File) -> Vec<String> {
    if !file.is_product_rust() {
        return vec![];
    }
    each_line(file, "unit tests within a file", |line| line == concat!("mod tes", "ts {"))
}

#[test]
fn unit_tests_have_a_file_of_their_own() {
    let text = concat!("#[cfg(test)]\nmod tes", "ts {\n}\n");
    assert_eq!(found(tests_inside, "gateway/engine/src/quota.rs", text), 1);
    assert_eq!(found(tests_inside, "gateway/engine/src/quota.rs", "mod tests;"), 0);
    check(tests_inside);
}

/// Absolute paths that exist on somebody's machine only.
fn machine_path(file: &File) -> Vec<String> {
    // Put together here, so that this file does not hold what it looks for.
    let folders = ["work", "tmp", "home", "root", "Users"].map(|folder| format!("/{folder}"));
    each_line(file, "path of a machine", |line| {
        folders.iter().any(|folder| {
            line.match_indices(folder.as_str()).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = line[at + folder.len()..].chars().next();
                let begins = !before.is_some_and(|c| c.is_alphanumeric() || "._-*$}{)".contains(c));
                begins && after == Some('/')
            })
        })
    })
}

#[test]
fn no_path_of_a_machine() {
    for folder in ["work", "tmp", "home"] {
        assert_eq!(found(machine_path, "a.md", &format!("see /{folder}/x")), 1);
        assert_eq!(found(machine_path, "a.md", &format!("file:///{folder}/x")), 1);
    }
    assert_eq!(found(machine_path, "a.md", "/workers/x target/tmp/x /homes"), 0);
    // The lock of npm is written by npm.
    check(
        |file| if file.path.ends_with("package-lock.json") { vec![] } else { machine_path(file) },
    );
}

/// Work that was left, tests that do not run, queues without a bound.
fn left_undone(file: &File) -> Vec<String> {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("#[ig", "nore"),
        concat!("unbounded", "_channel("),
        concat!(".sk", "ip("),
        concat!(".on", "ly("),
    ];
    if !file.has_extension(&["rs", "ts", "svelte", "py", "sh", "md", "yaml", "yml", "toml"]) {
        return vec![];
    }
    // `.skip(` and `.only(` are iterators in Rust; in a UI test they leave tests out.
    let marks = if file.has_extension(&["ts"]) { &marks[..] } else { &marks[..7] };
    each_line(file, "left undone", |line| marks.iter().any(|mark| line.contains(mark)))
}

#[test]
fn nothing_is_left_undone() {
    for text in [concat!("// TO", "DO: x"), concat!("#[ig", "nore]"), concat!("to", "do!()")] {
        assert_eq!(found(left_undone, "a.rs", text), 1, "{text}");
    }
    assert_eq!(found(left_undone, "a.ts", concat!("it.on", "ly('x')")), 1);
    assert_eq!(found(left_undone, "a.rs", "values.iter().skip(1)"), 0);
    check(left_undone);
}

// === who may say it ===

/// A stage that names another stage.
fn stage_import(file: &File) -> Vec<String> {
    let Some(stage) = file.path.strip_prefix("gateway/server/src/path/") else { return vec![] };
    let stage = stage.split(['/', '.']).next().unwrap_or_default();
    if !STAGES.contains(&stage) || !file.is_product_rust() {
        return vec![];
    }
    each_line(file, "a stage names another", |line| {
        !line.trim_start().starts_with("//")
            && STAGES.iter().filter(|other| **other != stage).any(|other| {
                ["super::", "path::"].iter().any(|from| {
                    line.match_indices(&format!("{from}{other}")).any(|(at, whole)| {
                        let after = line[at + whole.len()..].chars().next();
                        !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
                    })
                })
            })
    })
}

#[test]
fn stages_do_not_import_one_another() {
    let admit = "gateway/server/src/path/admit.rs";
    assert_eq!(found(stage_import, admit, "use super::recall::Found;"), 1);
    assert_eq!(found(stage_import, admit, "crate::path::forward::forward(call)"), 1);
    assert_eq!(found(stage_import, admit, "use super::routes; // super::admit::x"), 0);
    assert_eq!(found(stage_import, "gateway/server/src/path.rs", "self::recall::x"), 0);
    check(stage_import);
}

/// An error response that is made on the data path but not by `refusal`.
fn error_response(file: &File) -> Vec<String> {
    let on_path = file
        .server_room()
        .is_some_and(|room| ["path", "listen", "upstream", "store"].contains(&room));
    if !on_path || !file.is_product_rust() {
        return vec![];
    }
    let errors = [
        "BAD_REQUEST",
        "NOT_FOUND",
        "METHOD_NOT_ALLOWED",
        "REQUEST_TIMEOUT",
        "PAYLOAD_TOO_LARGE",
        "URI_TOO_LONG",
        "TOO_MANY_REQUESTS",
        "REQUEST_HEADER_FIELDS_TOO_LARGE",
        "INTERNAL_SERVER_ERROR",
        "BAD_GATEWAY",
        "SERVICE_UNAVAILABLE",
        "GATEWAY_TIMEOUT",
        "HTTP_VERSION_NOT_SUPPORTED",
        "LOOP_DETECTED",
    ];
    each_line(file, "an error response outside `refusal`", |line| {
        let makes = ["status(", "status_mut()", "from_u16(", "status:"];
        !line.trim_start().starts_with("//")
            && errors.iter().any(|error| line.contains(&format!("StatusCode::{error}")))
            && makes.iter().any(|makes| line.contains(makes))
    })
}

#[test]
fn only_refusal_builds_error_responses() {
    let forward = "gateway/server/src/path/forward.rs";
    let text = "Response::builder().status(StatusCode::BAD_GATEWAY)";
    assert_eq!(found(error_response, forward, text), 1);
    assert_eq!(found(error_response, "gateway/server/src/refusal.rs", text), 0);
    assert_eq!(found(error_response, "gateway/server/src/admin/api.rs", text), 0);
    check(error_response);
}

/// `opentelemetry` or `redis` named outside the room that is for it.
fn foreign_library(file: &File) -> Vec<String> {
    if !file.is_product_rust() {
        return vec![];
    }
    let rooms = [("opentelemetry", "telemetry"), ("redis", "store")];
    let room = file.server_room().unwrap_or_default();
    let closed = rooms.iter().filter(|(_, open)| *open != room);
    closed
        .flat_map(|(library, _)| {
            each_line(file, "a library outside its room", |line| {
                !line.trim_start().starts_with("//")
                    && (line.contains(&format!("{library}::"))
                        || line.contains(&format!("{library}_"))
                            && line.contains("use ")
                            && line.contains("::"))
            })
        })
        .collect()
}

#[test]
fn libraries_stay_in_their_rooms() {
    let text = "use opentelemetry::trace::Span;";
    assert_eq!(found(foreign_library, "gateway/server/src/path/open.rs", text), 1);
    assert_eq!(found(foreign_library, "gateway/server/src/telemetry/span.rs", text), 0);
    let text = "use opentelemetry_sdk::Resource;";
    assert_eq!(found(foreign_library, "gateway/server/src/gateway.rs", text), 1);
    check(foreign_library);
}

// === who depends on whom ===

/// The packages of `cargo metadata`: names by id, and by id what each is built with (no
/// dev-dependencies), on this machine's platform.
struct Graph {
    names: BTreeMap<String, String>,
    built_with: BTreeMap<String, Vec<String>>,
    ours: BTreeSet<String>,
}

impl Graph {
    fn load() -> Self {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let version = Command::new("rustc").arg("-vV").output().unwrap();
        let version = String::from_utf8(version.stdout).unwrap();
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let output = Command::new(cargo)
            .args(["metadata", "--format-version=1", "--locked"])
            .arg(format!("--filter-platform={host}"))
            .current_dir(root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let names = metadata["packages"].as_array().unwrap().iter();
        let names = names.map(|package| (text(&package["id"]), text(&package["name"]))).collect();
        let nodes = metadata["resolve"]["nodes"].as_array().unwrap().iter();
        let built_with = nodes.map(|node| {
            let uses = node["deps"].as_array().unwrap().iter().filter(|dependency| {
                let kinds = dependency["dep_kinds"].as_array().unwrap();
                kinds.iter().any(|kind| kind["kind"] != "dev")
            });
            (text(&node["id"]), uses.map(|dependency| text(&dependency["pkg"])).collect())
        });
        let ours = metadata["workspace_members"].as_array().unwrap().iter().map(text).collect();
        Self { names, built_with: built_with.collect(), ours }
    }

    fn id(&self, name: &str) -> &str {
        self.ours.iter().find(|id| self.names[*id] == name).unwrap()
    }

    /// Which of our own crates this one names.
    fn ours_of(&self, name: &str) -> BTreeSet<&str> {
        let uses = self.built_with[self.id(name)].iter();
        uses.filter(|id| self.ours.contains(*id)).map(|id| self.names[id].as_str()).collect()
    }

    /// Names of everything that this crate is built with, however deep.
    fn tree_of(&self, name: &str) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut open = vec![self.id(name)];
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(self.built_with[id].iter().map(String::as_str));
            }
        }
        seen.into_iter().map(|id| self.names[id].as_str()).collect()
    }
}

#[test]
fn arrows_go_only_to_the_left() {
    let graph = Graph::load();
    assert_eq!(graph.ours_of("sumun-policy"), BTreeSet::new());
    assert_eq!(graph.ours_of("sumun-engine"), ["sumun-policy"].into());
    assert_eq!(graph.ours_of("sumun-server"), ["sumun-engine", "sumun-policy"].into());
    for id in &graph.ours {
        let name = &graph.names[id];
        let others = graph.ours_of(name);
        assert!(!others.contains("sumun-tests"), "{name} is built with the tests");
    }
}

#[test]
fn policy_and_engine_neither_wait_nor_observe() {
    let graph = Graph::load();
    let effects = |name: &str| -> Vec<String> {
        let tree = graph.tree_of(name);
        let named = |library: &str| {
            EFFECTS.iter().any(|effect| {
                library == *effect
                    || library.starts_with(&format!("{effect}-"))
                    || library.starts_with(&format!("{effect}_"))
            })
        };
        tree.into_iter().filter(|library| named(library)).map(str::to_owned).collect()
    };
    assert!(!effects("sumun-server").is_empty(), "the rule finds nothing where it must");
    assert_eq!(effects("sumun-policy"), Vec::<String>::new());
    assert_eq!(effects("sumun-engine"), Vec::<String>::new());
}
