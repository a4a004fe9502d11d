//! The real gateway as a child process.
//!
//! It begins with [`Sumun::start`] (or a [`Starting`] with more to say), once its readiness says
//! so, and is killed when dropped. Its policy and state folders are its own. Where the test
//! panics, what it printed is shown.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use tempfile::TempDir;

use crate::client::{Response, call, get};
use crate::eventually::{DEADLINE, eventually};
use crate::launch::{Launch, ended, printed};
use crate::metrics::Metrics;
use crate::procfs;

/// A gateway about to start.
#[derive(Debug)]
pub struct Starting {
    folder: TempDir,
    launch: Launch,
}

/// A running gateway.
#[derive(Debug)]
pub struct Sumun {
    child: Child,
    folder: TempDir,
    launch: Launch,
    listen: SocketAddr,
    admin: SocketAddr,
}

// === impl Starting ===

impl Starting {
    /// Writes a policy file.
    #[must_use]
    pub fn policy(self, file: &str, yaml: &str) -> Self {
        fs::write(self.folder.path().join("policies").join(file), yaml).expect("policy written");
        self
    }

    /// Its policy folder.
    pub fn policies(&self) -> PathBuf {
        self.folder.path().join("policies")
    }

    /// Writes `sumun.yaml` and starts with it.
    #[must_use]
    pub fn settings(mut self, yaml: &str) -> Self {
        let path = self.folder.path().join("sumun.yaml");
        fs::write(&path, yaml).expect("settings written");
        self.launch.arguments.extend(["--config".to_owned(), path.display().to_string()]);
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.launch.arguments.push(argument.to_owned());
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.launch.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets the process open at most this many descriptors (`RLIMIT_NOFILE`).
    #[must_use]
    pub fn descriptors_max(mut self, count: u64) -> Self {
        self.launch.descriptors_max = Some(count);
        self
    }

    /// Leaves the admin address to the settings.
    #[must_use]
    pub fn without_admin_flag(mut self) -> Self {
        self.launch.admin_flag = false;
        self
    }

    /// Starts and waits for readiness.
    ///
    /// # Panics
    /// Where it doesn't become ready, with what it printed.
    pub async fn start(self) -> Sumun {
        let mut sumun = self.spawn();
        sumun.wait_ready().await;
        sumun
    }

    /// Starts and waits for nothing: its addresses are not known before [`Sumun::wait_ready`].
    pub fn spawn(self) -> Sumun {
        let Self { folder, launch } = self;
        let child = launch.spawn(folder.path());
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Sumun { child, folder, launch, listen: nowhere, admin: nowhere }
    }

    /// Starts and waits for its end: for settings that must be refused.
    pub async fn start_and_end(self) -> (ExitStatus, String) {
        let mut child = self.launch.spawn(self.folder.path());
        let status = ended(&mut child, DEADLINE).await;
        (status, printed(self.folder.path()))
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
        Starting { folder, launch: Launch::default() }
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
        self.child = self.launch.spawn(self.folder.path());
        self.wait_ready().await;
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where it doesn't come within `deadline`.
    pub async fn wait_exit(&mut self, deadline: Duration) -> ExitStatus {
        ended(&mut self.child, deadline).await
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Memory that no file is behind, KiB.
    pub fn anonymous_kib(&self) -> u64 {
        procfs::anonymous_kib(self.pid())
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

    /// Waits for readiness.
    ///
    /// # Panics
    /// Where it doesn't become ready, with what it printed.
    pub async fn wait_ready(&mut self) {
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
