//! Thresholds of a route, each on its own; whether the signals are there is seen in `resolve`.

use crate::policy::{Admission, Cpu, CpuOf, Hysteresis, Mode, OnStale, Per, Rps, Workers};
use crate::raw::Fields;
use crate::units::Percent;

/// `None` where no threshold is written, or one of those written is bad.
pub(super) fn draft(fields: &Fields<'_>) -> Option<Admission> {
    let mode = match fields.choice("mode").map(|word| word.value) {
        Some("shadow") => Mode::Shadow,
        Some("off") => Mode::Off,
        _ => Mode::Enforce,
    };
    let rps = fields.form("rps").and_then(|fields| rps(&fields));
    let cpu = fields.form("cpu").and_then(|fields| cpu(&fields));
    let workers = fields.form("workers").and_then(|fields| workers(&fields));
    let on_stale = match fields.choice("on_stale").map(|word| word.value) {
        Some("open") => OnStale::Open,
        Some("closed") => OnStale::Closed,
        _ => OnStale::Proven,
    };
    let any = rps.is_some() || cpu.is_some() || workers.is_some();
    any.then_some(Admission { mode, rps, cpu, workers, on_stale })
}

fn rps(fields: &Fields<'_>) -> Option<Rps> {
    let limit = fields.number("limit");
    let burst = fields.whole("burst").map(|burst| burst.value);
    let per = match fields.choice("per").map(|word| word.value) {
        Some("caller") => Per::Caller,
        _ => Per::Route,
    };
    let limit = limit?.value;
    // The form keeps the limit within 0.001 to 1,000,000, so the cast loses nothing.
    let burst = burst.unwrap_or_else(|| (limit.ceil() as u32).max(1));
    Some(Rps { limit, burst, per })
}

fn cpu(fields: &Fields<'_>) -> Option<Cpu> {
    let of = match fields.choice("of").map(|word| word.value) {
        Some("gateway") => CpuOf::Gateway,
        _ => CpuOf::Upstream,
    };
    Some(Cpu { of, bounds: hysteresis(fields)? })
}

fn workers(fields: &Fields<'_>) -> Option<Workers> {
    let bounds = hysteresis(fields);
    let full = fields.percent("full");
    let wait = fields.duration("wait").map(|wait| wait.value).filter(|wait| !wait.is_zero());
    let bounds = bounds?;
    let Some(full) = full else { return Some(Workers { bounds, full: bounds.enter, wait }) };
    if full.value < bounds.enter {
        let message = format!("`full` is {}, under `enter` at {}", full.value, bounds.enter);
        fields.findings.add(&full.place, message, format!("write at least `{}`", bounds.enter));
        return None;
    }
    Some(Workers { bounds, full: full.value, wait })
}

fn hysteresis(fields: &Fields<'_>) -> Option<Hysteresis> {
    let enter = fields.percent("enter");
    let exit = fields.percent("exit");
    let enter = enter?.value;
    let Some(exit) = exit else {
        return Some(Hysteresis { enter, exit: ten_points_under(enter) });
    };
    if exit.value > enter {
        let message = format!("`exit` is {}, over `enter` at {enter}", exit.value);
        fields.findings.add(&exit.place, message, format!("write at most `{enter}`"));
        return None;
    }
    Some(Hysteresis { enter, exit: exit.value })
}

fn ten_points_under(enter: Percent) -> Percent {
    // In hundredths of a percent, as percentages are written: 80% less ten is 70%, not 70.00…1%.
    let hundredths = (enter.ratio() * 10_000.0).round() - 1_000.0;
    Percent::from_ratio(hundredths.max(0.0) / 10_000.0).unwrap_or(enter)
}
