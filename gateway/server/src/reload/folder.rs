//! The policy folder on disk: read within bounds, hashed, changed file by file.
//!
//! Only `*.yaml` and `*.yml` right in the folder count; names with a leading dot don't (editors'
//! and Kubernetes' own). Links are followed when reading, so that a `ConfigMap`'s swap is seen.

use std::io::{self, Read};
use std::path::Path;

use sumun_policy::{FILE_BYTES_MAX, FILES_MAX, Problem};
use xxhash_rust::xxh3::Xxh3;

use crate::files::{self, Access};

/// Names and texts, sorted by name.
pub type Files = Vec<(String, String)>;

/// Reads every policy file, and says what could not be read.
pub(crate) fn read(folder: &Path) -> (Files, Vec<Problem>) {
    let names = match names(folder) {
        Ok(names) => names,
        Err(problem) => return (Files::new(), vec![problem]),
    };
    let mut files = Files::with_capacity(names.len());
    let mut problems = Vec::new();
    for name in names {
        let path = folder.join(&name);
        // What is no file may never end, or never begin: a pipe that nobody writes to.
        if std::fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            let help = "move it out of the folder, or put a file in its place";
            problems.push(Problem::whole_file(&name, "is no regular file", help));
            continue;
        }
        match read_file(&path, &name) {
            Ok(text) => files.push((name, text)),
            Err(problem) => problems.push(problem),
        }
    }
    (files, problems)
}

/// Names of the policy files, sorted.
fn names(folder: &Path) -> Result<Vec<String>, Problem> {
    let shown = folder.display().to_string();
    let whole = |message: String, help: &str| Problem::whole_file(&shown, message, help);
    let entries = std::fs::read_dir(folder).map_err(|e| {
        whole(
            format!("the policy folder cannot be read: {e}"),
            "name a folder with --policies, or forward everything with --to URL",
        )
    })?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| whole(format!("cannot be listed: {e}"), "try again"))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // A link that points nowhere counts: that is a problem, not nothing.
        if is_policy(&name) && !entry.path().is_dir() {
            names.push(name);
            if names.len() > FILES_MAX {
                let message = format!("holds more than {FILES_MAX} policy files");
                return Err(whole(message, "join some of them"));
            }
        }
    }
    if names.is_empty() {
        let message = "the policy folder holds no policy file".to_owned();
        return Err(whole(message, "add a file with the ending .yaml, or use --to URL"));
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether a file of this name belongs to the policy.
fn is_policy(name: &str) -> bool {
    let ending = Path::new(name).extension();
    ending.is_some_and(|e| e == "yaml" || e == "yml") && !name.starts_with('.')
}

/// Whether the folder is there and holds no policy file.
pub(super) fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| {
        !entries.any(|entry| {
            entry.map_or(true, |entry| entry.file_name().to_str().is_some_and(is_policy))
        })
    })
}

/// One file's text; problems are said under `name`.
pub(crate) fn read_file(path: &Path, name: &str) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|f| f.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
    if let Err(e) = read {
        return Err(Problem::unreadable(name, &e.to_string()));
    }
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!("is larger than {FILE_BYTES_MAX} bytes");
        return Err(Problem::whole_file(name, message, "split it into several files"));
    }
    String::from_utf8(bytes).map_err(|e| Problem::not_utf8(name, e.as_bytes()))
}

/// The built-in policy of `--to URL`, as text, so that the same check runs over it.
pub(super) fn to(url: &str) -> Files {
    // JSON's string is YAML's double-quoted scalar, so no URL can break out of it.
    let url = serde_json::Value::from(url);
    let text = format!(
        "version: 1\n\
         upstreams:\n  service: {{ endpoints: [{url}] }}\n\
         routes:\n  catch-all: {{ match: {{ path: /** }}, upstream: service }}\n"
    );
    vec![("built-in.yaml".to_owned(), text)]
}

/// A hash over names, texts and what could not be read: the same failure is reported once.
pub(super) fn hash(files: &Files, problems: &[Problem]) -> u128 {
    let mut hash = Xxh3::new();
    let mut part = |text: &str| {
        // Lengths first, so that moving bytes from one part to the next changes the hash.
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    for (name, text) in files {
        part(name);
        part(text);
    }
    for problem in problems {
        part(&problem.to_string());
    }
    hash.digest128()
}

/// The strong entity tag of a file's text, with its quotes.
pub fn tag(text: &str) -> String {
    format!("\"{:032x}\"", xxhash_rust::xxh3::xxh3_128(text.as_bytes()))
}

/// Longest name of a file that the API writes, bytes.
const NAME_BYTES_MAX: usize = 128;

/// Whether the API may write a file of this name: `[a-z0-9][a-z0-9._-]*` ending in `.yaml` or
/// `.yml`. Such a name can't leave the folder.
pub fn file_name_allowed(name: &str) -> bool {
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    let Some(stem) = stem else { return false };
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    stem.bytes().next().is_some_and(letter)
        && stem.bytes().all(|b| letter(b) || b"._-".contains(&b))
        && name.len() <= NAME_BYTES_MAX
}

/// Replaces a file: readers see the old text or the new one, also after a crash.
pub(super) fn write(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let target = folder.join(name);
    refuse_link(&target)?;
    files::replace(folder, name, text.as_bytes(), Access::AsBefore)
}

/// Removes what a crash left of changes to policy files.
pub(super) fn sweep(folder: &Path) {
    files::sweep(folder, is_policy);
}

/// Removes a file.
pub(super) fn remove(folder: &Path, name: &str) -> io::Result<()> {
    let target = folder.join(name);
    refuse_link(&target)?;
    std::fs::remove_file(target)?;
    std::fs::File::open(folder)?.sync_all()
}

/// A link belongs to whoever mounted it (a ConfigMap): replacing it would hide its next change.
pub(super) fn refuse_link(target: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(target) {
        Ok(metadata) if metadata.is_symlink() => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the file is a link; change it where it comes from",
        )),
        _ => Ok(()),
    }
}
