//! `sumun check`: is this policy fine? And with `--live`: are the signals there that it counts on?

use std::fmt::Write as _;
use std::io::ErrorKind;
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
    let (texts, unread) = read(&paths);
    let (policy, problems) = sumun_policy::check_beside(&texts, &unread);
    let files = texts.len();
    let live = match (args.live, policy) {
        (true, Some(policy)) => match live::look(&policy, &texts) {
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

/// Folders and files, each under the name that an editor can open, and what could not be read.
pub(super) fn read(paths: &[PathBuf]) -> (reload::Files, Vec<Problem>) {
    let mut files = reload::Files::new();
    let mut problems = Vec::new();
    for path in paths {
        if path.is_dir() {
            let (found, unread) = folder(path);
            files.extend(found);
            problems.extend(unread);
        } else {
            match file(path) {
                Ok(found) => files.push(found),
                Err(problem) => problems.push(problem),
            }
        }
    }
    if files.len() > FILES_MAX {
        let message = format!("{} files are more than {FILES_MAX}", files.len());
        problems.push(Problem::whole_file("--policies", message, "check fewer at once"));
        files.clear();
    }
    (files, problems)
}

fn folder(path: &Path) -> (reload::Files, Vec<Problem>) {
    let named = |name: &str| path.join(name).display().to_string();
    let (files, mut problems) = reload::read_folder(path);
    for problem in &mut problems {
        // A problem with the folder as a whole already bears its path.
        if problem.file != path.display().to_string() {
            problem.file = named(&problem.file);
        }
    }
    (files.into_iter().map(|(name, text)| (named(&name), text)).collect(), problems)
}

fn file(path: &Path) -> Result<(String, String), Problem> {
    let name = path.display().to_string();
    if path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        let help = "name a policy folder, or its files, with --policies";
        return Err(Problem::whole_file(&name, "there is no such file or folder", help));
    }
    let text = reload::read_file(path, &name)?;
    Ok((name, text))
}

/// One policy of a folder, or its problems.
pub(super) fn policy(path: &Path) -> Result<Policy, Vec<Problem>> {
    let (files, unread) = read(&[path.to_owned()]);
    match sumun_policy::check_beside(&files, &unread) {
        (Some(policy), problems) if problems.is_empty() => Ok(policy),
        (_, problems) => Err(problems),
    }
}
