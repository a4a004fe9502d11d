//! The shared cache as callers and origins see it: RFC 9111 with explicit freshness.
//!
//! The clause-by-clause table of the rules stands beside the engine; here are whole exchanges.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sumun_tests::{
    Broken, Client, DEADLINE, Gate, Load, Recorded, Reply, Response, Step, Sumun, Upstream,
    eventually,
};

use crate::policies;

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

/// An origin with this script behind a route with these cache keys.
async fn cached(
    keys: &str,
    script: impl Fn(&Recorded) -> Reply + Send + Sync + 'static,
) -> (Upstream, Sumun) {
    let upstream = Upstream::start(script).await;
    let route = format!("cache: {{ {keys} }}");
    let sumun = Sumun::start(&policies::to_with(&upstream.url(), &route)).await;
    (upstream, sumun)
}

/// An origin that numbers its answers and sends these headers.
fn numbered(
    headers: &'static [(&'static str, &'static str)],
) -> impl Fn(&Recorded) -> Reply + Send + Sync + 'static {
    let count = AtomicUsize::new(0);
    move |_| Reply::with(200, headers, format!("{}", count.fetch_add(1, Ordering::SeqCst) + 1))
}

fn is_hit(answer: &Response) -> bool {
    answer.header("cache-status").is_some_and(|status| status.contains("sumun; hit"))
}

#[tokio::test]
async fn a_fresh_answer_is_served_again_without_the_origin() {
    let (upstream, sumun) = cached("", numbered(&[FRESH, ("x-own", "1")])).await;
    let miss = sumun.get("/a?b").await;
    assert_eq!(miss.text(), "1");
    let status = miss.header("cache-status").expect("Cache-Status");
    assert!(status.contains("sumun; fwd=uri-miss"), "{status}");
    assert!(miss.header("etag").is_some_and(|tag| tag.starts_with("W/\"")), "{miss}");
    let hit = sumun.get("/a?b").await;
    assert!(is_hit(&hit), "{hit}");
    assert_eq!((hit.text().as_str(), hit.header("x-own")), ("1", Some("1")));
    assert!(hit.header("age").is_some_and(|age| age.parse::<u32>().is_ok()), "{hit}");
    assert_eq!(hit.header("etag"), miss.header("etag"));
    assert_eq!(upstream.request_count(), 1);
    for other in ["/a?c", "/a", "/A?b"] {
        assert!(!is_hit(&sumun.get(other).await), "{other}");
    }
    assert!(!is_hit(&sumun.call("GET", "/a?b", &[("host", "other.test")], b"").await));
    let counted = sumun.metric("sumun_cache_total{route=\"all\",result=\"hit\"}").await;
    assert!((counted - 1.0).abs() < 0.1, "{counted}");
}

#[tokio::test]
async fn without_a_cache_key_on_the_route_nothing_is_cached() {
    let upstream = Upstream::start(numbered(&[FRESH])).await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    assert_eq!(sumun.get("/").await.text(), "1");
    let second = sumun.get("/").await;
    assert_eq!(second.text(), "2");
    assert!(second.header("cache-status").is_none(), "{second}");
}

#[tokio::test]
async fn conditional_requests_are_answered_from_the_store() {
    let modified = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    let headers = [FRESH, ("etag", "\"v1\""), modified];
    let (upstream, sumun) = cached("", move |_| Reply::with(200, &headers, "body")).await;
    sumun.get("/").await;
    for (name, value, expected) in [
        ("if-none-match", "\"v1\"", 304),
        ("if-none-match", "W/\"v1\"", 304),
        ("if-none-match", "\"x\", \"v1\"", 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"v2\"", 200),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT", 304),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT", 200),
        ("if-modified-since", "nonsense", 200),
    ] {
        let answer = sumun.call("GET", "/", &[(name, value)], b"").await;
        assert_eq!(answer.status, expected, "{name}: {value}: {answer}");
        assert_eq!(answer.header("etag"), Some("\"v1\""), "{answer}");
        assert_eq!(answer.body.is_empty(), expected == 304);
    }
    let both = [("if-none-match", "\"v2\""), ("if-modified-since", modified.1)];
    assert_eq!(sumun.call("GET", "/", &both, b"").await.status, 200, "the tag goes first");
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn a_made_tag_can_be_used_to_ask_again() {
    let (upstream, sumun) = cached("", |_| Reply::with(200, &[FRESH], "same")).await;
    let tag = sumun.get("/").await.header("etag").expect("a made tag").to_owned();
    let again = sumun.call("GET", "/", &[("if-none-match", &tag)], b"").await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn head_is_answered_from_a_stored_get() {
    let (upstream, sumun) = cached("", |_| Reply::with(200, &[FRESH], "12345")).await;
    sumun.get("/").await;
    let head = sumun.call("HEAD", "/", &[], b"").await;
    assert!(is_hit(&head), "{head}");
    assert_eq!((head.header("content-length"), head.body.len()), (Some("5"), 0));
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn what_must_not_be_stored_is_not() {
    let cases: Vec<Vec<(&str, &str)>> = vec![
        vec![],
        vec![("cache-control", "no-store, max-age=60")],
        vec![("cache-control", "private, max-age=60")],
        vec![("cache-control", "NO-STORE")],
        vec![("cache-control", "max-age=0")],
        vec![FRESH, ("vary", "*")],
        vec![FRESH, ("set-cookie", "a=b")],
        vec![("expires", "0")],
        vec![("cache-control", "s-maxage=0, max-age=60")],
        vec![("cache-control", "max-age=60"), ("cache-control", "no-store")],
    ];
    let headers = cases.clone();
    let (upstream, sumun) = cached("", move |request| {
        let case: usize = request.target()[1..].parse().expect("a case");
        Reply::with(200, &headers[case], "x")
    })
    .await;
    for (case, headers) in cases.iter().enumerate() {
        for _ in 0..2 {
            let answer = sumun.get(&format!("/{case}")).await;
            assert!(!is_hit(&answer), "{headers:?}: {answer}");
        }
    }
    assert_eq!(upstream.request_count(), cases.len() * 2);
}

#[tokio::test]
async fn what_may_be_stored_is() {
    let cases: Vec<(u16, Vec<(&str, &str)>)> = vec![
        (200, vec![("cache-control", "public, s-maxage=60")]),
        (200, vec![("cache-control", "MAX-AGE=60")]),
        (200, vec![("cache-control", "max-age=\"60\"")]),
        (200, vec![("expires", "Sun, 31 Dec 2090 23:59:59 GMT")]),
        (404, vec![FRESH]),
        (301, vec![FRESH, ("location", "/x")]),
        (410, vec![FRESH]),
        (299, vec![FRESH]),
        (200, vec![("cache-control", "max-age=60, unknown=1")]),
    ];
    let replies = cases.clone();
    let (_upstream, sumun) = cached("", move |request| {
        let case: usize = request.target()[1..].parse().expect("a case");
        Reply::with(replies[case].0, &replies[case].1, "x")
    })
    .await;
    for (case, (status, headers)) in cases.iter().enumerate() {
        let path = format!("/{case}");
        assert_eq!(sumun.get(&path).await.status, *status);
        let again = sumun.get(&path).await;
        assert!(is_hit(&again) && again.status == *status, "{status} {headers:?}: {again}");
    }
}

#[tokio::test]
async fn fresh_for_holds_where_the_origin_says_nothing() {
    let (upstream, sumun) = cached("fresh_for: 30s", |request| match request.target() {
        "/silent" => Reply::ok("x"),
        _ => Reply::with(200, &[("cache-control", "no-store")], "x"),
    })
    .await;
    sumun.get("/silent").await;
    assert!(is_hit(&sumun.get("/silent").await));
    sumun.get("/no").await;
    assert!(!is_hit(&sumun.get("/no").await), "the origin's word comes first");
    assert_eq!(upstream.request_count(), 3);
}

#[tokio::test]
async fn authorization_keeps_an_answer_out_unless_the_origin_allows_it() {
    let (_upstream, sumun) = cached("", |request| match request.target() {
        "/public" => Reply::with(200, &[("cache-control", "public, max-age=60")], "x"),
        _ => Reply::with(200, &[FRESH], "secret"),
    })
    .await;
    let basic = [("authorization", "Basic x")];
    sumun.call("GET", "/own", &basic, b"").await;
    assert!(!is_hit(&sumun.get("/own").await));
    sumun.call("GET", "/public", &basic, b"").await;
    assert!(is_hit(&sumun.call("GET", "/public", &basic, b"").await));
}

#[tokio::test]
async fn vary_keeps_variants_apart() {
    let (upstream, sumun) = cached("", |request| {
        let language = request.header("accept-language").unwrap_or("none").to_owned();
        Reply::with(200, &[FRESH, ("vary", "Accept-Language")], language)
    })
    .await;
    let get =
        async |language: &str| sumun.call("GET", "/", &[("accept-language", language)], b"").await;
    assert_eq!(get("de").await.text(), "de");
    assert_eq!(get("fr").await.text(), "fr");
    for language in ["de", "fr"] {
        let answer = get(language).await;
        assert!(is_hit(&answer) && answer.text() == language, "{answer}");
    }
    assert!(!is_hit(&sumun.get("/").await));
    assert_eq!(upstream.request_count(), 3);
}

#[tokio::test]
async fn unsafe_methods_invalidate_on_success_only() {
    let (_upstream, sumun) = cached("", |request| match (request.method(), request.target()) {
        ("POST", "/fails") => Reply::with(500, &[], ""),
        ("POST", "/moves") => Reply::with(201, &[("location", "/thing")], ""),
        ("GET", _) => Reply::with(200, &[FRESH], "x"),
        _ => Reply::with(204, &[], "").clone(),
    })
    .await;
    for path in ["/thing", "/fails", "/other"] {
        sumun.get(path).await;
        assert!(is_hit(&sumun.get(path).await));
    }
    sumun.call("POST", "/fails", &[], b"x").await;
    assert!(is_hit(&sumun.get("/fails").await), "an error invalidates nothing");
    sumun.call("POST", "/moves", &[], b"x").await;
    assert!(!is_hit(&sumun.get("/thing").await), "Location of the same origin");
    assert!(is_hit(&sumun.get("/other").await));
}

#[tokio::test]
async fn a_stale_answer_is_validated_and_freshened_by_304() {
    let (upstream, sumun) = cached("", |request| {
        let headers = [("cache-control", "max-age=1"), ("etag", "\"v1\"")];
        match request.header("if-none-match") {
            Some("\"v1\"") => Reply::raw(
                "HTTP/1.1 304 Not Modified\r\netag: \"v1\"\r\ncache-control: max-age=60\r\nx-new: 1\r\n\r\n",
            ),
            _ => Reply::with(200, &headers, "body"),
        }
    })
    .await;
    sumun.get("/").await;
    let validated = eventually("stale after a second", DEADLINE, async || {
        let answer = sumun.get("/").await;
        if is_hit(&answer) { Err("still fresh") } else { Ok(answer) }
    })
    .await;
    assert_eq!((validated.status, validated.text().as_str()), (200, "body"));
    let status = validated.header("cache-status").expect("Cache-Status");
    assert!(status.contains("fwd=stale"), "{status}");
    assert_eq!(validated.header("x-new"), Some("1"));
    assert!(is_hit(&sumun.get("/").await), "fresh again for a minute");
    assert_eq!(upstream.request_count(), 2);
}

#[tokio::test]
async fn the_request_may_ask_for_more_or_for_nothing_but_the_store() {
    let (upstream, sumun) = cached("", numbered(&[FRESH])).await;
    let only = [("cache-control", "only-if-cached")];
    assert_eq!(sumun.call("GET", "/", &only, b"").await.status, 504);
    assert_eq!(upstream.request_count(), 0);
    sumun.get("/").await;
    assert!(is_hit(&sumun.call("GET", "/", &only, b"").await));
    for control in ["no-cache", "max-age=0"] {
        let answer = sumun.call("GET", "/", &[("cache-control", control)], b"").await;
        assert!(!is_hit(&answer), "{control}: {answer}");
    }
    let before = upstream.request_count();
    sumun.call("GET", "/unstored", &[("cache-control", "no-store")], b"").await;
    assert!(!is_hit(&sumun.get("/unstored").await));
    assert_eq!(upstream.request_count(), before + 2);
}

#[tokio::test]
async fn the_key_follows_the_policy() {
    let keys = "key: { headers: [x-tenant], query: { drop: [utm], sort: true } }";
    let (upstream, sumun) = cached(keys, numbered(&[FRESH])).await;
    sumun.call("GET", "/?b=2&a=1&utm=x", &[("x-tenant", "t1")], b"").await;
    assert!(is_hit(&sumun.call("GET", "/?a=1&b=2", &[("x-tenant", "t1")], b"").await));
    assert!(!is_hit(&sumun.call("GET", "/?a=1&b=2", &[("x-tenant", "t2")], b"").await));
    let asked = upstream.requests()[0].target().to_owned();
    assert_eq!(asked, "/?b=2&a=1", "in its own order, without what the key does not hold");
}

#[tokio::test]
async fn a_get_with_a_body_is_neither_served_nor_stored() {
    let (upstream, sumun) = cached("", numbered(&[FRESH])).await;
    for _ in 0..2 {
        assert!(!is_hit(&sumun.call("GET", "/", &[], b"body").await));
    }
    assert!(!is_hit(&sumun.get("/").await));
    assert_eq!(upstream.request_count(), 3);
}

#[tokio::test]
async fn an_object_over_its_bound_is_passed_on_but_not_stored() {
    let (upstream, sumun) = cached("max_object: 64KiB", |request| {
        let length: u64 = request.target()[1..].parse().expect("a length");
        let head = format!(
            "HTTP/1.1 200 OK\r\n{}: {}\r\ncontent-length: {length}\r\n\r\n",
            FRESH.0, FRESH.1
        );
        Reply::raw(head).then(Step::Fill(length))
    })
    .await;
    for (length, stored) in [(60_000, true), (70_000, false), (3_000_000, false)] {
        for _ in 0..2 {
            assert_eq!(sumun.get(&format!("/{length}")).await.body.len(), length);
        }
        assert_eq!(is_hit(&sumun.get(&format!("/{length}")).await), stored, "{length}");
    }
    assert_eq!(upstream.request_count(), 1 + 3 + 3);
}

#[tokio::test]
async fn an_answer_that_was_cut_is_never_stored() {
    let count = AtomicUsize::new(0);
    let (_upstream, sumun) = cached("", move |_| {
        let head =
            format!("HTTP/1.1 200 OK\r\n{}: {}\r\ncontent-length: 10\r\n\r\n", FRESH.0, FRESH.1);
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::raw(head).then(Step::Fill(5)).then(Step::Close),
            _ => Reply::raw(head).then(Step::Fill(10)),
        }
    })
    .await;
    let mut client = Client::connect(sumun.address()).await;
    client.send("GET / HTTP/1.1\r\nhost: gateway.test\r\n\r\n").await;
    match client.response().await {
        Err(Broken::Closed | Broken::Cut | Broken::Reset) => {}
        other => assert_eq!(other.expect("a 502, or a cut").status, 502),
    }
    let whole = sumun.get("/").await;
    assert!(!is_hit(&whole) && whole.body.len() == 10, "{whole}");
    assert!(is_hit(&sumun.get("/").await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identical_misses_are_one_call_to_the_origin() {
    let gate = Gate::closed();
    let behind = gate.clone();
    let (upstream, sumun) =
        cached("", move |_| Reply::with(200, &[FRESH], "shared").behind(&behind)).await;
    let load = Load::get(sumun.address(), "/").connections(50).total(50).start();
    upstream.arrived(1).await;
    // The others are there once their connections are: they wait, they don't ask.
    eventually("all are connected", DEADLINE, async || {
        let open = sumun.fd_count();
        if open >= 60 { Ok(()) } else { Err(open) }
    })
    .await;
    gate.open();
    let tally = load.await.expect("no panic");
    tally.assert_all(200);
    assert_eq!(upstream.request_count(), 1);
    sumun.idle(DEADLINE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_herd_on_what_cannot_be_shared_is_not_served_one_by_one() {
    let pause = Duration::from_millis(150);
    let private = [("cache-control", "private, max-age=60")];
    let (upstream, sumun) =
        cached("", move |_| Reply::with(200, &private, "own").after(pause)).await;
    for herd in [100, 100] {
        let before = upstream.request_count();
        let began = Instant::now();
        let tally =
            Load::get(sumun.address(), "/").connections(herd).total(herd as u64).run().await;
        tally.assert_all(200);
        assert_eq!(upstream.request_count() - before, herd, "each its own");
        // One after the other would be 15 s.
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_leader_that_fails_does_not_fail_those_who_wait() {
    let count = AtomicUsize::new(0);
    let (upstream, sumun) = cached("", move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::new().then(Step::Pause(Duration::from_millis(200))).then(Step::Reset),
        _ => Reply::with(200, &[FRESH], "ok"),
    })
    .await;
    let tally = Load::get(sumun.address(), "/").connections(20).total(20).run().await;
    assert!(tally.count(200) >= 19 && tally.broken.is_empty(), "{tally:?}");
    assert!(upstream.request_count() <= 21, "{}", upstream.request_count());
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn a_leader_whose_client_leaves_does_not_fail_those_who_wait() {
    let gate = Gate::closed();
    let behind = gate.clone();
    let (upstream, sumun) =
        cached("", move |_| Reply::with(200, &[FRESH], "ok").behind(&behind)).await;
    let request = "GET / HTTP/1.1\r\nhost: gateway.test\r\n\r\n";
    let mut leader = Client::connect(sumun.address()).await;
    leader.send(request).await;
    upstream.arrived(1).await;
    let mut follower = Client::connect(sumun.address()).await;
    follower.send(request).await;
    leader.reset();
    gate.open();
    assert_eq!(follower.answer().await.status, 200);
    sumun.idle(DEADLINE).await;
}

#[tokio::test]
async fn a_hit_is_never_shed() {
    let upstream = Upstream::start(numbered(&[FRESH])).await;
    let route = "class: bulk, admission: { rps: { limit: 0.01, burst: 1 } }, cache: {}";
    let sumun = Sumun::start(&policies::to_with(&upstream.url(), route)).await;
    assert_eq!(sumun.get("/a").await.status, 200);
    for _ in 0..20 {
        assert!(is_hit(&sumun.get("/a").await));
    }
    sumun.get("/b").await.problem(429, "rps_over");
}

#[tokio::test]
async fn age_counts_what_the_origin_says_and_what_has_passed() {
    let (_upstream, sumun) = cached("", |_| Reply::with(200, &[FRESH, ("age", "30")], "x")).await;
    sumun.get("/").await;
    let hit = sumun.get("/").await;
    let age: u32 = hit.header("age").and_then(|age| age.parse().ok()).expect("an age");
    assert!(is_hit(&hit) && (30..35).contains(&age), "{hit}");
    assert_eq!(hit.all("age").len(), 1);
}
