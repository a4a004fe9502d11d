//! The turns of a call's admission, wait and end among those of its upstream, where calls are recorded.
//!
//! Not a stage: what it wraps is decided as it would be without it. What is recorded is written within
//! the turn, so that whoever reads the recording knows up to which turn it is whole.

use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use sumun_engine::admission::wait::Waiting;
use sumun_engine::admission::{Ask, Reason};
use sumun_engine::replay::{Asked, Joined, Left, Verdict};
use sumun_engine::{Moment, Turn};

use super::call::Call;
use crate::core::Core;
use crate::plan::RoutePlan;
use crate::refusal::{Code, Refusal};

/// A recorded call that waits or runs.
pub struct Recorded {
    plan: Rc<RoutePlan>,
    route: u16,
    number: u32,
}

/// A call in the line for a slot. Dropped before its decision it leaves the line, in a turn of its own.
pub struct InLine {
    waiting: Option<Waiting>,
    recorded: Option<Recorded>,
    core: Rc<Core>,
}

/// Decides in the call's turn, and records what was decided. What a refused call had taken is given
/// back within the same turn. A call that waits for a slot is decided in a later one ([`end_wait`]).
pub fn in_turn(
    call: &mut Call,
    plan: &Rc<RoutePlan>,
    ask: Ask,
    decide: impl FnOnce(&mut Call) -> Result<Option<Waiting>, Refusal>,
) -> Result<Option<InLine>, Refusal> {
    let in_line = |call: &Call, waiting, recorded| {
        Some(InLine { waiting: Some(waiting), recorded, core: Rc::clone(&call.core) })
    };
    let (Some(route), Some(turn)) = (plan.recorded, plan.route.take_turn()) else {
        let waiting = decide(call)?;
        return Ok(waiting.and_then(|waiting| in_line(call, waiting, None)));
    };
    let place = Place { route, stamp: turn.stamp, number: None };
    match decide(call) {
        Ok(Some(waiting)) => {
            let number = join(call, plan, ask, &place);
            let recorded = number.map(|number| Recorded { plan: Rc::clone(plan), route, number });
            Ok(in_line(call, waiting, recorded))
        }
        decided => decided_in(turn, call, plan, ask, &place, decided.map(drop)).map(|()| None),
    }
}

/// Decides on a call that has waited, in a turn of its own.
pub fn end_wait(
    call: &mut Call,
    plan: &Rc<RoutePlan>,
    ask: Ask,
    mut in_line: InLine,
    decide: impl FnOnce(&mut Call, Waiting) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let recorded = in_line.recorded.take();
    let waiting = in_line.waiting.take().expect("only its end and its drop take it");
    let Some((recorded, turn)) = recorded.as_ref().zip(plan.route.take_turn()) else {
        return decide(call, waiting);
    };
    let (route, number) = (recorded.route, Some(recorded.number));
    let place = Place { route, stamp: turn.stamp, number };
    let decided = decide(call, waiting);
    decided_in(turn, call, plan, ask, &place, decided)
}

/// Where a decision stands in the recording.
struct Place {
    route: u16,
    stamp: u64,
    /// The call's, where it has waited.
    number: Option<u32>,
}

fn join(call: &Call, plan: &RoutePlan, ask: Ask, place: &Place) -> Option<u32> {
    Some(call.core.recorder.as_ref()?.joined(&Joined {
        at: call.now,
        order: place.stamp as u32,
        route: place.route,
        generation: plan.generation,
        class: ask.class,
        caller: ask.caller,
    }))
}

/// Ends the turn of a decision, with its record.
fn decided_in(
    turn: Turn<'_>,
    call: &mut Call,
    plan: &Rc<RoutePlan>,
    ask: Ask,
    place: &Place,
    decided: Result<(), Refusal>,
) -> Result<(), Refusal> {
    if decided.is_err() {
        call.settlement.free(|| call.now);
    }
    let verdict = match &decided {
        Ok(()) => Some(Verdict::Admitted),
        Err(refusal) => refused(refusal),
    };
    if let (Some(verdict), Some(recorder)) = (verdict, &call.core.recorder) {
        let shadow = call.settlement.record.shadow;
        let asked = Asked {
            at: call.now,
            order: place.stamp as u32,
            route: place.route,
            generation: plan.generation,
            class: ask.class,
            caller: ask.caller,
            verdict,
            shadow: shadow.and_then(|shadow| reason(shadow.code)),
        };
        let number = recorder.asked(place.number, &asked);
        drop(turn);
        if decided.is_ok() {
            let plan = Rc::clone(plan);
            call.settlement.recorded = Some(Recorded { plan, route: place.route, number });
        }
        if let (Some(caller), Some(name)) = (ask.caller, &call.settlement.record.caller) {
            recorder.name(caller, name);
        }
    }
    decided
}

// === impl InLine ===

impl InLine {
    /// How long to wait at most.
    pub fn patience(&self) -> Duration {
        self.waiting.as_ref().map_or(Duration::ZERO, Waiting::patience)
    }

    /// Whether a slot has been handed over; where not, `waker` is woken once it is.
    pub fn is_granted(&self, waker: &Waker) -> bool {
        self.waiting.as_ref().is_none_or(|waiting| waiting.is_granted(waker))
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        let Some(waiting) = self.waiting.take() else { return };
        let Some(recorded) = &self.recorded else { return drop(waiting) };
        let at = self.core.now();
        let turn = recorded.turn();
        drop(waiting);
        if let Some(turn) = &turn {
            recorded.end(&self.core, turn.stamp, at);
        }
    }
}

// === impl Recorded ===

impl Recorded {
    /// The turn of the call's end.
    pub fn turn(&self) -> Option<Turn<'_>> {
        self.plan.route.take_turn()
    }

    /// Records the end; within its turn, which had this stamp.
    pub fn end(&self, core: &Core, stamp: u64, at: Moment) {
        if let Some(recorder) = &core.recorder {
            recorder.left(self.number, &Left { at, order: stamp as u32, route: self.route });
        }
    }
}

fn refused(refusal: &Refusal) -> Option<Verdict> {
    match refusal.code {
        Code::QuotaFull => Some(Verdict::QuotaFull),
        code => reason(code).map(Verdict::Refused),
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
