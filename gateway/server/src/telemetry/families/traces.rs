//! What became of traces, and of metrics on their way to a receiver, as metrics.

use super::{Family, Label, Totals, Value};

/// Kept here, forgotten here, and lost on the way to a receiver.
pub(super) fn state(totals: &Totals) -> [Family; 4] {
    let mut kept = Family::gauge(
        "sumun_traces_kept",
        "sumun.traces.kept",
        "{trace}",
        "Calls whose spans are kept for the admin page",
    );
    let mut forgotten = Family::counter(
        "sumun_traces_forgotten_total",
        "sumun.traces.forgotten",
        "{trace}",
        "Calls whose spans made room for newer ones, or were not kept for want of it",
    );
    for (kind, counts) in totals.traces {
        let labels = || vec![("kind", Label::Word(kind.as_str()))];
        kept.push(labels(), Value::Number(counts.kept as f64));
        forgotten.push(labels(), Value::Count(counts.forgotten));
    }
    let dropped = Family::counter(
        "sumun_spans_dropped_total",
        "sumun.spans.dropped",
        "{span}",
        "Spans that were to be exported and were not: over a bound, or the receiver did not take them",
    )
    .with(Value::Count(totals.spans_dropped));
    let points = Family::counter(
        "sumun_metric_points_dropped_total",
        "sumun.metric_points.dropped",
        "{point}",
        "Points of metrics that the OTLP receiver did not take",
    )
    .with(Value::Count(totals.points_dropped));
    [kept, forgotten, dropped, points]
}
