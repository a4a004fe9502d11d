//! **admit**: may this call go to its upstream now, or should it come back later? 429 by threshold.
//!
//! Decided before the body is read: a refusal costs a fraction of a forwarded call.

use sumun_engine::admission::{Ask, Reason, Shed};

use super::call::Call;
use crate::plan::RoutePlan;
use crate::refusal::{Code, Refusal};
use crate::telemetry::record::ShedRecord;

/// Takes a slot among the calls in flight, or refuses.
pub fn admit(call: &mut Call, plan: &RoutePlan, ask: Ask) -> Result<(), Refusal> {
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
            Err(Refusal::shed(code(shed.reason), shed))
        }
    }
}

/// What the call says of itself, as far as it counts.
pub fn ask(plan: &RoutePlan) -> Ask {
    Ask { class: plan.route.policy.class, caller: None }
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
