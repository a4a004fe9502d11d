//! The command line: what it says and the commands that need no gateway.
//!
//! `run` and `demo` belong to `main`; the others are functions here that print and return an exit
//! code: 0 fine, 1 problems found, 2 the command itself is wrong.

mod check;
mod explain;
mod flags;
mod health;
mod password;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use check::check;
pub use explain::explain;
pub use flags::SettingsArgs;
pub use health::{HealthArgs, health};
pub use password::hash_password;

use crate::settings;

/// An admission gateway: lets a call through while the service behind it can take it.
#[derive(Debug, Parser)]
#[command(name = "sumun", version, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway
    Run(SettingsArgs),
    /// Run the gateway in front of bundled demo services under a changing load
    Demo(SettingsArgs),
    /// Run only the demo services, for a gateway in another process
    DemoService,
    /// Ask a running gateway whether it lives: 0 yes, 1 no
    Health(HealthArgs),
    /// Check policy files: 0 fine, 1 problems, each `file:line:col: message`
    Check(CheckArgs),
    /// Say which route a call would take, and what would hold for it
    Explain(ExplainArgs),
    /// Print the JSON Schema of a policy file
    Schema,
    /// Make the hash that `admin.users` takes of a password on standard input
    HashPassword,
    /// Print the effective settings, each with where it came from
    Config(SettingsArgs),
}

/// Arguments of `sumun check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A policy folder, or files that together are one policy [default: as the settings say]
    #[arg(long, value_name = "DIR|FILE", num_args = 1..)]
    pub policies: Vec<PathBuf>,
    /// How to print problems
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// Also read the load signals of each upstream, as the gateway would, and say what is wrong
    #[arg(long)]
    pub live: bool,
}

/// How problems are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people: the line, a caret, a remedy.
    Text,
    /// One JSON object.
    Json,
}

/// Arguments of `sumun explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Method, for example POST
    pub method: String,
    /// URL, or only its path
    pub url: String,
    /// A header of the call, as 'name: value'
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub headers: Vec<String>,
    /// The policy folder [default: as the settings say]
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
}

/// `sumun schema`.
pub fn schema() -> ExitCode {
    print(&format!("{:#}\n", sumun_policy::schema()));
    ExitCode::SUCCESS
}

/// `sumun config`.
pub fn config(args: &SettingsArgs) -> ExitCode {
    match settings::load(&args.written()) {
        Ok(effective) => {
            print(&effective.render());
            ExitCode::SUCCESS
        }
        Err(problems) => {
            complain(&problems);
            ExitCode::FAILURE
        }
    }
}

/// The policy folder that `run` would read; says on standard error why there is none.
fn folder_of_settings() -> Option<PathBuf> {
    let effective = settings::load(&SettingsArgs::default().written());
    effective.map(|effective| effective.settings.policies).inspect_err(|e| complain(e)).ok()
}

/// Settings' problems, for people, on standard error.
pub fn complain(problems: &[settings::SettingsProblem]) {
    let mut out = std::io::stderr().lock();
    for problem in problems {
        let _ = writeln!(out, "{}", problem.render());
    }
}

/// Prints; a reader that has gone away (`| head`) is no error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Exit code of a command that was not understood.
fn misused(message: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "error: {message}");
    ExitCode::from(2)
}

#[cfg(test)]
mod tests;
