//! The label values there can be: the known methods, status codes, codes of refusal. Nothing else of
//! a request ever becomes a label; names of routes, functions and upstreams come from the policy.

use http::Method;

use super::record::CacheResult;
use crate::refusal::Code;

/// Methods that OpenTelemetry's semantic conventions know, first the one for all others.
const METHODS: [&str; 10] =
    ["_OTHER", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// A method as an index into the known ones; 0 for all others. Method names are case-sensitive
/// (RFC 9110 section 9.1): `get` is another method.
pub fn method_index(method: &Method) -> u8 {
    match *method {
        Method::GET => 1,
        Method::HEAD => 2,
        Method::POST => 3,
        Method::PUT => 4,
        Method::DELETE => 5,
        Method::CONNECT => 6,
        Method::OPTIONS => 7,
        Method::TRACE => 8,
        Method::PATCH => 9,
        _ => 0,
    }
}

/// The method of an index: its name or `_OTHER`.
pub fn method_label(index: u8) -> &'static str {
    METHODS.get(usize::from(index)).copied().unwrap_or(METHODS[0])
}

/// Codes of refusal.
pub const CODES: usize = Code::ALL.len();

/// Ways the cache takes part.
pub const CACHE_RESULTS: usize = CacheResult::Bypass as usize + 1;

/// Every way with its text, in the order of the enum.
pub const CACHE_LABELS: [&str; CACHE_RESULTS] =
    ["hit", "revalidated", "miss", "stale", "collapsed", "bypass"];

/// The text of a way.
pub fn cache_label(result: CacheResult) -> &'static str {
    CACHE_LABELS[result as usize]
}

#[cfg(test)]
mod tests;
