//! How the gateway's process is started, and what is left when it ends.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::binary;
use crate::eventually::eventually;

/// What a start needs besides its folder.
#[derive(Debug)]
pub struct Launch {
    /// Whether `--admin` is given; else the settings say it.
    pub admin_flag: bool,
    /// Limit of open descriptors; `None`: the test's own.
    pub descriptors_max: Option<u64>,
    /// More arguments of `sumun run`.
    pub arguments: Vec<String>,
    /// More of the environment.
    pub environment: Vec<(String, String)>,
}

// === impl Launch ===

impl Default for Launch {
    fn default() -> Self {
        let (arguments, environment) = (Vec::new(), Vec::new());
        Self { admin_flag: true, descriptors_max: None, arguments, environment }
    }
}

impl Launch {
    /// Starts the binary; its output goes to `stdout` and `stderr` in the folder.
    pub fn spawn(&self, folder: &Path) -> Child {
        let output = |name: &str| {
            let file = fs::OpenOptions::new().create(true).append(true).open(folder.join(name));
            Stdio::from(file.expect("an output file"))
        };
        let mut command = Command::new(binary::path());
        command.arg("run").args(["--listen", "127.0.0.1:0", "--workers", "2"]);
        if self.admin_flag {
            command.args(["--admin", "127.0.0.1:0"]);
        }
        command
            .arg("--policies")
            .arg(folder.join("policies"))
            .arg("--state")
            .arg(folder.join("state"))
            .args(&self.arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output("stdout"))
            .stderr(output("stderr"));
        // What the machine's environment says must not change what a test sees.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("SUMUN_") || name.starts_with("OTEL_") {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(count) = self.descriptors_max {
            limit_descriptors(&mut command, count);
        }
        command.spawn().expect("the gateway's binary starts")
    }
}

fn limit_descriptors(command: &mut Command, count: u64) {
    let limit = libc::rlimit { rlim_cur: count, rlim_max: count };
    let set = move || {
        // SAFETY: `limit` lives through the call.
        let done = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
        if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    // SAFETY: between fork and exec only `setrlimit` is called, which is async-signal-safe.
    unsafe { command.pre_exec(set) };
}

/// Waits for the end of a process.
///
/// # Panics
/// Where it doesn't come within `deadline`.
pub async fn ended(child: &mut Child, deadline: Duration) -> ExitStatus {
    eventually("the gateway has ended", deadline, async || match child.try_wait() {
        Ok(Some(status)) => Ok(status),
        other => Err(other),
    })
    .await
}

/// The ends of both outputs, for a person who reads why a test failed.
pub fn printed(folder: &Path) -> String {
    const LINES_MAX: usize = 60;
    let end = |name: &str| {
        let content = fs::read(folder.join(name)).unwrap_or_default();
        let content = String::from_utf8_lossy(&content).into_owned();
        let lines: Vec<&str> = content.lines().collect();
        let last = &lines[lines.len().saturating_sub(LINES_MAX)..];
        format!("--- {name} of the gateway ---\n{}\n", last.join("\n"))
    };
    end("stdout") + &end("stderr")
}
