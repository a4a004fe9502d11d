//! Spans as JSON, by protobuf's JSON mapping with OTLP's exceptions: ids in hexadecimal, 64-bit
//! integers as text, enumerations as numbers.

use bytes::Bytes;
use serde::Serialize;

use super::form::{Form, STATUS_ERROR, SpanHead};
use crate::hex;

/// A batch under way.
pub(in super::super) struct Json {
    text: Vec<u8>,
    /// Whether a span is before the next one.
    span_before: bool,
    /// Whether an attribute is before the next one.
    attribute_before: bool,
}

/// Everything before the first span.
pub(super) fn opening(attributes: &[(String, String)]) -> String {
    let pairs = attributes
        .iter()
        .map(|(key, value)| serde_json::json!({"key": key, "value": {"stringValue": value}}));
    let pairs: serde_json::Value = pairs.collect();
    let scope = serde_json::json!({"name": super::SCOPE, "version": super::SCOPE_VERSION});
    format!(
        "{{\"resourceSpans\":[{{\"resource\":{{\"attributes\":{pairs}}},\
         \"scopeSpans\":[{{\"scope\":{scope},\"spans\":["
    )
}

/// Everything after the last span.
const CLOSING: &[u8] = b"]}]}]}";

// === impl Json ===

impl Json {
    pub(super) fn new(opening: &str, bytes_usual: usize) -> Self {
        let mut text = Vec::with_capacity(opening.len() + bytes_usual);
        text.extend_from_slice(opening.as_bytes());
        Self { text, span_before: false, attribute_before: false }
    }

    /// The request (`ExportTraceServiceRequest`).
    pub(super) fn finish(mut self) -> Bytes {
        self.text.extend_from_slice(CLOSING);
        self.text.into()
    }

    fn put(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    fn id(&mut self, name: &str, digits: &[u8]) {
        self.put(name);
        self.text.extend_from_slice(digits);
        self.put("\"");
    }

    /// A value as serde writes it: a text in quotes and escaped, a number.
    fn value(&mut self, value: impl Serialize) {
        // Texts and finite numbers can always be written.
        let _ = serde_json::to_writer(&mut self.text, &value);
    }

    /// An attribute up to its value, whose type has this name.
    fn key(&mut self, key: &str, kind: &str) {
        self.put(if self.attribute_before { ",{\"key\":" } else { "{\"key\":" });
        self.attribute_before = true;
        self.value(key);
        self.put(",\"value\":{\"");
        self.put(kind);
        self.put("\":");
    }
}

impl Form for Json {
    fn begin(&mut self, head: &SpanHead<'_>) {
        self.put(if self.span_before { "," } else { "" });
        (self.span_before, self.attribute_before) = (true, false);
        self.id("{\"traceId\":\"", &hex::of_u128(head.trace_id));
        self.id(",\"spanId\":\"", &hex::of_u64(head.span_id));
        if let Some(parent) = head.parent_id {
            self.id(",\"parentSpanId\":\"", &hex::of_u64(parent));
        }
        self.put(",\"flags\":");
        self.value(head.flags);
        // Methods and names of routes need no escaping: neither has a quote or a control character.
        self.put(",\"name\":\"");
        self.put(head.method);
        if let Some(route) = head.route {
            self.put(" ");
            self.put(route);
        }
        self.put("\",\"kind\":");
        self.value(head.kind as u8);
        let mut number = itoa::Buffer::new();
        self.id(",\"startTimeUnixNano\":\"", number.format(head.start_unix_ns).as_bytes());
        self.id(",\"endTimeUnixNano\":\"", number.format(head.end_unix_ns).as_bytes());
        self.put(",\"attributes\":[");
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key, "stringValue");
        self.value(value);
        self.put("}}");
    }

    fn integer(&mut self, key: &str, value: i64) {
        self.key(key, "intValue");
        self.put("\"");
        self.put(itoa::Buffer::new().format(value));
        self.put("\"}}");
    }

    fn number(&mut self, key: &str, value: f64) {
        self.key(key, "doubleValue");
        match value {
            _ if value.is_finite() => self.value(value),
            f64::INFINITY => self.put("\"Infinity\""),
            f64::NEG_INFINITY => self.put("\"-Infinity\""),
            _ => self.put("\"NaN\""),
        }
        self.put("}}");
    }

    fn end(&mut self, error: Option<&str>) {
        self.put("],\"status\":{");
        if let Some(error) = error {
            self.put("\"message\":");
            self.value(error);
            self.put(",\"code\":");
            self.value(STATUS_ERROR);
        }
        self.put("}}");
    }
}
