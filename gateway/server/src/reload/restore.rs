//! The whole folder becomes what it was.
//!
//! Several files can't be replaced at once, so what they shall be is noted in the state folder
//! before the first one is touched, and the note removed after the last: whoever finds the note at
//! its start finishes the work. What was checked is what is written.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::folder::{self, Files};
use super::history::{Author, Origin};
use super::{Refused, Shared, Source, blocking, check};
use crate::files::{self, Access};

/// Name of the note in the state folder.
const NOTE: &str = "restore.json";

impl Shared {
    pub(super) async fn restore(&self, files: Files, by: Author) -> Result<u64, Refused> {
        let (Source::Folder(path), Some(past)) = (&self.source, &self.past) else {
            return Err(Refused::BuiltIn);
        };
        let mut gate = self.gate.lock().await;
        let checked = blocking(move || check(files, &[])).await.map_err(Refused::Problems)?;
        let loaded = checked.map_err(Refused::Problems)?;
        let (folder, state, wanted) = (path.clone(), past.state.clone(), loaded.files.clone());
        let reverts = std::sync::Arc::clone(past);
        tokio::task::spawn_blocking(move || {
            let (now, _) = folder::read(&folder);
            for (name, _) in now.iter().chain(&wanted) {
                folder::refuse_link(&folder.join(name))?;
            }
            let note: BTreeMap<_, _> = wanted.iter().cloned().collect();
            files::make_folder(&state)?;
            files::replace(&state, NOTE, &serde_json::to_vec(&note)?, Access::Owner)?;
            write(&folder, &now, &wanted)?;
            // The restored texts stay, whatever was to be put back.
            for pending in reverts.reverts.all()? {
                reverts.reverts.forget(&pending.file)?;
            }
            std::fs::remove_file(state.join(NOTE))
        })
        .await
        .map_err(|error| Refused::Io(io::Error::other(error)))?
        .map_err(Refused::Io)?;
        gate.seen = Some(folder::hash(&loaded.files, &[]));
        Ok(self.applied(loaded, by, Origin::Restore).await)
    }

    /// Ends what an earlier process began.
    pub(super) async fn finish_restore(&self) {
        let (Source::Folder(folder), Some(past)) = (&self.source, &self.past) else { return };
        let (folder, note) = (folder.clone(), past.state.join(NOTE));
        let finished = tokio::task::spawn_blocking(move || {
            let bytes = match std::fs::read(&note) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error),
            };
            let wanted: BTreeMap<String, String> = serde_json::from_slice(&bytes)?;
            let (now, _) = folder::read(&folder);
            write(&folder, &now, &wanted.into_iter().collect())?;
            std::fs::remove_file(&note)?;
            Ok(true)
        });
        match finished.await.map_err(io::Error::other).and_then(|finished| finished) {
            Ok(false) => {}
            Ok(true) => tracing::warn!("a restore of the policy that was cut short is finished"),
            Err(error) => tracing::error!(%error, "a restore that was cut short can't be finished"),
        }
    }
}

/// Makes the folder these files, of what it is now.
fn write(folder: &Path, now: &Files, wanted: &Files) -> io::Result<()> {
    for (name, text) in wanted {
        if !now.iter().any(|(known, old)| known == name && old == text) {
            folder::write(folder, name, text)?;
        }
    }
    for (name, _) in now {
        if !wanted.iter().any(|(known, _)| known == name) {
            folder::remove(folder, name)?;
        }
    }
    Ok(())
}
