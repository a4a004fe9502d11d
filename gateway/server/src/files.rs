//! Files that are whole or not there: how everything of the state folder but the audit log, and the
//! policy files that the gateway itself changes, come to the disk.
//!
//! A file is written aside under `.NAME.PID.new`, flushed, and renamed over the old one. A crash in
//! between leaves that name, which no reader takes for anything; [`sweep`] removes it at the next start.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, geteuid, test_kill_process};

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Its owner alone (mode 0600).
    Owner,
    /// Whoever could read the file that it replaces; a new one as the process' umask says.
    AsBefore,
}

/// Makes a folder that only its owner can enter, and those above it, where they are missing.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Replaces a file: readers see the old bytes or the new ones, also after a crash; once this returns,
/// the new ones.
pub(crate) fn replace(folder: &Path, name: &str, bytes: &[u8], access: Access) -> io::Result<()> {
    let target = folder.join(name);
    let aside = folder.join(format!(".{name}.{}.new", std::process::id()));
    // Of an attempt that could not be cleared away; a new file is one that nobody else has put there.
    let _ = std::fs::remove_file(&aside);
    let written = (|| {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        if access == Access::Owner {
            options.mode(0o600);
        }
        let mut file = options.open(&aside)?;
        if access == Access::AsBefore
            && let Ok(old) = std::fs::metadata(&target)
        {
            file.set_permissions(old.permissions())?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&aside, &target)
    })();
    if written.is_err() {
        // What is left of the attempt; the first error is the one to report.
        let _ = std::fs::remove_file(&aside);
    }
    written?;
    File::open(folder)?.sync_all()
}

/// Removes from a folder what replacing of a file left there that a crash cut short. To be called
/// before this process replaces any.
///
/// Only regular files of this user under the very name that [`replace`] gives, of a NAME that
/// `is_ours`, whose process has ended: another gateway may be writing to the same policy folder. One
/// that can't be seen from here, in another container, loses at worst this one write, and is told so.
/// What can't be looked at or removed stays, with a line in the log.
pub(crate) fn sweep(folder: &Path, is_ours: impl Fn(&str) -> bool) {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => return tracing::debug!(folder = %folder.display(), %error, "not swept"),
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some((of, pid)) = name.to_str().and_then(written_aside) else { continue };
        // Of the link itself, where it is one.
        let is_own_file = entry
            .metadata()
            .is_ok_and(|found| found.is_file() && found.uid() == geteuid().as_raw());
        if !is_ours(of) || !is_own_file || is_alive(pid) {
            continue;
        }
        let path = entry.path();
        match std::fs::remove_file(&path) {
            Ok(()) => {
                tracing::info!(path = %path.display(), "removed what a crash left of a write");
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "can't remove what a crash left");
            }
        }
    }
}

/// NAME and PID of `.NAME.PID.new`.
fn written_aside(name: &str) -> Option<(&str, Pid)> {
    let (of, digits) = name.strip_prefix('.')?.strip_suffix(".new")?.rsplit_once('.')?;
    // As it is written: no sign, no zeros in front.
    let is_plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if of.is_empty() || !is_plain {
        return None;
    }
    Some((of, Pid::from_raw(digits.parse().ok()?)?))
}

/// Whether another process of this number runs. What bears our own number was left by an earlier
/// process: in a container each start has the same.
fn is_alive(pid: Pid) -> bool {
    pid != rustix::process::getpid() && test_kill_process(pid) != Err(Errno::SRCH)
}

#[cfg(test)]
mod tests;
