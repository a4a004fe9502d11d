//! The command line: check, explain, schema, config, and a run without any file.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use sumun_tests::{Sumun, Upstream, binary_path};
use tempfile::TempDir;

use crate::admin::{MISTAKEN_LINES, five_mistakes};
use crate::policies;

/// A folder with this policy file.
fn folder(policy: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("policy.yaml"), policy).expect("written");
    folder
}

/// Runs the binary in `folder` to its end.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(binary_path()).args(arguments).current_dir(folder).output().expect("the binary")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn both(output: &Output) -> String {
    stdout(output) + &String::from_utf8_lossy(&output.stderr)
}

const URL: &str = "http://127.0.0.1:9101";

#[test]
fn check_is_0_where_all_is_fine() {
    let folder = folder(&policies::to(URL));
    let output = run(folder.path(), &["check", "--policies", "."]);
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    let output = run(folder.path(), &["check", "--policies", "policy.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
}

#[test]
fn check_is_1_with_each_problem_its_line_and_a_caret() {
    let folder = folder(&five_mistakes(URL));
    let output = run(folder.path(), &["check", "--policies", "."]);
    assert_eq!(output.status.code(), Some(1), "{}", both(&output));
    let text = both(&output);
    for line in MISTAKEN_LINES {
        assert!(text.contains(&format!("policy.yaml:{line}:")), "line {line}:\n{text}");
    }
    assert!(text.matches('^').count() >= 5, "{text}");
    assert!(text.contains("clas: batch"), "the offending line is shown:\n{text}");
    assert!(text.contains("did you mean `class`"), "{text}");
}

#[test]
fn check_can_answer_in_json() {
    let folder = folder(&five_mistakes(URL));
    let output = run(folder.path(), &["check", "--policies", ".", "--output", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let problems = json.as_array().or_else(|| json["problems"].as_array()).expect("problems");
    let lines: Vec<u64> = problems.iter().filter_map(|problem| problem["line"].as_u64()).collect();
    assert_eq!(lines, MISTAKEN_LINES);
}

#[test]
fn reservations_must_leave_the_unreserved_minimum() {
    let policy = policies::function(URL, "reserved: 950");
    let output = run(folder(&policy).path(), &["check", "--policies", "."]);
    assert_eq!(output.status.code(), Some(1), "{}", both(&output));
}

#[test]
fn thresholds_on_an_interactive_route_are_a_problem() {
    let policy = policies::to_with(URL, "admission: { rps: { limit: 5 } }");
    let output = run(folder(&policy).path(), &["check", "--policies", "."]);
    assert_eq!(output.status.code(), Some(1), "{}", both(&output));
    assert!(both(&output).contains("interactive"), "{}", both(&output));
}

#[test]
fn explain_says_what_would_apply() {
    let route = "class: batch, admission: { rps: { limit: 500 } }, cache: { fresh_for: 30s }";
    let folder = folder(&policies::to_with(URL, route));
    let url = "http://a.test/mail/1";
    let output = run(folder.path(), &["explain", "GET", url, "--policies", "."]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    for part in ["all", "batch", "500", "30s", "up"] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}

#[test]
fn explain_says_where_no_route_matches() {
    let folder = folder(&policies::to(URL).replace("/**", "/known"));
    let arguments = ["explain", "GET", "http://a.test/other", "-H", "x: y", "--policies", "."];
    let output = run(folder.path(), &arguments);
    assert!(both(&output).contains("route"), "{}", both(&output));
    assert!(!stdout(&output).contains("class: "), "{}", both(&output));
}

#[test]
fn schema_is_a_json_schema_that_names_the_keys() {
    let output = run(Path::new("."), &["schema"]);
    assert_eq!(output.status.code(), Some(0));
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(schema["$schema"].is_string(), "{schema}");
    for key in ["pool", "upstreams", "functions", "routes", "version"] {
        assert!(schema["properties"][key].is_object(), "{key}");
    }
}

#[test]
fn config_shows_each_setting_and_where_it_came_from() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("sumun.yaml"), "drain: { announce: 7s }\n").expect("written");
    let output = Command::new(binary_path())
        .args(["config", "--config", "sumun.yaml", "--workers", "3"])
        .env("SUMUN_LISTEN", "127.0.0.1:8181")
        .current_dir(folder.path())
        .output()
        .expect("the binary");
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    // The comment above a setting says where it came from.
    let origin = |setting: &str| {
        let lines: Vec<&str> = text.lines().collect();
        let at = lines.iter().position(|line| line.trim_start().starts_with(setting));
        lines[at.unwrap_or_else(|| panic!("{setting}:\n{text}")) - 1].to_owned()
    };
    assert!(origin("announce: 7s").contains("sumun.yaml"), "{text}");
    assert!(origin("listen: 127.0.0.1:8181").contains("SUMUN_LISTEN"), "{text}");
    assert!(origin("workers: 3").contains("--workers"), "{text}");
    assert!(origin("header_bytes:").contains("default"), "{text}");
}

#[test]
fn unknown_settings_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("sumun.yaml"), "drian: { announce: 7s }\n").expect("written");
    let output = run(folder.path(), &["config", "--config", "sumun.yaml"]);
    assert_ne!(output.status.code(), Some(0), "{}", both(&output));
    assert!(both(&output).contains("drian"), "{}", both(&output));
}

#[test]
fn the_settings_file_that_a_variable_names_says_which_policy_is_checked() {
    let folder = folder(&policies::to(URL));
    fs::create_dir(folder.path().join("own")).expect("a folder");
    fs::rename(folder.path().join("policy.yaml"), folder.path().join("own/policy.yaml"))
        .expect("moved");
    fs::write(folder.path().join("gate.yaml"), "policies: own\n").expect("written");
    let run = |name: &str| {
        let mut command = Command::new(binary_path());
        command.args(["check"]).env("SUMUN_CONFIG", name).current_dir(folder.path());
        command.output().expect("the binary")
    };
    let output = run("gate.yaml");
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    let output = run("");
    assert_eq!(output.status.code(), Some(1), "{}", both(&output));
    assert!(both(&output).contains("there is no such file or folder"), "{}", both(&output));
}

#[tokio::test]
async fn health_asks_the_gateway_that_the_settings_name() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let folder = tempfile::tempdir().expect("a folder");
    let health = |variable: &str, address: &str| {
        let mut command = Command::new(binary_path());
        command.arg("health").env("SUMUN_ADMIN_LISTEN", "").env(variable, address);
        let output = command.current_dir(folder.path()).output().expect("the binary");
        (output.status.code(), both(&output))
    };
    let address = sumun.admin_address().to_string();
    for variable in ["SUMUN_ADMIN", "SUMUN_ADMIN_LISTEN"] {
        assert_eq!(health(variable, &address).0, Some(0), "{variable}");
    }
    drop(sumun);
    let (code, text) = health("SUMUN_ADMIN", &address);
    assert_eq!(code, Some(1));
    assert!(text.contains("not alive"), "{text}");
}

#[tokio::test]
async fn a_start_with_a_broken_policy_ends_with_its_problems() {
    let starting = Sumun::with().policy("policy.yaml", &five_mistakes(URL));
    let (status, text) = starting.start_and_end().await;
    assert!(!status.success());
    assert_eq!(text.matches("policy.yaml:5:").count(), 1, "{text}");
    assert!(text.contains("did you mean `class`?"), "{text}");
    assert!(!text.contains("the running one stays"), "none runs: {text}");
}

#[tokio::test]
async fn a_file_that_a_start_needs_is_named_with_its_setting() {
    let starting = Sumun::with().policy("policy.yaml", &policies::to(URL));
    let (status, text) =
        starting.settings("access_log: { to: /nowhere/access.log }\n").start_and_end().await;
    assert!(!status.success());
    assert!(text.contains("/nowhere/access.log (setting `access_log.to`)"), "{text}");
}

#[tokio::test]
async fn an_admin_listener_for_all_needs_more_than_an_address() {
    let starting = Sumun::with().policy("policy.yaml", &policies::to(URL));
    let (status, text) = starting
        .settings("admin: { listen: \"0.0.0.0:0\" }\n")
        .without_admin_flag()
        .start_and_end()
        .await;
    assert!(!status.success(), "{text}");
}

#[tokio::test]
async fn one_address_is_enough_to_run() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::with().argument("--to").argument(&upstream.url()).start().await;
    let answer = sumun.call("POST", "/any/thing?x=1", &[], b"body").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert_eq!(upstream.only_request().target(), "/any/thing?x=1");
}
