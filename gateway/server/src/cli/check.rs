//! `sumun check`: is this policy fine? And with `--live`: are the signals there that it counts on?

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;
use sumun_policy::{FILES_MAX, Policy, Problem};

use super::{CheckArgs, Output, folder_of_settings, misused, print};
use crate::reload;

mod live;

use live::Live;

/// What `--output json` prints.
#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    files: usize,
    problems: &'a [Problem],
    /// Only with `--live`.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<&'a Live>,
}

/// Checks and prints: 0 fine, 1 problems.
pub fn check(args: &CheckArgs) -> ExitCode {
    let mut paths = args.policies.clone();
    if paths.is_empty() {
        let Some(folder) = folder_of_settings() else { return ExitCode::FAILURE };
        paths.push(folder);
    }
    let read = read(&paths);
    let files = read.as_ref().map_or(0, Vec::len);
    let (policy, problems) = match &read {
        Ok(files) => sumun_policy::check(files),
        Err(problems) => (None, problems.clone()),
    };
    let live = match (args.live, policy, &read) {
        (true, Some(policy), Ok(files)) => match live::look(&policy, files) {
            Ok(live) => Some(live),
            Err(error) => return misused(&format!("{error:#}")),
        },
        _ => None,
    };
    let ok = problems.is_empty() && live.as_ref().is_none_or(Live::is_fine);
    match args.output {
        Output::Text => print(&text(files, &problems, live.as_ref())),
        Output::Json => {
            let report = Report { ok, files, problems: &problems, live: live.as_ref() };
            let json = serde_json::to_string_pretty(&report).unwrap_or_default();
            print(&format!("{json}\n"));
        }
    }
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn text(files: usize, problems: &[Problem], live: Option<&Live>) -> String {
    let mut out = String::new();
    for problem in problems {
        let _ = writeln!(out, "{}\n", problem.render());
    }
    let _ = match problems.len() {
        0 => writeln!(out, "fine: {files} file{} checked", plural(files)),
        n => writeln!(out, "{n} problem{}", plural(n)),
    };
    if let Some(live) = live {
        live.write(&mut out);
    }
    out
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

/// Folders and files, each under the name that an editor can open.
pub(super) fn read(paths: &[PathBuf]) -> Result<reload::Files, Vec<Problem>> {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        let read = if path.is_dir() { folder(path) } else { file(path).map_err(|p| vec![p]) };
        match read {
            Ok(found) => files.extend(found),
            Err(found) => problems.extend(found),
        }
    }
    if files.len() > FILES_MAX {
        let message = format!("{} files are more than {FILES_MAX}", files.len());
        problems.push(Problem::whole_file("--policies", message, "check fewer at once"));
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

fn folder(path: &Path) -> Result<reload::Files, Vec<Problem>> {
    let named = |name: &str| path.join(name).display().to_string();
    let (files, mut problems) = reload::read_folder(path);
    for problem in &mut problems {
        // A problem with the folder as a whole already bears its path.
        if problem.file != path.display().to_string() {
            problem.file = named(&problem.file);
        }
    }
    if problems.is_empty() {
        return Ok(files.into_iter().map(|(name, text)| (named(&name), text)).collect());
    }
    Err(problems)
}

fn file(path: &Path) -> Result<reload::Files, Problem> {
    let name = path.display().to_string();
    let text = reload::read_file(path, &name)?;
    Ok(vec![(name, text)])
}

/// One policy of a folder, or its problems.
pub(super) fn policy(path: &Path) -> Result<Policy, Vec<Problem>> {
    let files = read(&[path.to_owned()])?;
    match sumun_policy::check(&files) {
        (Some(policy), problems) if problems.is_empty() => Ok(policy),
        (_, problems) => Err(problems),
    }
}
