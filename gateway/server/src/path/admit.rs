//! **admit**: may this call go to its upstream now, or should it come back later? 429 by threshold.
//!
//! Decided before the body is read: a refusal costs a fraction of a forwarded call. Where all slots
//! are taken and the policy says so, a call waits for one for a moment.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use http::HeaderMap;
use sumun_engine::admission::wait::{Course, Waiting};
use sumun_engine::admission::{Ask, Decision, Reason, Shed};

use super::call::{Call, Opened};
use super::order::InLine;
use crate::callers::class::{self, SUMUN_CLASS};
use crate::headers::Present;
use crate::plan::RoutePlan;
use crate::refusal::{Code, Refusal};
use crate::telemetry::record::ShedRecord;

/// Takes a slot among the calls in flight, or refuses; `Some`: all are taken, and the call may
/// [`wait`] for one.
pub fn admit(call: &mut Call, plan: &RoutePlan, ask: Ask) -> Result<Option<Waiting>, Refusal> {
    match plan.route.decide_or_wait(ask, call.now) {
        Course::Decided(decision) => enter(call, plan, ask, decision).map(|()| None),
        Course::Wait(waiting) => Ok(Some(waiting)),
    }
}

/// Waits for a slot, but never longer than the client or the route wait for the answer; what comes
/// after counts from the end of the wait. Whether there was one in time, [`finish`] asks the engine:
/// it may come in the last moment.
pub async fn wait(call: &mut Call, plan: &RoutePlan, opened: &Opened, in_line: &InLine) {
    let response = plan.route.upstream.policy.timeout.response;
    let asked = grpc_timeout(&opened.head.headers).unwrap_or(Duration::MAX);
    let patience = in_line.patience().min(response).min(asked);
    let granted =
        poll_fn(|cx| if in_line.is_granted(cx.waker()) { Poll::Ready(()) } else { Poll::Pending });
    let _ = tokio::time::timeout(patience, granted).await;
    call.now = call.core.now();
}

/// Ends a wait: with the slot that was handed over, or with the refusal.
pub fn finish(
    call: &mut Call,
    plan: &RoutePlan,
    ask: Ask,
    waiting: Waiting,
) -> Result<(), Refusal> {
    let decision = waiting.finish(call.now);
    enter(call, plan, ask, decision)
}

fn enter(call: &mut Call, plan: &RoutePlan, ask: Ask, decision: Decision) -> Result<(), Refusal> {
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
pub fn ask(call: &mut Call, plan: &RoutePlan, headers: &HeaderMap) -> Ask {
    let route = plan.route.policy.class;
    let says = call.present.has(Present::SUMUN_CLASS);
    let asked = if says { headers.get(&SUMUN_CLASS) } else { None };
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

/// How long a gRPC client waits: at most eight digits and a unit (gRPC over HTTP/2, Timeout).
fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
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

#[cfg(test)]
mod tests;
