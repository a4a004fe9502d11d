use super::*;
use crate::raw::Findings;

fn folder(files: &[(&str, &str)]) -> (Option<Policy>, Vec<String>) {
    let files: Vec<_> =
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let (policy, problems) = check(&files);
    (policy, problems.iter().map(|p| format!("{p} | {}", p.help)).collect())
}

const ROUTE: &str = "version: 1\nroutes:\n  r: { match: { path: /a }, upstream: up }\n";

#[test]
fn files_refer_to_each_other() {
    let (policy, problems) = folder(&[("a.yaml", ROUTE), ("b.yaml", GROUND)]);
    assert_eq!(problems, Vec::<String>::new());
    let policy = policy.expect("no problems");
    assert_eq!(&*policy.routes["r"].origin.file, "a.yaml");
    assert_eq!(policy.routes["r"].origin.line, 3);
    assert_eq!(&*policy.upstreams["up"].origin.file, "b.yaml");
}

#[test]
fn a_name_defined_twice_names_both_places() {
    let (_, problems) = folder(&[("a.yaml", GROUND), ("b.yaml", GROUND), ("c.yaml", ROUTE)]);
    assert_eq!(
        problems,
        [
            "b.yaml:3:3: `up` is defined twice in `upstreams`; the first is at a.yaml:3:3 | give \
             one of the two another name",
            "b.yaml:7:3: `fun` is defined twice in `functions`; the first is at a.yaml:7:3 | give \
             one of the two another name",
        ]
    );
    let pool = "version: 1\npool: { total: 100 }\n";
    let (_, problems) = folder(&[("a.yaml", pool), ("b.yaml", pool)]);
    assert_eq!(
        problems,
        ["b.yaml:2:1: the pool is defined twice; the first is at a.yaml:2:1 | keep one of the two"]
    );
}

#[test]
fn problems_come_by_file_and_place() {
    let (_, problems) =
        folder(&[("z.yaml", "version: 2\nroutes:\n  r: 5\n"), ("a.yaml", "nope: 1\nversion: 3\n")]);
    let places: Vec<_> = problems.iter().map(|p| &p[..10]).collect();
    assert_eq!(places, ["z.yaml:1:1", "z.yaml:3:6", "a.yaml:1:1", "a.yaml:2:1"], "{problems:#?}");
}

#[test]
fn what_stands_in_a_broken_file_is_not_missed_elsewhere() {
    let (policy, problems) = folder(&[("a.yaml", "upstreams: { up: ["), ("b.yaml", ROUTE)]);
    assert!(policy.is_none());
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].starts_with("a.yaml:1:"), "{problems:#?}");
}

#[test]
fn an_empty_folder_is_a_problem() {
    let (policy, problems) = folder(&[]);
    assert!(policy.is_none());
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("there is no policy file"), "{problems:?}");
}

#[test]
fn files_that_could_not_be_read_hide_no_problem_and_make_none() {
    let bytes = b"version: 1\nrou\xfftes: {}\n";
    let unread =
        [Problem::unreadable("c.yaml", "permission denied"), Problem::not_utf8("a.yaml", bytes)];
    // `up` may be defined in one of them.
    let files = [("b.yaml".to_owned(), ROUTE.replace("upstream: up", "upstream: up, clas: bulk"))];
    let (policy, problems) = check_beside(&files, &unread);
    assert!(policy.is_none());
    let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "a.yaml:2:4: is not UTF-8: the byte 0xff does not belong here",
            "b.yaml:3:43: a route has no key `clas`",
            "c.yaml:1:1: cannot be read: permission denied",
        ]
    );
    let good = [("c.yaml".to_owned(), ROUTE.to_owned()), ("d.yaml".to_owned(), GROUND.to_owned())];
    assert!(check_beside(&good, &[]).0.is_some());
}

#[test]
fn files_folders_and_problems_are_bounded() {
    let large = format!("version: 1\n#{}\n", "x".repeat(FILE_BYTES_MAX));
    let (policy, problems) = folder(&[("a.yaml", &large)]);
    assert!(policy.is_none() && problems[0].contains("it may have 1048576"), "{problems:?}");

    let many: Vec<_> =
        (0..=FILES_MAX).map(|n| (format!("{n}.yaml"), "version: 1\n".to_owned())).collect();
    let (policy, problems) = check(&many);
    assert!(policy.is_none());
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].message.contains("257 files"), "{problems:?}");

    let full = format!("version: 1\n#{}\n", "x".repeat(FILE_BYTES_MAX - 13));
    let files: Vec<_> = (0..20).map(|n| (format!("{n}.yaml"), full.clone())).collect();
    let (policy, problems) = check(&files);
    assert!(policy.is_none());
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert_eq!(problems[0].file, "16.yaml");

    let mut wrong = "version: 1\n".to_owned();
    wrong.extend((0..2 * Findings::MAX).map(|n| format!("k{n}: 1\n")));
    assert_eq!(check_one(&wrong).1.len(), Findings::MAX);
}
