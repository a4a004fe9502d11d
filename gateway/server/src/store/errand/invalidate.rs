//! What an unsafe method makes invalid (RFC 9111 §4.4).

use http::header::{CONTENT_LOCATION, LOCATION};
use http::{HeaderMap, StatusCode};
use sumun_engine::freshness::invalidated_groups;
use sumun_policy::policy::CacheKey;

use super::super::Inner;
use super::super::key::{Key, Resource};
use super::super::target::resolve;
use super::Invalidation;

impl Invalidation {
    /// What a 2xx or 3xx to an unsafe method makes invalid (RFC 9111 §4.4).
    pub(super) fn apply(&self, status: StatusCode, response: &HeaderMap) {
        let resource = Resource {
            scheme: &self.scheme,
            authority: &self.authority,
            path_and_query: &self.path_and_query,
        };
        invalidate_after(&self.inner, resource, status, response, &self.rules);
    }
}

/// Invalidates the target of an unsafe method, what `Location` and `Content-Location` name on the same
/// origin, and the groups of that origin that `Cache-Group-Invalidation` names (RFC 9875 §3), after a
/// 2xx or 3xx.
pub(in super::super) fn invalidate_after(
    inner: &Inner,
    target: Resource<'_>,
    status: StatusCode,
    response: &HeaderMap,
    rules: &CacheKey,
) {
    if !status.is_success() && !status.is_redirection() {
        return;
    }
    let invalidate = |path_and_query: &str| {
        let resource = Resource { path_and_query, ..target };
        inner.invalidate(&Key::of_url(resource, rules));
    };
    invalidate(target.path_and_query);
    let origin = [target.scheme, "\n", target.authority].concat();
    for group in invalidated_groups(response, origin.as_bytes()) {
        inner.invalidate_label(group);
    }
    for name in [LOCATION, CONTENT_LOCATION] {
        let named = response.get(name).and_then(|value| value.to_str().ok());
        if let Some(path_and_query) = named.and_then(|reference| resolve(target, reference)) {
            invalidate(&path_and_query);
        }
    }
}
