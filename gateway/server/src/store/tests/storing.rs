//! RFC 9111 §3: what is stored, and what is not.

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::BodyExt as _;

use super::kit::{Chunks, Kit, headers, response, rules};
use crate::body::Body;
use crate::store::Cache;

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

fn streamed(lines: &[(&str, &str)], body: Chunks) -> Response<Body> {
    let mut response = Response::new(body.body());
    *response.headers_mut() = headers(lines);
    response
}

async fn first_is_not_stored(lines: &[(&str, &str)], detail: &str) {
    let kit = Kit::new();
    let first = kit.get(&[], response(200, lines, "a")).await;
    assert_eq!(first.cache_status(), format!("sumun; fwd=uri-miss; detail={detail}"), "{lines:?}");
    assert_eq!(first.body, "a");
    kit.miss(&[]).await;
    assert_eq!(kit.cache.view().entries, 0);
}

#[tokio::test]
async fn rfc9111_3_a_fresh_answer_is_stored_and_served() {
    let kit = Kit::new();
    let first = kit.get(&[], response(200, &[FRESH, ("etag", "\"1\"")], "a")).await;
    assert_eq!(first.cache_status(), "sumun; fwd=uri-miss; stored");
    kit.pass(2);
    let second = kit.hit(&[]).await;
    assert_eq!((second.status.as_u16(), &second.body[..]), (200, &b"a"[..]));
    assert_eq!(second.cache_status(), "sumun; hit; ttl=58");
    assert_eq!(second.header("age"), "2");
    assert_eq!(second.header("content-length"), "1");
    assert_eq!(second.header("etag"), "\"1\"");
}

#[tokio::test]
async fn rfc9111_3_what_forbids_storing_says_so() {
    first_is_not_stored(&[("cache-control", "no-store, max-age=60")], "no-store").await;
    first_is_not_stored(&[("cache-control", "private, max-age=60")], "private").await;
    first_is_not_stored(&[FRESH, ("set-cookie", "a=1")], "set-cookie").await;
    first_is_not_stored(&[FRESH, ("vary", "accept, *")], "vary").await;
    first_is_not_stored(&[("etag", "\"1\"")], "no-freshness").await;
    first_is_not_stored(&[("cache-control", "max-age=0")], "stale").await;
}

#[tokio::test]
async fn rfc9111_3_the_policys_freshness_stands_where_the_origin_gives_none() {
    let fresh_for = Some(std::time::Duration::from_secs(30));
    let kit = Kit::with(sumun_policy::policy::Cache { fresh_for, ..rules() });
    kit.get(&[], response(200, &[], "a")).await;
    kit.pass(29);
    kit.hit(&[]).await;
    kit.pass(1);
    kit.miss(&[]).await;
}

#[tokio::test]
async fn set_cookie_is_stored_where_the_policy_allows_it() {
    let kit = Kit::with(sumun_policy::policy::Cache { store_set_cookie: true, ..rules() });
    kit.get(&[], response(200, &[FRESH, ("set-cookie", "a=1")], "a")).await;
    assert_eq!(kit.hit(&[]).await.header("set-cookie"), "a=1");
}

#[tokio::test]
async fn rfc9111_3_5_an_authorised_answer_needs_leave_to_be_stored() {
    let authorized = &[("authorization", "Basic eA==")];
    for (control, stored) in [
        ("max-age=60", false),
        ("max-age=60, public", true),
        ("s-maxage=60", true),
        ("max-age=60, must-revalidate", true),
    ] {
        let kit = Kit::new();
        kit.get(authorized, response(200, &[("cache-control", control)], "a")).await;
        let second = kit.get(&[], response(200, &[], "b")).await;
        assert_eq!(second.is_from_store(), stored, "{control}");
    }
}

#[tokio::test]
async fn an_authorised_call_is_not_served_what_was_stored_for_nobody() {
    let kit = Kit::new();
    kit.get(&[], response(200, &[FRESH], "a")).await;
    let second = kit.miss(&[("authorization", "Basic eA==")]).await;
    assert_eq!(second.cache_status(), "sumun; fwd=request; detail=authorization");
    kit.hit(&[]).await;
}

#[tokio::test]
async fn rfc9111_3_a_get_with_a_body_bypasses_the_store() {
    let kit = Kit::new();
    kit.get(&[], response(200, &[FRESH], "a")).await;
    let head = headers(&[]);
    let asked =
        crate::store::Asked { has_body: true, ..super::kit::asked(&Method::GET, "/", &head) };
    let recalled = kit.cache.recall(&asked, &kit.rules, &kit.route, kit.now()).await;
    let crate::store::Recalled::Forward(errand) = recalled else { panic!("served") };
    let (response, _) = errand.remember(response(200, &[FRESH], "b"), kit.now()).await;
    assert_eq!(response.headers()["cache-status"], "sumun; fwd=bypass; detail=body");
    drop(response);
    assert_eq!(kit.hit(&[]).await.body, "a");
}

#[tokio::test]
async fn rfc9111_3_1_fields_of_the_connection_are_not_stored() {
    let kit = Kit::new();
    let lines = [FRESH, ("connection", "x-hop, close"), ("x-hop", "1"), ("keep-alive", "5")];
    kit.get(&[], response(200, &[&lines[..], &[("x-end", "1")]].concat(), "a")).await;
    let second = kit.hit(&[]).await;
    assert_eq!(second.header("x-end"), "1");
    for gone in ["connection", "x-hop", "keep-alive"] {
        assert!(!second.headers.contains_key(gone), "{gone}");
    }
}

#[tokio::test]
async fn rfc9111_5_2_2_4_named_fields_of_no_cache_and_private_are_not_stored() {
    let kit = Kit::new();
    let control = ("cache-control", "max-age=60, no-cache=\"x-a\", private=\"x-b, x-c\"");
    let lines = [control, ("x-a", "1"), ("x-b", "1"), ("x-c", "1"), ("x-d", "1")];
    let first = kit.get(&[], response(200, &lines, "a")).await;
    assert_eq!(first.header("x-a"), "1");
    let second = kit.hit(&[]).await;
    assert!(["x-a", "x-b", "x-c"].iter().all(|name| !second.headers.contains_key(*name)));
    assert_eq!(second.header("x-d"), "1");
}

#[tokio::test]
async fn rfc9111_3_3_an_incomplete_answer_is_not_stored() {
    for (name, length, body) in [
        ("fails", "2", Chunks::of(&["a"]).then_fails()),
        ("is short of its length", "2", Chunks::of(&["a"])),
        ("is short and ends open", "2", Chunks::of(&["a"]).ends_open()),
        ("is over its length", "1", Chunks::of(&["a", "b"])),
    ] {
        let kit = Kit::new();
        let errand = kit.errand("/", &[]).await;
        let lines = [FRESH, ("content-length", length), ("etag", "\"1\"")];
        let (response, _) = errand.remember(streamed(&lines, body), kit.now()).await;
        let _ = response.into_body().collect().await;
        kit.miss(&[]).await;
        assert_eq!(kit.cache.view().entries, 0, "{name}");
    }
}

#[tokio::test]
async fn an_answer_that_its_client_gave_up_is_not_stored() {
    let kit = Kit::new();
    let errand = kit.errand("/", &[]).await;
    let origin = streamed(&[FRESH], Chunks::of(&["a", "b"]));
    let (response, _) = errand.remember(origin, kit.now()).await;
    let mut body = response.into_body();
    assert!(body.frame().await.is_some());
    drop(body);
    kit.miss(&[]).await;
    assert_eq!(kit.cache.view().bytes, 0);
}

#[tokio::test]
async fn an_answer_is_stored_where_the_connection_asks_no_more_after_its_last_byte() {
    let kit = Kit::new();
    let errand = kit.errand("/", &[]).await;
    let lines = [FRESH, ("content-length", "2"), ("etag", "\"1\"")];
    let origin = streamed(&lines, Chunks::of(&["a", "b"]).ends_open());
    let (response, _) = errand.remember(origin, kit.now()).await;
    let mut body = response.into_body();
    for _ in 0..2 {
        assert!(body.frame().await.is_some());
    }
    drop(body);
    assert_eq!(kit.hit(&[]).await.body, "ab");
}

#[tokio::test]
async fn an_answer_with_trailers_is_passed_on_whole_and_not_stored() {
    let kit = Kit::new();
    let errand = kit.errand("/", &[]).await;
    let origin = streamed(&[FRESH], Chunks::of(&["a"]).then_trailers());
    let (response, _) = errand.remember(origin, kit.now()).await;
    let whole = response.into_body().collect().await.expect("whole");
    assert!(whole.trailers().is_some());
    kit.miss(&[]).await;
}

#[tokio::test]
async fn the_tee_gives_up_over_max_object_and_the_client_gets_everything() {
    let kit = Kit::with(sumun_policy::policy::Cache { object_bytes_max: 3, ..rules() });
    for chunks in [&["ab", "cd"][..], &["abcd"][..]] {
        let errand = kit.errand("/", &[]).await;
        let (response, told) =
            errand.remember(streamed(&[FRESH], Chunks::of(chunks)), kit.now()).await;
        assert_eq!(response.headers()["cache-status"], "sumun; fwd=uri-miss; detail=storing");
        assert_eq!(told.detail, Some("storing"), "nobody knows yet, so nobody says it is stored");
        let body = response.into_body().collect().await.expect("whole").to_bytes();
        assert_eq!(body, Bytes::from_static(b"abcd"));
        kit.miss(&[]).await;
    }
    let lines = [FRESH, ("content-length", "4")];
    let known = kit.get(&[], streamed(&lines, Chunks::of(&["abcd"]))).await;
    assert!(known.cache_status().ends_with("detail=too-large"), "{}", known.cache_status());
    kit.get(&[], streamed(&[FRESH], Chunks::of(&["ab", "c"]))).await;
    kit.hit(&[]).await;
    assert_eq!(kit.cache.inner.filling.used_bytes(), 0);
}

#[tokio::test]
async fn memory_is_bounded_with_metadata() {
    let bytes_max = 1 << 20;
    let kit = Kit { cache: Cache::new(bytes_max), ..Kit::new() };
    let body: &'static str = "x".repeat(10_000).leak();
    for item in 0..500 {
        let path = format!("/{item}");
        kit.call(&Method::GET, &path, &[], response(200, &[FRESH, ("etag", "\"1\"")], body)).await;
        // Never over the bound, not even before the books are settled.
        let exact: u64 = kit.cache.inner.memory.weight_walked();
        assert!(exact <= bytes_max, "{exact} bytes after {item}");
    }
    let view = kit.cache.view();
    assert_eq!(view.bytes, kit.cache.inner.memory.weight_walked());
    assert!(view.bytes <= view.bytes_max, "{view:?}");
    // The weight is more than the bodies' alone, and the store is well used.
    assert!(view.bytes > view.entries * 11_000, "{view:?}");
    assert!(view.entries > 40, "{view:?}");
}

#[tokio::test]
async fn an_answer_that_outgrows_the_room_for_bodies_is_not_stored() {
    let kit = Kit { cache: Cache::new(64 << 10), ..Kit::new() };
    let body: &'static str = "x".repeat(40_000).leak();
    let first = kit.get(&[], response(200, &[FRESH, ("etag", "\"1\"")], body)).await;
    assert_eq!(first.body.len(), 40_000);
    kit.miss(&[]).await;
    assert_eq!(kit.cache.inner.filling.used_bytes(), 0);
}
