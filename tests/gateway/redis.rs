//! The cache that gateways share: real Redis servers, healthy, killed, frozen, full and restarted.

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
        let headers: &[_] = if asked.target() == "/vary" { &[fresh, vary] } else { &[fresh] };
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
    for what in [r#"{"url":"http://shared.test/a"}"#, r#"{"route":"all"}"#, r#"{"all":true}"#] {
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

/// Hits of 20 paths and misses of ever new ones, until told otherwise.
fn mixed(sumun: &Sumun) -> (Arc<AtomicBool>, tokio::task::JoinHandle<Tally>) {
    let load = Load::requests(sumun.address(), |connection, turn| {
        let path = if turn % 2 == 0 { format!("new/{turn}") } else { format!("old/{connection}") };
        format!("GET /{path} HTTP/1.1\r\nhost: gateway.test\r\n\r\n").into_bytes()
    });
    let load = load.connections(20);
    (load.stop(), load.start())
}

/// Every call is answered while something is done to Redis, and Redis is used again after it.
async fn unharmed(redis: &mut Redis, harm: impl AsyncFnOnce(&mut Redis, &Sumun)) -> Tally {
    let origin = origin().await;
    let sumun = gateway(&origin, &redis.url()).await;
    let (stop, load) = mixed(&sumun);
    let found = sumun.metric("sumun_store_ops_total{op=\"get\"}").await;
    eventually("the load is under way", DEADLINE, async || {
        let now = sumun.metric("sumun_store_ops_total{op=\"get\"}").await;
        if now > found + 50.0 { Ok(()) } else { Err(now) }
    })
    .await;
    harm(redis, &sumun).await;
    used(&sumun).await;
    let found = sumun.metric("sumun_store_ops_total{op=\"get\",result=\"miss\"}").await;
    eventually("Redis is asked again", DEADLINE, async || {
        let now = sumun.metric("sumun_store_ops_total{op=\"get\",result=\"miss\"}").await;
        if now > found { Ok(()) } else { Err(now) }
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    let tally = load.await.expect("the load ends");
    tally.assert_all(200);
    assert_eq!(tally.refused, 0);
    tally
}

/// Answers while the load runs, over this long.
async fn answered_during(sumun: &Sumun, time: Duration) -> f64 {
    let count = async || sumun.metric("http_server_request_duration_seconds_count").await;
    let before = count().await;
    let until = Instant::now() + time;
    eventually("time passes", time + DEADLINE, async || {
        if Instant::now() >= until { Ok(()) } else { Err(()) }
    })
    .await;
    count().await - before
}

#[tokio::test]
async fn calls_go_on_while_redis_is_killed_and_restarted() {
    let mut redis = Redis::start().await;
    let tally = unharmed(&mut redis, async |redis, sumun| {
        redis.kill();
        up_is(sumun, 0.0).await;
        assert!(answered_during(sumun, Duration::from_secs(1)).await > 20.0);
        redis.restart().await;
        let back = Instant::now();
        used(sumun).await;
        println!("used again {:?} after the restart", back.elapsed());
    })
    .await;
    println!("killed and restarted: {} calls, slowest {:?}", tally.answers(), tally.slowest);
}

#[tokio::test]
async fn calls_go_on_while_redis_hangs() {
    let mut redis = Redis::start().await;
    let tally = unharmed(&mut redis, async |redis, sumun| {
        redis.freeze();
        up_is(sumun, 0.0).await;
        assert!(answered_during(sumun, Duration::from_secs(3)).await > 60.0);
        redis.thaw();
        let back = Instant::now();
        used(sumun).await;
        println!("used again {:?} after it went on", back.elapsed());
    })
    .await;
    println!("hung for 3 s: {} calls, slowest {:?}", tally.answers(), tally.slowest);
}

#[tokio::test]
async fn calls_go_on_while_redis_is_full_and_purges_still_get_through() {
    let mut redis = Redis::start().await;
    unharmed(&mut redis, async |redis, sumun| {
        redis.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        redis.ask(&["CONFIG", "SET", "maxmemory", "1000000"]);
        eventually("Redis is full", DEADLINE, async || {
            let full = sumun.metric("sumun_store_ops_total{op=\"set\",result=\"full\"}").await;
            if full > 0.0 { Ok(()) } else { Err(full) }
        })
        .await;
        sumun.call("POST", "/any", &[], b"x").await;
        eventually("the purge is told", DEADLINE, async || {
            let told = sumun.metric("sumun_store_ops_total{op=\"purge\",result=\"ok\"}").await;
            if told > 0.0 { Ok(()) } else { Err(told) }
        })
        .await;
        assert!((sumun.metric("sumun_store_up").await - 1.0).abs() < 0.1, "reads go on");
        redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    })
    .await;
}

#[tokio::test]
async fn a_gateway_starts_without_redis_and_says_so() {
    let origin = origin().await;
    let mut redis = Redis::start().await;
    redis.kill();
    let sumun = unconnected(&origin, &redis.url(), "").await;
    assert_eq!(sumun.get("/a").await.status, 200);
    assert!(is_hit(&sumun.get("/a").await), "the first tier works");
    let status = sumun.admin_get("/api/v1/status").await;
    let store = &status["stores"];
    assert_eq!(store["cache"], "redis", "{status}");
    assert_eq!(store["redis"]["up"], false, "{status}");
    assert!(store["redis"]["reason"].as_str().is_some_and(|why| !why.is_empty()), "{status}");
    redis.restart().await;
    used(&sumun).await;
}

#[tokio::test]
async fn tls_a_user_with_few_rights_and_a_database_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let identity = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("made");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("cert"), identity.cert.pem()).expect("written");
    fs::write(path("key"), identity.signing_key.serialize_pem()).expect("written");
    fs::write(path("password"), "canary-7\n").expect("written");
    let (cert, key) = (path("cert"), path("key"));
    let redis = Redis::with(
        &[
            "--user",
            "default",
            "off",
            "--user",
            "root",
            "on",
            ">root-1",
            "~*",
            "&*",
            "+@all",
            "--user",
            "gateway",
            "on",
            ">canary-7",
            "~mail:*",
            "&mail:*",
            "-@all",
            "+getrange",
            "+pttl",
            "+set",
            "+eval",
            "+zrem",
            "+zscore",
            "+zadd",
            "+zincrby",
            "+zrangebyscore",
            "+publish",
            "+subscribe",
            "+del",
            "+select",
            "+ping",
        ],
        &["--user", "root", "--pass", "root-1", "--no-auth-warning"],
    )
    .await;
    for (name, value) in
        [("tls-cert-file", &cert), ("tls-key-file", &key), ("tls-ca-cert-file", &cert)]
    {
        redis.ask(&["CONFIG", "SET", name, value]);
    }
    let tls_port = Redis::start().await.port(); // free once that one is dropped
    redis.ask(&["CONFIG", "SET", "tls-auth-clients", "no"]);
    redis.ask(&["CONFIG", "SET", "tls-port", &tls_port.to_string()]);

    let origin = origin().await;
    let url = format!("rediss://127.0.0.1:{tls_port}/3");
    let login = format!(
        ", ca: {cert}, user: gateway, password: \"${{file:{}}}\", prefix: \"mail:\"",
        path("password")
    );
    let one = unconnected(&origin, &url, &login).await;
    let other = unconnected(&origin, &url, &login).await;
    used(&one).await;
    used(&other).await;
    let host = [("host", "shared.test")];
    let old = one.call("GET", "/a", &host, b"").await.text();
    written(&one, 1.0).await;
    assert!(is_from_redis(&other.call("GET", "/a", &host, b"").await));
    assert_eq!(redis.ask(&["DBSIZE"]), "0");
    assert_eq!(redis.ask(&["-n", "3", "DBSIZE"]), "2");
    one.call("POST", "/a", &host, b"x").await;
    eventually("purged", DEADLINE, async || {
        let theirs = other.call("GET", "/a", &host, b"").await;
        if theirs.text() == old { Err(theirs) } else { Ok(()) }
    })
    .await;
    let shown = one.metrics().await;
    assert!(!format!("{shown:?}").contains("canary"), "a password in the metrics");

    // A certificate that nobody vouches for, and a password that is wrong, are said and not used.
    let wrong = login.replace(&path("password"), &path("cert"));
    for (more, why) in
        [(wrong.as_str(), "authentication"), (", user: gateway, password: canary-7", "certificate")]
    {
        let refused = unconnected(&origin, &url, more).await;
        eventually("the reason is said", DEADLINE, async || {
            let store = refused.admin_get("/api/v1/status").await["stores"]["redis"].clone();
            let text = store.to_string();
            assert!(!text.contains("canary"), "{text}");
            if text.to_lowercase().contains(&why.to_lowercase()) { Ok(()) } else { Err(text) }
        })
        .await;
        assert_eq!(refused.get("/a").await.status, 200);
    }
}

#[tokio::test]
async fn a_cluster_holds_entries_on_all_its_nodes() {
    let (origin, cluster) = (origin().await, RedisCluster::start().await);
    let one = gateway(&origin, &cluster.url()).await;
    let other = gateway(&origin, &cluster.url()).await;
    let host = [("host", "shared.test")];
    for at in 0..30 {
        one.call("GET", &format!("/{at}"), &host, b"").await;
    }
    written(&one, 30.0).await;
    for at in 0..30 {
        let shared = other.call("GET", &format!("/{at}"), &host, b"").await;
        assert!(is_from_redis(&shared), "{at}: {shared}");
    }
    for node in &cluster.nodes {
        assert!(!node.entries("sumun:").is_empty(), "a node has nothing");
    }
    let german = [("host", "shared.test"), ("accept-language", "de")];
    one.call("GET", "/vary", &german, b"").await;
    written(&one, 31.0).await;
    assert!(is_from_redis(&other.call("GET", "/vary", &german, b"").await));
    let old = one.call("GET", "/7", &host, b"").await.text();
    one.call("POST", "/7", &host, b"x").await;
    let took = asked_anew_of(&other, "/7", &old, &host).await;
    println!("cluster: a POST is seen within {took:?}");
    assert!(took < SEEN_WITHIN, "{took:?}");
}

async fn asked_anew_of(sumun: &Sumun, path: &str, old: &str, host: &[(&str, &str)]) -> Duration {
    let since = Instant::now();
    eventually("a new answer", DEADLINE, async || {
        let answer = sumun.call("GET", path, host, b"").await;
        if answer.text() == old { Err(answer) } else { Ok(()) }
    })
    .await;
    since.elapsed()
}

#[tokio::test]
async fn sentinels_say_where_the_master_is() {
    let (origin, mut master) = (origin().await, Redis::start().await);
    let port = master.port().to_string();
    let replica = Redis::with(&["--replicaof", "127.0.0.1", &port], &[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sentinel.conf");
    fs::write(
        &file,
        format!(
            "sentinel monitor mail 127.0.0.1 {port} 1\n\
             sentinel down-after-milliseconds mail 500\n\
             sentinel failover-timeout mail 2000\n"
        ),
    )
    .expect("written");
    let file = file.display().to_string();
    let sentinel = Redis::with(&[&file, "--sentinel"], &[]).await;
    eventually("the sentinel knows the replica", DEADLINE, async || {
        let said = sentinel.ask(&["SENTINEL", "REPLICAS", "mail"]);
        if said.contains(&replica.port().to_string()) { Ok(()) } else { Err(said) }
    })
    .await;
    let url = format!("redis+sentinel://127.0.0.1:{}/mail", sentinel.port());
    let one = gateway(&origin, &url).await;
    let other = gateway(&origin, &url).await;
    let host = [("host", "shared.test")];
    one.call("GET", "/a", &host, b"").await;
    written(&one, 1.0).await;
    assert!(is_from_redis(&other.call("GET", "/a", &host, b"").await));

    master.kill();
    let deadline = DEADLINE * 2;
    eventually("the replica is master", deadline, async || {
        let role = replica.ask(&["ROLE"]);
        if role.starts_with("master") { Ok(()) } else { Err(role) }
    })
    .await;
    eventually("what one stores the other finds", deadline, async || {
        let path = format!("/{}", origin.request_count());
        assert_eq!(one.call("GET", &path, &host, b"").await.status, 200);
        if eventually_shared(&other, &path).await { Ok(()) } else { Err(path) }
    })
    .await;
}
