//! What callers saw, put into figures.
//!
//! A call belongs to the moment at which it was *meant* to be sent, and its latency counts from
//! there: a generator that falls behind can't hide it.

use serde_json::{Value, json};

/// How one call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 2xx.
    Ok,
    /// 429.
    Refused,
    /// Another status, a broken connection, no answer in time, no connection to be had.
    Failed,
}

/// One call of a run.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// When it was meant to be sent, µs since the run began.
    pub intended_us: u64,
    /// From then to the last byte of the answer, µs.
    pub latency_us: u64,
    pub outcome: Outcome,
}

/// What to count.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "the unit stands last in a name")]
pub struct Window {
    /// Counted are calls meant for this span, µs since the run began.
    pub from_us: u64,
    pub to_us: u64,
    pub slo_us: u64,
}

/// The figures of the calls in a window.
pub fn figures(calls: &[Seen], window: Window) -> Value {
    let inside = |seen: &&Seen| (window.from_us..window.to_us).contains(&seen.intended_us);
    let mut latencies_us = Vec::new();
    let (mut sent, mut good, mut refused, mut failed) = (0u64, 0u64, 0u64, 0u64);
    for seen in calls.iter().filter(inside) {
        sent += 1;
        match seen.outcome {
            Outcome::Ok => {
                good += u64::from(seen.latency_us <= window.slo_us);
                latencies_us.push(seen.latency_us);
            }
            Outcome::Refused => refused += 1,
            Outcome::Failed => failed += 1,
        }
    }
    latencies_us.sort_unstable();
    json!({
        "sent": sent,
        "ok": latencies_us.len(),
        "good": good,
        "refused": refused,
        "failed": failed,
        "p50_ms": millis(quantile(&latencies_us, 0.5)),
        "p99_ms": millis(quantile(&latencies_us, 0.99)),
    })
}

/// The same for each span of `bin_us` from the beginning on, as rows of numbers: sent, ok, within
/// the objective, refused, failed, p99 in ms (-1: nothing was answered).
pub fn bins(calls: &[Seen], bin_us: u64, to_us: u64, slo_us: u64) -> Vec<Value> {
    let count = to_us.div_ceil(bin_us) as usize;
    let mut sorted: Vec<Vec<Seen>> = vec![Vec::new(); count];
    for seen in calls {
        if let Some(bin) = sorted.get_mut((seen.intended_us / bin_us) as usize) {
            bin.push(*seen);
        }
    }
    let window = Window { from_us: 0, to_us: u64::MAX, slo_us };
    let row = |calls: &Vec<Seen>| {
        let all = figures(calls, window);
        let keys = ["sent", "ok", "good", "refused", "failed", "p99_ms"];
        Value::from(keys.map(|key| all[key].clone()).to_vec())
    };
    sorted.iter().map(row).collect()
}

/// The smallest value that this share of the values does not exceed; `None` of none.
pub fn quantile(sorted: &[u64], share: f64) -> Option<u64> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

fn millis(us: Option<u64>) -> f64 {
    us.map_or(-1.0, |us| us as f64 / 1000.0)
}
