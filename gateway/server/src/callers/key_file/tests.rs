use std::fs;

use super::super::api_keys::ApiKeys;
use super::*;

fn named(file: &KeyFile<ApiKeys>, key: &str) -> Option<String> {
    file.keys().find(key.as_bytes()).map(|name| name.as_str().to_owned())
}

#[test]
fn a_changed_file_is_used_and_a_bad_one_changes_nothing_until_it_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    fs::write(&path, "orders first-key\n").unwrap();
    let file = KeyFile::<ApiKeys>::load(&path).unwrap();
    assert_eq!(named(&file, "first-key").as_deref(), Some("orders"));

    fs::write(&path, "orders second-key\n").unwrap();
    file.look();
    assert_eq!(
        (named(&file, "first-key"), named(&file, "second-key")),
        (None, Some("orders".into()))
    );
    assert_eq!(file.problem(), None);

    fs::write(&path, "orders s3cret with spaces\n").unwrap();
    file.look();
    assert!(named(&file, "second-key").is_some(), "the older keys stay");
    let problem = file.problem().unwrap();
    assert!(problem.contains(":1:") && !problem.contains("s3cret"), "{problem}");

    fs::remove_file(&path).unwrap();
    file.look();
    assert!(named(&file, "second-key").is_some(), "the older keys stay");
    assert!(file.problem().unwrap().contains("can't be read"), "{:?}", file.problem());

    fs::write(&path, "orders second-key\n").unwrap();
    file.look();
    assert_eq!(file.problem(), None);
    assert!(named(&file, "second-key").is_some());
}

#[test]
fn what_is_wrong_with_a_set_quotes_nothing_of_it() {
    let error = serde_json::from_str::<u8>("\n \"s3cret\"").unwrap_err();
    let told = told(&CallersError::Jwks { path: "jwks.json".into(), source: error });
    assert!(told.ends_with("(line 2, column 9)") && !told.contains("s3cret"), "{told}");
}
