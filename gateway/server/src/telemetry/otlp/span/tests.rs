use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::Value;
use sumun_policy::policy::Mode;
use tokio::sync::Notify;

use super::super::super::fixture::{MS, call, refused, route, shed};
use super::super::super::meters::RouteMeters;
use super::super::super::record::{Attempt, CacheResult, CallRecord, Trace};
use super::super::super::spans::ring;
use super::*;
use crate::refusal::Code;

fn spans(record: &CallRecord) -> Vec<SpanData> {
    let mut record = record.clone();
    record.trace.sampled = true;
    let (ring, drain) = ring(0, Arc::new(Notify::new()));
    ring.offer(&record);
    let common = SpanContextOf {
        wall: Wall::from_zero(0),
        scheme: "http",
        scope: InstrumentationScope::builder("sumun").build(),
    };
    let mut batch = Vec::new();
    drain.drain(1).for_each(|record| common.encode(&record, &mut batch));
    batch
}

fn mail() -> Arc<RouteMeters> {
    Arc::new(RouteMeters::new(Some(&route("mail", Mode::Enforce)), 1))
}

fn attribute(span: &SpanData, key: &str) -> Option<Value> {
    let mut found = span.attributes.iter().filter(|pair| pair.key.as_str() == key);
    let value = found.next().map(|pair| pair.value.clone());
    assert!(found.next().is_none(), "{key} stands twice");
    value
}

fn text(span: &SpanData, key: &str) -> Option<String> {
    attribute(span, key).map(|value| value.to_string())
}

#[test]
fn a_call_is_a_server_span_with_a_client_span_for_each_attempt() {
    let trace = Trace { trace_id: 1, span_id: 2, parent_id: Some(3), sampled: true };
    let failed = Attempt {
        span_id: 4,
        endpoint: "[::1]:9101".into(),
        started_ns: 1001 * MS,
        head_ns: 1002 * MS,
        status: 0,
        failed: Some(Code::UpstreamUnreachable),
    };
    let answered = Attempt {
        span_id: 5,
        endpoint: "127.0.0.1:9102".into(),
        started_ns: 1002 * MS,
        head_ns: 1008 * MS,
        status: 200,
        failed: None,
    };
    let record =
        CallRecord { trace, attempts: [Some(failed), Some(answered)], ..call(Some(&mail())) };
    let [server, first, second]: [SpanData; 3] = spans(&record).try_into().unwrap();

    assert_eq!(server.name, "GET mail");
    assert_eq!(server.span_kind, SpanKind::Server);
    assert_eq!(server.span_context.trace_id(), TraceId::from(1));
    assert_eq!(server.parent_span_id, SpanId::from(3));
    assert!(server.parent_span_is_remote);
    assert_eq!(server.status, Status::Unset);
    let at = |ms: u64| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
    assert_eq!((server.start_time, server.end_time), (at(1000), at(1012)));

    for client in [&first, &second] {
        assert_eq!(client.name, "GET");
        assert_eq!(client.span_kind, SpanKind::Client);
        assert_eq!(client.parent_span_id, SpanId::from(2));
        assert_eq!(client.span_context.trace_id(), TraceId::from(1));
    }
    assert_eq!(first.span_context.span_id(), SpanId::from(4));
    assert_eq!((first.start_time, first.end_time), (at(1001), at(1002)));
    assert_eq!(text(&first, "server.address").as_deref(), Some("::1"));
    assert_eq!(text(&first, "error.type").as_deref(), Some("upstream_unreachable"));
    assert!(matches!(first.status, Status::Error { .. }));
    assert_eq!((second.start_time, second.end_time), (at(1002), at(1012)), "to the last byte");
    assert_eq!(attribute(&second, "server.port"), Some(Value::I64(9102)));
    assert_eq!(attribute(&second, "http.request.resend_count"), Some(Value::I64(1)));
    assert_eq!(second.status, Status::Unset);
}

#[test]
fn a_refusal_says_what_was_seen_and_compared() {
    let [span]: [SpanData; 1] =
        spans(&refused(Some(&mail()), Code::WorkersOver)).try_into().unwrap();
    for (key, expected) in [
        ("sumun.decision", "refuse"),
        ("sumun.reason", "workers_over"),
        ("sumun.signal", "workers"),
        ("sumun.observed", "0.91"),
        ("sumun.threshold", "0.85"),
        ("sumun.policy.revision", "7"),
        ("sumun.function", "fn-mail"),
        ("http.route", "mail"),
        ("http.request.method", "GET"),
        ("http.response.status_code", "429"),
        ("url.path", "/mail/list/7"),
        ("url.scheme", "http"),
    ] {
        assert_eq!(text(&span, key).as_deref(), Some(expected), "{key}");
    }
    assert_eq!(span.status, Status::Unset, "a 4xx is the caller's own");
    assert_eq!(span.parent_span_id, SpanId::INVALID);
}

#[test]
fn the_cache_explains_itself_in_the_words_of_its_field() {
    let record = CallRecord {
        cache: Some(CacheResult::Miss),
        cache_fwd: Some("uri-miss"),
        cache_detail: Some("no-store"),
        ..call(Some(&mail()))
    };
    let server = &spans(&record)[0];
    for (key, expected) in [
        ("sumun.cache", "miss"),
        ("sumun.cache.fwd", "uri-miss"),
        ("sumun.cache.detail", "no-store"),
    ] {
        assert_eq!(text(server, key).as_deref(), Some(expected), "{key}");
    }
    let server = &spans(&call(Some(&mail())))[0];
    for key in ["sumun.cache", "sumun.cache.fwd", "sumun.cache.detail"] {
        assert_eq!(attribute(server, key), None, "{key} of a route without cache");
    }
}

#[test]
fn a_shadow_refusal_is_told_as_one() {
    let record = CallRecord { shadow: Some(shed(Code::CpuOver)), ..call(Some(&mail())) };
    let server = &spans(&record)[0];
    assert_eq!(text(server, "sumun.mode").as_deref(), Some("shadow"));
    assert_eq!(text(server, "sumun.decision").as_deref(), Some("refuse"));
    assert_eq!(text(server, "sumun.reason").as_deref(), Some("cpu_over"));
}

#[test]
fn failures_are_errors_with_a_type() {
    let gateway = &spans(&refused(Some(&mail()), Code::UpstreamTimeout))[0];
    assert_eq!(text(gateway, "error.type").as_deref(), Some("upstream_timeout"));
    let upstream = &spans(&CallRecord { status: 503, ..call(Some(&mail())) })[0];
    assert_eq!(text(upstream, "error.type").as_deref(), Some("upstream_status"));
    let cut = &spans(&CallRecord { complete: false, ..call(Some(&mail())) })[0];
    assert_eq!(text(cut, "error.type").as_deref(), Some("incomplete"));
    for span in [gateway, upstream, cut] {
        assert!(matches!(span.status, Status::Error { .. }));
    }
}

#[test]
fn a_call_without_a_route_is_named_by_its_method() {
    let span = &spans(&refused(None, Code::RouteUnknown))[0];
    assert_eq!(span.name, "GET");
    assert_eq!(text(span, "http.route"), None);
    assert_eq!(text(span, "sumun.decision").as_deref(), Some("none"));
}
