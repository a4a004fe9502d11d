//! One file of the folder changes through the API: expected? fine? written, applied.

use std::io;

use sumun_policy::Problem;

use super::{Shared, Source, blocking, check, folder};

/// A change to one file.
#[derive(Clone, Debug)]
pub struct Change {
    /// The file's name, as [`super::file_name_allowed`].
    pub file: String,
    /// Its new text; `None` removes it.
    pub text: Option<String>,
    /// What the file must be now.
    pub expected: Expected,
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
        match (at, &change.text) {
            (Ok(at), Some(text)) => files[at].1.clone_from(text),
            (Ok(at), None) => drop(files.remove(at)),
            (Err(at), Some(text)) => files.insert(at, (change.file.clone(), text.clone())),
            (Err(_), None) => return Err(Refused::Unknown),
        }
        let checked = blocking(move || check(files)).await.map_err(Refused::Problems)?;
        let loaded = checked.map_err(Refused::Problems)?;

        let (folder, file, text) = (path.clone(), change.file, change.text);
        let new_tag = text.as_deref().map(folder::tag);
        tokio::task::spawn_blocking(move || match text {
            Some(text) => folder::write(&folder, &file, &text),
            None => folder::remove(&folder, &file),
        })
        .await
        .map_err(|e| Refused::Io(io::Error::other(e)))?
        .map_err(Refused::Io)?;

        // The watch will see this very state: it must not apply it a second time.
        gate.seen = Some(folder::hash(&loaded.files, &[]));
        let revision = self.applied(loaded);
        Ok(Written { revision, tag: new_tag, created: tag.is_none() })
    }
}
