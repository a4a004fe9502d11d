//! RFC 9111 §4.4: what unsafe methods make invalid, and purges by an operator.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use sumun_policy::policy;

use super::kit::{Kit, asked, headers, response, route, rules};
use crate::store::{Holdings, Manner, Resource, What};

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
    let url = What::Url(url, &kit.rules.key);
    let found = kit.cache.purge(url, Manner::Preview);
    assert_eq!(entries(&found), 2, "{found:?}");
    assert!(is_stored(&kit, "/a").await);
    assert_eq!(kit.cache.purge(url, Manner::Hard), found);
    assert_eq!(kit.cache.purge(url, Manner::Hard), Holdings::new());
    assert_eq!(entries(&kit.cache.purge(What::Route(&route("items")), Manner::Hard)), 2);
    assert!(is_stored(&kit, "/a").await);
    let early = kit.errand("/c", &[]).await;
    let rest = kit.cache.purge(What::All, Manner::Hard);
    assert_eq!(entries(&rest), 1);
    let (_, _) = early.remember(response(200, &[FRESH], "before"), kit.now()).await;
    let view = kit.cache.view();
    assert_eq!((view.entries, view.bytes), (0, 0));
}

fn entries(found: &Holdings) -> u64 {
    found.values().map(|holding| holding.entries).sum()
}

#[tokio::test]
async fn a_survey_adds_up_to_what_is_stored() {
    let mut kit = Kit::new();
    store(&kit, "/a").await;
    kit.pass(5);
    store(&kit, "/b").await;
    kit.route = route("other");
    let vary = [FRESH, ("vary", "accept")];
    for accept in ["a", "b"] {
        kit.call(&Method::GET, "/v", &[("accept", accept)], response(200, &vary, "abc")).await;
    }
    let holdings = kit.cache.holdings();
    let view = kit.cache.view();
    assert_eq!(holdings.values().map(|holding| holding.bytes).sum::<u64>(), view.bytes);
    let items = holdings[&route("items")];
    assert_eq!((items.entries, items.oldest_ns), (2, 1_000_000_000));
    assert_eq!(holdings[&route("other")].entries, 2);
}

#[tokio::test]
async fn a_tag_and_a_group_purge_what_carries_them_and_clients_never_see_tags() {
    for (field, value, tag, goes) in [
        ("surrogate-key", "red  green", What::Tag("green"), true),
        ("cache-tag", "red, green", What::Tag("green"), true),
        ("cache-tag", "red green", What::Tag("green"), false),
        ("surrogate-key", "Green", What::Tag("green"), false),
        ("cache-groups", "\"green\"", group("items.internal"), true),
        ("cache-groups", "\"green\"", group("other.internal"), false),
        ("cache-groups", "\"green\"", What::Tag("green"), false),
        ("cache-tag", "green", group("items.internal"), false),
    ] {
        let kit = Kit::new();
        let got =
            kit.call(&Method::GET, "/a", &[], response(200, &[FRESH, (field, value)], "a")).await;
        let hit = kit.call(&Method::GET, "/a", &[], response(500, &[], "")).await;
        let kept = field == "cache-groups";
        assert!(hit.is_from_store());
        assert_eq!((got.header(field) == value, hit.header(field) == value), (kept, kept));
        store(&kit, "/b").await;
        let early = kit.errand("/c", &[]).await;
        let found = kit.cache.purge(tag, Manner::Hard);
        assert_eq!(entries(&found), u64::from(goes), "{field}: {value}");
        assert_eq!(!is_stored(&kit, "/a").await, goes, "{field}: {value}");
        assert!(is_stored(&kit, "/b").await);
        // What was asked for before the purge is as good as gone, too.
        let _ = early.remember(response(200, &[FRESH, (field, value)], "c"), kit.now()).await;
        assert_eq!(!is_stored(&kit, "/c").await, goes, "{field}: {value}");
    }
}

fn group(authority: &'static str) -> What<'static> {
    What::Group { scheme: "http", authority, name: "green" }
}

#[tokio::test]
async fn tags_survive_a_304() {
    let kit = Kit::new();
    let tagged = [("cache-control", "max-age=10"), ("etag", "\"1\""), ("cache-tag", "red")];
    kit.get(&[], response(200, &tagged, "a")).await;
    kit.pass(11);
    let got = kit.get(&[], response(304, &[FRESH, ("etag", "\"1\"")], "")).await;
    assert_eq!((got.body.as_ref(), got.header("cache-tag")), (&b"a"[..], ""));
    assert_eq!(entries(&kit.cache.purge(What::Tag("red"), Manner::Hard)), 1);
    assert!(!is_stored(&kit, "/").await);
}

#[tokio::test]
async fn a_soft_purge_leaves_an_answer_to_the_stale_rules_and_a_revalidation() {
    let tagged = [FRESH, ("etag", "\"1\""), ("cache-tag", "red")];
    let url = Resource { scheme: "http", authority: "items.internal", path_and_query: "/" };
    for what in 0..4 {
        let kit =
            Kit::with(policy::Cache { stale_if_error: Some(Duration::from_secs(30)), ..rules() });
        let (key, own) = (kit.rules.key.clone(), kit.route.clone());
        let what = [What::Url(url, &key), What::Tag("red"), What::Route(&own), What::All][what];
        kit.get(&[], response(200, &tagged, "a")).await;
        store(&kit, "/other").await;
        kit.pass(10);
        let found = kit.cache.purge(what, Manner::Soft(kit.now().mono_ns));
        assert!(entries(&found) >= 1, "{what:?}");
        assert!(!is_stored(&kit, "/").await, "{what:?}: not served as fresh");
        let untouched = matches!(what, What::Url(..) | What::Tag(_));
        assert_eq!(is_stored(&kit, "/other").await, untouched, "{what:?}");
        // The stale rules count from the purge on, and its age is told as it is.
        kit.pass(20);
        let got = kit.get(&[], response(503, &[], "")).await;
        assert_eq!((got.status, got.header("age")), (StatusCode::OK, "30"), "{what:?}");
        kit.pass(11);
        let got = kit.get(&[], response(503, &[], "")).await;
        assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE, "{what:?}");
        // It is asked about, not asked for.
        let got = kit.get(&[], response(304, &[FRESH], "")).await;
        let asked = got.asked.as_ref().expect("asked");
        assert_eq!(
            asked.get("if-none-match").map(http::HeaderValue::as_bytes),
            Some(&b"\"1\""[..])
        );
        assert_eq!(got.body, "a");
        assert_eq!(kit.hit(&[]).await.body, "a", "{what:?}: fresh again");
    }
}

#[tokio::test]
async fn must_revalidate_holds_after_a_soft_purge() {
    let kit = Kit::with(policy::Cache {
        stale_if_error: Some(Duration::from_secs(30)),
        stale_while_revalidate: Some(Duration::from_secs(30)),
        ..rules()
    });
    kit.get(&[], response(200, &[("cache-control", "max-age=60, must-revalidate")], "a")).await;
    kit.cache.purge(What::All, Manner::Soft(kit.now().mono_ns));
    assert_eq!(kit.get(&[], response(503, &[], "")).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn what_was_asked_for_before_a_soft_purge_is_stale_after_it() {
    let kit = Kit::new();
    let early = kit.errand("/", &[]).await;
    kit.pass(1);
    kit.cache.purge(What::All, Manner::Soft(kit.now().mono_ns));
    kit.pass(1);
    let _ = early.remember(response(200, &[FRESH, ("etag", "\"1\"")], "a"), kit.now()).await;
    assert!(!is_stored(&kit, "/").await);
    // What supersedes it takes its place, though it had been shown as stale.
    kit.get(&[], response(200, &[("cache-control", "no-store")], "b")).await;
    assert_eq!(kit.cache.view().entries, 0);
}
