use super::*;

fn files(text: &str) -> Files {
    vec![("a.yaml".to_owned(), text.to_owned()), ("b.yaml".to_owned(), String::new())]
}

fn by(reason: &str) -> Author {
    let (name, from) = ("jane".to_owned(), "127.0.0.1".to_owned());
    Author { name, from, reason: reason.to_owned() }
}

#[test]
fn numbers_go_on_over_restarts_and_the_same_files_are_the_same_revision() {
    let state = tempfile::tempdir().unwrap();
    let history = History::new(state.path());
    assert_eq!(history.list(None, 10).unwrap(), []);
    let record = |history: &History, text| history.record(&files(text), &by(text), Origin::Api);
    assert_eq!(record(&history, "one").unwrap(), 1);
    assert_eq!(record(&history, "one").unwrap(), 1);
    assert_eq!(record(&history, "two").unwrap(), 2);
    let again = History::new(state.path());
    assert_eq!(record(&again, "two").unwrap(), 2);
    assert_eq!(record(&again, "one").unwrap(), 3, "what was before is another one now");
    let seen: Vec<_> =
        again.list(None, 10).unwrap().into_iter().map(|r| (r.id, r.reason)).collect();
    assert_eq!(seen, [(3, "one".to_owned()), (2, "two".to_owned()), (1, "one".to_owned())]);
    assert_eq!(again.list(Some(3), 1).unwrap()[0].id, 2);
    let two = again.get(2).unwrap().unwrap();
    assert_eq!((two.author.as_str(), two.cause), ("jane", Origin::Api));
    assert_eq!(two.files.into_iter().collect::<Files>(), files("two"));
    assert_eq!(again.before(2).unwrap().unwrap().id, 1);
    assert_eq!(again.before(1).unwrap(), None);
    assert_eq!(again.get(9).unwrap(), None);
}

#[test]
fn a_damaged_revision_is_left_out_and_its_number_not_given_again() {
    let state = tempfile::tempdir().unwrap();
    History::new(state.path()).record(&files("one"), &by(""), Origin::Folder).unwrap();
    std::fs::write(state.path().join(FOLDER).join("7.json"), "{\"id\":7").unwrap();
    std::fs::write(state.path().join(FOLDER).join("notes.txt"), "").unwrap();
    let history = History::new(state.path());
    assert_eq!(history.list(None, 10).unwrap().len(), 1);
    assert_eq!(history.record(&files("one"), &by(""), Origin::Folder).unwrap(), 8);
}

#[test]
fn the_oldest_make_room() {
    let state = tempfile::tempdir().unwrap();
    let history = History::new(state.path());
    history.record(&files("0"), &by(""), Origin::Api).unwrap();
    let folder = state.path().join(FOLDER);
    // As if there had been many: written by hand, because each real one waits for the disk.
    let old = std::fs::read(folder.join("1.json")).unwrap();
    for id in 2..=REVISIONS_MAX + 10 {
        std::fs::write(folder.join(file_name(id as u64)), &old).unwrap();
    }
    let history = History::new(state.path());
    let newest = history.record(&files("1"), &by(""), Origin::Api).unwrap();
    assert_eq!(newest, REVISIONS_MAX as u64 + 11);
    let ids = history.ids().unwrap();
    assert_eq!((ids.len(), *ids.last().unwrap()), (REVISIONS_MAX, newest));
    // One that takes nearly all the room pushes the others out.
    let large = std::fs::File::create(folder.join(file_name(newest))).unwrap();
    large.set_len(BYTES_MAX - 10).unwrap();
    history.record(&files("2"), &by(""), Origin::Api).unwrap();
    assert_eq!(history.ids().unwrap(), [newest + 1]);
}
