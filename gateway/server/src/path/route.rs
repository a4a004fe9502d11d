//! **route**: which rule of the policy holds for this call, or 404.

use std::rc::Rc;

use super::call::{Call, Opened};
use crate::plan::RoutePlan;
use crate::refusal::{Code, Refusal};

/// Finds the most specific route and notes it on the call.
pub fn route(call: &mut Call, opened: &Opened) -> Result<Rc<RoutePlan>, Refusal> {
    let head = &opened.head;
    let found =
        call.plan.find(&head.method, opened.authority.host(), head.uri.path(), &head.headers);
    let Some(plan) = found.cloned() else {
        let detail = opened.path_doubt.map_or(
            Refusal::new(Code::RouteUnknown, "no route matches this method, host and path"),
            |doubt| Refusal::new(Code::BadRequest, doubt),
        );
        return Err(detail);
    };
    call.settlement.record.route = Some(Rc::clone(&plan.called));
    call.settlement.record.class = plan.route.policy.class;
    call.route = Some(Rc::clone(&plan));
    match opened.path_doubt {
        Some(doubt) if plan.route.policy.strict_path => Err(Refusal::new(Code::BadRequest, doubt)),
        _ => Ok(plan),
    }
}
