//! For how long the shared store keeps what may still be served stale.

use std::sync::atomic::{AtomicUsize, Ordering};

use sumun_tests::{Redis, Reply, Sumun, Upstream};

use super::{cache_status, used, written};
use crate::policies;

/// A gateway with these keys under `cache` that uses this store.
async fn gateway(origin: &Upstream, redis: &Redis, keys: &str) -> Sumun {
    let route = format!("cache: {{ {keys} }}");
    let sumun = Sumun::with()
        .policy("policy.yaml", &policies::to_with(&origin.url(), &route))
        .settings(&format!("redis: {{ url: \"{}\" }}\n", redis.url()))
        .start()
        .await;
    used(&sumun).await;
    sumun
}

#[tokio::test]
async fn an_entry_stays_until_the_policys_stale_windows_end() {
    let origin = Upstream::start(|asked| {
        let fresh = ("cache-control", "max-age=60");
        let said = ("cache-control", "max-age=60, stale-if-error=300");
        Reply::with(200, &[if asked.target() == "/said" { said } else { fresh }], "body")
    })
    .await;
    let redis = Redis::start().await;
    for (keys, path, window_s) in [
        ("", "/none", 0),
        ("stale_while_revalidate: 30m", "/meanwhile", 1800),
        ("stale_if_error: 1h", "/error", 3600),
        ("stale_if_shed: 2h, stale_if_error: 1h", "/shed", 7200),
        ("stale_if_error: 240h", "/outage", 864_000),
        // The origin's word stands for the policy's.
        ("stale_if_error: 1h", "/said", 300),
    ] {
        let known = redis.entries("");
        let sumun = gateway(&origin, &redis, keys).await;
        sumun.get(path).await;
        written(&sumun, 1.0).await;
        let entries = redis.entries("").into_iter().filter(|key| !known.contains(key));
        let entries: Vec<String> = entries.collect();
        assert_eq!(entries.len(), 1, "{path}: {entries:?}");
        let left_ms: i64 = redis.ask(&["PTTL", &entries[0]]).parse().expect("a number");
        // A tag can be asked about for a minute more; the rest is what the test took.
        let most_ms = (60 + window_s.max(60)) * 1000;
        assert!((most_ms - 30_000..=most_ms).contains(&left_ms), "{path}: kept for {left_ms} ms");
    }
}

#[tokio::test]
async fn what_is_stale_spares_another_gateway_the_origins_failure() {
    let count = AtomicUsize::new(0);
    let origin = Upstream::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::with(200, &[("cache-control", "max-age=60"), ("age", "600")], "stale"),
        _ => Reply::with(503, &[], "no"),
    })
    .await;
    let redis = Redis::start().await;
    let one = gateway(&origin, &redis, "stale_if_error: 1h").await;
    let other = gateway(&origin, &redis, "stale_if_error: 1h").await;
    let host = [("host", "shared.test")];
    one.call("GET", "/a", &host, b"").await;
    written(&one, 1.0).await;
    let spared = other.call("GET", "/a", &host, b"").await;
    assert_eq!((spared.status, spared.text().as_str()), (200, "stale"), "{spared}");
    assert!(cache_status(&spared).contains("detail=stale-if-error"), "{spared}");
    assert_eq!(origin.request_count(), 2);
}
