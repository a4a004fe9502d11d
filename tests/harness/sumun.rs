//! The real gateway as a child process.
//!
//! It begins with [`Sumun::start`] (or a [`Starting`] with more to say), once its readiness says
//! so, and is killed when dropped. Its policy and state folders are its own. Where the test
//! panics, what it printed is shown.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::client::{Response, call, get};
use crate::eventually::{DEADLINE, eventually};
use crate::metrics::Metrics;
use crate::{binary, procfs};

/// A gateway about to start.
#[derive(Debug)]
pub struct Starting {
    folder: TempDir,
    admin_flag: bool,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// A running gateway.
#[derive(Debug)]
pub struct Sumun {
    child: Child,
    folder: TempDir,
    listen: SocketAddr,
    admin: SocketAddr,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

// === impl Starting ===

impl Starting {
    /// Writes a policy file.
    #[must_use]
    pub fn policy(self, file: &str, yaml: &str) -> Self {
        fs::write(self.folder.path().join("policies").join(file), yaml).expect("policy written");
        self
    }

    /// Writes `sumun.yaml` and starts with it.
    #[must_use]
    pub fn settings(mut self, yaml: &str) -> Self {
        let path = self.folder.path().join("sumun.yaml");
        fs::write(&path, yaml).expect("settings written");
        self.arguments.extend(["--config".to_owned(), path.display().to_string()]);
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves the admin address to the settings.
    #[must_use]
    pub fn without_admin_flag(mut self) -> Self {
        self.admin_flag = false;
        self
    }

    /// Starts and waits for readiness.
    ///
    /// # Panics
    /// Where it doesn't become ready, with what it printed.
    pub async fn start(mut self) -> Sumun {
        self.complete();
        let child = spawn(self.folder.path(), &self.arguments, &self.environment);
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let Self { folder, arguments, environment, .. } = self;
        let mut sumun =
            Sumun { child, folder, listen: nowhere, admin: nowhere, arguments, environment };
        sumun.wait_ready().await;
        sumun
    }

    /// Starts and waits for its end: for settings that must be refused.
    pub async fn start_and_end(mut self) -> (ExitStatus, String) {
        self.complete();
        let mut child = spawn(self.folder.path(), &self.arguments, &self.environment);
        let status = wait(&mut child, DEADLINE).await;
        (status, printed(self.folder.path()))
    }
}

impl Starting {
    fn complete(&mut self) {
        if self.admin_flag {
            self.arguments.extend(["--admin", "127.0.0.1:0"].map(str::to_owned));
        }
    }
}

// === impl Sumun ===

impl Sumun {
    /// A gateway with one policy file, `policy.yaml`.
    pub async fn start(policy: &str) -> Self {
        Self::with().policy("policy.yaml", policy).start().await
    }

    /// A gateway with more to say before it starts.
    pub fn with() -> Starting {
        let folder = tempfile::Builder::new().prefix("sumun-test-").tempdir().expect("a folder");
        fs::create_dir(folder.path().join("policies")).expect("a policy folder");
        Starting { folder, admin_flag: true, arguments: Vec::new(), environment: Vec::new() }
    }

    /// The data listener.
    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    /// The admin listener.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its state folder.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Its policy folder.
    pub fn policies(&self) -> PathBuf {
        self.folder.path().join("policies")
    }

    /// The admin token, from its file.
    pub fn token(&self) -> String {
        let path = self.state().join("admin.token");
        fs::read_to_string(path).expect("an admin token").trim().to_owned()
    }

    /// GET on the data listener, on a connection of its own.
    pub async fn get(&self, path: &str) -> Response {
        get(self.listen, path).await
    }

    /// A call on the data listener, on a connection of its own.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        call(self.listen, method, path, headers, body).await
    }

    /// A call on the admin listener with the token.
    pub async fn admin(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let bearer = format!("Bearer {}", self.token());
        let mut with_token = headers.to_vec();
        with_token.push(("authorization", &bearer));
        self.admin_anonymous(method, path, &with_token, body).await
    }

    /// A call on the admin listener without the token.
    pub async fn admin_anonymous(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let host = self.admin.to_string();
        let mut lines = vec![("host", host.as_str())];
        lines.extend_from_slice(headers);
        call(self.admin, method, path, &lines, body).await
    }

    /// GET on the admin listener with the token, as JSON.
    ///
    /// # Panics
    /// Where the answer is not 200.
    pub async fn admin_get(&self, path: &str) -> serde_json::Value {
        let answer = self.admin("GET", path, &[], b"").await;
        assert_eq!(answer.status, 200, "GET {path}: {answer}");
        answer.json()
    }

    /// The current metrics.
    pub async fn metrics(&self) -> Metrics {
        let answer = self.admin_anonymous("GET", "/metrics", &[], b"").await;
        assert_eq!(answer.status, 200, "{answer}");
        Metrics::parse(&answer.text())
    }

    /// One metric: see [`Metrics::sum`].
    pub async fn metric(&self, selector: &str) -> f64 {
        self.metrics().await.sum(selector)
    }

    /// Waits until nothing is in flight on any route and no function slot is in use.
    pub async fn idle(&self, deadline: Duration) {
        eventually("nothing in flight, no slot in use", deadline, async || {
            let metrics = self.metrics().await;
            let selectors = ["sumun_inflight", "sumun_function_concurrency{kind=\"in_use\"}"];
            let busy: Vec<_> = selectors
                .into_iter()
                .flat_map(|selector| metrics.series(selector))
                .filter(|(_, value)| *value != 0.0)
                .collect();
            assert!(metrics.has("sumun_inflight"), "sumun_inflight is exported");
            if busy.is_empty() { Ok(()) } else { Err(busy) }
        })
        .await;
    }

    /// Replaces a policy file the way an editor does: written beside, then renamed.
    pub fn write_policy(&self, file: &str, yaml: impl AsRef<[u8]>) {
        let beside = self.folder.path().join("next-policy");
        fs::write(&beside, yaml).expect("policy written");
        fs::rename(&beside, self.policies().join(file)).expect("policy renamed");
    }

    /// Sends SIGHUP.
    pub fn sighup(&self) {
        self.signal(libc::SIGHUP);
    }

    /// Sends SIGTERM.
    pub fn sigterm(&self) {
        self.signal(libc::SIGTERM);
    }

    /// Ends it at once (SIGKILL) and starts it again on the same folders; ports are new.
    pub async fn kill_and_restart(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
        fs::remove_file(self.state().join("addresses.json")).ok();
        self.child = spawn(self.folder.path(), &self.arguments, &self.environment);
        self.wait_ready().await;
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where it doesn't come within `deadline`.
    pub async fn wait_exit(&mut self, deadline: Duration) -> ExitStatus {
        wait(&mut self.child, deadline).await
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Proportional set size, KiB.
    pub fn pss_kib(&self) -> u64 {
        procfs::pss_kib(self.pid())
    }

    /// Open descriptors.
    pub fn fd_count(&self) -> usize {
        procfs::fd_count(self.pid())
    }

    /// User and system time so far, in ticks of 10 ms.
    pub fn cpu_ticks(&self) -> u64 {
        procfs::cpu_ticks(self.pid())
    }

    /// What it wrote to standard output.
    pub fn stdout(&self) -> String {
        fs::read_to_string(self.folder.path().join("stdout")).unwrap_or_default()
    }

    /// What it wrote to standard error.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    fn signal(&self, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(self.pid()).expect("a pid fits");
        // SAFETY: no memory is involved; the child is ours and not yet reaped.
        let sent = unsafe { libc::kill(pid, signal) };
        assert_eq!(sent, 0, "signal {signal} to {pid}");
    }

    async fn wait_ready(&mut self) {
        let path = self.state().join("addresses.json");
        let (listen, admin) = eventually("addresses.json", DEADLINE, async || {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("ended with {status} before it was ready");
            }
            let text = fs::read_to_string(&path).map_err(|why| why.to_string())?;
            addresses(&text).ok_or(text)
        })
        .await;
        (self.listen, self.admin) = (listen, admin);
        eventually("ready", DEADLINE, async || {
            let answer = self.admin_anonymous("GET", "/readyz", &[], b"").await;
            if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
        })
        .await;
    }
}

impl Drop for Sumun {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("{}", printed(self.folder.path()));
        }
    }
}

fn addresses(text: &str) -> Option<(SocketAddr, SocketAddr)> {
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    let address = |name: &str| json[name].as_str()?.parse().ok();
    Some((address("listen")?, address("admin")?))
}

fn spawn(folder: &Path, arguments: &[String], environment: &[(String, String)]) -> Child {
    let output = |name: &str| {
        let file = fs::OpenOptions::new().create(true).append(true).open(folder.join(name));
        Stdio::from(file.expect("an output file"))
    };
    let mut command = Command::new(binary::path());
    command
        .arg("run")
        .args(["--listen", "127.0.0.1:0", "--workers", "2"])
        .arg("--policies")
        .arg(folder.join("policies"))
        .arg("--state")
        .arg(folder.join("state"))
        .args(arguments)
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
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.spawn().expect("the gateway's binary starts")
}

async fn wait(child: &mut Child, deadline: Duration) -> ExitStatus {
    eventually("the gateway has ended", deadline, async || match child.try_wait() {
        Ok(Some(status)) => Ok(status),
        other => Err(other),
    })
    .await
}

/// The ends of both outputs, for a person who reads why a test failed.
fn printed(folder: &Path) -> String {
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
