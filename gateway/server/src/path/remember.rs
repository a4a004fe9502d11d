//! **remember**: may the upstream's answer be stored, and what does the client get of it?

use http::Response;

use super::call::Call;
use crate::body::Body;
use crate::store::Errand;

/// Hands the answer to the cache's errand; without one it passes untouched.
pub async fn remember(
    call: &mut Call,
    errand: Option<Errand>,
    answer: Response<Body>,
) -> Response<Body> {
    match errand {
        None => answer,
        Some(errand) => {
            let (answer, result) = errand.remember(answer, call.cache_now()).await;
            call.settlement.record.cache = Some(result);
            answer
        }
    }
}
