//! The folder of local state: files that are whole or not there.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Makes a folder that only its owner can enter, and those above it, where they are missing.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Replaces a file of a state folder, which is made where it is missing: readers see the old bytes
/// or the new ones, also after a crash; once this returns, the new ones. Only its owner can read it.
pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    make_folder(folder)?;
    let temporary = folder.join(format!(".{name}.{}.new", std::process::id()));
    let written = (|| {
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, folder.join(name))
    })();
    if written.is_err() {
        // What is left of the attempt; the first error is the one to report.
        let _ = std::fs::remove_file(&temporary);
    }
    written?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("state").join("part");
        for text in ["first, longer", "second"] {
            write(&folder, "a.json", text.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(folder.join("a.json")).unwrap(), text);
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("a.json"))), (0o700, 0o600));
    }

    #[test]
    fn a_failed_write_leaves_what_was() {
        let root = tempfile::tempdir().unwrap();
        // A folder in the file's place can't be replaced by a file.
        std::fs::create_dir_all(root.path().join("a.json").join("full")).unwrap();
        write(root.path(), "a.json", b"x").unwrap_err();
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
