//! A file of keys, read again when it changes: keys rotate without a restart.
//!
//! It is looked at every [`POLL`], and on SIGHUP, as the policy folder is; a link that is swapped, as
//! Kubernetes does with a secret, is a change like any other. What can't be used changes nothing: the
//! older keys stay, and the log and `GET /api/v1/status` say why until it can.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_128;

use super::{CallersError, read_keys};

/// How often the file is looked at: as often as the policy folder.
pub const POLL: Duration = Duration::from_secs(2);

/// What a file of keys holds.
pub(super) trait Keys: Sized {
    /// The setting that names the file.
    const SETTING: &'static str;

    /// Reads its text; `path` is for what is wrong.
    fn parse(path: &Path, text: &str) -> Result<Self, CallersError>;
}

/// A file, and the keys that are used.
pub(super) struct KeyFile<K> {
    path: PathBuf,
    keys: ArcSwap<K>,
    last: Mutex<Last>,
}

/// The last look at it.
#[derive(Default)]
struct Last {
    /// Of its text; `None`: it could not be read.
    hash: Option<u128>,
    /// Why its keys are not those that are used.
    problem: Option<String>,
}

// === impl KeyFile ===

impl<K: Keys> KeyFile<K> {
    /// Reads it for the first time: there are no older keys to stay with.
    pub(super) fn load(path: &Path) -> Result<Self, CallersError> {
        let text = read_keys(K::SETTING, path)?;
        let keys = K::parse(path, &text)?;
        let last = Last { hash: Some(xxh3_128(text.as_bytes())), problem: None };
        let keys = ArcSwap::from_pointee(keys);
        Ok(Self { path: path.to_owned(), keys, last: Mutex::new(last) })
    }

    /// The keys that are used.
    pub(super) fn keys(&self) -> Guard<Arc<K>> {
        self.keys.load()
    }

    /// What is wrong with it; `None`: what it says is used.
    pub(super) fn problem(&self) -> Option<String> {
        self.last.lock().problem.clone()
    }

    /// Looks at it, and uses it if it has changed and can be used. Reads a file: not on a worker.
    pub(super) fn look(&self) {
        let mut last = self.last.lock();
        let text = read_keys(K::SETTING, &self.path);
        let hash = text.as_ref().ok().map(|text| xxh3_128(text.as_bytes()));
        if hash == last.hash && (hash.is_some() || last.problem.is_some()) {
            return;
        }
        last.hash = hash;
        let (setting, path) = (K::SETTING, self.path.display());
        match text.and_then(|text| K::parse(&self.path, &text)) {
            Ok(keys) => {
                self.keys.store(Arc::new(keys));
                last.problem = None;
                tracing::info!(setting, %path, "keys read again");
            }
            Err(error) => {
                let problem = told(&error);
                tracing::error!(setting, %path, "keys not used, the older ones stay: {problem}");
                last.problem = Some(problem);
            }
        }
    }
}

/// What is wrong, with its cause as far as that quotes nothing of the file.
fn told(error: &CallersError) -> String {
    match error {
        CallersError::Unreadable { source, .. } => format!("{error}: {source}"),
        CallersError::Jwks { source, .. } => {
            format!("{error} (line {}, column {})", source.line(), source.column())
        }
        CallersError::Unusable { .. } => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
