use serde_json::Value;
use sumun_policy::policy::Mode;
use tokio::sync::Notify;

use super::super::fixture::{MS, call, refused, route};
use super::super::meters::RouteMeters;
use super::super::record::{CacheResult, CallRecord};
use super::super::spans::{Intake, ring};
use super::super::wall::Wall;
use super::*;
use crate::refusal::Code;

fn traces() -> Traces {
    let encoder = SpanEncoder { wall: Wall::from_zero(0), scheme: "http" };
    Traces::new(encoder, Envelope::new(&[("service.name".to_owned(), "gate".to_owned())]))
}

fn mail() -> Arc<RouteMeters> {
    Arc::new(RouteMeters::new(Some(&route("mail", Mode::Enforce)), 1))
}

fn through_a_ring(record: &CallRecord) -> SpanRecord {
    let mut record = record.clone();
    record.trace.sampled = true;
    let (ring, drain) = ring(0, Arc::new(Notify::new()), Intake::exported());
    ring.offer(&record);
    drain.drain(1).next().unwrap()
}

fn keep(traces: &Traces, record: &CallRecord) {
    traces.keep(through_a_ring(record));
}

/// Everything.
fn all() -> Wanted {
    Wanted { limit: usize::MAX, ..Wanted::default() }
}

fn count(traces: &Traces, wanted: &Wanted) -> usize {
    traces.list(wanted).len()
}

/// The same call, this many seconds later.
fn later(record: &CallRecord, seconds: u64) -> CallRecord {
    let mut record = record.clone();
    record.started_ns += seconds * 1000 * MS;
    record.ended_ns += seconds * 1000 * MS;
    record
}

#[test]
fn a_call_is_kept_for_what_is_the_matter_with_it() {
    let mail = mail();
    let shed = refused(Some(&mail), Code::WorkersOver);
    let stale = CallRecord { refusal: None, status: 200, ..shed.clone() };
    let slow = CallRecord { ended_ns: 3000 * MS, ..call(Some(&mail)) };
    for (record, kind) in [
        (call(Some(&mail)), Kind::Sampled),
        (shed, Kind::Refused),
        (stale, Kind::Refused),
        (refused(None, Code::RouteUnknown), Kind::Refused),
        (slow.clone(), Kind::Slow),
        (CallRecord { status: 500, ..slow.clone() }, Kind::Error),
        (refused(Some(&mail), Code::UpstreamTimeout), Kind::Error),
        (CallRecord { complete: false, ..slow }, Kind::Error),
    ] {
        let traces = traces();
        keep(&traces, &record);
        assert_eq!(traces.list(&all())[0].kind, kind, "{record:?}");
        let only = Wanted { kind: Some(kind), ..all() };
        assert_eq!(count(&traces, &only), 1);
    }
}

#[test]
fn a_line_says_what_a_decision_card_needs() {
    let traces = traces();
    let record = CallRecord { retry_after_ms: 2000, ..refused(Some(&mail()), Code::WorkersOver) };
    keep(&traces, &record);
    let told = serde_json::to_value(&traces.list(&all())[0]).unwrap();
    for (key, value) in [
        ("kind", Value::from("refused")),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736".into()),
        ("span_id", "00f067aa0ba902b7".into()),
        ("parent_id", Value::Null),
        ("at_unix_ms", 1000.into()),
        ("duration_ms", 0.02.into()),
        ("status", 429.into()),
        ("decision", "refuse".into()),
        ("reason", "workers_over".into()),
        ("signal", "workers".into()),
        ("observed", 0.91.into()),
        ("threshold", 0.85.into()),
        ("upstream", "mailbox".into()),
        ("policy_file", "test.yaml".into()),
        ("revision", 7.into()),
        ("retry_after_ms", 2000.into()),
        ("attempts", 0.into()),
    ] {
        assert_eq!(told[key], value, "{key}");
    }
}

#[test]
fn the_newest_come_first_and_pages_follow_one_another() {
    let traces = traces();
    let (shed, fine) = (refused(None, Code::RpsOver), call(None));
    for second in 0..10 {
        keep(&traces, &later(if second % 2 == 0 { &shed } else { &fine }, second));
    }
    let first = traces.list(&Wanted { limit: 4, ..all() });
    let numbers: Vec<_> = first.iter().map(|trace| trace.number).collect();
    assert_eq!(numbers, [10, 9, 8, 7], "of both kinds");
    let next = traces.list(&Wanted { limit: 4, before: numbers.last().copied(), ..all() });
    assert_eq!(next.iter().map(|trace| trace.number).collect::<Vec<_>>(), [6, 5, 4, 3]);
    assert_eq!(count(&traces, &Wanted { before: Some(1), ..all() }), 0);
}

#[test]
fn each_filter_takes_what_fits_and_nothing_else() {
    let traces = traces();
    let (mail, list) = (mail(), Arc::new(RouteMeters::new(Some(&route("list", Mode::Enforce)), 1)));
    keep(&traces, &refused(Some(&mail), Code::WorkersOver));
    keep(&traces, &CallRecord { cache: Some(CacheResult::Miss), ..call(Some(&list)) });
    let wanted = |text: &str| StatusWanted::parse(text);
    for (fits, other) in [
        (
            Wanted { route: Some("mail".into()), ..all() },
            Wanted { route: Some("list".into()), ..all() },
        ),
        (Wanted { status: wanted("429"), ..all() }, Wanted { status: wanted("2xx"), ..all() }),
        (Wanted { status: wanted("4xx"), ..all() }, Wanted { status: wanted("200"), ..all() }),
        (
            Wanted { decision: Some(Decision::Refuse), ..all() },
            Wanted { decision: Some(Decision::Admit), ..all() },
        ),
        (
            Wanted { kind: Some(Kind::Refused), ..all() },
            Wanted { cache: Some("miss".into()), ..all() },
        ),
        (Wanted { kind: Some(Kind::Refused), ..all() }, Wanted { least_ns: 12 * MS, ..all() }),
    ] {
        let of = |wanted: &Wanted| -> Vec<_> {
            traces.list(wanted).into_iter().filter_map(|trace| trace.route).collect()
        };
        assert_eq!((of(&fits), of(&other)), (vec!["mail".into()], vec!["list".into()]), "{fits:?}");
    }
    assert_eq!(count(&traces, &Wanted { caller: Some("nobody".into()), ..all() }), 0);
    for text in ["", "xx", "6xx", "99", "600", "4xxx", "-1"] {
        assert_eq!(wanted(text), None, "{text}");
    }
}

#[test]
fn a_storm_of_one_kind_leaves_the_others_and_is_counted() {
    let traces = traces();
    keep(&traces, &call(None));
    let seconds = RECORDS_MAX as u64 / KEPT_PER_SECOND + 1;
    for second in 0..seconds {
        for _ in 0..KEPT_PER_SECOND + 10 {
            keep(&traces, &later(&refused(None, Code::RpsOver), second));
        }
    }
    let kept = RECORDS_MAX as u64;
    let counts = traces.counts();
    let forgotten = seconds * (KEPT_PER_SECOND + 10) - kept;
    assert_eq!(counts[Kind::Refused as usize], (Kind::Refused, KindCounts { kept, forgotten }));
    assert_eq!(counts[Kind::Sampled as usize].1, KindCounts { kept: 1, forgotten: 0 });
    assert_eq!(count(&traces, &all()), RECORDS_MAX + 1);
}

#[test]
fn memory_is_bounded_whatever_callers_are_called() {
    let mut ring = Ring::default();
    let name = "n".repeat(4 * crate::settings::NAME_BYTES_MAX);
    for number in 0..2 * RECORDS_MAX as u64 {
        let mut record = through_a_ring(&call(None));
        record.caller = Some(name.as_str().into());
        ring.push(Arc::new(Kept { number, kind: Kind::Sampled, record }));
        assert!(ring.bytes <= BYTES_MAX && ring.kept.len() <= RECORDS_MAX);
    }
    assert_eq!(ring.bytes, ring.kept.iter().map(|kept| kept.bytes()).sum::<usize>());
    assert!((RECORDS_MAX / 3..RECORDS_MAX).contains(&ring.kept.len()), "{}", ring.kept.len());
}

#[test]
fn a_trace_is_one_document_with_every_call_of_it() {
    let traces = traces();
    let mail = mail();
    // A service that calls another one through the same gateway: it ends first and began later.
    let mut inner = refused(Some(&mail), Code::QuotaFull);
    (inner.started_ns, inner.trace.span_id) = (1005 * MS, 9);
    inner.trace.parent_id = Some(0xabc);
    keep(&traces, &inner);
    keep(&traces, &call(Some(&mail)));
    let mut other = call(None);
    other.trace.trace_id = 7;
    keep(&traces, &other);

    let document = traces.document(call(None).trace.trace_id).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    let service = &document["resourceSpans"][0]["resource"]["attributes"][0];
    assert_eq!(service["value"]["stringValue"], "gate");
    let spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let ids: Vec<_> = spans.iter().map(|span| span["spanId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["00f067aa0ba902b7", "0000000000000abc", "0000000000000009"]);
    assert_eq!(spans[2]["parentSpanId"], spans[1]["spanId"]);
    assert!(spans.iter().all(|span| span["traceId"] == "4bf92f3577b34da6a3ce929d0e0e4736"));
    assert_eq!(traces.document(1), None);
}
