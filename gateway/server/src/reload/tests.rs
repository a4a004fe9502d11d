use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::*;

mod past;

const GOOD: &str = "\
version: 1
upstreams: { a: { endpoints: [http://127.0.0.1:9101] } }
routes: { all: { match: { path: /** }, upstream: a } }
";

/// `GOOD` with another port, so that revisions can be told apart.
fn good(port: u16) -> String {
    GOOD.replace("9101", &port.to_string())
}

/// A change by jane.
fn change(file: &str, text: Option<&str>, expected: Expected) -> Change {
    Change {
        file: file.to_owned(),
        text: text.map(str::to_owned),
        expected,
        by: Author { name: "jane".to_owned(), from: String::new(), reason: "why".to_owned() },
        cause: Origin::Api,
        revert_after: None,
    }
}

/// A watched folder and what was applied from it, in order.
struct Fixture {
    folder: tempfile::TempDir,
    state: tempfile::TempDir,
    reload: Reload,
    applied: Arc<Mutex<Vec<u16>>>,
    hangups: mpsc::Sender<()>,
}

impl Fixture {
    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), text).unwrap();
        Self::of(folder, Source::Folder)
    }

    fn of(folder: tempfile::TempDir, source: impl Fn(PathBuf) -> Source) -> Self {
        let applied = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&applied);
        let apply: Apply = Arc::new(move |loaded| {
            let upstream = loaded.policy.upstreams.values().next().unwrap();
            let mut seen = seen.lock();
            seen.push(upstream.endpoints[0].port);
            seen.len() as u64
        });
        let state = tempfile::tempdir().unwrap();
        let (hangups, hangups_received) = mpsc::channel(1);
        let reload =
            Reload::start(source(folder.path().to_owned()), state.path(), apply, hangups_received);
        Self { folder, state, reload, applied, hangups }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn last(&self) -> Option<u16> {
        self.applied.lock().last().copied()
    }

    /// Waits until `condition` holds, at most ten seconds.
    async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !condition(self) {
            assert!(Instant::now() < deadline, "waited for: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn the_first_load_is_asked_for() {
    let fixture = Fixture::with(GOOD);
    assert_eq!(fixture.reload.status().revision, 0);
    assert_eq!(fixture.reload.now().await.unwrap(), 1);
    let status = fixture.reload.status();
    assert!(status.ok && status.problems.is_empty() && status.loaded_at.is_some());
    let (files, problems) = fixture.reload.files().await;
    assert_eq!((files, problems), (vec![("a.yaml".to_owned(), GOOD.to_owned())], vec![]));
}

#[tokio::test]
async fn a_changed_file_is_noticed_and_applied() {
    let fixture = Fixture::with(GOOD);
    fixture.reload.now().await.unwrap();
    let began = Instant::now();
    fixture.write("a.yaml", &good(9102));
    fixture.until("the new port", |f| f.last() == Some(9102)).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn with_problems_the_running_policy_stays_and_the_next_good_one_applies() {
    let fixture = Fixture::with(GOOD);
    fixture.reload.now().await.unwrap();
    fixture.write("a.yaml", "version: 1\nrutes: {}\n");
    fixture.until("a problem", |f| !f.reload.status().ok).await;
    let status = fixture.reload.status();
    assert_eq!((status.revision, status.problems[0].line), (1, 2));
    assert_eq!(fixture.last(), Some(9101));
    fixture.write("a.yaml", &good(9103));
    fixture.until("the cure", |f| f.last() == Some(9103)).await;
    assert!(fixture.reload.status().ok);
}

#[tokio::test]
async fn a_hangup_loads_even_what_has_not_changed() {
    let fixture = Fixture::with(GOOD);
    fixture.reload.now().await.unwrap();
    fixture.hangups.send(()).await.unwrap();
    fixture.until("a second load", |f| f.reload.status().revision == 2).await;
}

#[tokio::test]
async fn a_swapped_link_is_noticed_as_kubernetes_swaps_config_maps() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, port) in [("..1", 9101), ("..2", 9102)] {
        std::fs::create_dir(at(version)).unwrap();
        std::fs::write(at(version).join("a.yaml"), good(port)).unwrap();
    }
    std::os::unix::fs::symlink("..1", at("..data")).unwrap();
    std::os::unix::fs::symlink("..data/a.yaml", at("a.yaml")).unwrap();
    let fixture = Fixture::of(folder, Source::Folder);
    fixture.reload.now().await.unwrap();
    assert_eq!(fixture.last(), Some(9101));

    let next = fixture.folder.path().join("..data_next");
    std::os::unix::fs::symlink("..2", &next).unwrap();
    std::fs::rename(&next, fixture.folder.path().join("..data")).unwrap();
    fixture.until("the swapped file", |f| f.last() == Some(9102)).await;

    let change = change("a.yaml", Some(&good(9103)), Expected::Present);
    assert!(matches!(fixture.reload.change(change).await, Err(Refused::Io(_))));
}

#[tokio::test]
async fn a_folder_that_goes_and_comes_back_is_found_again() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("policies");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.yaml"), GOOD).unwrap();
    let fixture = Fixture::of(parent, |parent| Source::Folder(parent.join("policies")));
    fixture.reload.now().await.unwrap();
    std::fs::rename(&folder, folder.with_extension("gone")).unwrap();
    fixture.until("a problem", |f| !f.reload.status().ok).await;
    assert!(fixture.reload.status().problems[0].message.contains("cannot be read"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.yaml"), good(9104)).unwrap();
    fixture.until("the new folder", |f| f.last() == Some(9104)).await;
}

#[tokio::test]
async fn corrupted_folders_are_refused() {
    let fixture = Fixture::with(GOOD);
    fixture.reload.now().await.unwrap();
    let path = fixture.folder.path().join("a.yaml");
    let texts: [&[u8]; 6] = [
        &GOOD.as_bytes()[..40],
        b"version: 1\n\xff\xfe",
        b"",
        b"version: 1\nversion: 1\n",
        &vec![b'#'; (1 << 20) + 1],
        b"\0\0\0\0",
    ];
    for text in texts {
        std::fs::write(&path, text).unwrap();
        let problems = fixture.reload.now().await.unwrap_err();
        assert!(!problems.is_empty() && problems.iter().all(|p| !p.help.is_empty()));
        assert_eq!(fixture.reload.status().revision, 1);
    }
    std::fs::remove_file(&path).unwrap();
    assert!(fixture.reload.now().await.unwrap_err()[0].message.contains("no policy file"));
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    assert!(fixture.reload.now().await.unwrap_err()[0].message.contains("cannot be read"));
    std::fs::remove_file(&path).unwrap();
    for n in 0..=sumun_policy::FILES_MAX {
        fixture.write(&format!("f{n}.yaml"), "version: 1\n");
    }
    assert!(fixture.reload.now().await.unwrap_err()[0].message.contains("more than 256"));
}

#[tokio::test]
async fn a_change_is_checked_written_and_applied_once() {
    let fixture = Fixture::with(GOOD);
    fixture.reload.now().await.unwrap();
    let change = |text: &str, expected| change("a.yaml", Some(text), expected);
    let stale = Expected::Tags(vec![tag("other")]);
    let conflict = fixture.reload.change(change(GOOD, stale)).await.unwrap_err();
    assert!(matches!(conflict, Refused::Conflict { tag: Some(current) } if current == tag(GOOD)));
    let absent = fixture.reload.change(change(GOOD, Expected::Absent)).await;
    assert!(matches!(absent, Err(Refused::Conflict { .. })));

    let current = || Expected::Tags(vec![tag(GOOD)]);
    let broken = fixture.reload.change(change("version: 1\nrutes: {}\n", current())).await;
    let Err(Refused::Problems(problems)) = broken else { panic!("problems") };
    assert_eq!(problems[0].line, 2);
    assert_eq!(std::fs::read_to_string(fixture.folder.path().join("a.yaml")).unwrap(), GOOD);

    let text = good(9105) + "# a comment stays\n";
    let written = fixture.reload.change(change(&text, current())).await.unwrap();
    assert_eq!((written.revision, written.created), (2, false));
    assert_eq!(written.tag, Some(tag(&text)));
    assert_eq!(std::fs::read_to_string(fixture.folder.path().join("a.yaml")).unwrap(), text);
    assert_eq!(fixture.names(), ["a.yaml"], "no temporary file stays");

    // The watch sees the same bytes and applies nothing; a foreign change still is applied.
    fixture.write("a.yaml", &good(9106));
    fixture.until("the foreign change", |f| f.last() == Some(9106)).await;
    assert_eq!(*fixture.applied.lock(), [9101, 9105, 9106]);
}

#[tokio::test]
async fn files_are_created_and_removed_but_never_so_that_problems_follow() {
    let fixture = Fixture::with(GOOD);
    fixture.reload.now().await.unwrap();
    let text = "version: 1\nupstreams: { b: { endpoints: [http://127.0.0.1:9] } }\n";
    let create = change("b.yaml", Some(text), Expected::Absent);
    assert!(fixture.reload.change(create).await.unwrap().created);
    let remove = |file: &str, expected| change(file, None, expected);
    let last = fixture.reload.change(remove("b.yaml", Expected::Present)).await.unwrap();
    assert_eq!(last.tag, None);
    let unknown = fixture.reload.change(remove("b.yaml", Expected::Present)).await;
    assert!(matches!(unknown, Err(Refused::Unknown)));
    assert_eq!(fixture.names(), ["a.yaml"]);
}

#[tokio::test]
async fn two_changes_at_once_do_not_lose_one() {
    let fixture = Fixture::with(GOOD);
    fixture.reload.now().await.unwrap();
    let change = |port| {
        let expected = Expected::Tags(vec![tag(GOOD)]);
        fixture.reload.change(change("a.yaml", Some(&good(port)), expected))
    };
    let (one, other) = tokio::join!(change(9107), change(9108));
    assert!(one.is_ok() != other.is_ok(), "one wins, the other is told");
}

#[tokio::test]
async fn to_a_url_the_built_in_policy_passes_the_same_check() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::of(folder, |_| Source::To("http://127.0.0.1:9109".to_owned()));
    assert_eq!(fixture.reload.now().await.unwrap(), 1);
    assert_eq!(fixture.last(), Some(9109));
    let change = change("a.yaml", Some(""), Expected::Absent);
    assert!(matches!(fixture.reload.change(change).await, Err(Refused::BuiltIn)));
}

#[test]
fn only_tame_file_names_may_be_written() {
    for name in ["a.yaml", "mail-list.v2.yml", "0_x.yaml"] {
        assert!(file_name_allowed(name), "{name}");
    }
    let long = format!("{}.yaml", "a".repeat(200));
    for name in [
        "",
        ".yaml",
        "a.json",
        "A.yaml",
        "../a.yaml",
        "a/b.yaml",
        "-a.yaml",
        ".a.yaml",
        "a\0.yaml",
        "ä.yaml",
        &long,
    ] {
        assert!(!file_name_allowed(name), "{name}");
    }
}

#[tokio::test]
async fn what_is_no_file_is_a_problem_and_not_waited_for() {
    let fixture = Fixture::with(GOOD);
    fixture.reload.now().await.unwrap();
    // Nobody will ever write to it.
    let pipe = fixture.folder.path().join("b.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let problems = fixture.reload.now().await.unwrap_err();
    assert_eq!(problems[0].to_string(), "b.yaml:1:1: is no regular file");
    std::fs::remove_file(&pipe).unwrap();
    fixture.reload.now().await.unwrap();
}
