//! The cache rules of a route.

use http::HeaderName;

use crate::policy::{Cache, CacheKey};
use crate::problem::quoted;
use crate::raw::Fields;

use super::route::header_name;

/// Largest body that is stored where the policy says nothing, bytes.
const OBJECT_BYTES_DEFAULT: u64 = 1 << 20;

#[expect(clippy::unnecessary_wraps, reason = "reads like the other drafts")]
pub(super) fn draft(fields: &Fields<'_>) -> Option<Cache> {
    let duration = |name| fields.duration(name).map(|duration| duration.value);
    let fresh_for = duration("fresh_for");
    let heuristic = fields.percent("heuristic").map(|share| share.value);
    let stale_while_revalidate = duration("stale_while_revalidate");
    let stale_if_error = duration("stale_if_error");
    let stale_if_shed = duration("stale_if_shed");
    let object_bytes_max =
        fields.bytes("max_object").map_or(OBJECT_BYTES_DEFAULT, |bytes| bytes.value);
    let key = fields.form("key").map_or_else(CacheKey::default, |fields| key(&fields));
    Some(Cache {
        fresh_for,
        heuristic,
        stale_while_revalidate,
        stale_if_error,
        stale_if_shed,
        object_bytes_max,
        key,
        store_set_cookie: fields.truth("store_set_cookie"),
        require_public: fields.truth("require_public"),
    })
}

fn key(fields: &Fields<'_>) -> CacheKey {
    let mut headers: Vec<HeaderName> = Vec::new();
    for text in fields.texts("headers").unwrap_or_default() {
        let Some(name) = header_name(fields, &text) else { continue };
        if headers.contains(&name) {
            let message = format!("the header `{name}` is listed twice");
            fields.findings.add(&text.place, message, "header names ignore case; keep one");
            continue;
        }
        headers.push(name);
    }
    let (query_drop, query_sort) =
        fields.form("query").map_or_else(Default::default, |fields| query(&fields));
    CacheKey { headers, query_drop, query_sort }
}

fn query(fields: &Fields<'_>) -> (Vec<Box<str>>, bool) {
    let mut drop: Vec<Box<str>> = Vec::new();
    for text in fields.texts("drop").unwrap_or_default() {
        let plain = |c: char| !(c.is_whitespace() || c.is_control() || "&=#*".contains(c));
        if text.value.is_empty() || !text.value.chars().all(plain) {
            let message = format!("{} is no name of a parameter", quoted(text.value));
            let help = "write one name as it stands in the query; there are no patterns";
            fields.findings.add(&text.place, message, help);
        } else if drop.iter().any(|name| **name == *text.value) {
            let message = format!("{} is listed twice", quoted(text.value));
            fields.findings.add(&text.place, message, "remove one of the two");
        } else {
            drop.push(text.value.into());
        }
    }
    (drop, fields.truth("sort"))
}
