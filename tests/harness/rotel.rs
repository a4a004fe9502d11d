//! A real, independent OTLP receiver: the `rotel` agent, which prints every attribute it gets.
//!
//! `tests/prepare` installs it under the target folder. Shared by unit and integration tests through
//! `#[path]`: it speaks of nothing of the gateway's.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Includes the time a busy machine needs to start it.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a lock is held for can't fail.
const LOCKED: &str = "nobody panicked with the lock";

/// It is rare that a port is taken in between; twice in a row something else is wrong.
const STARTS_MAX: usize = 3;

/// A running receiver; ends when dropped.
#[derive(Debug)]
pub struct Rotel {
    child: Child,
    /// Where it takes gRPC, on the loopback address.
    pub grpc_port: u16,
    /// Where it takes HTTP, on the loopback address.
    pub http_port: u16,
    printed: Arc<(Mutex<String>, Condvar)>,
}

impl Rotel {
    /// Chooses other ports where somebody takes one before the receiver does.
    ///
    /// # Panics
    /// Where it doesn't listen in time.
    pub fn start() -> Self {
        let agent = agent();
        let mut starts = (0..STARTS_MAX).filter_map(|_| Self::start_once(&agent));
        starts.next().expect("two ports that stay free")
    }

    /// `None` where it ends instead of listening.
    fn start_once(agent: &Path) -> Option<Self> {
        let (grpc_port, http_port) = free_ports();
        let mut child = Command::new(agent)
            .args(["start", "--exporter", "blackhole", "--debug-log-verbosity", "detailed"])
            .args(["--debug-log", "traces", "--debug-log", "metrics"])
            .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc_port}")])
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{http_port}")])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", agent.display()));
        let printed = Arc::new((Mutex::new(String::new()), Condvar::new()));
        let (out, shared) = (child.stdout.take().expect("a pipe"), Arc::clone(&printed));
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let mut text = shared.0.lock().expect(LOCKED);
                text.push_str(&without_colours(&line));
                text.push('\n');
                shared.1.notify_all();
            }
        });
        let mut rotel = Self { child, grpc_port, http_port, printed };
        for port in [grpc_port, http_port] {
            let until = Instant::now() + PATIENCE;
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
                assert!(Instant::now() < until, "the receiver listens: {}", rotel.text());
                if rotel.has_ended() {
                    return None;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        (!rotel.has_ended()).then_some(rotel)
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// What it printed so far.
    ///
    /// # Panics
    /// Where the thread that reads it has.
    pub fn text(&self) -> String {
        self.printed.0.lock().expect(LOCKED).clone()
    }

    /// Waits until it has printed each of `parts`; gives all that it printed.
    ///
    /// # Panics
    /// Where it doesn't in time, with what it printed.
    pub fn wait_for(&self, parts: &[&str]) -> String {
        let (text, news) = &*self.printed;
        let missing = |text: &mut String| parts.iter().any(|part| !text.contains(part));
        let (text, timeout) =
            news.wait_timeout_while(text.lock().expect(LOCKED), PATIENCE, missing).expect(LOCKED);
        assert!(!timeout.timed_out(), "{parts:?} did not all arrive; printed was\n{text}");
        text.clone()
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two ports that were free a moment ago.
fn free_ports() -> (u16, u16) {
    let listeners = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"));
    let [grpc, http] = listeners.map(|listener| listener.local_addr().expect("it is bound").port());
    (grpc, http)
}

/// The agent's path: where `tests/prepare` puts it.
fn agent() -> PathBuf {
    // target/PROFILE/deps/this-test
    let exe = std::env::current_exe().expect("a path");
    let agent = exe.ancestors().nth(3).expect("tests run in target").join("python/bin/rotel");
    assert!(agent.exists(), "{} is not there: run tests/prepare once", agent.display());
    agent
}

/// Without terminal escapes: ESC, `[`, digits and semicolons, a letter.
fn without_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(part.len(), |at| at + 1);
        text.push_str(&part[end..]);
    }
    text
}
