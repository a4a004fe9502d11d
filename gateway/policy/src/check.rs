//! Written → meant: every file of a folder in, one policy or every problem of it out.
//!
//! Two steps. *Draft*: each file is read and walked on its own; what it says becomes values of the
//! meant types, references stay names. *Resolve*: over all files, references are looked up and
//! the rules between parts are checked. Neither stops at a problem; a policy comes out only where
//! there is none.
//!
//! Bounds: [`FILES_MAX`] files of [`crate::FILE_BYTES_MAX`], together [`FOLDER_BYTES_MAX`]; one
//! tree is in memory at a time.

mod admission;
mod ambiguity;
mod cache;
mod draft;
mod function;
mod resolve;
mod route;
mod upstream;

use std::sync::Arc;

use crate::policy::Policy;
use crate::problem::Problem;
use crate::raw::{self, FILE_BYTES_MAX, Fields, Findings, Source, Spot, form};
use draft::Draft;

/// Most files of a folder. A file per service or team; more is a folder mistaken for another.
pub const FILES_MAX: usize = 256;

/// Largest folder, bytes over all files.
pub const FOLDER_BYTES_MAX: usize = 16 << 20;

/// Checks the files of a policy folder, each a name and its text, as one policy.
///
/// Exactly one side says something: a policy and no problems, or no policy and at least one
/// problem, ordered by file (as given), line and column.
pub fn check(files: &[(String, String)]) -> (Option<Policy>, Vec<Problem>) {
    check_texts(files.iter().map(|(name, text)| (name.as_str(), Ok(text.clone()))))
}

/// As [`check`], beside files of the same folder that could not be read, each a problem: what is
/// missing in the others may stand in them, so it is no problem of its own. By the files' names.
pub fn check_beside(
    files: &[(String, String)],
    unread: &[Problem],
) -> (Option<Policy>, Vec<Problem>) {
    if unread.is_empty() {
        return check(files);
    }
    let read = files.iter().map(|(name, text)| (name.as_str(), Ok(text.clone())));
    let unread = unread.iter().map(|problem| (problem.file.as_str(), Err(problem.clone())));
    let mut all: Vec<_> = read.chain(unread).collect();
    all.sort_by_key(|(name, _)| *name);
    check_texts(all.into_iter())
}

fn check_texts<'a>(
    files: impl ExactSizeIterator<Item = (&'a str, Result<String, Problem>)>,
) -> (Option<Policy>, Vec<Problem>) {
    let findings = Findings::default();
    let count = files.len();
    if count == 0 {
        let help = "write one, for example `routes.yaml`, beginning with `version: 1`";
        return (None, vec![Problem::whole_file("*.yaml", "there is no policy file", help)]);
    }
    let mut draft = Draft::default();
    let mut bytes = 0;
    for (index, (name, text)) in files.enumerate() {
        if index == FILES_MAX {
            let message = format!("the folder has {count} files; it may have {FILES_MAX}");
            let help = "move what is no policy out of the folder, or join files";
            findings.add_ready(index, || Problem::whole_file(name, message, help));
            draft.partial = true;
            break;
        }
        let text = text.and_then(|text| {
            bytes += text.len();
            if text.len() > FILE_BYTES_MAX { Err(too_large(name, text.len())) } else { Ok(text) }
        });
        match text {
            Err(problem) => {
                findings.add_ready(index, || problem);
                draft.partial = true;
            }
            Ok(_) if bytes > FOLDER_BYTES_MAX => {
                let message = format!("the folder has more than {FOLDER_BYTES_MAX} bytes");
                let help = "move what is no policy out of the folder";
                findings.add_ready(index, || Problem::whole_file(name, message, help));
                draft.partial = true;
                break;
            }
            Ok(text) => take_file(&mut draft, name, index, text, &findings),
        }
    }
    let policy = draft.resolve(&findings, count);
    let problems = findings.into_sorted();
    debug_assert_eq!(policy.is_some(), problems.is_empty(), "exactly one side says something");
    (policy.filter(|_| problems.is_empty()), problems)
}

fn take_file(draft: &mut Draft, name: &str, index: usize, text: String, findings: &Findings) {
    let source = Arc::new(Source::new(name, index, text));
    let Some(tree) = raw::read(&source, findings) else {
        draft.partial = true;
        return;
    };
    match Fields::open(&tree, &form::FILE, Spot::START, &source, findings) {
        Some(file) => draft.take(&file),
        None => draft.partial = true,
    }
}

fn too_large(name: &str, bytes: usize) -> Problem {
    let message = format!("the file has {bytes} bytes; it may have {FILE_BYTES_MAX}");
    Problem::whole_file(name, message, "split the file")
}

#[cfg(test)]
mod tests;
