//! RFC 9111 §4.4: what unsafe methods make invalid, and purges by an operator.

use http::{HeaderMap, Method, StatusCode};
use sumun_policy::policy;

use super::kit::{Kit, asked, headers, response, route, rules};
use crate::store::Resource;

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

async fn store(kit: &Kit, path: &str) {
    kit.call(&Method::GET, path, &[], response(200, &[FRESH], "a")).await;
}

async fn is_stored(kit: &Kit, path: &str) -> bool {
    let head = headers(&[("cache-control", "only-if-cached")]);
    matches!(kit.recall(&Method::GET, path, &head).await, crate::store::Recalled::Answer { .. })
}

#[tokio::test]
async fn rfc9111_4_4_a_successful_unsafe_call_invalidates_its_target() {
    for (method, status, stays) in [
        ("POST", 200, false),
        ("PUT", 204, false),
        ("DELETE", 302, false),
        ("M-SEARCH", 200, false),
        ("POST", 404, true),
        ("PUT", 500, true),
        ("OPTIONS", 200, true),
    ] {
        let kit = Kit::new();
        store(&kit, "/a").await;
        store(&kit, "/b").await;
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        kit.call(&method, "/a", &[], response(status, &[], "")).await;
        assert_eq!(is_stored(&kit, "/a").await, stays, "{method} {status}");
        assert!(is_stored(&kit, "/b").await);
    }
}

#[tokio::test]
async fn rfc9111_4_4_location_and_content_location_of_the_same_origin_go_too() {
    for (name, value, goes) in [
        ("location", "/b/c?d", true),
        ("content-location", "http://ITEMS.internal:80/b/c?d", true),
        ("location", "c?d", true),
        ("location", "../b/c?d#e", true),
        ("location", "//items.internal/b/c?d", true),
        ("location", "http://other.internal/b/c?d", false),
        ("location", "https://items.internal/b/c?d", false),
        ("location", "/b/c", false),
    ] {
        let kit = Kit::new();
        store(&kit, "/b/c?d").await;
        kit.call(&Method::POST, "/b/x", &[], response(201, &[(name, value)], "")).await;
        assert_eq!(!is_stored(&kit, "/b/c?d").await, goes, "{name}: {value}");
    }
}

#[tokio::test]
async fn an_unsafe_call_of_a_route_without_cache_invalidates_through_the_face() {
    let kit = Kit::new();
    store(&kit, "/a").await;
    let (none, key) = (HeaderMap::new(), policy::CacheKey::default());
    kit.cache.invalidate(&asked(&Method::GET, "/a", &none), &key, StatusCode::OK, &none);
    assert!(is_stored(&kit, "/a").await);
    kit.cache.invalidate(&asked(&Method::POST, "/a", &none), &key, StatusCode::OK, &none);
    assert!(!is_stored(&kit, "/a").await);
}

#[tokio::test]
async fn an_unsafe_call_invalidates_every_key_of_its_url() {
    let key = policy::CacheKey {
        headers: vec![http::HeaderName::from_static("x-tenant")],
        ..policy::CacheKey::default()
    };
    let kit = Kit::with(policy::Cache { key, ..rules() });
    kit.get(&[("x-tenant", "a")], response(200, &[FRESH], "a")).await;
    kit.hit(&[("x-tenant", "a")]).await;
    kit.call(&Method::POST, "/", &[("x-tenant", "b")], response(200, &[], "")).await;
    kit.miss(&[("x-tenant", "a")]).await;
    kit.get(&[("x-tenant", "a")], response(200, &[FRESH], "b")).await;
    assert_eq!(kit.hit(&[("x-tenant", "a")]).await.body, "b");
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_before_an_invalidation_is_not_stored_after_it() {
    let kit = Kit::new();
    let early = kit.errand("/", &[]).await;
    kit.call(&Method::POST, "/", &[], response(200, &[], "")).await;
    // A call after the invalidation neither waits for the early one nor gets its answer.
    let began = tokio::time::Instant::now();
    let late = kit.errand("/", &[]).await;
    assert_eq!(began.elapsed().as_secs(), 0);
    let (_, _) = early.remember(response(200, &[FRESH], "before"), kit.now()).await;
    assert!(!is_stored(&kit, "/").await);
    let (_, _) = late.remember(response(200, &[FRESH], "after"), kit.now()).await;
    assert_eq!(kit.hit(&[]).await.body, "after");
}

#[tokio::test]
async fn purges_take_a_url_a_route_or_everything() {
    let mut kit = Kit::new();
    let vary = [FRESH, ("vary", "accept")];
    for accept in ["a", "b"] {
        kit.call(&Method::GET, "/v", &[("accept", accept)], response(200, &vary, "a")).await;
    }
    store(&kit, "/a").await;
    store(&kit, "/b").await;
    kit.route = route("other");
    store(&kit, "/a").await;
    let url = Resource { scheme: "http", authority: "items.internal", path_and_query: "/v" };
    assert_eq!(kit.cache.purge_url(url, &kit.rules.key), 2);
    assert_eq!(kit.cache.purge_url(url, &kit.rules.key), 0);
    assert_eq!(kit.cache.purge_route(&route("items")), 2);
    assert!(is_stored(&kit, "/a").await);
    let early = kit.errand("/c", &[]).await;
    kit.cache.purge_all();
    let (_, _) = early.remember(response(200, &[FRESH], "before"), kit.now()).await;
    let view = kit.cache.view();
    assert_eq!((view.entries, view.bytes), (0, 0));
}
