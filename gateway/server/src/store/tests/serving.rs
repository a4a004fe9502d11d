//! RFC 9111 §4 and §5.2.1: when a stored answer serves, how old it is, what HEAD and Range get.

use http::{Method, StatusCode};

use super::kit::{Kit, date, response};
use crate::telemetry::record::CacheResult;

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

#[tokio::test]
async fn rfc9111_4_2_3_age_counts_what_the_origin_says_and_how_long_it_took() {
    let kit = Kit::new();
    let errand = kit.errand("/", &[]).await;
    kit.pass(3);
    let origin = response(200, &[FRESH, ("age", "10"), ("date", &date(3))], "a");
    drop(errand.remember(origin, kit.now()).await);
    kit.pass(5);
    let got = kit.hit(&[]).await;
    assert_eq!(got.header("age"), "18");
    assert_eq!(got.cache_status(), "sumun; hit; ttl=42");
    kit.pass(42);
    assert_eq!(kit.miss(&[]).await.cache_status(), "sumun; fwd=stale; detail=no-freshness");
}

#[tokio::test]
async fn rfc9110_6_6_1_a_stored_answer_without_date_gets_one() {
    let kit = Kit::new();
    kit.get(&[], response(200, &[FRESH], "a")).await;
    kit.pass(5);
    assert_eq!(kit.hit(&[]).await.header("date"), date(0));
}

#[tokio::test]
async fn rfc9111_5_2_1_request_directives_decide_what_serves() {
    let kit = Kit::new();
    let stored = response(200, &[("cache-control", "max-age=100"), ("age", "40")], "a");
    kit.get(&[], stored).await;
    for (control, serves) in [
        ("max-age=39", false),
        ("max-age=40", true),
        ("max-age=0", false),
        ("min-fresh=60", true),
        ("min-fresh=61", false),
        ("no-cache", false),
        ("no-store", false),
        ("only-if-cached", true),
        ("nonsense=1", true),
    ] {
        let got = kit.get(&[("cache-control", control)], response(503, &[], "")).await;
        assert_eq!(got.is_from_store(), serves, "{control}");
    }
    kit.pass(70);
    for (control, serves) in [("max-stale=9", false), ("max-stale=10", true), ("max-stale", true)] {
        let got = kit.get(&[("cache-control", control)], response(503, &[], "")).await;
        assert_eq!(got.is_from_store(), serves, "{control}");
        if serves {
            assert_eq!(got.cache_status(), "sumun; hit; ttl=-10");
        }
    }
}

#[tokio::test]
async fn rfc9111_5_2_2_2_must_revalidate_beats_max_stale() {
    for control in ["max-age=1, must-revalidate", "max-age=1, proxy-revalidate", "s-maxage=1"] {
        let kit = Kit::new();
        kit.get(&[], response(200, &[("cache-control", control)], "a")).await;
        kit.pass(2);
        kit.miss(&[("cache-control", "max-stale=100")]).await;
    }
}

#[tokio::test]
async fn rfc9111_5_2_1_7_only_if_cached_without_an_answer_is_504() {
    let kit = Kit::new();
    let got = kit.get(&[("cache-control", "only-if-cached")], response(200, &[], "")).await;
    assert_eq!(got.status, StatusCode::GATEWAY_TIMEOUT);
    assert!(got.is_from_store());
}

#[tokio::test]
async fn rfc9111_5_4_pragma_counts_where_there_is_no_cache_control() {
    let kit = Kit::new();
    kit.get(&[], response(200, &[FRESH], "a")).await;
    kit.hit(&[("pragma", "no-cache"), ("cache-control", "x")]).await;
    kit.miss(&[("pragma", "no-cache")]).await;
}

#[tokio::test]
async fn rfc9111_4_head_is_served_from_a_stored_get() {
    let kit = Kit::new();
    kit.get(&[], response(200, &[FRESH, ("etag", "\"1\"")], "abc")).await;
    let got = kit.call(&Method::HEAD, "/", &[], response(500, &[], "")).await;
    assert!(got.is_from_store());
    assert_eq!((got.status.as_u16(), got.header("content-length")), (200, "3"));
    assert!(got.body.is_empty());
}

#[tokio::test]
async fn rfc9111_4_3_5_head_freshens_or_invalidates_a_stored_get() {
    let kit = Kit::new();
    let lines = [("cache-control", "max-age=1"), ("etag", "\"1\""), ("x-a", "old")];
    kit.get(&[], response(200, &lines, "abc")).await;
    kit.pass(2);
    let same = [FRESH, ("etag", "\"1\""), ("x-a", "new"), ("content-length", "3")];
    let head = kit.call(&Method::HEAD, "/", &[], response(200, &same, "")).await;
    assert!(!head.is_from_store());
    let got = kit.hit(&[]).await;
    assert_eq!((got.header("x-a"), &got.body[..]), ("new", &b"abc"[..]));

    kit.pass(61);
    let other = [FRESH, ("etag", "\"2\""), ("content-length", "3")];
    kit.call(&Method::HEAD, "/", &[], response(200, &other, "")).await;
    let got = kit.miss(&[]).await;
    assert_eq!(got.cache_status(), "sumun; fwd=uri-miss; detail=no-freshness");
}

#[tokio::test]
async fn an_answer_to_head_is_not_stored() {
    let kit = Kit::new();
    let head = kit.call(&Method::HEAD, "/", &[], response(200, &[FRESH], "")).await;
    assert_eq!(head.cache_status(), "sumun; fwd=uri-miss; detail=head");
    kit.miss(&[]).await;
}

#[tokio::test]
async fn rfc9110_14_ranges_are_cut_from_a_complete_answer() {
    let kit = Kit::new();
    let lines = [FRESH, ("etag", "\"1\""), ("content-type", "text/plain")];
    kit.get(&[], response(200, &lines, "0123456789")).await;
    for (range, body, content_range) in [
        ("bytes=0-3", "0123", "bytes 0-3/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=5-99", "56789", "bytes 5-9/10"),
    ] {
        let got = kit.hit(&[("range", range)]).await;
        assert_eq!(got.status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!((&got.body[..], got.header("content-range")), (body.as_bytes(), content_range));
        assert_eq!(got.header("content-length"), body.len().to_string());
        assert_eq!(got.header("content-type"), "text/plain");
    }
    let got = kit.hit(&[("range", "bytes=10-")]).await;
    assert_eq!(got.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(got.header("content-range"), "bytes */10");
    for ignored in ["bytes=0-1,3-4", "bytes=3-1", "lines=0-1", "bytes=a-b"] {
        assert_eq!(kit.hit(&[("range", ignored)]).await.status, StatusCode::OK, "{ignored}");
    }
}

#[tokio::test]
async fn rfc9110_13_1_5_if_range_needs_a_strong_match() {
    let kit = Kit::new();
    kit.get(&[], response(200, &[FRESH, ("etag", "\"1\"")], "0123456789")).await;
    for (tag, status) in [("\"1\"", 206), ("W/\"1\"", 200), ("\"2\"", 200), ("soon", 200)] {
        let got = kit.hit(&[("range", "bytes=0-3"), ("if-range", tag)]).await;
        assert_eq!(got.status.as_u16(), status, "{tag}");
    }
}

#[tokio::test]
async fn a_range_of_what_is_not_stored_goes_to_the_origin_as_it_is() {
    let kit = Kit::new();
    let range = &[("range", "bytes=0-1")];
    let got = kit.get(range, response(206, &[FRESH, ("content-range", "bytes 0-1/3")], "ab")).await;
    assert_eq!(got.asked.as_ref().expect("asked")["range"], "bytes=0-1");
    assert_eq!(got.cache_status(), "sumun; fwd=partial");
    kit.miss(&[]).await;
}

#[tokio::test]
async fn rfc9211_2_an_upstream_caches_status_comes_first() {
    let kit = Kit::new();
    let lines = [FRESH, ("cache-status", "near; hit")];
    let all = |got: &super::kit::Got| -> Vec<String> {
        let lines = got.headers.get_all("cache-status").iter();
        lines.map(|line| line.to_str().expect("ASCII").to_owned()).collect()
    };
    let first = kit.get(&[], response(200, &lines, "a")).await;
    assert_eq!(all(&first), ["near; hit", "sumun; fwd=uri-miss; stored"]);
    assert_eq!(all(&kit.hit(&[]).await), ["near; hit", "sumun; hit; ttl=60"]);
}

#[tokio::test]
async fn results_are_told_apart() {
    let kit = Kit::new();
    let lines = [("cache-control", "max-age=1"), ("etag", "\"1\"")];
    assert_eq!(kit.get(&[], response(200, &lines, "a")).await.result, CacheResult::Miss);
    assert_eq!(kit.hit(&[]).await.result, CacheResult::Hit);
    kit.pass(2);
    let validated = kit.get(&[], response(304, &lines, "")).await;
    assert_eq!(validated.result, CacheResult::Revalidated);
    kit.pass(2);
    assert_eq!(kit.get(&[], response(200, &lines, "a")).await.result, CacheResult::Stale);
    let post = kit.call(&Method::POST, "/", &[], response(200, &[], "")).await;
    assert_eq!(post.result, CacheResult::Bypass);
    assert_eq!(post.cache_status(), "sumun; fwd=method");
}

#[tokio::test]
async fn method_overrides_do_not_reach_the_origin_of_a_cached_route() {
    let kit = Kit::new();
    let got = kit.get(&[("x-http-method-override", "DELETE")], response(200, &[FRESH], "a")).await;
    assert!(!got.asked.expect("asked").contains_key("x-http-method-override"));
}
