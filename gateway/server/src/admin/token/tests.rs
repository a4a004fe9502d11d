use super::*;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_token_is_made_once_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("deep").join("state");
    let (token, created) = Token::open(&state).unwrap();
    assert!(created);
    let path = state.join(FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.trim_end().len(), 64);
    assert!(text.trim_end().bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!((mode(&path), mode(&state)), (0o600, 0o700));
    assert_eq!(std::fs::read_dir(&state).unwrap().count(), 1, "no temporary file stays");

    let (again, created) = Token::open(&state).unwrap();
    assert!(!created);
    assert!(again.matches(text.trim_end().as_bytes()) && token.matches(text.trim_end().as_bytes()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);

    let (other, _) = Token::open(&folder.path().join("other")).unwrap();
    assert!(!other.matches(text.trim_end().as_bytes()));
}

#[test]
fn only_the_whole_token_matches() {
    let token = Token("0123456789abcdef0123456789abcdef".to_owned());
    for wrong in ["", "0", "0123456789abcdef0123456789abcdee", "0123456789abcdef0123456789abcdef0"]
    {
        assert!(!token.matches(wrong.as_bytes()), "{wrong}");
    }
    assert_eq!(
        token.login_link("127.0.0.1:9900".parse().unwrap()),
        "http://127.0.0.1:9900/#token=0123456789abcdef0123456789abcdef"
    );
}

#[test]
fn an_operator_s_own_file_is_taken_or_refused_but_never_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let own = "an-operators-own-token-of-forty-letters.";
    std::fs::write(&path, own).unwrap();
    assert!(Token::open(folder.path()).unwrap().0.matches(own.as_bytes()));
    for text in ["", "short", "two lines of text that are\nlong enough to count", &"x".repeat(600)]
    {
        std::fs::write(&path, text).unwrap();
        assert!(matches!(Token::open(folder.path()), Err(TokenError::Malformed(_))), "{text}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn of_many_starts_at_once_all_get_the_same_token() {
    let folder = tempfile::tempdir().unwrap();
    let created = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| Token::open(folder.path()))).collect();
        let opened: Vec<_> = starts.into_iter().map(|s| s.join().unwrap()).collect();
        opened.into_iter().filter(|result| matches!(result, Ok((_, true)))).count()
    });
    assert_eq!(created, 1);
    assert!(!Token::open(folder.path()).unwrap().1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
}
