//! The order of a call's admission and end among those of its upstream, where calls are recorded.
//!
//! Not a stage: what it wraps is decided as it would be without it.

use std::rc::Rc;

use sumun_engine::admission::wait::Waiting;
use sumun_engine::admission::{Ask, Reason};
use sumun_engine::replay::{Asked, Left, Verdict};
use sumun_engine::{Moment, Turn};

use super::call::Call;
use crate::core::Core;
use crate::plan::RoutePlan;
use crate::refusal::{Code, Refusal};

/// A recorded call that runs.
pub struct Recorded {
    plan: Rc<RoutePlan>,
    route: u16,
    number: u32,
}

/// Decides in the call's turn, and records what was decided. What a refused call had taken is given
/// back within the same turn.
/// A call that waits for a slot is decided in a later turn.
pub fn in_turn(
    call: &mut Call,
    plan: &Rc<RoutePlan>,
    ask: Ask,
    decide: impl FnOnce(&mut Call) -> Result<Option<Waiting>, Refusal>,
) -> Result<Option<Waiting>, Refusal> {
    let (Some(route), Some(turn)) = (plan.recorded, plan.route.upstream.take_turn()) else {
        return decide(call);
    };
    let order = turn.number as u32;
    let decided = decide(call);
    if decided.is_err() {
        call.settlement.free(|| call.now);
    }
    drop(turn);
    let Some(verdict) = verdict(&decided) else { return decided };
    let Some(recorder) = &call.core.recorder else { return decided };
    let record = &call.settlement.record;
    if let (Some(caller), Some(name)) = (ask.caller, &record.caller) {
        recorder.name(caller, name);
    }
    let shadow = record.shadow;
    let number = recorder.asked(&Asked {
        at: call.now,
        order,
        route,
        generation: plan.generation,
        class: ask.class,
        caller: ask.caller,
        verdict,
        shadow: shadow.and_then(|shadow| reason(shadow.code)),
    });
    if decided.is_ok() {
        call.settlement.recorded = Some(Recorded { plan: Rc::clone(plan), route, number });
    }
    decided
}

// === impl Recorded ===

impl Recorded {
    /// The turn of the call's end.
    pub fn turn(&self) -> Option<Turn<'_>> {
        self.plan.route.upstream.take_turn()
    }

    /// Records the end, which had the turn `order`.
    pub fn end(&self, core: &Core, order: u64, at: Moment) {
        if let Some(recorder) = &core.recorder {
            let left = Left { at, order: order as u32, route: self.route };
            recorder.left(self.number, &left);
        }
    }
}

fn verdict(decided: &Result<Option<Waiting>, Refusal>) -> Option<Verdict> {
    match decided {
        Ok(None) => Some(Verdict::Admitted),
        Ok(Some(_)) => None,
        Err(refusal) if refusal.code == Code::QuotaFull => Some(Verdict::QuotaFull),
        Err(refusal) => reason(refusal.code).map(Verdict::Refused),
    }
}

fn reason(code: Code) -> Option<Reason> {
    match code {
        Code::RpsOver => Some(Reason::Rps),
        Code::CpuOver => Some(Reason::Cpu),
        Code::WorkersOver => Some(Reason::Workers),
        _ => None,
    }
}
