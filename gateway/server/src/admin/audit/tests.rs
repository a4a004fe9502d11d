use super::*;

fn entry(why: &str) -> Entry {
    Entry {
        at: "2026-11-22T10:00:00Z".to_owned(),
        who: "jane".to_owned(),
        from: "127.0.0.1".to_owned(),
        what: "PUT /api/v1/policies/mail.yaml".to_owned(),
        why: why.to_owned(),
        status: 200,
    }
}

fn whys(audit: &Audit, most: usize) -> Vec<String> {
    audit.newest(most).unwrap().into_iter().map(|entry| entry.why).collect()
}

#[test]
fn the_newest_come_first_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::new(folder.path());
    assert_eq!(audit.newest(10).unwrap(), []);
    for why in ["a", "b"] {
        audit.write(entry(why)).unwrap();
    }
    let again = Audit::new(folder.path());
    again.write(entry("c\n\"quoted\"")).unwrap();
    assert_eq!(whys(&again, 10), ["c\n\"quoted\"", "b", "a"]);
    assert_eq!(whys(&again, 2), ["c\n\"quoted\"", "b"]);
    assert_eq!(again.newest(1).unwrap()[0], entry("c\n\"quoted\""));
}

#[test]
fn half_a_line_is_skipped_and_not_joined() {
    let folder = tempfile::tempdir().unwrap();
    Audit::new(folder.path()).write(entry("whole")).unwrap();
    let mut file = OpenOptions::new().append(true).open(folder.path().join(FILE)).unwrap();
    file.write_all(b"{\"at\":\"2026-").unwrap();
    let audit = Audit::new(folder.path());
    assert_eq!(whys(&audit, 9), ["whole"]);
    audit.write(entry("after")).unwrap();
    assert_eq!(whys(&audit, 9), ["after", "whole"]);
}

#[test]
fn it_grows_to_two_parts_and_no_further() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::new(folder.path());
    let long = "x".repeat(TEXT_CHARS_MAX * 2);
    audit.write(entry(&long)).unwrap();
    assert_eq!(whys(&audit, 1)[0].len(), TEXT_CHARS_MAX);
    for round in ["first", "second", "third"] {
        // As if the part had been filled.
        let file = OpenOptions::new().append(true).open(folder.path().join(FILE)).unwrap();
        file.set_len(FILE_BYTES_MAX).unwrap();
        audit.part.lock().as_mut().unwrap().bytes = FILE_BYTES_MAX;
        audit.write(entry(round)).unwrap();
    }
    let bytes = |name| folder.path().join(name).metadata().unwrap().len();
    assert!(bytes(FILE) < 1_000 && bytes(FILE_BEFORE) == FILE_BYTES_MAX);
    assert_eq!(whys(&audit, 9), ["third", "second"]);
}
