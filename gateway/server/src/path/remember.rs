//! **remember**: may the upstream's answer be stored, and what does the client get of it?

use http::Response;

use super::call::Call;
use crate::body::Body;
use crate::store::{Asked, Errand};

/// Hands the answer to the cache's errand, which may read a small body first.
pub async fn remember(call: &mut Call, errand: Errand, answer: Response<Body>) -> Response<Body> {
    let (answer, outcome) = errand.remember(answer, call.cache_now()).await;
    call.note(outcome);
    answer
}

/// What an unsafe call has changed is not served from the store any more (RFC 9111 §4.4).
pub fn invalidate(call: &Call, answer: &Response<Body>) {
    let Some(outdates) = &call.outdates else { return };
    let Some(rules) = &outdates.plan.route.policy.cache else { return };
    let record = &call.settlement.record;
    let asked = Asked {
        method: &record.method,
        scheme: outdates.scheme,
        authority: &outdates.authority,
        fronted: None,
        path_and_query: record.path.as_str(),
        headers: answer.headers(),
        has_body: true,
    };
    call.core.shared.cache.invalidate(&asked, &rules.key, answer.status(), answer.headers());
}
