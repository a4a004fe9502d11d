//! A catalog whose answers may be cached.
//!
//! | call | answer |
//! |---|---|
//! | `GET /catalog/items/{1..=200}` | 200 or 304, an item; fresh for 5 to 30 s by item |
//! | `GET /catalog/prices/{1..=200}` | 200 or 304, its price; fresh for 2 s |
//! | `GET /catalog/feed` | 200, numbers of all items; says nothing about caching |
//! | `POST /catalog/orders/{1..=200}` | 201, an order |
//!
//! An item or price says how long it is valid (`Cache-Control: max-age`), when it last changed
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

/// Seconds for which a price is fresh.
const PRICE_MAX_AGE_S: u32 = 2;

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
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Item(u32),
    Price(u32),
    Feed,
    Order(u32),
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

    /// Seconds for which an item is fresh: 5 to 30, so that some expire while the demo is watched.
    fn max_age_s(&self) -> u32 {
        5 + self.number % 26
    }

    fn item(&self, headers: &HeaderMap) -> Answer {
        let name = name(self.number, korean(headers));
        let item = json!({ "item": self.number, "name": name, "price": self.price });
        self.cacheable(headers, &item, self.max_age_s())
    }

    fn price(&self, headers: &HeaderMap) -> Answer {
        let price = json!({ "item": self.number, "price": self.price });
        self.cacheable(headers, &price, PRICE_MAX_AGE_S)
    }

    fn cacheable(&self, headers: &HeaderMap, value: &serde_json::Value, max_age_s: u32) -> Answer {
        let mut answer = if self.unchanged_for(headers) {
            empty(StatusCode::NOT_MODIFIED)
        } else {
            json_answer(value)
        };
        let max_age = format!("public, max-age={max_age_s}");
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

// === impl Call ===

impl Call {
    fn parse(method: &Method, path: &str) -> Option<Self> {
        let mut segments = path.strip_prefix("/catalog/")?.splitn(2, '/');
        let what = segments.next()?;
        let number = segments.next().and_then(|number| number.parse().ok());
        let number = number.filter(|number| (1..=ITEMS).contains(number));
        match (method.as_str(), what) {
            ("GET" | "HEAD", "items") => Some(Self::Item(number?)),
            ("GET" | "HEAD", "prices") => Some(Self::Price(number?)),
            ("GET" | "HEAD", "feed") => Some(Self::Feed),
            ("POST", "orders") => Some(Self::Order(number?)),
            _ => None,
        }
    }
}

impl Service for Catalog {
    async fn answer(&self, request: Request<Bytes>) -> Answer {
        let Some(call) = Call::parse(request.method(), request.uri().path()) else {
            return empty(StatusCode::NOT_FOUND);
        };
        tokio::time::sleep(READ_TIME).await;
        let (now, headers) = (SystemTime::now(), request.headers());
        match call {
            Call::Item(number) => Item::at(number, now).item(headers),
            Call::Price(number) => Item::at(number, now).price(headers),
            Call::Feed => json_answer(&json!({ "items": (1..=ITEMS).collect::<Vec<_>>() })),
            Call::Order(number) => {
                let mut answer = json_answer(&json!({ "ordered": number }));
                *answer.status_mut() = StatusCode::CREATED;
                answer
            }
        }
    }
}

fn korean(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT_LANGUAGE).is_some_and(|value| value.as_bytes().starts_with(b"ko"))
}

fn name(number: u32, korean: bool) -> String {
    if korean { format!("상품 {number}") } else { format!("Item {number}") }
}

#[cfg(test)]
mod tests;
