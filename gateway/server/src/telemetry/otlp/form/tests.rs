//! Both forms, read again by the protocol's own messages.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use proptest::prelude::*;
use prost::Message;

use super::*;

/// What is written of a span.
#[derive(Clone, Debug)]
struct Written {
    ids: (u128, u64, Option<u64>),
    times: (u64, u64),
    flags: u32,
    route: Option<String>,
    texts: Vec<(String, String)>,
    integers: Vec<(String, i64)>,
    numbers: Vec<(String, f64)>,
    error: Option<String>,
}

fn write(written: &Written, form: &mut impl Form) {
    let (trace_id, span_id, parent_id) = written.ids;
    form.begin(&SpanHead {
        trace_id,
        span_id,
        parent_id,
        flags: written.flags,
        method: "GET",
        route: written.route.as_deref(),
        kind: SpanKind::Client,
        start_unix_ns: written.times.0,
        end_unix_ns: written.times.1,
    });
    written.texts.iter().for_each(|(key, value)| form.text(key, value));
    written.integers.iter().for_each(|(key, value)| form.integer(key, *value));
    written.numbers.iter().for_each(|(key, value)| form.number(key, *value));
    form.end(written.error.as_deref());
}

fn resource() -> Vec<(String, String)> {
    // Long enough for lengths of two bytes.
    [("service.name", "gate \"1\"".to_owned()), ("deployment", "x".repeat(300))]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
}

/// Spans as each form has them, through the decoder of the protocol's own messages.
fn read_again(all: &[Written]) -> [Vec<Span>; 2] {
    let envelope = Envelope::new(&resource());
    let requests = [false, true].map(|json| {
        let mut writer = Writer::new(&envelope, json, 100);
        for written in all {
            match &mut writer {
                Writer::Protobuf(form) => write(written, form),
                Writer::Json(form) => write(written, form),
            }
        }
        let bytes = writer.finish();
        if json {
            let text = std::str::from_utf8(&bytes).unwrap();
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
        } else {
            ExportTraceServiceRequest::decode(bytes).unwrap()
        }
    });
    requests.map(|mut request| {
        assert_eq!(request.resource_spans.len(), 1);
        let mut of_resource = request.resource_spans.remove(0);
        let attributes = of_resource.resource.unwrap().attributes;
        let told: Vec<_> = attributes.iter().map(|pair| (pair.key.clone(), text(pair))).collect();
        assert_eq!(told, resource());
        assert_eq!(of_resource.scope_spans.len(), 1);
        let of_scope = of_resource.scope_spans.remove(0);
        let scope = of_scope.scope.unwrap();
        assert_eq!(
            (scope.name.as_str(), scope.version.as_str()),
            ("sumun", super::super::SCOPE_VERSION)
        );
        of_scope.spans
    })
}

fn text(pair: &KeyValue) -> String {
    match &pair.value {
        Some(AnyValue { value: Some(any_value::Value::StringValue(text)) }) => text.clone(),
        other => panic!("{other:?}"),
    }
}

fn assert_is(span: &Span, written: &Written) {
    let (trace_id, span_id, parent_id) = written.ids;
    assert_eq!(span.trace_id, trace_id.to_be_bytes());
    assert_eq!(span.span_id, span_id.to_be_bytes());
    assert_eq!(span.parent_span_id, parent_id.map_or(Vec::new(), |id| id.to_be_bytes().into()));
    assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), written.times);
    assert_eq!((span.flags, span.kind), (written.flags, SpanKind::Client as i32));
    let route = written.route.as_ref().map_or(String::new(), |route| format!(" {route}"));
    assert_eq!(span.name, format!("GET{route}"));
    let mut attributes = span.attributes.iter();
    for (key, value) in &written.texts {
        let pair = attributes.next().unwrap();
        assert_eq!((&pair.key, &text(pair)), (key, value));
    }
    let mut next = || attributes.next().map(|pair| (&pair.key, pair.value.as_ref().unwrap()));
    for (key, value) in &written.integers {
        let value = AnyValue { value: Some(any_value::Value::IntValue(*value)) };
        assert_eq!(next(), Some((key, &value)));
    }
    for (key, value) in &written.numbers {
        let value = AnyValue { value: Some(any_value::Value::DoubleValue(*value)) };
        assert_eq!(next(), Some((key, &value)));
    }
    assert_eq!(next(), None);
    let status = span.status.clone().unwrap_or_default();
    let code = if written.error.is_some() { StatusCode::Error } else { StatusCode::Unset };
    assert_eq!((status.code(), status.message), (code, written.error.clone().unwrap_or_default()));
}

fn any_written() -> impl Strategy<Value = Written> {
    let key = "[a-z._]{1,200}";
    // With few digits: the reader of JSON is not exact to the last one.
    let finite = any::<i32>().prop_map(|number| f64::from(number) / 64.0);
    let texts = prop::collection::vec((key, any::<String>()), 0..4);
    let integers = prop::collection::vec((key, any::<i64>()), 0..4);
    let numbers = prop::collection::vec((key, finite), 0..4);
    let head = (any::<(u128, u64, Option<u64>)>(), any::<(u64, u64)>(), any::<u32>());
    let rest = (prop::option::of("[a-z-]{1,63}"), prop::option::of("[a-z_ü\"]{0,40}"));
    (head, texts, integers, numbers, rest).prop_map(|(head, texts, integers, numbers, rest)| {
        let ((ids, times, flags), (route, error)) = (head, rest);
        Written { ids, times, flags, route, texts, integers, numbers, error }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_written_is_read_in_both_forms(all in prop::collection::vec(any_written(), 0..4)) {
        for spans in read_again(&all) {
            prop_assert_eq!(spans.len(), all.len());
            std::iter::zip(&spans, &all).for_each(|(span, written)| assert_is(span, written));
        }
    }
}

#[test]
fn numbers_that_json_lacks_are_written_as_protobuf_names_them() {
    for (number, name) in
        [(f64::NAN, "NaN"), (f64::INFINITY, "Infinity"), (f64::NEG_INFINITY, "-Infinity")]
    {
        let mut json = Json::new("", 0);
        json.number("x", number);
        let text = json.finish();
        let wanted = format!("{{\"key\":\"x\",\"value\":{{\"doubleValue\":\"{name}\"}}}}");
        assert!(text.starts_with(wanted.as_bytes()), "{text:?}");
    }
}
