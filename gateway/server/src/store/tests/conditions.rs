//! RFC 9110 §13 and RFC 9111 §4.3: tags, 304s, and revalidation towards the origin.

use http::StatusCode;
use http_body_util::BodyExt as _;

use super::kit::{Chunks, Kit, date, headers, response};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

#[tokio::test]
async fn rfc9110_13_1_2_if_none_match_is_answered_with_304_from_the_store() {
    let kit = Kit::new();
    let lines = [FRESH, ("etag", "\"a,b\""), ("vary", "accept"), ("content-type", "text/plain")];
    kit.get(&[], response(200, &lines, "a")).await;
    for (tags, status) in [
        ("\"a,b\"", 304),
        ("W/\"a,b\"", 304),
        ("\"x\", \"a,b\"", 304),
        ("*", 304),
        ("\"a\"", 200),
        ("b", 200),
    ] {
        let got = kit.hit(&[("if-none-match", tags)]).await;
        assert_eq!(got.status.as_u16(), status, "{tags}");
        if status == 304 {
            assert_eq!((got.header("etag"), got.header("vary")), ("\"a,b\"", "accept"));
            assert_eq!(got.header("cache-control"), "max-age=60");
            assert!(!got.headers.contains_key("content-type"));
            assert!(got.body.is_empty() && !got.header("date").is_empty());
        }
    }
}

#[tokio::test]
async fn rfc9110_13_2_2_if_none_match_beats_if_modified_since() {
    let kit = Kit::new();
    let modified = date(-1000);
    let lines = [FRESH, ("etag", "\"1\""), ("last-modified", &modified)];
    kit.get(&[], response(200, &lines, "a")).await;
    let since = ("if-modified-since", &*modified);
    assert_eq!(kit.hit(&[since]).await.status, StatusCode::NOT_MODIFIED);
    assert_eq!(kit.hit(&[since, ("if-none-match", "\"2\"")]).await.status, StatusCode::OK);
    let earlier = date(-1001);
    assert_eq!(kit.hit(&[("if-modified-since", &*earlier)]).await.status, StatusCode::OK);
    assert_eq!(kit.hit(&[("if-modified-since", "yesterday")]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_tag_is_made_from_last_modified_and_length_and_the_first_answer_has_it() {
    let kit = Kit::new();
    let modified = date(0);
    let lines = [FRESH, ("last-modified", &*modified)];
    let first = kit.get(&[], response(200, &lines, "abc")).await;
    assert_eq!(first.header("etag"), "W/\"lm-70dbd880-3\"");
    let second = kit.hit(&[]).await;
    assert_eq!(second.header("etag"), first.header("etag"));
    let third = kit.hit(&[("if-none-match", first.header("etag"))]).await;
    assert_eq!(third.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_tag_is_made_from_the_body_where_the_origin_gives_no_date() {
    let kit = Kit::new();
    let first = kit.get(&[], response(200, &[FRESH], "abc")).await;
    assert!(first.header("etag").starts_with("W/\"xxh3-"), "{first:?}");
    assert_eq!(first.body, "abc");
    assert_eq!(kit.hit(&[]).await.header("etag"), first.header("etag"));
    let other = Kit::new().get(&[], response(200, &[FRESH], "abd")).await;
    assert_ne!(other.header("etag"), first.header("etag"));
}

#[tokio::test]
async fn a_body_of_unknown_length_streams_without_a_tag_and_hits_have_one() {
    let kit = Kit::new();
    let mut origin = http::Response::new(Chunks::of(&["ab", "c"]).body());
    *origin.headers_mut() = headers(&[FRESH]);
    let errand = kit.errand("/", &[]).await;
    let (first, _) = errand.remember(origin, kit.now()).await;
    assert!(!first.headers().contains_key("etag"));
    assert_eq!(first.into_body().collect().await.expect("whole").to_bytes(), "abc");
    let second = kit.hit(&[]).await;
    assert!(second.header("etag").starts_with("W/\"xxh3-"));
}

#[tokio::test]
async fn rfc9111_4_3_1_a_stale_answer_is_revalidated_with_what_the_origin_gave() {
    let kit = Kit::new();
    let modified = date(-1000);
    let stale = ("cache-control", "max-age=1");
    kit.get(&[], response(200, &[stale, ("etag", "\"1\""), ("last-modified", &modified)], "a"))
        .await;
    kit.pass(2);
    let lines = [FRESH, ("etag", "\"1\""), ("x-new", "1")];
    let got = kit.get(&[("if-none-match", "\"theirs\"")], response(304, &lines, "")).await;
    let asked = got.asked.as_ref().expect("asked");
    assert_eq!(asked["if-none-match"], "\"1\"");
    assert_eq!(asked["if-modified-since"], *modified);
    // The client's own tag is another one, so it gets the whole stored answer.
    assert_eq!((got.status.as_u16(), &got.body[..]), (200, &b"a"[..]));
    assert_eq!(got.cache_status(), "sumun; fwd=stale; fwd-status=304; stored");
    assert_eq!(got.header("x-new"), "1");
    let later = kit.hit(&[("if-none-match", "\"1\"")]).await;
    assert_eq!(later.status, StatusCode::NOT_MODIFIED);
    assert_eq!(later.header("cache-control"), "max-age=60");
}

#[tokio::test]
async fn a_tag_made_here_never_goes_to_the_origin() {
    let kit = Kit::new();
    let modified = date(-1000);
    let stale = ("cache-control", "max-age=1");
    let first = kit.get(&[], response(200, &[stale, ("last-modified", &modified)], "a")).await;
    kit.pass(2);
    let own = first.header("etag").to_owned();
    let got = kit.get(&[("if-none-match", &own)], response(304, &[FRESH], "")).await;
    let asked = got.asked.as_ref().expect("asked");
    assert!(!asked.contains_key("if-none-match"));
    assert_eq!(asked["if-modified-since"], *modified);
    // The origin confirmed what is stored, and the client has just that.
    assert_eq!(got.status, StatusCode::NOT_MODIFIED);
    assert_eq!(got.header("etag"), own);
}

#[tokio::test]
async fn rfc9111_3_2_a_304_updates_the_head_but_not_what_describes_the_body() {
    let kit = Kit::new();
    let stale = ("cache-control", "max-age=1");
    let lines = [stale, ("etag", "\"1\""), ("x-a", "1"), ("x-a", "2"), ("x-b", "1")];
    kit.get(&[], response(200, &lines, "abc")).await;
    kit.pass(2);
    let later = [FRESH, ("etag", "\"1\""), ("x-a", "3"), ("content-length", "99"), ("te", "x")];
    kit.get(&[], response(304, &later, "")).await;
    let got = kit.hit(&[]).await;
    assert_eq!((got.header("x-a"), got.header("x-b")), ("3", "1"));
    assert_eq!((got.header("content-length"), &got.body[..]), ("3", &b"abc"[..]));
    assert!(!got.headers.contains_key("te"));
    assert_eq!(got.headers.get_all("x-a").iter().count(), 1);
    assert_eq!(got.header("age"), "0");
}

#[tokio::test]
async fn rfc9111_4_3_4_a_304_with_another_strong_tag_updates_nothing() {
    let kit = Kit::new();
    let stale = ("cache-control", "max-age=1");
    kit.get(&[], response(200, &[stale, ("etag", "\"1\""), ("x-a", "1")], "abc")).await;
    kit.pass(2);
    let got = kit.get(&[], response(304, &[FRESH, ("etag", "\"2\""), ("x-a", "2")], "")).await;
    assert_eq!((&got.body[..], got.header("x-a")), (&b"abc"[..], "1"));
    kit.miss(&[]).await;
}

#[tokio::test]
async fn rfc9111_4_3_3_a_full_answer_replaces_and_an_error_does_not() {
    let kit = Kit::new();
    let stale = [("cache-control", "max-age=1"), ("etag", "\"1\"")];
    kit.get(&[], response(200, &stale, "a")).await;
    kit.pass(2);
    let failed = kit.get(&[], response(503, &[], "busy")).await;
    assert_eq!((failed.status.as_u16(), &failed.body[..]), (503, &b"busy"[..]));
    let again = kit.get(&[], response(200, &[FRESH, ("etag", "\"2\"")], "b")).await;
    assert_eq!(again.asked.expect("asked")["if-none-match"], "\"1\"");
    assert_eq!(kit.hit(&[]).await.body, "b");
}

#[tokio::test]
async fn no_cache_is_stored_and_asked_about_each_time() {
    let kit = Kit::new();
    let lines = [("cache-control", "no-cache"), ("etag", "\"1\"")];
    kit.get(&[], response(200, &lines, "a")).await;
    for _ in 0..2 {
        let got = kit.get(&[], response(304, &lines, "")).await;
        assert_eq!(got.asked.as_ref().expect("asked")["if-none-match"], "\"1\"");
        assert_eq!(got.body, "a");
    }
}

#[tokio::test]
async fn conditions_on_a_miss_are_judged_here_so_that_the_whole_answer_is_stored() {
    let kit = Kit::new();
    let got = kit
        .get(&[("if-none-match", "\"1\"")], response(200, &[FRESH, ("etag", "\"1\"")], "abc"))
        .await;
    assert!(!got.asked.as_ref().expect("asked").contains_key("if-none-match"));
    assert_eq!((got.status, got.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(kit.hit(&[]).await.body, "abc");
}

#[tokio::test]
async fn conditions_go_to_the_origin_where_its_answers_are_known_not_to_be_stored() {
    let kit = Kit::new();
    let private = [("cache-control", "private"), ("etag", "\"1\"")];
    kit.get(&[], response(200, &private, "a")).await;
    let got = kit.get(&[("if-none-match", "\"1\"")], response(304, &private, "")).await;
    assert_eq!(got.asked.as_ref().expect("asked")["if-none-match"], "\"1\"");
    assert_eq!(got.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn rfc9110_13_1_1_if_match_is_left_to_the_origin() {
    let kit = Kit::new();
    kit.get(&[], response(200, &[FRESH, ("etag", "\"1\"")], "a")).await;
    let got = kit.get(&[("if-match", "\"2\"")], response(412, &[], "")).await;
    assert_eq!(
        (got.status.as_u16(), got.cache_status()),
        (412, "sumun; fwd=bypass; detail=precondition")
    );
}
