use super::*;

/// Of the password `correct horse`, at the least cost there is.
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$8CWTkqCyp/XnMp5BcQ3Z6A";

#[test]
fn users_are_separated_by_commas_that_are_not_a_hashes_own() {
    let users = users(&format!("jane:editor:{HASH},ops@example:admin:{HASH}, bob:viewer:{HASH}"));
    let users = users.unwrap();
    let seen: Vec<_> = users.iter().map(|user| (user.name.as_str(), user.role)).collect();
    assert_eq!(seen, [("jane", Role::Editor), ("ops@example", Role::Admin), ("bob", Role::Viewer)]);
    assert!(users.iter().all(|user| user.hash == HASH), "{users:?}");
}

#[test]
fn nobody_is_fine() {
    assert_eq!(users(""), Ok(Vec::new()));
}

#[test]
fn what_is_wrong_is_said_and_no_hash_is_quoted() {
    let costly = HASH.replace("m=8", "m=2000000");
    let other = HASH.replace("argon2id", "argon2d");
    for (text, message) in [
        ("jane".to_owned(), "is not `name:role:hash`"),
        (format!("jane:{HASH}"), "is not `name:role:hash`"),
        (format!("Jane:editor:{HASH}"), "`Jane` is no name"),
        (format!(":editor:{HASH}"), "`` is no name"),
        (format!("jane:root:{HASH}"), "the role `root`"),
        ("jane:editor:secret".to_owned(), "password of `jane` is not an Argon2id hash"),
        (format!("jane:editor:{costly}"), "password of `jane`"),
        (format!("jane:editor:{other}"), "password of `jane`"),
        (format!("jane:editor:{HASH},jane:viewer:{HASH}"), "`jane` is written twice"),
    ] {
        let wrong = users(&text).unwrap_err();
        assert!(wrong.message.contains(message), "{text}: {wrong:?}");
        assert!(!wrong.message.contains("secret") && !wrong.message.contains("argon2id$"));
    }
    let many = (0..=USERS_MAX).map(|n| format!("u{n}:viewer:{HASH}")).collect::<Vec<_>>();
    assert!(users(&many.join(",")).unwrap_err().message.contains("too many"));
}

#[test]
fn a_user_is_shown_without_the_hash() {
    let user = &users(&format!("jane:editor:{HASH}")).unwrap()[0];
    assert_eq!(format!("{user:?}"), "jane:editor:***");
}

#[test]
fn roles_include_those_before_them() {
    assert!(Role::Viewer < Role::Editor && Role::Editor < Role::Admin);
}
