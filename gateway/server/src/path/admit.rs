//! **admit**: may this call go to its upstream now, or should it come back later? 429 by threshold.
//!
//! Decided before the body is read: a refusal costs a fraction of a forwarded call. Where all slots
//! are taken a call may wait for one for a moment.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use http::HeaderMap;
use sumun_engine::admission::wait::{Course, Waiting};
use sumun_engine::admission::{Ask, Decision, Reason, Shed};

use super::call::{Call, Opened};
use crate::plan::RoutePlan;
use crate::refusal::{Code, Refusal};
use crate::telemetry::record::ShedRecord;

/// Takes a slot among the calls in flight, or refuses; `Some`: all are taken, and [`wait`] decides.
pub fn admit(call: &mut Call, plan: &RoutePlan) -> Result<Option<Waiting>, Refusal> {
    let ask = Ask { class: plan.route.policy.class, caller: None };
    match plan.route.decide_or_wait(ask, call.now) {
        Course::Decided(decision) => settle(call, decision).map(|()| None),
        Course::Wait(waiting) => Ok(Some(waiting)),
    }
}

/// Waits for a slot: as long as a call typically holds one, and never longer than the client or
/// the route wait for the answer. What comes after counts from the end of the wait.
pub async fn wait(
    call: &mut Call,
    plan: &RoutePlan,
    opened: &Opened,
    waiting: Waiting,
) -> Result<(), Refusal> {
    let response = plan.route.upstream.policy.timeout.response;
    let asked = grpc_timeout(&opened.head.headers).unwrap_or(Duration::MAX);
    let patience = waiting.patience().min(response).min(asked);
    let granted =
        poll_fn(|cx| if waiting.is_granted(cx.waker()) { Poll::Ready(()) } else { Poll::Pending });
    // Whether it was in time is the engine's to say: a slot may come in the last moment.
    let _ = tokio::time::timeout(patience, granted).await;
    call.now = call.core.now();
    settle(call, waiting.finish(call.now))
}

fn settle(call: &mut Call, decision: Decision) -> Result<(), Refusal> {
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
