use super::*;

fn jane() -> Identity {
    Identity { name: "jane".into(), role: Role::Editor }
}

/// The header that a browser sends after it was told to set this cookie.
fn sent(set: &HeaderValue) -> HeaderMap {
    let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
    HeaderMap::from_iter([(header::COOKIE, HeaderValue::try_from(pair).unwrap())])
}

#[tokio::test]
async fn a_cookie_is_known_until_its_logout() {
    let sessions = Sessions::default();
    let cookie = sessions.begin(jane()).unwrap();
    let text = cookie.to_str().unwrap();
    assert!(text.ends_with("; HttpOnly; SameSite=Strict"), "{text}");
    assert!(text.contains("; Path=/; Max-Age=86400;"), "{text}");
    let headers = sent(&cookie);
    assert_eq!(sessions.of(&headers), Some(jane()));
    let gone = sessions.end(&headers);
    assert!(gone.to_str().unwrap().starts_with("sumun_session=; Path=/; Max-Age=0;"));
    assert_eq!(sessions.of(&headers), None);
}

#[tokio::test]
async fn it_is_found_among_others_and_nothing_else_is_taken_for_it() {
    let sessions = Sessions::default();
    let own = sent(&sessions.begin(jane()).unwrap());
    let own = own[header::COOKIE].to_str().unwrap().to_owned();
    let known = |lines: &[&str]| {
        let lines = lines.iter().map(|line| HeaderValue::try_from(*line).unwrap());
        sessions.of(&lines.map(|line| (header::COOKIE, line)).collect()).is_some()
    };
    assert!(known(&[&format!("a=1; {own};b=2")]));
    assert!(known(&["a=1", &own]));
    assert!(known(&[&format!("sumun_session=other; {own}")]), "set for another path");
    assert!(!known(&[&format!("x{own}")]));
    assert!(!known(&[&own[..own.len() - 1]]));
    assert!(!known(&[&format!("{own}0")]));
    assert!(!known(&["sumun_session="]));
    assert!(!known(&[&format!("{}; {own}", "x".repeat(COOKIES_BYTES_MAX))]));
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_when_it_is_not_used_and_when_it_is_old() {
    let sessions = Sessions::default();
    let idle = sent(&sessions.begin(jane()).unwrap());
    let used = sent(&sessions.begin(jane()).unwrap());
    let step = IDLE_MAX / 2;
    let steps = AGE_MAX.as_secs() / step.as_secs();
    for _ in 1..steps {
        tokio::time::advance(step).await;
        assert!(sessions.of(&used).is_some());
    }
    assert_eq!(sessions.of(&idle), None);
    tokio::time::advance(step).await;
    assert_eq!(sessions.of(&used), None, "a day has passed");
}

#[tokio::test(start_paused = true)]
async fn the_longest_unused_makes_room() {
    let sessions = Sessions::default();
    let first = sent(&sessions.begin(jane()).unwrap());
    tokio::time::advance(Duration::from_secs(1)).await;
    let second = sent(&sessions.begin(jane()).unwrap());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(sessions.of(&first).is_some(), "used after the second");
    for _ in 2..=SESSIONS_MAX {
        sessions.begin(jane()).unwrap();
    }
    assert_eq!(sessions.0.lock().len(), SESSIONS_MAX);
    assert!(sessions.of(&first).is_some());
    assert_eq!(sessions.of(&second), None);
}
