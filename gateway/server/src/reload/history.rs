//! What the policy was: a revision for each set of files that ran, on disk, whole.
//!
//! A revision begins when its policy is applied, whoever wrote it, and ends when newer ones need its
//! room. Each is one file of the state folder, `history/ID.json`, written aside and renamed: after a
//! crash it is there or it isn't. The number of the newest goes on over restarts; it is the revision
//! that metrics, traces and refusals name. Bounds: [`REVISIONS_MAX`] and [`BYTES_MAX`], the oldest
//! go first.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::folder::Files;
use crate::date::rfc3339;
use crate::files::{self, Access};

/// Folder of the revisions in the state folder.
const FOLDER: &str = "history";

/// Most revisions that are kept: a change every working hour for three months.
pub const REVISIONS_MAX: usize = 500;

/// Most bytes that they take together.
const BYTES_MAX: u64 = 64 << 20;

/// Largest revision that is read: all the policy files there can be would be larger, but nobody's
/// are.
const REVISION_BYTES_MAX: u64 = 16 << 20;

/// A policy that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Revision {
    /// Its number; later ones are larger.
    pub id: u64,
    /// When it was applied: RFC 3339, UTC.
    pub at: String,
    /// How it came about.
    pub cause: Origin,
    /// Who wrote it; empty where it was found in the folder.
    pub author: String,
    /// The author's address; may be empty.
    pub from: String,
    /// Why, in the author's words; may be empty.
    pub reason: String,
    /// Texts by file name.
    pub files: BTreeMap<String, String>,
}

/// How a revision came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Found in the folder: at the start, or edited by hand.
    Folder,
    /// Written through the admin API.
    Api,
    /// An earlier revision, back again.
    Restore,
    /// A change for a time, whose time is over.
    Revert,
}

/// Who changes something, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Author {
    /// Name; empty: nobody that is known, a hand in the folder.
    pub name: String,
    /// Address; may be empty.
    pub from: String,
    /// In the author's words; may be empty.
    pub reason: String,
}

/// The revisions of a state folder. Its calls block on the disk.
#[derive(Debug)]
pub struct History {
    folder: PathBuf,
    newest: Mutex<Option<Newest>>,
}

#[derive(Debug)]
struct Newest {
    id: u64,
    files: BTreeMap<String, String>,
}

// === impl History ===

impl History {
    /// The history in a state folder; nothing is read or made before it is needed.
    pub fn new(state: &Path) -> Self {
        Self { folder: state.join(FOLDER), newest: Mutex::new(None) }
    }

    /// Where they are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The number of the revision that these files are: the newest one's where it says the same,
    /// else that of a new one, which is on disk when this returns.
    pub(super) fn record(&self, files: &Files, by: &Author, cause: Origin) -> io::Result<u64> {
        let files: BTreeMap<String, String> = files.iter().cloned().collect();
        let mut held = self.newest.lock();
        let newest = match held.take() {
            Some(newest) => newest,
            None => self.find_newest()?,
        };
        if newest.id > 0 && newest.files == files {
            return Ok(held.insert(newest).id);
        }
        let id = newest.id + 1;
        let Author { name, from, reason } = by.clone();
        let at = rfc3339(SystemTime::now());
        let revision = Revision { id, at, cause, author: name, from, reason, files };
        files::make_folder(&self.folder)?;
        let text = serde_json::to_vec(&revision)?;
        files::replace(&self.folder, &file_name(id), &text, Access::Owner)?;
        *held = Some(Newest { id, files: revision.files });
        self.prune()?;
        Ok(id)
    }

    /// The newest revisions before `before`, newest first.
    pub fn list(&self, before: Option<u64>, most: usize) -> io::Result<Vec<Revision>> {
        let ids = self.ids()?;
        let older = ids.into_iter().rev().filter(|id| before.is_none_or(|before| *id < before));
        let found = older.filter_map(|id| self.get(id).transpose());
        found.take(most).collect()
    }

    /// One revision; `None`: never was, or is gone.
    pub fn get(&self, id: u64) -> io::Result<Option<Revision>> {
        let path = self.folder.join(file_name(id));
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(REVISION_BYTES_MAX).read_to_end(&mut bytes)?;
        match serde_json::from_slice(&bytes) {
            Ok(revision) => Ok(Some(revision)),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a revision can't be read");
                Ok(None)
            }
        }
    }

    /// The one that ran before it; `None`: none is known.
    pub fn before(&self, id: u64) -> io::Result<Option<Revision>> {
        Ok(self.list(Some(id), 1)?.pop())
    }

    fn find_newest(&self) -> io::Result<Newest> {
        let id = self.ids()?.pop().unwrap_or(0);
        // One that can't be read keeps its number and equals nothing.
        let files = self.get(id)?.map(|revision| revision.files).unwrap_or_default();
        Ok(Newest { id, files })
    }

    /// Numbers of all revisions, in order.
    fn ids(&self) -> io::Result<Vec<u64>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let id: Option<u64> =
                name.to_str().and_then(|name| name.strip_suffix(".json")?.parse().ok());
            ids.extend(id);
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Removes the oldest ones beyond the bounds; never the newest.
    fn prune(&self) -> io::Result<()> {
        let mut bytes = 0;
        for (kept, id) in self.ids()?.into_iter().rev().enumerate() {
            let path = self.folder.join(file_name(id));
            bytes += path.metadata().map_or(0, |metadata| metadata.len());
            if kept >= 1 && (kept >= REVISIONS_MAX || bytes > BYTES_MAX) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

fn file_name(id: u64) -> String {
    format!("{id}.json")
}

#[cfg(test)]
mod tests;
