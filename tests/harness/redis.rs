//! Real `redis-server` processes: one server, a cluster, a sentinel.
//!
//! Each begins with its `start`, once it answers, on a free port of the loopback address with a folder
//! of its own and nothing on disk, and is killed when dropped. Needs Debian's package `redis-server`.

use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::eventually::{DEADLINE, eventually};

/// Tries to find a port that is still free when the server takes it.
const PORTS_TRIED: usize = 5;

/// A running server.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    folder: TempDir,
    port: u16,
    arguments: Vec<String>,
    /// What `redis-cli` needs to be let in.
    login: Vec<String>,
}

/// Three masters that share the keys.
#[derive(Debug)]
pub struct RedisCluster {
    /// The nodes.
    pub nodes: Vec<Redis>,
}

// === impl Redis ===

impl Redis {
    /// A server without anything special.
    pub async fn start() -> Self {
        Self::with(&[], &[]).await
    }

    /// A server with these arguments; `login` is what `redis-cli` needs to be let in.
    ///
    /// # Panics
    /// Where it doesn't answer.
    pub async fn with(arguments: &[&str], login: &[&str]) -> Self {
        for _ in 0..PORTS_TRIED {
            let port = free_port();
            let folder =
                tempfile::Builder::new().prefix("redis-test-").tempdir().expect("a folder");
            let owned = |texts: &[&str]| -> Vec<String> {
                texts.iter().map(|text| (*text).to_owned()).collect()
            };
            let (arguments, login) = (owned(arguments), owned(login));
            let child = spawn(&folder, port, &arguments);
            let mut redis = Self { child, folder, port, arguments, login };
            if redis.answers().await {
                return redis;
            }
        }
        panic!("redis-server found no free port");
    }

    /// Its URL, without a login.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// One command, and what it says.
    ///
    /// # Panics
    /// Where it can't be sent, or Redis says an error.
    pub fn ask(&self, command: &[&str]) -> String {
        let output = self.try_ask(command);
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(output.status.success() && !said.starts_with("ERR"), "{command:?}: {output:?}");
        said
    }

    fn try_ask(&self, command: &[&str]) -> Output {
        let port = self.port.to_string();
        Command::new("redis-cli")
            .args(["-h", "127.0.0.1", "-p", &port])
            .args(&self.login)
            .args(command)
            .output()
            .expect("redis-cli runs (Debian package `redis-server`)")
    }

    /// Its keys that begin with this, but for the one of the purges.
    pub fn entries(&self, prefix: &str) -> Vec<String> {
        let keys = self.ask(&["KEYS", &format!("{prefix}*")]);
        let entries = keys.lines().filter(|key| !key.is_empty() && !key.contains("{purges}"));
        entries.map(str::to_owned).collect()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }

    /// Starts it again, empty, on the same port.
    pub async fn restart(&mut self) {
        self.child = spawn(&self.folder, self.port, &self.arguments);
        assert!(self.answers().await, "redis-server did not come back on port {}", self.port);
    }

    /// Stops it as it is: its connections stay open and nothing is answered.
    pub fn freeze(&self) {
        self.signal(libc::SIGSTOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        // SAFETY: our own child, which has not been reaped.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Waits until it answers; false where it has ended.
    async fn answers(&mut self) -> bool {
        eventually("redis-server answers", DEADLINE, async || {
            if self.child.try_wait().expect("a child").is_some() {
                return Ok(false);
            }
            let output = self.try_ask(&["PING"]);
            if output.stdout.starts_with(b"PONG") { Ok(true) } else { Err(output) }
        })
        .await
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

// === impl RedisCluster ===

impl RedisCluster {
    /// Three masters, joined.
    ///
    /// # Panics
    /// Where they don't join.
    pub async fn start() -> Self {
        let cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
        let mut nodes = Vec::new();
        for _ in 0..3 {
            nodes.push(Redis::with(&cluster, &[]).await);
        }
        let addresses: Vec<_> =
            nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        let created = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(&addresses)
            .args(["--cluster-replicas", "0", "--cluster-yes"])
            .output()
            .expect("redis-cli runs");
        assert!(created.status.success(), "{created:?}");
        for node in &nodes {
            eventually("the cluster is whole", DEADLINE, async || {
                let said = node.ask(&["CLUSTER", "INFO"]);
                if said.contains("cluster_state:ok") { Ok(()) } else { Err(said) }
            })
            .await;
        }
        Self { nodes }
    }

    /// Its URL; names two of the three.
    pub fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", self.nodes[0].port, self.nodes[1].port)
    }
}

/// A port for a server that also wants the one 10,000 above it where it is in a cluster.
fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let bus = port.checked_add(10_000).map(|bus| TcpListener::bind(("127.0.0.1", bus)));
        if let Some(Ok(_)) = bus {
            return port;
        }
    }
}

fn spawn(folder: &TempDir, port: u16, arguments: &[String]) -> Child {
    let port = port.to_string();
    let mut command = Command::new("redis-server");
    // A sentinel's first argument is its configuration.
    let (first, rest) =
        arguments.split_at(usize::from(arguments.iter().any(|a| a == "--sentinel")));
    command.args(first);
    if first.is_empty() {
        command.args(["--save", "", "--appendonly", "no"]);
    }
    command
        .args(["--port", &port, "--bind", "127.0.0.1"])
        .args(rest)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server runs (Debian package `redis-server`)")
}
