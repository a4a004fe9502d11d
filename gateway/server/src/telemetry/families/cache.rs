//! What the shared cache holds, as metrics.

use super::super::gauges::LiveState;
use super::{Family, Label, Value};

/// Bytes, entries and evictions.
pub(super) fn state(live: &LiveState) -> [Family; 3] {
    let mut evictions = Family::counter(
        "sumun_cache_evictions_total",
        "sumun.cache.evictions",
        "{answer}",
        "Stored answers that went for want of room",
    );
    for (route, lost) in &live.cache.evictions {
        evictions.push(vec![("route", Label::text(route.as_str()))], Value::Count(*lost));
    }
    let bytes =
        Family::gauge("sumun_cache_bytes", "sumun.cache.bytes", "By", "Bytes in the shared cache")
            .with(Value::Number(live.cache.bytes as f64));
    let entries = Family::gauge(
        "sumun_cache_entries",
        "sumun.cache.entries",
        "{key}",
        "Keys of the shared cache with something stored",
    )
    .with(Value::Number(live.cache.entries as f64));
    [bytes, entries, evictions]
}
