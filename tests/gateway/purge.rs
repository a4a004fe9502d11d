//! Operating the cache: purges and their preview, what it says of itself, and its bound in bytes.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use sumun_tests::{DEADLINE, Load, Recorded, Reply, Response, Sumun, Upstream, eventually};

use crate::policies;

const HOST: [(&str, &str); 1] = [("host", "shop.test")];

/// An origin that numbers its answers; the last segment of a path is their tag, too.
async fn tagged() -> (Upstream, Sumun) {
    let count = AtomicUsize::new(0);
    let upstream = Upstream::start(move |asked: &Recorded| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        let tag = asked.target().rsplit('/').next().unwrap_or_default().to_owned();
        let group = format!("\"{tag}\"");
        let fields = [
            ("cache-control", "max-age=600"),
            ("etag", "\"1\""),
            ("surrogate-key", &*format!("all {tag}")),
            ("cache-tag", "shop, more"),
            ("cache-groups", &group),
        ];
        Reply::with(200, &fields, format!("{number}"))
    })
    .await;
    let route = "cache: { stale_while_revalidate: 1m }";
    let sumun = Sumun::start(&policies::to_with(&upstream.url(), route)).await;
    (upstream, sumun)
}

async fn get(sumun: &Sumun, path: &str) -> Response {
    sumun.call("GET", path, &HOST, b"").await
}

async fn purge(sumun: &Sumun, what: &Value) -> Value {
    let json = [("content-type", "application/json")];
    let body = what.to_string();
    let answer = sumun.admin("POST", "/api/v1/cache:purge", &json, body.as_bytes()).await;
    assert_eq!(answer.status, 200, "{what}: {answer}");
    serde_json::from_str(&answer.text()).expect("JSON")
}

fn is_hit(answer: &Response) -> bool {
    answer.header("cache-status").is_some_and(|status| status.contains("sumun; hit"))
}

#[tokio::test]
async fn a_preview_says_what_a_purge_then_takes() {
    let (upstream, sumun) = tagged().await;
    for what in [
        json!({"url": "http://SHOP.test:80/red"}),
        json!({"tag": "red"}),
        json!({"group": "red", "origin": "http://shop.test"}),
    ] {
        for path in ["/red", "/green"] {
            get(&sumun, path).await;
            assert!(is_hit(&get(&sumun, path).await), "{path}");
        }
        let asked = upstream.request_count();
        let mut dry = what.clone();
        dry["dry_run"] = true.into();
        let seen = purge(&sumun, &dry).await;
        assert_eq!((&seen["entries"], &seen["purged"]), (&json!(1), &json!(0)), "{seen}");
        assert!(seen["routes"]["all"]["bytes"].as_u64().is_some_and(|bytes| bytes > 500), "{seen}");
        assert!(is_hit(&get(&sumun, "/red").await), "{what}: only looked at");

        let gone = purge(&sumun, &what).await;
        assert_eq!((&gone["purged"], &gone["bytes"]), (&json!(1), &seen["bytes"]), "{gone}");
        assert!(is_hit(&get(&sumun, "/green").await), "{what}");
        assert_eq!(upstream.request_count(), asked);
        let fresh = get(&sumun, "/red").await;
        assert!(!is_hit(&fresh), "{what}: {fresh}");
        assert_eq!(upstream.request_count(), asked + 1);
        assert_eq!(purge(&sumun, &json!({"all": true})).await["purged"], 2);
    }
}

#[tokio::test]
async fn clients_see_neither_field_of_tags() {
    let (_upstream, sumun) = tagged().await;
    for _ in 0..2 {
        let answer = get(&sumun, "/red").await;
        assert_eq!((answer.header("surrogate-key"), answer.header("cache-tag")), (None, None));
        assert_eq!(answer.header("cache-groups"), Some("\"red\""), "for the caches behind");
    }
    let post = sumun.call("POST", "/red", &HOST, b"").await;
    assert_eq!((post.header("surrogate-key"), post.header("cache-tag")), (None, None));
}

#[tokio::test]
async fn a_soft_purge_serves_stale_and_revalidates() {
    let (upstream, sumun) = tagged().await;
    let first = get(&sumun, "/red").await;
    let soft = purge(&sumun, &json!({"tag": "red", "soft": true})).await;
    assert_eq!(soft["purged"], 1);
    let stale = get(&sumun, "/red").await;
    assert_eq!(stale.text(), first.text());
    let status = stale.header("cache-status").unwrap_or_default();
    assert!(status.contains("detail=stale-while-revalidate"), "{status}");
    upstream.arrived(2).await;
    let asked = upstream.requests().pop().expect("a revalidation");
    assert_eq!(asked.header("if-none-match"), Some("\"1\""));
    eventually("fresh again", DEADLINE, async || {
        let now = get(&sumun, "/red").await;
        let status = now.header("cache-status").unwrap_or_default().to_owned();
        if now.text() == "2" && !status.contains("stale") { Ok(()) } else { Err(status) }
    })
    .await;
    assert_eq!(upstream.request_count(), 2);
}

#[tokio::test]
async fn the_cache_says_what_it_holds_by_route() {
    let (_upstream, sumun) = tagged().await;
    for path in ["/red", "/green", "/red", "/red"] {
        get(&sumun, path).await;
    }
    let cache = sumun.admin_get("/api/v1/cache").await;
    let route = &cache["routes"]["all"];
    assert_eq!((&cache["entries"], &route["entries"]), (&json!(2), &json!(2)), "{cache}");
    assert_eq!((&route["hits"], &route["misses"]), (&json!(2), &json!(2)), "{cache}");
    assert_eq!((&route["hit_ratio"], &route["evictions"]), (&json!(0.5), &json!(0)), "{cache}");
    assert_eq!(route["bytes"], cache["bytes"], "{cache}");
    assert!(route["oldest_s"].as_f64().is_some_and(|oldest| oldest < 60.0), "{cache}");
    assert_eq!(
        (&cache["store"], &cache["tiers"][0]["store"]),
        (&json!("memory"), &json!("memory"))
    );
    let entries = sumun.metric("sumun_cache_entries").await;
    assert!((entries - 2.0).abs() < 0.1, "{entries}");
}

/// Fifteen times the bound in answers of all sizes: neither what it reports nor what the process
/// takes goes over it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_bound_holds_in_bytes() {
    const BOUND: u64 = 16 << 20;
    const WRITTEN: u64 = 6_000;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let upstream = Upstream::start(move |asked: &Recorded| {
        let number: u64 =
            asked.target().rsplit('/').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let mut random = fastrand::Rng::with_seed(seed ^ number);
        // Most small, some large, as resources are.
        let most = [512, 4096, 65_536, 262_144][random.usize(..4)];
        Reply::with(200, &[("cache-control", "max-age=600")], vec![b'x'; random.usize(..most)])
    })
    .await;
    let sumun = Sumun::with()
        .policy("policy.yaml", &policies::to_with(&upstream.url(), "cache: {}"))
        .settings("cache: { memory: 16MiB }\n")
        .start()
        .await;
    for round in 0..3 {
        Load::get(sumun.address(), "/warm")
            .connections(8)
            .total(200 + round)
            .run()
            .await
            .assert_all(200);
    }
    let before_kib = sumun.anonymous_kib();
    let mut most = 0;
    for number in 0..WRITTEN {
        assert_eq!(sumun.get(&format!("/{number}")).await.status, 200);
        if number % 500 == 499 {
            let cache = sumun.admin_get("/api/v1/cache").await;
            let bytes = cache["bytes"].as_u64().expect("a number");
            assert!(bytes <= BOUND, "{cache}");
            most = most.max(bytes);
        }
    }
    let cache = sumun.admin_get("/api/v1/cache").await;
    let (entries, evictions) = (cache["entries"].as_u64(), cache["evictions"].as_u64());
    let grown = (sumun.anonymous_kib().saturating_sub(before_kib)) << 10;
    println!(
        "reported at most {most}, process grown by {grown}, {entries:?} entries, {evictions:?} evicted"
    );
    assert_eq!(
        entries.zip(evictions).map(|(held, lost)| held + lost),
        Some(WRITTEN + 1),
        "{cache}"
    );
    assert!(most > BOUND / 2, "it is used: {most}");
    // What an allocator keeps of freed pieces of all sizes is on top.
    assert!(grown <= BOUND + BOUND / 2, "grown by {grown}");
    let lost = sumun.metric("sumun_cache_evictions_total{route=\"all\"}").await;
    assert!((lost - evictions.unwrap_or_default() as f64).abs() < 0.1, "{lost}");
    purge(&sumun, &json!({"all": true})).await;
    assert_eq!(sumun.admin_get("/api/v1/cache").await["bytes"], 0);
}
