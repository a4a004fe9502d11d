//! Spans as protobuf (`opentelemetry/proto/trace/v1/trace.proto`), without messages in between.
//!
//! Bounds: none of its own; a batch has as many spans as its caller puts in.

use bytes::Bytes;

use super::form::{Form, STATUS_ERROR, SpanHead};

/// Room for one span to begin with; most take 400 to 600 bytes.
const SPAN_BYTES: usize = 1024;

/// Longest number, bytes: seven bits each.
const VARINT_BYTES_MAX: usize = 10;

/// Wire types (protobuf's encoding).
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LEN: u32 = 2;
const FIXED32: u32 = 5;

/// Numbers of fields in `trace.proto`, `common.proto`, `resource.proto` and `trace_service.proto`.
mod field {
    pub(super) const REQUEST_RESOURCE_SPANS: u32 = 1;
    pub(super) const RESOURCE_SPANS_RESOURCE: u32 = 1;
    pub(super) const RESOURCE_SPANS_SCOPE_SPANS: u32 = 2;
    pub(super) const RESOURCE_ATTRIBUTES: u32 = 1;
    pub(super) const SCOPE_SPANS_SCOPE: u32 = 1;
    pub(super) const SCOPE_SPANS_SPANS: u32 = 2;
    pub(super) const SCOPE_NAME: u32 = 1;
    pub(super) const SCOPE_VERSION: u32 = 2;
    pub(super) const SPAN_TRACE_ID: u32 = 1;
    pub(super) const SPAN_SPAN_ID: u32 = 2;
    pub(super) const SPAN_PARENT_ID: u32 = 4;
    pub(super) const SPAN_NAME: u32 = 5;
    pub(super) const SPAN_KIND: u32 = 6;
    pub(super) const SPAN_START: u32 = 7;
    pub(super) const SPAN_END: u32 = 8;
    pub(super) const SPAN_ATTRIBUTES: u32 = 9;
    pub(super) const SPAN_STATUS: u32 = 15;
    pub(super) const SPAN_FLAGS: u32 = 16;
    pub(super) const STATUS_MESSAGE: u32 = 2;
    pub(super) const STATUS_CODE: u32 = 3;
    pub(super) const PAIR_KEY: u32 = 1;
    pub(super) const PAIR_VALUE: u32 = 2;
    pub(super) const VALUE_TEXT: u32 = 1;
    pub(super) const VALUE_INTEGER: u32 = 3;
    pub(super) const VALUE_NUMBER: u32 = 4;
}

/// What is around the spans of a batch.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    /// The field `resource` of `ResourceSpans`.
    resource: Vec<u8>,
    /// The field `scope` of `ScopeSpans`.
    scope: Vec<u8>,
}

/// A batch under way.
pub(in super::super) struct Protobuf<'a> {
    around: &'a Surroundings,
    /// Room for what comes first, which is known last; then the spans.
    bytes: Vec<u8>,
    /// Where the spans begin.
    room: usize,
    /// The span under way: its length comes before it.
    span: Vec<u8>,
}

// === impl Surroundings ===

impl Surroundings {
    pub(super) fn new(attributes: &[(String, String)]) -> Self {
        let mut inner = Vec::new();
        for (key, value) in attributes {
            put_text_pair(&mut inner, field::RESOURCE_ATTRIBUTES, key, value);
        }
        let mut resource = Vec::new();
        put_bytes(&mut resource, field::RESOURCE_SPANS_RESOURCE, &inner);
        inner.clear();
        put_bytes(&mut inner, field::SCOPE_NAME, super::SCOPE.as_bytes());
        put_bytes(&mut inner, field::SCOPE_VERSION, super::SCOPE_VERSION.as_bytes());
        let mut scope = Vec::new();
        put_bytes(&mut scope, field::SCOPE_SPANS_SCOPE, &inner);
        Self { resource, scope }
    }
}

// === impl Protobuf ===

impl<'a> Protobuf<'a> {
    pub(super) fn new(around: &'a Surroundings, bytes_usual: usize) -> Self {
        // Two fields with their lengths, and what they begin with.
        let room = around.resource.len() + around.scope.len() + 2 * (1 + VARINT_BYTES_MAX);
        let mut bytes = Vec::with_capacity(room + bytes_usual);
        bytes.resize(room, 0);
        Self { around, bytes, room, span: Vec::with_capacity(SPAN_BYTES) }
    }

    /// The request (`ExportTraceServiceRequest`).
    pub(super) fn finish(mut self) -> Bytes {
        let Surroundings { resource, scope } = self.around;
        let spans = scope.len() + self.bytes.len() - self.room;
        let mut opening = Vec::with_capacity(self.room);
        put_tag(&mut opening, field::REQUEST_RESOURCE_SPANS, LEN);
        put_varint(&mut opening, (resource.len() + 1 + varint_len(spans as u64) + spans) as u64);
        opening.extend_from_slice(resource);
        put_tag(&mut opening, field::RESOURCE_SPANS_SCOPE_SPANS, LEN);
        put_varint(&mut opening, spans as u64);
        opening.extend_from_slice(scope);
        let start = self.room - opening.len();
        self.bytes[start..self.room].copy_from_slice(&opening);
        Bytes::from(self.bytes).slice(start..)
    }

    /// The head of an attribute whose value takes `value` bytes.
    fn pair(&mut self, key: &str, value: usize) {
        put_pair(&mut self.span, field::SPAN_ATTRIBUTES, key, value);
    }
}

impl Form for Protobuf<'_> {
    fn begin(&mut self, head: &SpanHead<'_>) {
        let span = &mut self.span;
        put_bytes(span, field::SPAN_TRACE_ID, &head.trace_id.to_be_bytes());
        put_bytes(span, field::SPAN_SPAN_ID, &head.span_id.to_be_bytes());
        if let Some(parent) = head.parent_id {
            put_bytes(span, field::SPAN_PARENT_ID, &parent.to_be_bytes());
        }
        put_tag(span, field::SPAN_FLAGS, FIXED32);
        span.extend_from_slice(&head.flags.to_le_bytes());
        let more = head.route.map_or(0, |route| 1 + route.len());
        put_tag(span, field::SPAN_NAME, LEN);
        put_varint(span, (head.method.len() + more) as u64);
        span.extend_from_slice(head.method.as_bytes());
        if let Some(route) = head.route {
            span.push(b' ');
            span.extend_from_slice(route.as_bytes());
        }
        put_tag(span, field::SPAN_KIND, VARINT);
        put_varint(span, head.kind as u64);
        for (number, time) in
            [(field::SPAN_START, head.start_unix_ns), (field::SPAN_END, head.end_unix_ns)]
        {
            put_tag(span, number, FIXED64);
            span.extend_from_slice(&time.to_le_bytes());
        }
    }

    fn text(&mut self, key: &str, value: &str) {
        put_text_pair(&mut self.span, field::SPAN_ATTRIBUTES, key, value);
    }

    fn integer(&mut self, key: &str, value: i64) {
        let value = value.cast_unsigned();
        self.pair(key, 1 + varint_len(value));
        put_tag(&mut self.span, field::VALUE_INTEGER, VARINT);
        put_varint(&mut self.span, value);
    }

    fn number(&mut self, key: &str, value: f64) {
        self.pair(key, 1 + size_of::<f64>());
        put_tag(&mut self.span, field::VALUE_NUMBER, FIXED64);
        self.span.extend_from_slice(&value.to_le_bytes());
    }

    fn end(&mut self, error: Option<&str>) {
        if let Some(error) = error {
            let length = bytes_len(error.len()) + 2;
            put_tag(&mut self.span, field::SPAN_STATUS, LEN);
            put_varint(&mut self.span, length as u64);
            put_bytes(&mut self.span, field::STATUS_MESSAGE, error.as_bytes());
            put_tag(&mut self.span, field::STATUS_CODE, VARINT);
            put_varint(&mut self.span, STATUS_ERROR.into());
        }
        put_bytes(&mut self.bytes, field::SCOPE_SPANS_SPANS, &self.span);
        self.span.clear();
    }
}

fn put_tag(out: &mut Vec<u8>, number: u32, wire: u32) {
    put_varint(out, (number << 3 | wire).into());
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_len(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Bytes that a field of this length takes, whose number is under 16.
fn bytes_len(length: usize) -> usize {
    1 + varint_len(length as u64) + length
}

fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, LEN);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A `KeyValue` up to the first byte of its `AnyValue`, which takes `value` bytes.
fn put_pair(out: &mut Vec<u8>, number: u32, key: &str, value: usize) {
    put_tag(out, number, LEN);
    put_varint(out, (bytes_len(key.len()) + bytes_len(value)) as u64);
    put_bytes(out, field::PAIR_KEY, key.as_bytes());
    put_tag(out, field::PAIR_VALUE, LEN);
    put_varint(out, value as u64);
}

fn put_text_pair(out: &mut Vec<u8>, number: u32, key: &str, value: &str) {
    put_pair(out, number, key, bytes_len(value.len()));
    put_bytes(out, field::VALUE_TEXT, value.as_bytes());
}
