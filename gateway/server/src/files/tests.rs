use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_whole_and_nothing_else_is_left() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("state").join("part");
    make_folder(&folder).unwrap();
    for text in ["first, longer", "second"] {
        replace(&folder, "a.json", text.as_bytes(), Access::Owner).unwrap();
        assert_eq!(std::fs::read_to_string(folder.join("a.json")).unwrap(), text);
    }
    assert_eq!(names(&folder), ["a.json"]);
    assert_eq!((mode(&folder), mode(&folder.join("a.json"))), (0o700, 0o600));
}

#[test]
fn who_could_read_a_file_can_read_what_replaces_it() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.yaml");
    std::fs::write(&path, "old").unwrap();
    for permissions in [0o640, 0o604] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(permissions)).unwrap();
        replace(root.path(), "a.yaml", b"new", Access::AsBefore).unwrap();
        assert_eq!(mode(&path), permissions);
    }
    replace(root.path(), "a.yaml", b"own", Access::Owner).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_failed_write_leaves_what_was() {
    let root = tempfile::tempdir().unwrap();
    // A folder in the file's place can't be replaced by a file.
    std::fs::create_dir_all(root.path().join("a.json").join("full")).unwrap();
    for access in [Access::Owner, Access::AsBefore] {
        replace(root.path(), "a.json", b"x", access).unwrap_err();
        assert_eq!(names(root.path()), ["a.json"]);
    }
}

#[test]
fn a_link_in_the_way_is_not_written_through() {
    let root = tempfile::tempdir().unwrap();
    let elsewhere = root.path().join("elsewhere");
    std::fs::write(&elsewhere, "theirs").unwrap();
    let aside = root.path().join(format!(".a.json.{}.new", std::process::id()));
    symlink(&elsewhere, &aside).unwrap();
    replace(root.path(), "a.json", b"ours", Access::Owner).unwrap();
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "theirs");
    assert_eq!(names(root.path()), ["a.json", "elsewhere"]);
}

/// The number of a process that has ended.
fn ended() -> u32 {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

#[test]
fn only_what_a_crash_left_is_swept() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    let (gone, own) = (ended(), std::process::id());
    let living = std::os::unix::process::parent_id();
    let kept = [
        format!(".a.json.{living}.new"),
        format!(".a.yaml.{gone}.new"),
        format!("a.json.{gone}.new"),
        format!(".a.json.{gone}.old"),
        format!(".a.json.+{gone}.new"),
        format!(".a.json.0{gone}.new"),
        format!(".a.json.-{gone}.new"),
        format!("..{gone}.new"),
        ".a.json.4294967296.new".to_owned(),
        ".a.json.0.new".to_owned(),
        ".a.json..new".to_owned(),
        ".a.json.new".to_owned(),
        "a.json".to_owned(),
    ];
    let left = [format!(".a.json.{gone}.new"), format!(".b.c.json.{own}.new")];
    for name in kept.iter().chain(&left) {
        std::fs::write(folder.join(name), "").unwrap();
    }
    let (link, nested) = (format!(".link.json.{gone}.new"), format!(".folder.json.{gone}.new"));
    symlink(folder.join("a.json"), folder.join(&link)).unwrap();
    std::fs::create_dir(folder.join(&nested)).unwrap();

    sweep(folder, |name| Path::new(name).extension().is_some_and(|ending| ending == "json"));

    let mut expected: Vec<String> = kept.into_iter().chain([link, nested]).collect();
    expected.sort();
    assert_eq!(names(folder), expected);
}

#[test]
fn a_folder_that_is_not_there_is_swept() {
    sweep(&tempfile::tempdir().unwrap().path().join("none"), |_| true);
}
