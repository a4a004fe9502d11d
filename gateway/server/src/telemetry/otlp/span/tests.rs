use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;
use sumun_policy::policy::Mode;
use tokio::sync::Notify;

use super::super::super::fixture::{MS, call, refused, route, shed};
use super::super::super::meters::RouteMeters;
use super::super::super::record::{Attempt, CacheResult, CallRecord, Trace};
use super::super::super::spans::{Intake, ring};
use super::super::form::{Envelope, Writer};
use super::*;
use crate::refusal::Code;

/// A record's spans as a receiver decodes them.
fn spans(record: &CallRecord) -> Vec<Span> {
    let mut record = record.clone();
    record.trace.sampled = true;
    let (ring, drain) = ring(0, Arc::new(Notify::new()), Intake::exported());
    ring.offer(&record);
    let encoder = SpanEncoder { wall: Wall::from_zero(0), scheme: "http" };
    let envelope = Envelope::new(&[]);
    let mut writer = Writer::new(&envelope, false, 0);
    drain.drain(1).for_each(|record| writer.put(&encoder, &record));
    let mut request = ExportTraceServiceRequest::decode(writer.finish()).unwrap();
    request.resource_spans.remove(0).scope_spans.remove(0).spans
}

fn mail() -> Arc<RouteMeters> {
    Arc::new(RouteMeters::new(Some(&route("mail", Mode::Enforce)), 1))
}

fn attribute(span: &Span, key: &str) -> Option<Value> {
    let mut found = span.attributes.iter().filter(|pair| pair.key == key);
    let value = found.next().map(|pair| pair.value.clone().unwrap().value.unwrap());
    assert!(found.next().is_none(), "{key} stands twice");
    value
}

fn text(span: &Span, key: &str) -> Option<String> {
    attribute(span, key).map(|value| match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    })
}

fn failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
}

fn id(id: u64) -> Vec<u8> {
    id.to_be_bytes().into()
}

#[test]
fn a_call_is_a_server_span_with_a_client_span_for_each_attempt() {
    let trace = Trace { trace_id: 1, span_id: 2, parent_id: Some(3), sampled: true };
    let lost = Attempt {
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
        CallRecord { trace, attempts: [Some(lost), Some(answered)], ..call(Some(&mail())) };
    let [server, first, second]: [Span; 3] = spans(&record).try_into().unwrap();

    assert_eq!(server.name, "GET mail");
    assert_eq!(server.kind(), SpanKind::Server);
    assert_eq!(server.trace_id, 1_u128.to_be_bytes());
    assert_eq!(server.parent_span_id, id(3));
    assert_eq!(server.flags, 0x301, "sampled; the parent is known to be remote");
    assert!(!failed(&server));
    let times = |span: &Span| (span.start_time_unix_nano / MS, span.end_time_unix_nano / MS);
    assert_eq!(times(&server), (1000, 1012));

    for client in [&first, &second] {
        assert_eq!(client.name, "GET");
        assert_eq!(client.kind(), SpanKind::Client);
        assert_eq!(client.parent_span_id, id(2));
        assert_eq!(client.trace_id, 1_u128.to_be_bytes());
        assert_eq!(client.flags, 0x101, "sampled; the parent is known to be here");
    }
    assert_eq!(first.span_id, id(4));
    assert_eq!(times(&first), (1001, 1002));
    assert_eq!(text(&first, "server.address").as_deref(), Some("::1"));
    assert_eq!(text(&first, "error.type").as_deref(), Some("upstream_unreachable"));
    assert!(failed(&first));
    assert_eq!(times(&second), (1002, 1012), "to the last byte");
    assert_eq!(attribute(&second, "server.port"), Some(Value::IntValue(9102)));
    assert_eq!(attribute(&second, "http.request.resend_count"), Some(Value::IntValue(1)));
    assert!(!failed(&second));
}

#[test]
fn a_refusal_says_what_was_seen_and_compared() {
    let record = CallRecord { retry_after_ms: 2000, ..refused(Some(&mail()), Code::WorkersOver) };
    let [span]: [Span; 1] = spans(&record).try_into().unwrap();
    for (key, expected) in [
        ("sumun.decision", "refuse"),
        ("sumun.reason", "workers_over"),
        ("sumun.signal", "workers"),
        ("sumun.observed", "0.91"),
        ("sumun.threshold", "0.85"),
        ("sumun.retry_after_ms", "2000"),
        ("sumun.upstream", "mailbox"),
        ("sumun.policy.file", "test.yaml"),
        ("sumun.policy.revision", "7"),
        ("sumun.function", "fn-mail"),
        ("sumun.class", "batch"),
        ("client.address", "127.0.0.1"),
        ("http.route", "mail"),
        ("http.request.method", "GET"),
        ("http.response.status_code", "429"),
        ("url.path", "/mail/list/7"),
        ("url.scheme", "http"),
    ] {
        assert_eq!(text(&span, key).as_deref(), Some(expected), "{key}");
    }
    assert!(!failed(&span), "a 4xx is the caller's own");
    assert_eq!(span.parent_span_id, Vec::<u8>::new());
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
    assert_eq!(text(server, "sumun.retry_after_ms"), None, "nobody was sent away");
}

#[test]
fn failures_are_errors_with_a_type() {
    let gateway = &spans(&refused(Some(&mail()), Code::UpstreamTimeout))[0];
    assert_eq!(text(gateway, "error.type").as_deref(), Some("upstream_timeout"));
    let [upstream, attempt]: [Span; 2] = {
        let mut record = CallRecord { status: 503, ..call(Some(&mail())) };
        record.attempts[0].as_mut().unwrap().status = 503;
        spans(&record).try_into().unwrap()
    };
    assert_eq!(text(&upstream, "error.type").as_deref(), Some("upstream_status"));
    assert_eq!(text(&attempt, "error.type").as_deref(), Some("503"));
    let cut = &spans(&CallRecord { complete: false, ..call(Some(&mail())) })[0];
    assert_eq!(text(cut, "error.type").as_deref(), Some("incomplete"));
    for span in [gateway, &upstream, &attempt, cut] {
        assert!(failed(span));
    }
}

#[test]
fn a_call_without_a_route_is_named_by_its_method() {
    let span = &spans(&refused(None, Code::RouteUnknown))[0];
    assert_eq!(span.name, "GET");
    assert_eq!(text(span, "http.route"), None);
    assert_eq!(text(span, "sumun.decision").as_deref(), Some("none"));
}

#[test]
fn every_address_has_room() {
    let longest = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255";
    assert_eq!(shown(&mut [0; ADDRESS_BYTES_MAX], longest), longest);
}
