//! RFC 9111 §4.1: several answers of one URL.

use http::Method;
use sumun_policy::policy;

use super::kit::{Kit, response, route, rules};
use crate::store::entry::VARIANTS_MAX;

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

#[tokio::test]
async fn rfc9111_4_1_each_request_gets_its_variant() {
    let kit = Kit::new();
    let lines = [FRESH, ("vary", "Accept, x-tenant")];
    let json = ("accept", "application/json");
    let html = ("accept", "text/html");
    kit.get(&[json, ("x-tenant", "a")], response(200, &lines, "json a")).await;
    let other = kit.get(&[html, ("x-tenant", "a")], response(200, &lines, "html a")).await;
    assert_eq!(other.cache_status(), "sumun; fwd=vary-miss; stored");
    assert_eq!(kit.hit(&[json, ("x-tenant", "a")]).await.body, "json a");
    assert_eq!(kit.hit(&[html, ("x-tenant", "a")]).await.body, "html a");
    kit.miss(&[html]).await;
    kit.miss(&[html, ("x-tenant", "")]).await;
}

#[tokio::test]
async fn rfc9111_4_1_white_space_and_the_order_of_languages_do_not_matter() {
    let kit = Kit::new();
    let lines = [FRESH, ("vary", "accept-language, accept")];
    let stored = [("accept-language", "en-GB, fr;q=0.5"), ("accept", "a/b,  c/d")];
    kit.get(&stored, response(200, &lines, "a")).await;
    kit.hit(&[("accept-language", "FR; q=0.5,en-gb"), ("accept", "a/b,c/d")]).await;
    kit.hit(&[
        ("accept-language", "fr;q=0.5"),
        ("accept-language", "en-gb"),
        ("accept", "a/b, c/d"),
    ])
    .await;
    kit.miss(&[("accept-language", "en-GB, fr;q=0.5"), ("accept", "c/d, a/b")]).await;
}

#[tokio::test]
async fn rfc9111_4_of_several_that_match_the_latest_is_served() {
    let kit = Kit::new();
    kit.get(&[("accept", "a")], response(200, &[FRESH, ("vary", "accept")], "old")).await;
    kit.pass(1);
    let other = [FRESH, ("vary", "accept-language")];
    kit.get(&[("accept", "b")], response(200, &other, "new")).await;
    // Both select a request with "a": the first by its accept, the second by the language it lacks.
    assert_eq!(kit.hit(&[("accept", "a")]).await.body, "new");
}

#[tokio::test]
async fn variants_of_one_url_are_bounded_and_the_oldest_goes() {
    let kit = Kit::new();
    let tenants: Vec<String> = (0..=VARIANTS_MAX).map(|tenant| tenant.to_string()).collect();
    for tenant in &tenants {
        kit.get(&[("x-tenant", tenant)], response(200, &[FRESH, ("vary", "x-tenant")], "a")).await;
    }
    assert_eq!(kit.cache.view().entries, 1);
    kit.hit(&[("x-tenant", &tenants[1])]).await;
    kit.hit(&[("x-tenant", &tenants[VARIANTS_MAX])]).await;
    kit.miss(&[("x-tenant", &tenants[0])]).await;
}

#[tokio::test]
async fn routes_of_one_url_do_not_share_answers() {
    let mut kit = Kit::new();
    kit.get(&[], response(200, &[FRESH], "items")).await;
    kit.route = route("canary");
    kit.get(&[], response(200, &[FRESH], "canary")).await;
    assert_eq!(kit.hit(&[]).await.body, "canary");
    kit.route = route("items");
    assert_eq!(kit.hit(&[]).await.body, "items");
}

#[tokio::test]
async fn the_policys_key_adds_headers_and_drops_and_sorts_parameters() {
    let key = policy::CacheKey {
        headers: vec![http::HeaderName::from_static("x-tenant")],
        query_drop: vec!["utm".into()],
        query_sort: true,
    };
    let kit = Kit::with(policy::Cache { key, ..rules() });
    let tenant = &[("x-tenant", "a")];
    kit.call(&Method::GET, "/?b=2&utm=x&a=1", tenant, response(200, &[FRESH], "a")).await;
    for (path, head, hit) in [
        ("/?a=1&b=2", &tenant[..], true),
        ("/?a=1&utm&b=2", &tenant[..], true),
        ("/?a=1&b=2&utm2=1", &tenant[..], false),
        ("/?a=1&b=2", &[][..], false),
        ("/?a=1&b=2", &[("x-tenant", "b")][..], false),
    ] {
        let got = kit.call(&Method::GET, path, head, response(500, &[], "")).await;
        assert_eq!(got.is_from_store(), hit, "{path} {head:?}");
    }
}
