//! The policy folder → the running policy, all or nothing.
//!
//! A [`Reload`] begins with the process and ends when it is dropped with all its clones. It reads
//! the folder when its watch, its two-second poll, SIGHUP or the admin API says so, checks it whole,
//! and hands a policy without problems to `apply`; with problems the running policy stays and
//! [`PolicyStatus`] says why. Loads and writes are serialised: nobody sees half a change.
//!
//! Bounds: files and bytes as in [`folder`]; one pending notification; one load at a time.

mod change;
mod folder;
pub mod history;
mod restore;
pub mod revert;
mod watch;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::RwLock;
use sumun_policy::{Policy, Problem};
use tokio::sync::{Mutex, mpsc};

use self::history::{Author, History, Origin};
use self::revert::Reverts;
use crate::files;
pub use change::{Change, Expected, Refused, Written};
pub use folder::{Files, file_name_allowed, tag};
pub(crate) use folder::{read as read_folder, read_file};

/// A policy that was read and has no problems.
#[derive(Clone, Debug)]
pub struct LoadedPolicy {
    /// The policy.
    pub policy: Policy,
    /// The texts it was read from, by file name.
    pub files: Files,
    /// Its number in the history; `None`: there is none, or it can't be written.
    pub revision: Option<u64>,
}

/// Makes a policy the running one and returns its revision.
pub type Apply = Arc<dyn Fn(LoadedPolicy) -> u64 + Send + Sync>;

/// How the last load went.
#[derive(Clone, Debug, Default)]
pub struct PolicyStatus {
    /// Whether what the folder says is what runs.
    pub ok: bool,
    /// Revision that runs; 0 before the first.
    pub revision: u64,
    /// What is wrong with the folder; empty where `ok`.
    pub problems: Vec<Problem>,
    /// When the running policy was applied; `None` before the first.
    pub loaded_at: Option<SystemTime>,
}

/// Where the policy comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A folder of files.
    Folder(PathBuf),
    /// One catch-all route to this URL (`--to`).
    To(String),
}

/// Watches, checks and applies policies. Clones share everything.
#[derive(Clone)]
pub struct Reload {
    shared: Arc<Shared>,
    _watch: Arc<watch::Watch>,
}

struct Shared {
    source: Source,
    apply: Apply,
    past: Option<Arc<Past>>,
    /// Held over a whole load or change.
    gate: Mutex<Gate>,
    status: RwLock<Arc<PolicyStatus>>,
}

/// What is kept of earlier policies, in the state folder.
#[derive(Debug)]
pub struct Past {
    /// What ran.
    pub history: History,
    /// What becomes again what it was.
    pub reverts: Reverts,
    state: PathBuf,
}

/// What the last load saw.
#[derive(Default)]
struct Gate {
    /// Hash of the folder; `None`: never read.
    seen: Option<u128>,
}

/// Most problems that one load logs; the status keeps all.
const PROBLEMS_LOGGED_MAX: usize = 20;

// === impl Reload ===

impl Reload {
    /// Removes what a crash left of files that were being replaced, and starts watching. Nothing is
    /// applied before the first [`Self::now`] or change of the folder that follows it. What runs is
    /// remembered in the folder `state`, but for a built-in policy. `hangups` asks for a load
    /// (SIGHUP). Call it on the runtime that shall carry the watch.
    pub fn start(source: Source, state: &Path, apply: Apply, hangups: mpsc::Receiver<()>) -> Self {
        if let Source::Folder(folder) = &source {
            folder::sweep(folder);
        }
        let past = matches!(source, Source::Folder(_)).then(|| Arc::new(Past::of(state)));
        let (gate, status) = (Mutex::default(), RwLock::default());
        let shared = Arc::new(Shared { source, apply, past, gate, status });
        let watch = Arc::new(watch::Watch::start(&shared, hangups));
        Self { shared, _watch: watch }
    }

    /// Reads, checks and applies, whether or not anything changed. Returns the new revision, or
    /// what is wrong.
    pub async fn now(&self) -> Result<u64, Vec<Problem>> {
        self.shared.load(Cause::Asked).await
    }

    /// How the last load went.
    pub fn status(&self) -> Arc<PolicyStatus> {
        Arc::clone(&self.shared.status.read())
    }

    /// The files as they are on disk now (of `--to`: the built-in one), and what of the folder
    /// could not be read.
    pub async fn files(&self) -> (Files, Vec<Problem>) {
        let source = self.shared.source.clone();
        blocking(move || source.read()).await.unwrap_or_else(|problems| (Files::new(), problems))
    }

    /// What a set of files would mean, beside those that could not be read: the policy, or what is
    /// wrong with it. Nothing changes.
    pub async fn dry_run(files: Files, unread: Vec<Problem>) -> Result<Policy, Vec<Problem>> {
        blocking(move || check(files, &unread)).await?.map(|loaded| loaded.policy)
    }

    /// Whether the policy comes from a folder that can be written to.
    pub fn folder(&self) -> Option<&Path> {
        match &self.shared.source {
            Source::Folder(folder) => Some(folder),
            Source::To(_) => None,
        }
    }

    /// What is kept of earlier policies; `None`: the policy is built in.
    pub fn past(&self) -> Option<&Arc<Past>> {
        self.shared.past.as_ref()
    }

    /// Makes the folder what a revision was: checked whole, then written, then applied. On any
    /// refusal nothing has been written; a crash in between is made up for at the next start.
    pub async fn restore(&self, files: Files, by: Author) -> Result<u64, Refused> {
        self.shared.restore(files, by).await
    }

    /// Changes one file: the folder with the change is checked, then the file is replaced
    /// atomically, then the policy is applied. On any refusal nothing has been written.
    pub async fn change(&self, change: Change) -> Result<Written, Refused> {
        self.shared.change(change).await
    }
}

/// Why a load happens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Somebody wants it, changed or not.
    Asked,
    /// The watch or the poll: only if the bytes differ from the last load.
    Noticed,
}

// === impl Shared ===

impl Shared {
    async fn load(&self, cause: Cause) -> Result<u64, Vec<Problem>> {
        let mut gate = self.gate.lock().await;
        if cause == Cause::Noticed && gate.seen.is_none() {
            return Ok(self.status.read().revision);
        }
        if gate.seen.is_none() {
            self.finish_restore().await;
        }
        let unchanged = gate.seen.filter(|_| cause == Cause::Noticed);
        let source = self.source.clone();
        let looked = blocking(move || {
            let (files, problems) = source.read();
            let hash = folder::hash(&files, &problems);
            if unchanged == Some(hash) {
                return None;
            }
            Some((hash, check(files, &problems)))
        });
        match looked.await? {
            None => Ok(self.status.read().revision),
            Some((hash, checked)) => {
                gate.seen = Some(hash);
                match checked {
                    Ok(loaded) => Ok(self.applied(loaded, Author::default(), Origin::Folder).await),
                    Err(problems) => {
                        self.refused(&problems);
                        Err(problems)
                    }
                }
            }
        }
    }

    async fn applied(&self, mut loaded: LoadedPolicy, by: Author, cause: Origin) -> u64 {
        loaded.revision = self.remember(&loaded.files, by, cause).await;
        let files = loaded.files.len();
        let revision = (self.apply)(loaded);
        *self.status.write() = Arc::new(PolicyStatus {
            ok: true,
            revision,
            problems: Vec::new(),
            loaded_at: Some(SystemTime::now()),
        });
        tracing::debug!(revision, files, "policy read");
        revision
    }

    /// Before it is applied, so that what runs is always in the history. A disk that can't take it
    /// does not keep a good policy from running.
    async fn remember(&self, files: &Files, by: Author, cause: Origin) -> Option<u64> {
        let (past, files) = (Arc::clone(self.past.as_ref()?), files.clone());
        let recorded =
            tokio::task::spawn_blocking(move || past.history.record(&files, &by, cause)).await;
        recorded
            .map_err(io::Error::other)
            .and_then(|recorded| recorded)
            .inspect_err(|error| tracing::error!(%error, "the revision could not be kept"))
            .ok()
    }

    fn refused(&self, problems: &[Problem]) {
        for problem in problems.iter().take(PROBLEMS_LOGGED_MAX) {
            tracing::error!(help = problem.help, "policy problem: {problem}");
        }
        let mut status = self.status.write();
        let (count, revision) = (problems.len(), status.revision);
        if revision > 0 {
            tracing::error!(
                problems = count,
                revision,
                "policy not applied, the running one stays"
            );
        }
        *status = Arc::new(PolicyStatus {
            ok: false,
            problems: problems.to_vec(),
            ..PolicyStatus::clone(&status)
        });
    }
}

// === impl Past ===

impl Past {
    fn of(state: &Path) -> Self {
        let (history, reverts) = (History::new(state), Reverts::new(state));
        for folder in [state, history.folder()] {
            // Everything that is kept of the past is JSON.
            files::sweep(folder, |name| Path::new(name).extension().is_some_and(|e| e == "json"));
        }
        Self { history, reverts, state: state.to_owned() }
    }
}

// === impl Source ===

impl Source {
    fn read(&self) -> (Files, Vec<Problem>) {
        match self {
            Self::To(url) => (folder::to(url), Vec::new()),
            Self::Folder(path) => folder::read(path),
        }
    }
}

/// Reading and checking a large folder takes too long for a runtime's own thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Vec<Problem>> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        let message = format!("could not be looked at: {error}");
        vec![Problem::whole_file("policies", message, "the running policy stays; see the log")]
    })
}

/// Files → a policy without problems.
fn check(files: Files, unread: &[Problem]) -> Result<LoadedPolicy, Vec<Problem>> {
    match sumun_policy::check_beside(&files, unread) {
        (Some(policy), problems) if problems.is_empty() => {
            Ok(LoadedPolicy { policy, files, revision: None })
        }
        (_, problems) => Err(problems),
    }
}

#[cfg(test)]
mod tests;
