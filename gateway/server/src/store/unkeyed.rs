//! Fields by which a caller asks an origin for something else than the key says: another method, URL,
//! host or scheme. An answer to that must not be stored as an answer to the key (cache poisoning), so
//! these fields end here on routes that cache, unless the policy makes them part of the key.
//!
//! The family that trusted proxies use and the gateway makes anew (`X-Forwarded-For` and the like) is
//! another matter: what of it goes to an origin whose answer may be stored says
//! [`keep_keyed`](crate::forwarded::keep_keyed), and the key holds just that.

use http::{HeaderMap, HeaderName};

/// Fields of frameworks and servers that are known to act on them.
const UNKEYED: [HeaderName; 17] = [
    HeaderName::from_static("front-end-https"),
    HeaderName::from_static("x-forwarded-path"),
    HeaderName::from_static("x-forwarded-protocol"),
    HeaderName::from_static("x-forwarded-scheme"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-forwarded-ssl"),
    HeaderName::from_static("x-forwarded-uri"),
    HeaderName::from_static("x-host"),
    HeaderName::from_static("x-http-host-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-method-override"),
    HeaderName::from_static("x-original-host"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
    HeaderName::from_static("x-scheme"),
    HeaderName::from_static("x-url-scheme"),
];

/// Removes them, but for those that belong to the key.
pub(crate) fn drop_unkeyed(headers: &mut HeaderMap, keyed: &[HeaderName]) {
    // Most requests have none: one look at all names is cheaper than a look-up of each.
    let may_be =
        |name: &HeaderName| name.as_str().starts_with("x-") || name.as_str().starts_with("front-");
    if !headers.keys().any(|name| may_be(name) && UNKEYED.contains(name)) {
        return;
    }
    for name in UNKEYED.iter().filter(|name| !keyed.contains(name)) {
        headers.remove(name);
    }
}
