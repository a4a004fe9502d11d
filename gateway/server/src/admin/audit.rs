//! The audit log: who changed what, when, from where and why, one JSON object a line.
//!
//! Written for every call that may change something, whether it did or not, and for every login and
//! logout; synced before the call is answered. It lives in the state folder as `audit.jsonl`; at
//! [`FILE_BYTES_MAX`] it becomes `audit.1.jsonl`, and the one before that is gone: at most twice that
//! much is kept. A crash can leave half a line at the end, which readers skip and the next entry
//! does not join.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Name of the log in the state folder.
pub const FILE: &str = "audit.jsonl";

/// The part before it.
pub const FILE_BEFORE: &str = "audit.1.jsonl";

/// Size at which a part ends: about 20,000 entries.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// Longest line that is read: the longest fields and their escapes.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// Most characters that are kept of what the caller wrote.
const TEXT_CHARS_MAX: usize = 1_000;

/// Something that somebody did, or tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "AuditEntry"))]
pub struct Entry {
    /// RFC 3339, UTC, to the second.
    pub at: String,
    /// The user's name, `token`, or what was given as a name at a failed login.
    pub who: String,
    /// The caller's address.
    pub from: String,
    /// Method and path, or `login`, `logout`.
    pub what: String,
    /// The reason that was given; may be empty.
    pub why: String,
    /// The status of the answer: 2xx is done, all else is not.
    pub status: u16,
}

/// The log; whoever writes holds it.
pub struct Audit {
    folder: PathBuf,
    part: Mutex<Option<Part>>,
}

/// The part that is being written.
struct Part {
    file: File,
    bytes: u64,
}

// === impl Entry ===

impl Entry {
    fn bounded(mut self) -> Self {
        for text in [&mut self.who, &mut self.what, &mut self.why] {
            if let Some((end, _)) = text.char_indices().nth(TEXT_CHARS_MAX) {
                text.truncate(end);
            }
        }
        self
    }
}

// === impl Audit ===

impl Audit {
    /// The log of a state folder; nothing is opened before the first entry.
    pub fn new(state: &Path) -> Self {
        Self { folder: state.to_owned(), part: Mutex::new(None) }
    }

    /// Appends an entry and syncs it. Blocks on the disk: not for a runtime's own thread.
    pub(super) fn write(&self, entry: Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(&entry.bounded())?;
        line.push(b'\n');
        let mut held = self.part.lock();
        let written = self.append(&mut held, &line);
        if written.is_err() {
            // Whatever is wrong with it, the next entry opens it anew.
            *held = None;
        }
        written
    }

    fn append(&self, held: &mut Option<Part>, line: &[u8]) -> io::Result<()> {
        let full = held.as_ref().is_some_and(|part| part.bytes >= FILE_BYTES_MAX);
        if full {
            *held = None;
            std::fs::rename(self.folder.join(FILE), self.folder.join(FILE_BEFORE))?;
        }
        let part = match held {
            Some(part) => part,
            None => held.insert(Part::open(&self.folder)?),
        };
        part.file.write_all(line)?;
        part.bytes += line.len() as u64;
        part.file.sync_data()
    }

    /// The newest entries, newest first. Blocks on the disk.
    pub(super) fn newest(&self, most: usize) -> io::Result<Vec<Entry>> {
        // Not while an entry is half written or a part moves.
        let _held = self.part.lock();
        let mut entries = VecDeque::with_capacity(most.min(1024));
        for name in [FILE_BEFORE, FILE] {
            read(&self.folder.join(name), |entry| {
                if entries.len() == most {
                    entries.pop_front();
                }
                entries.push_back(entry);
            })?;
        }
        Ok(entries.into_iter().rev().take(most).collect())
    }
}

impl Part {
    fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE);
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
        let mut bytes = file.metadata()?.len();
        if bytes > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                bytes += 1;
            }
        }
        Ok(Self { file, bytes })
    }
}

fn read(path: &Path, mut each: impl FnMut(Entry)) -> io::Result<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut lines = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if let Ok(entry) = serde_json::from_slice(&line) {
            each(entry);
        }
    }
}

#[cfg(test)]
mod tests;
