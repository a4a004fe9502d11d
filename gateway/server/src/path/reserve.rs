//! **reserve**: is there a slot left in the function's quota? 429 if not.

use super::call::Call;
use crate::plan::RoutePlan;
use crate::refusal::Refusal;

/// Takes a slot of the function's reserved or unreserved concurrency, or refuses.
pub fn reserve(call: &mut Call, plan: &RoutePlan) -> Result<(), Refusal> {
    if let Some(function) = &plan.route.function {
        let permit = function.reserve().map_err(Refusal::quota)?;
        call.settlement.permit = Some(permit);
    }
    Ok(())
}
