//! The cache that gateways share: real Redis servers, healthy, killed, frozen, full and restarted.

mod down;
mod kept;
mod places;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sumun_tests::{
    DEADLINE, Load, Recorded, Redis, RedisCluster, Reply, Response, Sumun, Tally, Upstream,
    eventually,
};

use crate::deploy::METRICS_SHARED;
use crate::policies;

/// How soon a purge is seen elsewhere.
const SEEN_WITHIN: Duration = Duration::from_secs(1);

/// An origin that numbers its answers, and says in which fields they differ under `/vary`.
async fn origin() -> Upstream {
    let count = AtomicUsize::new(0);
    Upstream::start(move |asked: &Recorded| {
        let text = format!("{}", count.fetch_add(1, Ordering::SeqCst) + 1);
        if asked.method() == "POST" {
            return Reply::with(204, &[], "");
        }
        let fresh = ("cache-control", "max-age=600");
        let vary = ("vary", "accept-language");
        let tag = ("surrogate-key", "shared other");
        let group = ("cache-groups", "\"shared\"");
        let headers: &[_] = match asked.target() {
            "/vary" => &[fresh, vary],
            _ => &[fresh, tag, group],
        };
        Reply::with(200, headers, text)
    })
    .await
}

/// A gateway of the origin that uses this store; returns once it does.
async fn gateway(origin: &Upstream, url: &str) -> Sumun {
    let sumun = unconnected(origin, url, "").await;
    used(&sumun).await;
    sumun
}

async fn unconnected(origin: &Upstream, url: &str, more: &str) -> Sumun {
    Sumun::with()
        .policy("policy.yaml", &policies::to_with(&origin.url(), "cache: {}"))
        .settings(&format!("redis: {{ url: \"{url}\"{more} }}\n"))
        .start()
        .await
}

async fn used(sumun: &Sumun) {
    up_is(sumun, 1.0).await;
}

async fn up_is(sumun: &Sumun, expected: f64) {
    eventually("sumun_store_up", DEADLINE, async || {
        let up = sumun.metric("sumun_store_up").await;
        if (up - expected).abs() < 0.1 { Ok(()) } else { Err(up) }
    })
    .await;
}

fn cache_status(answer: &Response) -> &str {
    answer.header("cache-status").unwrap_or_default()
}

fn is_from_redis(answer: &Response) -> bool {
    cache_status(answer).contains("sumun; hit") && cache_status(answer).contains("detail=redis")
}

fn is_hit(answer: &Response) -> bool {
    cache_status(answer).contains("sumun; hit")
}

/// Until the store has what a gateway has written to it.
async fn written(sumun: &Sumun, count: f64) {
    eventually("entries written", DEADLINE, async || {
        let set = sumun.metric("sumun_store_ops_total{op=\"set\",result=\"ok\"}").await;
        if set >= count { Ok(()) } else { Err(set) }
    })
    .await;
}

#[tokio::test]
async fn what_one_gateway_stored_another_serves() {
    let (origin, redis) = (origin().await, Redis::start().await);
    let one = gateway(&origin, &redis.url()).await;
    let other = gateway(&origin, &redis.url()).await;

    let host = [("host", "shared.test")];
    let german = [("host", "shared.test"), ("accept-language", "de")];
    let stored = one.call("GET", "/a", &host, b"").await;
    assert!(cache_status(&stored).contains("stored"), "{stored}");
    let stored_german = one.call("GET", "/vary", &german, b"").await;
    written(&one, 2.0).await;

    let shared = other.call("GET", "/a", &host, b"").await;
    assert!(is_from_redis(&shared), "{shared}");
    assert_eq!(shared.text(), stored.text());
    let age = shared.header("age").and_then(|age| age.parse::<u64>().ok());
    assert!(age.is_some_and(|age| age < 60), "{shared}");
    let first_tier = other.call("GET", "/a", &host, b"").await;
    assert!(is_hit(&first_tier) && !is_from_redis(&first_tier), "{first_tier}");

    let shared = other.call("GET", "/vary", &german, b"").await;
    assert!(is_from_redis(&shared), "{shared}");
    assert_eq!(shared.text(), stored_german.text());
    let english = [("host", "shared.test"), ("accept-language", "en")];
    let new = other.call("GET", "/vary", &english, b"").await;
    assert!(!is_hit(&new), "{new}");
    assert_eq!(origin.request_count(), 3);
    for name in METRICS_SHARED {
        let metrics = other.metrics().await;
        assert!(metrics.has(name) || metrics.has(&format!("{name}_count")), "{name} is missing");
    }
    for key in redis.entries("") {
        assert!(key.starts_with("sumun:1:"), "{key}");
        let left_ms: i64 = redis.ask(&["PTTL", &key]).parse().expect("a number");
        assert!((1..=700_000).contains(&left_ms), "{key} is kept for {left_ms} ms");
    }
}

#[tokio::test]
async fn a_head_and_only_if_cached_are_answered_from_redis() {
    let (origin, redis) = (origin().await, Redis::start().await);
    let one = gateway(&origin, &redis.url()).await;
    let other = gateway(&origin, &redis.url()).await;
    let host = ("host", "shared.test");
    let only = [host, ("cache-control", "only-if-cached")];
    assert_eq!(other.call("GET", "/a", &only, b"").await.status, 504);
    one.call("GET", "/a", &[host], b"").await;
    one.call("GET", "/b", &[host], b"").await;
    written(&one, 2.0).await;
    let head = other.call("HEAD", "/a", &[host], b"").await;
    assert!(is_from_redis(&head), "{head}");
    let cached = other.call("GET", "/b", &only, b"").await;
    assert!(is_from_redis(&cached), "{cached}");
    assert_eq!(origin.request_count(), 2);
}

#[tokio::test]
async fn identical_misses_ask_redis_once() {
    let (origin, redis) = (origin().await, Redis::start().await);
    let one = gateway(&origin, &redis.url()).await;
    let tally = Load::get(one.address(), "/herd").connections(50).total(200).run().await;
    tally.assert_all(200);
    assert_eq!(origin.request_count(), 1);
    let asked = one.metric("sumun_store_ops_total{op=\"get\"}").await;
    assert!((asked - 1.0).abs() < 0.1, "{asked} look-ups");
}

/// Purges `path` on the first gateway over and over under load; the slowest that the second saw it.
async fn slowest_purge(one: &Sumun, other: &Sumun, purge: impl AsyncFn(&Sumun)) -> Duration {
    let load = Load::requests(other.address(), |connection, turn| {
        let path = if turn % 4 == 0 { turn } else { connection as u64 };
        format!("GET /load/{path} HTTP/1.1\r\nhost: gateway.test\r\n\r\n").into_bytes()
    });
    let load = load.connections(8);
    let stop = load.stop();
    let load = load.start();
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        let old = eventually("a hit", DEADLINE, async || {
            let theirs = other.call("GET", "/a", &[("host", "shared.test")], b"").await;
            if is_hit(&theirs) { Ok(theirs.text()) } else { Err(theirs) }
        })
        .await;
        purge(one).await;
        let since = Instant::now();
        eventually("the purge is seen", DEADLINE, async || {
            let theirs = other.call("GET", "/a", &[("host", "shared.test")], b"").await;
            if theirs.text() == old { Err(theirs) } else { Ok(()) }
        })
        .await;
        slowest = slowest.max(since.elapsed());
    }
    stop.store(true, Ordering::Relaxed);
    load.await.expect("the load ends").assert_all(200);
    slowest
}

#[tokio::test]
async fn a_purge_on_one_gateway_is_seen_on_another_within_a_second_under_load() {
    let (origin, redis) = (origin().await, Redis::start().await);
    let one = gateway(&origin, &redis.url()).await;
    let other = gateway(&origin, &redis.url()).await;
    for what in [
        r#"{"url":"http://shared.test/a"}"#,
        r#"{"route":"all"}"#,
        r#"{"tag":"shared"}"#,
        r#"{"group":"shared","origin":"http://shared.test"}"#,
        r#"{"all":true}"#,
        r#"{"url":"http://shared.test/a","soft":true}"#,
        r#"{"tag":"shared","soft":true}"#,
        r#"{"all":true,"soft":true}"#,
    ] {
        let slowest = slowest_purge(&one, &other, async |one| {
            let json = [("content-type", "application/json")];
            let answer = one.admin("POST", "/api/v1/cache:purge", &json, what.as_bytes()).await;
            assert_eq!(answer.status, 200, "{answer}");
        })
        .await;
        println!("purge by {what}: seen within {slowest:?}");
        assert!(slowest < SEEN_WITHIN, "{what}: {slowest:?}");
    }
}

#[tokio::test]
async fn what_a_post_changed_is_asked_anew_on_every_gateway() {
    let (origin, redis) = (origin().await, Redis::start().await);
    let one = gateway(&origin, &redis.url()).await;
    let other = gateway(&origin, &redis.url()).await;
    let slowest = slowest_purge(&one, &other, async |one| {
        let posted = one.call("POST", "/a", &[("host", "shared.test")], b"x").await;
        assert_eq!(posted.status, 204, "{posted}");
    })
    .await;
    println!("POST: seen within {slowest:?}");
    assert!(slowest < SEEN_WITHIN, "{slowest:?}");
}

#[tokio::test]
async fn a_purge_whose_message_is_lost_is_seen_all_the_same() {
    let (origin, redis) = (origin().await, Redis::start().await);
    let one = gateway(&origin, &redis.url()).await;
    let other = gateway(&origin, &redis.url()).await;
    let host = [("host", "shared.test")];
    let done = Arc::new(AtomicBool::new(false));
    // Nobody hears anything: each subscription is cut as soon as it is there.
    let cutting = {
        let (done, port) = (Arc::clone(&done), redis.port().to_string());
        std::thread::spawn(move || {
            let mut cut = 0;
            while !done.load(Ordering::Relaxed) {
                let kill = ["-p", &port, "CLIENT", "KILL", "TYPE", "pubsub"];
                let said = std::process::Command::new("redis-cli").args(kill).output();
                let said = String::from_utf8(said.expect("redis-cli runs").stdout).expect("text");
                cut += said.trim().parse::<usize>().expect("a number");
            }
            cut
        })
    };
    let old = one.call("GET", "/a", &host, b"").await.text();
    written(&one, 1.0).await;
    let mut slowest = Duration::ZERO;
    let mut old = old;
    for _ in 0..5 {
        let theirs = other.call("GET", "/a", &host, b"").await;
        assert_eq!(theirs.text(), old);
        one.call("POST", "/a", &host, b"x").await;
        let since = Instant::now();
        old = eventually("a new answer", DEADLINE, async || {
            let theirs = other.call("GET", "/a", &host, b"").await;
            if theirs.text() == old { Err(theirs) } else { Ok(theirs.text()) }
        })
        .await;
        slowest = slowest.max(since.elapsed());
    }
    done.store(true, Ordering::Relaxed);
    let cut = cutting.join().expect("joined");
    println!("no messages ({cut} subscriptions cut): seen within {slowest:?}");
    assert!(cut >= 2, "{cut} subscriptions were cut");
    assert!(slowest < SEEN_WITHIN + Duration::from_secs(1), "{slowest:?}");
}

#[tokio::test]
async fn a_purge_made_without_redis_reaches_the_others_once_it_is_back() {
    let (origin, redis) = (origin().await, Redis::start().await);
    let one = gateway(&origin, &redis.url()).await;
    let other = gateway(&origin, &redis.url()).await;
    let host = [("host", "shared.test")];
    let old = one.call("GET", "/a", &host, b"").await.text();
    written(&one, 1.0).await;
    assert_eq!(other.call("GET", "/a", &host, b"").await.text(), old);

    redis.freeze();
    up_is(&one, 0.0).await;
    up_is(&other, 0.0).await;
    one.call("POST", "/a", &host, b"x").await;
    assert_ne!(one.call("GET", "/a", &host, b"").await.text(), old, "at once where it was made");
    assert_eq!(other.call("GET", "/a", &host, b"").await.text(), old, "it can't know");
    let pending = &one.admin_get("/api/v1/status").await["stores"]["redis"];
    assert_eq!(
        (&pending["up"], &pending["purges_pending"]),
        (&false.into(), &1.into()),
        "{pending}"
    );
    redis.thaw();
    used(&one).await;
    eventually("the purge is seen", DEADLINE, async || {
        let theirs = other.call("GET", "/a", &host, b"").await;
        if theirs.text() == old { Err(theirs) } else { Ok(()) }
    })
    .await;
}

#[tokio::test]
async fn a_redis_that_lost_everything_is_filled_again_and_still_tells_purges() {
    let (origin, redis) = (origin().await, Redis::start().await);
    let one = gateway(&origin, &redis.url()).await;
    let other = gateway(&origin, &redis.url()).await;
    let host = [("host", "shared.test")];
    for path in ["/a", "/b"] {
        one.call("GET", path, &host, b"").await;
    }
    written(&one, 2.0).await;
    redis.ask(&["FLUSHALL"]);
    eventually("a new set of purges", DEADLINE, async || {
        let keys = redis.ask(&["EXISTS", "sumun:1:{purges}"]);
        if keys == "1" { Ok(()) } else { Err(keys) }
    })
    .await;
    // Until both know the new set, nothing is written under the old one.
    eventually("shared again", DEADLINE, async || {
        let path = format!("/c{:?}", Instant::now()).replace([' ', '{', '}', ':', ','], "");
        one.call("GET", &path, &host, b"").await;
        let theirs = eventually_shared(&other, &path).await;
        if theirs { Ok(()) } else { Err(path) }
    })
    .await;
    let old = one.call("GET", "/d", &host, b"").await.text();
    one.call("POST", "/d", &host, b"x").await;
    eventually("purged", DEADLINE, async || {
        let theirs = other.call("GET", "/d", &host, b"").await;
        if theirs.text() == old { Err(theirs) } else { Ok(()) }
    })
    .await;
}

/// Whether a path that another gateway has just stored is found in Redis.
async fn eventually_shared(sumun: &Sumun, path: &str) -> bool {
    let only = [("host", "shared.test"), ("cache-control", "only-if-cached")];
    for _ in 0..20 {
        if is_from_redis(&sumun.call("GET", path, &only, b"").await) {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn damaged_and_foreign_values_are_misses() {
    let (origin, redis) = (origin().await, Redis::start().await);
    let one = gateway(&origin, &redis.url()).await;
    let other = gateway(&origin, &redis.url()).await;
    let host = [("host", "shared.test")];
    let damages: [&[&str]; 5] = [
        &["SETRANGE", "KEY", "3", "Z"],
        &["SETRANGE", "KEY", "60", "Z"],
        &["SET", "KEY", "SMN", "KEEPTTL"],
        &[
            "EVAL",
            "local v = redis.call('GET', KEYS[1]) return redis.call('SET', KEYS[1], string.sub(v, 1, 40), 'KEEPTTL')",
            "1",
            "KEY",
        ],
        &["PERSIST", "KEY"],
    ];
    for (at, damage) in damages.iter().enumerate() {
        let path = format!("/{at}");
        let known: BTreeSet<_> = redis.entries("sumun:").into_iter().collect();
        let old = one.call("GET", &path, &host, b"").await.text();
        let key = eventually("an entry", DEADLINE, async || {
            redis.entries("sumun:").into_iter().find(|key| !known.contains(key)).ok_or(())
        })
        .await;
        let command: Vec<&str> =
            damage.iter().map(|word| if *word == "KEY" { key.as_str() } else { word }).collect();
        redis.ask(&command);
        let theirs = other.call("GET", &path, &host, b"").await;
        assert_eq!(theirs.status, 200);
        assert!(!is_hit(&theirs), "{damage:?}: {theirs}");
        assert_ne!(theirs.text(), old);
    }
    redis.ask(&["SET", "sumun:1:00000000000000000000000000000000", "x"]);
    let unusable = other.metric("sumun_store_ops_total{op=\"get\",result=\"unusable\"}").await;
    assert!((unusable - 5.0).abs() < 0.1, "{unusable}");
    used(&other).await;
}
