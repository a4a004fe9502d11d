//! One file of the folder changes through the API: expected? fine? written, applied.

use std::io;
use std::path::Path;
use std::time::Duration;

use sumun_policy::Problem;

use super::history::{Author, Origin};
use super::revert::{self, PENDING_MAX, Pending};
use super::{Past, Shared, Source, blocking, check, folder};

/// A change to one file.
#[derive(Clone, Debug)]
pub struct Change {
    /// The file's name, as [`super::file_name_allowed`].
    pub file: String,
    /// Its new text; `None` removes it.
    pub text: Option<String>,
    /// What the file must be now.
    pub expected: Expected,
    /// Who wants it.
    pub by: Author,
    /// How it comes about.
    pub cause: Origin,
    /// After which time the file becomes again what it is now; `None`: never.
    pub revert_after: Option<Duration>,
}

/// What a file must be, so that nobody's change is lost.
#[derive(Clone, Debug)]
pub enum Expected {
    /// It must not exist (`If-None-Match: *`).
    Absent,
    /// It must exist, whatever it is (`If-Match: *`).
    Present,
    /// It must have one of these tags (`If-Match`).
    Tags(Vec<String>),
}

/// A change that was made.
#[derive(Clone, Debug)]
pub struct Written {
    /// The revision that runs now.
    pub revision: u64,
    /// The file's tag; `None` where it was removed.
    pub tag: Option<String>,
    /// Whether the file is new.
    pub created: bool,
}

/// Why a change was not made. Nothing was written, but for [`Self::Io`] of the folder's sync.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The file is not what was expected.
    #[error("the file was changed by somebody else")]
    Conflict {
        /// The file's tag; `None` where there is no such file.
        tag: Option<String>,
    },
    /// There is no such file to remove.
    #[error("there is no such file")]
    Unknown,
    /// The folder with the change has problems.
    #[error("the policy would have problems")]
    Problems(Vec<Problem>),
    /// There is no folder: the policy is built in (`--to`).
    #[error("the policy is built in; start with --policies to change it")]
    BuiltIn,
    /// Too many files wait for their old text ([`PENDING_MAX`]).
    #[error("{PENDING_MAX} files wait already for what they were before")]
    TooManyReverts,
    /// The file could not be written.
    #[error("the file could not be written")]
    Io(#[source] io::Error),
}

impl Shared {
    pub(super) async fn change(&self, change: Change) -> Result<Written, Refused> {
        let Source::Folder(path) = &self.source else { return Err(Refused::BuiltIn) };
        let mut gate = self.gate.lock().await;
        let source = self.source.clone();
        let (mut files, problems) =
            blocking(move || source.read()).await.map_err(Refused::Problems)?;
        // A folder whose last file was removed by hand may be filled again through the API.
        if !problems.is_empty() && !folder::is_empty(path) {
            return Err(Refused::Problems(problems));
        }
        let at = files.binary_search_by(|(name, _)| name.as_str().cmp(&change.file));
        let tag = at.ok().map(|at| folder::tag(&files[at].1));
        let as_expected = match (&change.expected, &tag) {
            (Expected::Absent, None) | (Expected::Present, Some(_)) => true,
            (Expected::Tags(tags), Some(tag)) => tags.contains(tag),
            _ => false,
        };
        if change.text.is_none() && tag.is_none() {
            return Err(Refused::Unknown);
        }
        if !as_expected {
            return Err(Refused::Conflict { tag });
        }
        let before = at.ok().map(|at| files[at].1.clone());
        match (at, &change.text) {
            (Ok(at), Some(text)) => files[at].1.clone_from(text),
            (Ok(at), None) => drop(files.remove(at)),
            (Err(at), Some(text)) => files.insert(at, (change.file.clone(), text.clone())),
            (Err(_), None) => return Err(Refused::Unknown),
        }
        let checked = blocking(move || check(files, &[])).await.map_err(Refused::Problems)?;
        let loaded = checked.map_err(Refused::Problems)?;

        let created = tag.is_none();
        let new_tag = change.text.as_deref().map(folder::tag);
        let (by, cause) = (change.by.clone(), change.cause);
        let (folder, past) = (path.clone(), self.past.clone());
        tokio::task::spawn_blocking(move || write(&folder, past.as_deref(), before, change))
            .await
            .map_err(|e| Refused::Io(io::Error::other(e)))??;

        // The watch will see this very state: it must not apply it a second time.
        gate.seen = Some(folder::hash(&loaded.files, &[]));
        let revision = self.applied(loaded, by, cause).await;
        Ok(Written { revision, tag: new_tag, created })
    }

    /// Puts back what is due. What can't be is said once and left as it is.
    pub(super) async fn revert_due(&self) {
        let Some(past) = &self.past else { return };
        let due = past.reverts.due(revert::unix_s()).unwrap_or_else(|error| {
            tracing::error!(%error, "what is to be reverted can't be read");
            Vec::new()
        });
        for pending in due {
            let Pending { file, tag, before, by, .. } = pending;
            let reason = if by.reason.is_empty() {
                "the time of the change is over".to_owned()
            } else {
                format!("the time of the change is over: {}", by.reason)
            };
            let change = Change {
                file: file.clone(),
                text: before,
                expected: Expected::Tags(vec![tag]),
                by: Author { reason, ..by },
                cause: Origin::Revert,
                revert_after: None,
            };
            match self.change(change).await {
                Ok(written) => tracing::info!(file, revision = written.revision, "reverted"),
                Err(error) => {
                    tracing::error!(file, %error, "not reverted, the file stays as it is");
                    if let Err(error) = past.reverts.forget(&file) {
                        tracing::error!(file, %error, "and will be tried again");
                    }
                }
            }
        }
    }
}

/// Writes the file. What it becomes again is noted before, so that a crash in between can't make a
/// change for a time one for ever.
fn write(
    folder: &Path,
    past: Option<&Past>,
    before: Option<String>,
    change: Change,
) -> Result<(), Refused> {
    let Change { file, text, by, revert_after, .. } = change;
    let timed = revert_after.zip(past).zip(text.as_deref());
    if let Some(((after, past), text)) = timed {
        if !past.reverts.has_room(&file).map_err(Refused::Io)? {
            return Err(Refused::TooManyReverts);
        }
        let due_s = revert::unix_s() + after.as_secs();
        let tag = folder::tag(text);
        let pending = Pending { file: file.clone(), due_s, tag, before, by };
        past.reverts.add(pending).map_err(Refused::Io)?;
    }
    match &text {
        Some(text) => folder::write(folder, &file, text),
        None => folder::remove(folder, &file),
    }
    .map_err(Refused::Io)?;
    if let Some(past) = past.filter(|_| timed.is_none()) {
        // A change that stays ends what was to be put back.
        past.reverts.forget(&file).map_err(Refused::Io)?;
    }
    Ok(())
}
