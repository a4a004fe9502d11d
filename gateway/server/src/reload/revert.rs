//! Changes for a time: what a file was before, and when it becomes that again.
//!
//! A [`Pending`] begins with a change that carries a time and ends when the time is over or
//! somebody lets the change stay. They are kept in the state folder (`reverts.json`), so that a
//! restart does not make a change for an hour one for ever: what fell due meanwhile is reverted at
//! the start. A file that was changed again meanwhile is left alone, and the log says so.
//! Bound: one for each file, [`PENDING_MAX`] at most.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::history::Author;
use crate::files::{self, Access};

/// Name of the file in the state folder.
const FILE: &str = "reverts.json";

/// Most files that wait for their old text.
pub const PENDING_MAX: usize = 64;

/// Shortest and longest time that a change may be for.
pub const AFTER_MIN: Duration = Duration::from_secs(1);
/// See [`AFTER_MIN`]. Longer ones are changes, and belong into the history as such.
pub const AFTER_MAX: Duration = Duration::from_hours(7 * 24);

/// A file that becomes again what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its name.
    pub file: String,
    /// Unix seconds when it is due.
    pub due_s: u64,
    /// Tag of the text that the change wrote; of another text the old one is not put back.
    pub tag: String,
    /// What it was; `None`: there was no such file.
    pub before: Option<String>,
    /// Who made the change.
    pub by: Author,
}

/// What is pending, on disk and here.
#[derive(Debug)]
pub struct Reverts {
    folder: PathBuf,
    /// By file; `None` until it was read.
    pending: Mutex<Option<BTreeMap<String, Pending>>>,
}

// === impl Reverts ===

impl Reverts {
    /// What is pending in a state folder; read when it is needed.
    pub fn new(state: &Path) -> Self {
        Self { folder: state.to_owned(), pending: Mutex::new(None) }
    }

    /// Everything that is pending, by file.
    pub fn all(&self) -> io::Result<Vec<Pending>> {
        self.with(|pending| Ok(pending.values().cloned().collect()))
    }

    /// What is due at this time, and everything that ever will be.
    pub(super) fn due(&self, now_s: u64) -> io::Result<Vec<Pending>> {
        let all = self.all()?;
        Ok(all.into_iter().filter(|pending| pending.due_s <= now_s).collect())
    }

    /// Whether one more file may be added.
    pub(super) fn has_room(&self, file: &str) -> io::Result<bool> {
        self.with(|pending| Ok(pending.contains_key(file) || pending.len() < PENDING_MAX))
    }

    /// Adds one. Of a file that waits already, what it was before the first change counts.
    pub(super) fn add(&self, mut new: Pending) -> io::Result<()> {
        self.with(|pending| {
            if let Some(first) = pending.get(&new.file) {
                new.before.clone_from(&first.before);
            }
            let mut next = pending.clone();
            next.insert(new.file.clone(), new);
            self.save(&next)?;
            *pending = next;
            Ok(())
        })
    }

    /// Lets the change of a file stay; whether it was pending.
    pub fn forget(&self, file: &str) -> io::Result<bool> {
        self.with(|pending| {
            let mut next = pending.clone();
            if next.remove(file).is_none() {
                return Ok(false);
            }
            self.save(&next)?;
            *pending = next;
            Ok(true)
        })
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut BTreeMap<String, Pending>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut held = self.pending.lock();
        let pending = match held.as_mut() {
            Some(pending) => pending,
            None => held.insert(self.read()?),
        };
        work(pending)
    }

    fn read(&self) -> io::Result<BTreeMap<String, Pending>> {
        match std::fs::read(self.folder.join(FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(error),
        }
    }

    fn save(&self, pending: &BTreeMap<String, Pending>) -> io::Result<()> {
        files::make_folder(&self.folder)?;
        files::replace(&self.folder, FILE, &serde_json::to_vec(pending)?, Access::Owner)
    }
}

/// Seconds since 1970.
pub(super) fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
