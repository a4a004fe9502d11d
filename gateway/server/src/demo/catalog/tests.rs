use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;

use super::{Call, Catalog, Item, Service};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn an_item_changes_once_a_minute_at_its_own_second() {
    let item = Item::at(7, at(6_000_000 + 7));
    assert_eq!(item.changed, at(6_000_007));
    assert_eq!(Item::at(7, at(6_000_007 + 59)), item);
    let next = Item::at(7, at(6_000_007 + 60));
    assert_eq!(next.changed, at(6_000_067));
    assert_ne!(next.price, item.price);
    assert_ne!(Item::at(8, at(6_000_007)).changed, item.changed);
}

#[test]
fn answers_carry_what_a_cache_needs_and_no_etag() {
    let item = Item::at(3, at(6_000_000));
    let answer = item.item(&HeaderMap::new());
    let headers = answer.headers();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(headers[header::CACHE_CONTROL], "public, max-age=8");
    assert_eq!(headers[header::VARY], "Accept-Language");
    assert!(!headers.contains_key(header::ETAG));
    let changed = headers[header::LAST_MODIFIED].to_str().unwrap();
    assert_eq!(httpdate::parse_http_date(changed).unwrap(), item.changed);
}

#[test]
fn a_caller_with_the_newest_one_gets_304() {
    let item = Item::at(3, at(6_000_100));
    for (since, status) in [
        (item.changed, StatusCode::NOT_MODIFIED),
        (item.changed + Duration::from_secs(1), StatusCode::NOT_MODIFIED),
        (item.changed - Duration::from_secs(1), StatusCode::OK),
    ] {
        let mut headers = HeaderMap::new();
        let since = HeaderValue::from_str(&httpdate::fmt_http_date(since)).unwrap();
        headers.insert(header::IF_MODIFIED_SINCE, since);
        assert_eq!(item.item(&headers).status(), status);
    }
}

#[tokio::test]
async fn the_language_chooses_the_name() {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static("ko-KR"));
    let body = Item::at(3, at(0)).item(&headers).into_body().collect().await.unwrap();
    let item: serde_json::Value = serde_json::from_slice(&body.to_bytes()).unwrap();
    assert_eq!(item["name"], "상품 3");
}

#[test]
fn a_price_is_fresh_for_less_long_than_its_item() {
    let item = Item::at(3, at(6_000_000));
    let price = item.price(&HeaderMap::new());
    assert_eq!(price.headers()[header::CACHE_CONTROL], "public, max-age=2");
    assert!(price.headers().contains_key(header::LAST_MODIFIED));
}

#[test]
fn only_what_exists_is_found() {
    let get = |path| Call::parse(&Method::GET, path);
    assert_eq!(get("/catalog/items/200"), Some(Call::Item(200)));
    assert_eq!(get("/catalog/prices/1"), Some(Call::Price(1)));
    assert_eq!(get("/catalog/feed"), Some(Call::Feed));
    for path in ["/catalog/items/0", "/catalog/items/201", "/catalog/items/", "/catalog", "/"] {
        assert_eq!(get(path), None, "{path}");
    }
    assert_eq!(Call::parse(&Method::POST, "/catalog/orders/7"), Some(Call::Order(7)));
    assert_eq!(Call::parse(&Method::POST, "/catalog/items/7"), None);
}

#[tokio::test]
async fn calls_are_answered() {
    for (method, path, status) in [
        (Method::GET, "/catalog/items/7", 200),
        (Method::GET, "/catalog/prices/7", 200),
        (Method::GET, "/catalog/feed", 200),
        (Method::POST, "/catalog/orders/7", 201),
        (Method::GET, "/catalog/items/999", 404),
    ] {
        let request = Request::builder().method(method).uri(path).body(Bytes::new()).unwrap();
        assert_eq!(Catalog.answer(request).await.status().as_u16(), status, "{path}");
    }
}
