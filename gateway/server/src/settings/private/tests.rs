use super::super::written::read;
use super::*;

fn private(text: &str) -> Vec<u32> {
    let lines = PrivateLines::of(&read(text).unwrap().unwrap(), text);
    (1..=text.lines().count() as u32).filter(|line| lines.hold(*line)).collect()
}

#[test]
fn what_stands_at_a_private_key_or_at_an_unknown_one_beside_it_is_private() {
    let text = "\
listen: 127.0.0.1:1
admin:
  listen: 127.0.0.1:2
  users:
    - jane:editor:x
    - john:viewer:y
  read_only: true
redis:
  timeout: 5ms
  pasword: hidden
  url: redis://:hidden@host
limits: { idle: 5s }
";
    assert_eq!(private(text), [4, 5, 6, 10, 11]);
}

#[test]
fn a_group_that_is_no_mapping_is_private_and_so_is_a_file_that_is_none() {
    assert_eq!(private("workers: 2\nredis: 'redis://:hidden@host'\n"), [2]);
    assert_eq!(private("admin: { read_only: x, users: [jane:editor:y] }\nworkers: 2\n"), [1]);
    assert_eq!(private("- redis://:hidden@host\n- b\n"), [1, 2]);
}

#[test]
fn in_a_file_that_is_no_yaml_whole_groups_are() {
    let text = "listen: [\nadmin:\n- jane:editor:x\n\n  # mine\nworkers: 2\n'redis':\n  a: \"b\n";
    let lines = PrivateLines::guessed(text);
    let private: Vec<u32> = (1..=8).filter(|line| lines.hold(*line)).collect();
    assert_eq!(private, [2, 3, 4, 5, 7, 8]);
    assert!(PrivateLines::guessed("{ redis: { password: x }, [").hold(1));
}
