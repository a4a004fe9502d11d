use super::*;

fn with(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn references_are_resolved() {
    let environment = with(&[("HOST", "10.0.0.1"), ("EMPTY", ""), ("REF", "${HOST}")]);
    for (text, wanted) in [
        ("plain", "plain"),
        ("${HOST}:80", "10.0.0.1:80"),
        ("a${HOST}b${HOST}", "a10.0.0.1b10.0.0.1"),
        ("${PORT:-8080}", "8080"),
        ("${EMPTY:-8080}", "8080"),
        ("${EMPTY}", ""),
        ("${PORT:-}", ""),
        ("${HOST:-other}", "10.0.0.1"),
        ("${HOST:?needed}", "10.0.0.1"),
        ("$${HOST}", "${HOST}"),
        ("5$", "5$"),
        ("${REF}", "${HOST}"),
    ] {
        let resolved = resolve(text, &environment).unwrap();
        assert_eq!((resolved.text.as_str(), resolved.secret), (wanted, false), "{text}");
    }
}

#[test]
fn what_cannot_be_resolved_says_why() {
    let environment = with(&[("EMPTY", "")]);
    for (text, part) in [
        ("${PORT}", "PORT is not set"),
        ("${PORT:?the port of the service}", "PORT: the port of the service"),
        ("${EMPTY:?fill it}", "EMPTY: fill it"),
        ("${PORT", "never closed"),
        ("${}", "names no variable"),
        ("${1X}", "names no variable"),
        ("${PORT+x}", "`+x` is not understood"),
        ("${file:relative}", "not an absolute path"),
        ("${file:/nowhere/at/all}", "cannot be read"),
    ] {
        let fault = resolve(text, &environment).unwrap_err();
        assert!(fault.message.contains(part), "{text}: {fault:?}");
        assert!(!fault.help.is_empty());
    }
}

#[test]
fn a_file_is_read_without_its_last_line_break_and_stays_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "s3cret\r\n").unwrap();
    let text = format!("redis://:${{file:{}}}@host", path.display());
    let resolved = resolve(&text, &BTreeMap::new()).unwrap();
    assert_eq!(resolved, Resolved { text: "redis://:s3cret@host".to_owned(), secret: true });

    std::fs::write(&path, vec![b'x'; FILE_BYTES_MAX as usize + 1]).unwrap();
    assert!(resolve(&text, &BTreeMap::new()).unwrap_err().message.contains("larger"));
}
