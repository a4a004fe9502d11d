//! Revisions, restores and changes for a time, on a real folder.

use super::*;
use crate::reload::revert::{PENDING_MAX, Pending};

impl Fixture {
    fn past(&self) -> &Past {
        self.reload.past().unwrap()
    }

    /// Number, cause and author of each revision, newest first.
    fn revisions(&self) -> Vec<(u64, Origin, String)> {
        let list = self.past().history.list(None, 100).unwrap();
        list.into_iter().map(|r| (r.id, r.cause, r.author)).collect()
    }

    /// Changes `a.yaml` for a time.
    async fn change_for(&self, port: u16, time: Duration) -> Written {
        let mut change = change("a.yaml", Some(&good(port)), Expected::Present);
        change.revert_after = Some(time);
        self.reload.change(change).await.unwrap()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("a.yaml")).unwrap()
    }

    /// Makes everything that waits due.
    fn let_time_pass(&self) {
        let reverts = &self.past().reverts;
        for pending in reverts.all().unwrap() {
            reverts.add(Pending { due_s: 1, ..pending }).unwrap();
        }
    }
}

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn what_ran_is_a_revision_with_who_and_why() {
    let fixture = Fixture::with(GOOD);
    fixture.reload.now().await.unwrap();
    fixture.reload.now().await.unwrap();
    assert_eq!(fixture.revisions(), [(1, Origin::Folder, String::new())]);
    let wanted = change("a.yaml", Some(&good(9102)), Expected::Present);
    fixture.reload.change(wanted).await.unwrap();
    fixture.write("a.yaml", &good(9103));
    fixture.until("the hand's edit", |f| f.last() == Some(9103)).await;
    let jane = "jane".to_owned();
    assert_eq!(
        fixture.revisions(),
        [
            (3, Origin::Folder, String::new()),
            (2, Origin::Api, jane),
            (1, Origin::Folder, String::new())
        ]
    );
    assert_eq!(fixture.past().history.get(2).unwrap().unwrap().reason, "why");
    // A policy with problems never ran.
    fixture.write("a.yaml", "version: 1\nrutes: {}\n");
    fixture.until("a problem", |f| !f.reload.status().ok).await;
    assert_eq!(fixture.revisions().len(), 3);
}

#[tokio::test]
async fn a_policy_runs_also_where_the_state_folder_cannot_be_written() {
    let fixture = Fixture::with(GOOD);
    std::fs::write(fixture.state.path().join("history"), "a file in its place").unwrap();
    fixture.reload.now().await.unwrap();
    assert_eq!(fixture.last(), Some(9101));
}

#[tokio::test]
async fn a_restore_is_a_new_revision_and_removes_what_was_not_there() {
    let fixture = Fixture::with(GOOD);
    fixture.reload.now().await.unwrap();
    let more = "version: 1\nupstreams: { b: { endpoints: [http://127.0.0.1:9] } }\n";
    fixture.reload.change(change("b.yaml", Some(more), Expected::Absent)).await.unwrap();
    let wanted = change("a.yaml", Some(&good(9102)), Expected::Present);
    fixture.reload.change(wanted).await.unwrap();
    let first = fixture.past().history.get(1).unwrap().unwrap();
    let by = Author { name: "ada".to_owned(), ..Author::default() };
    fixture.reload.restore(first.files.into_iter().collect(), by).await.unwrap();
    assert_eq!((fixture.text().as_str(), fixture.last()), (GOOD, Some(9101)));
    assert_eq!(fixture.names(), ["a.yaml"]);
    assert_eq!(fixture.revisions()[0], (4, Origin::Restore, "ada".to_owned()));
    let broken = vec![("a.yaml".to_owned(), "version: 2\n".to_owned())];
    let refused = fixture.reload.restore(broken, Author::default()).await.unwrap_err();
    assert!(matches!(refused, Refused::Problems(_)), "{refused:?}");
    assert_eq!(fixture.text(), GOOD);
}

#[tokio::test]
async fn a_restore_that_was_cut_short_is_finished_at_the_next_start() {
    let fixture = Fixture::with(&good(9102));
    fixture.write("b.yaml", "version: 1\n");
    let note = serde_json::json!({"a.yaml": GOOD, "c.yaml": "version: 1\n"});
    std::fs::write(fixture.state.path().join("restore.json"), note.to_string()).unwrap();
    fixture.reload.now().await.unwrap();
    assert_eq!(
        (fixture.names(), fixture.last()),
        (vec!["a.yaml".into(), "c.yaml".into()], Some(9101))
    );
    assert!(!fixture.state.path().join("restore.json").exists());
}

#[tokio::test]
async fn a_change_for_a_time_ends_by_itself() {
    let fixture = Fixture::with(GOOD);
    fixture.reload.now().await.unwrap();
    fixture.change_for(9102, Duration::from_secs(1)).await;
    assert_eq!(fixture.last(), Some(9102));
    fixture.until("the old text", |f| f.last() == Some(9101)).await;
    assert_eq!(fixture.text(), GOOD);
    let reverted = fixture.past().history.get(3).unwrap().unwrap();
    assert_eq!((reverted.cause, reverted.author.as_str()), (Origin::Revert, "jane"));
    assert_eq!(reverted.reason, "the time of the change is over: why");
    assert_eq!(fixture.past().reverts.all().unwrap(), []);
}

#[tokio::test]
async fn it_ends_also_when_the_process_ended_before() {
    let fixture = Fixture::with(GOOD);
    fixture.reload.now().await.unwrap();
    fixture.change_for(9102, HOUR).await;
    fixture.let_time_pass();
    // The next process, with the same folders.
    let Fixture { folder, state, .. } = fixture;
    let (applied, seen) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let (ports, count) = (Arc::clone(&applied), Arc::clone(&seen));
    let apply: Apply = Arc::new(move |loaded| {
        *ports.lock() = loaded.policy.upstreams.values().next().unwrap().endpoints[0].port;
        *count.lock() += 1;
        loaded.revision.unwrap()
    });
    let (_hangups, received) = mpsc::channel(1);
    let source = Source::Folder(folder.path().to_owned());
    let reload = Reload::start(source, state.path(), apply, received);
    assert_eq!(reload.now().await.unwrap(), 2, "the number goes on");
    let deadline = Instant::now() + Duration::from_secs(10);
    while *applied.lock() != 9101 {
        assert!(Instant::now() < deadline, "not reverted");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("a.yaml")).unwrap(), GOOD);
}

#[tokio::test]
async fn what_was_changed_again_is_left_alone() {
    let fixture = Fixture::with(GOOD);
    fixture.reload.now().await.unwrap();
    fixture.change_for(9102, HOUR).await;
    // For a time again: what was before the first counts.
    fixture.change_for(9103, HOUR).await;
    assert_eq!(fixture.past().reverts.all().unwrap()[0].before.as_deref(), Some(GOOD));
    // By hand: nobody's edit is undone.
    fixture.write("a.yaml", &good(9104));
    fixture.until("the hand's edit", |f| f.last() == Some(9104)).await;
    fixture.let_time_pass();
    fixture.until("nothing waits", |f| f.past().reverts.all().unwrap().is_empty()).await;
    assert_eq!((fixture.text(), fixture.last()), (good(9104), Some(9104)));
    // For good: nothing waits any more.
    fixture.change_for(9105, HOUR).await;
    let for_good = change("a.yaml", Some(&good(9106)), Expected::Present);
    fixture.reload.change(for_good).await.unwrap();
    assert_eq!(fixture.past().reverts.all().unwrap(), []);
}

#[tokio::test]
async fn only_so_many_files_wait() {
    let fixture = Fixture::with(GOOD);
    fixture.reload.now().await.unwrap();
    for n in 0..PENDING_MAX {
        let (file, tag) = (format!("f{n}.yaml"), String::new());
        let by = Author::default();
        let pending = Pending { file, due_s: u64::MAX, tag, before: None, by };
        fixture.past().reverts.add(pending).unwrap();
    }
    let mut change = change("a.yaml", Some(&good(9102)), Expected::Present);
    change.revert_after = Some(HOUR);
    let refused = fixture.reload.change(change).await.unwrap_err();
    assert!(matches!(refused, Refused::TooManyReverts), "{refused:?}");
    assert_eq!(fixture.text(), GOOD);
}
