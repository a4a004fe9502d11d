//! A catalog whose answers may be cached: `GET /catalog/items/{1..=200}`.
//!
//! Each item is valid for some seconds (`Cache-Control: max-age`), says when it last changed
//! (`Last-Modified`), and comes in two languages (`Vary: Accept-Language`). It has no `ETag`: the
//! gateway makes a weak one. An item's price changes once a minute, at a second of its own.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use serde_json::json;

use super::serve::{Answer, Service, empty, json as json_answer};

/// Items there are, numbered from 1.
pub(super) const ITEMS: u32 = 200;

/// Seconds between two changes of one item's price.
const CHANGE_S: u64 = 60;

/// Time that an answer takes: a read of a database.
const READ_TIME: Duration = Duration::from_millis(15);

/// The service. It keeps nothing: an item is a function of its number and the time.
#[derive(Debug)]
pub(super) struct Catalog;

/// One item as it stands at some time.
#[derive(Debug, PartialEq, Eq)]
struct Item {
    number: u32,
    /// Price in won.
    price: u64,
    changed: SystemTime,
    /// Seconds for which an answer is fresh: 5 to 30, by item.
    max_age_s: u32,
}

// === impl Item ===

impl Item {
    fn at(number: u32, now: SystemTime) -> Self {
        let now_s = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let offset_s = u64::from(number) % CHANGE_S;
        let changes = now_s.saturating_sub(offset_s) / CHANGE_S;
        Self {
            number,
            price: 1_000 * u64::from(number) + 10 * (changes % 100),
            changed: UNIX_EPOCH + Duration::from_secs(changes * CHANGE_S + offset_s),
            max_age_s: 5 + number % 26,
        }
    }

    /// Whether a caller who has the item as of its `If-Modified-Since` needs no new one.
    fn unchanged_for(&self, headers: &HeaderMap) -> bool {
        headers
            .get(header::IF_MODIFIED_SINCE)
            .and_then(|since| since.to_str().ok())
            .and_then(|since| httpdate::parse_http_date(since).ok())
            .is_some_and(|since| self.changed <= since)
    }

    fn answer(&self, headers: &HeaderMap) -> Answer {
        let mut answer = if self.unchanged_for(headers) {
            empty(StatusCode::NOT_MODIFIED)
        } else {
            json_answer(&json!({
                "item": self.number,
                "name": name(self.number, korean(headers)),
                "price": self.price,
            }))
        };
        let max_age = format!("public, max-age={}", self.max_age_s);
        let changed = httpdate::fmt_http_date(self.changed);
        let to = answer.headers_mut();
        to.insert(header::VARY, HeaderValue::from_static("Accept-Language"));
        for (name, text) in [(header::CACHE_CONTROL, max_age), (header::LAST_MODIFIED, changed)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                to.insert(name, value);
            }
        }
        answer
    }
}

impl Service for Catalog {
    async fn answer(&self, request: Request<Bytes>) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        let Some(number) = number(request.uri().path()) else {
            return empty(StatusCode::NOT_FOUND);
        };
        tokio::time::sleep(READ_TIME).await;
        Item::at(number, SystemTime::now()).answer(request.headers())
    }
}

fn number(path: &str) -> Option<u32> {
    let number = path.strip_prefix("/catalog/items/")?.parse().ok()?;
    (1..=ITEMS).contains(&number).then_some(number)
}

fn korean(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT_LANGUAGE).is_some_and(|value| value.as_bytes().starts_with(b"ko"))
}

fn name(number: u32, korean: bool) -> String {
    if korean { format!("상품 {number}") } else { format!("Item {number}") }
}

#[cfg(test)]
mod tests;
