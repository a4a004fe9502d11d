//! **admit**: may this call go to its upstream now, or should it come back later? 429 by threshold.
//!
//! Decided before the body is read: a refusal costs a fraction of a forwarded call.

use http::HeaderMap;
use sumun_engine::admission::{Ask, Reason, Shed};

use super::call::Call;
use crate::callers::class::{self, SUMUN_CLASS};
use crate::plan::RoutePlan;
use crate::refusal::{Code, Refusal};
use crate::telemetry::record::ShedRecord;

/// Takes a slot among the calls in flight, or refuses.
pub fn admit(call: &mut Call, plan: &RoutePlan, headers: &HeaderMap) -> Result<(), Refusal> {
    let ask = ask(call, plan, headers);
    let decision = plan.route.decide(ask, call.now);
    let record = &mut call.settlement.record;
    record.shadow = decision.shadow.as_ref().map(shed_record);
    match decision.outcome {
        Ok(slot) => {
            call.settlement.slot = Some(slot);
            Ok(())
        }
        Err(shed) => {
            record.shed = Some(shed_record(&shed));
            let refusal = Refusal::shed(code(shed.reason), shed);
            let own = plan.rps_per_caller && shed.reason == Reason::Rps;
            Err(if own { refusal.of_caller(ask.caller) } else { refusal })
        }
    }
}

/// What the call says of itself, as far as it counts. Who calls is looked for only where the route
/// has thresholds, or where the call asks to be shed later than the route says.
fn ask(call: &mut Call, plan: &RoutePlan, headers: &HeaderMap) -> Ask {
    let route = plan.route.policy.class;
    let asked = headers.get(&SUMUN_CLASS);
    if asked.is_none() && !plan.has_thresholds {
        return Ask { class: route, caller: None };
    }
    let mut identity = if plan.has_thresholds { call.identify(headers) } else { None };
    let class = match asked {
        None => route,
        Some(asked) => {
            let callers = &call.core.shared.callers;
            let (class, outcome) = class::settle(route, asked, || {
                if callers.anybody_may_raise() && identity.is_none() {
                    identity = call.identify(headers);
                }
                identity.as_ref().is_some_and(|identity| callers.may_raise(identity))
            });
            call.settlement.record.class_asked = Some(outcome);
            class
        }
    };
    let caller = identity.as_ref().map(|identity| identity.hash);
    let record = &mut call.settlement.record;
    record.class = class;
    record.caller = identity.and_then(|identity| identity.name);
    Ask { class, caller }
}

fn code(reason: Reason) -> Code {
    match reason {
        Reason::Rps => Code::RpsOver,
        Reason::Cpu => Code::CpuOver,
        Reason::Workers => Code::WorkersOver,
    }
}

fn shed_record(shed: &Shed) -> ShedRecord {
    ShedRecord {
        code: code(shed.reason),
        signal: shed.reason.signal(),
        observed: shed.observed,
        threshold: shed.threshold,
    }
}
