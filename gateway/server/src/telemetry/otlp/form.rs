//! What OTLP can be written as: protobuf or JSON, straight from the records.
//!
//! A span is begun, given its attributes and ended; what it says is `span`'s matter, how that is
//! written a [`Form`]'s. Nothing is built in between: at 100 % sampling this is a large part of what
//! tracing costs.

use bytes::Bytes;

use super::json::Json;
use super::protobuf::Protobuf;
use super::span::SpanEncoder;
use crate::telemetry::spans::SpanRecord;

/// Which side of a call a span tells of (OTLP's `SpanKind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpanKind {
    Server = 2,
    Client = 3,
}

/// OTLP's status code of a span that failed.
pub(super) const STATUS_ERROR: u8 = 2;

/// Everything of a span but its attributes and its status.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpanHead<'a> {
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
    /// `None`: the trace begins here.
    pub(super) parent_id: Option<u64>,
    /// OTLP's flags: W3C's in the lowest eight bits, then whether it is known that the parent is
    /// remote, and whether it is.
    pub(super) flags: u32,
    /// First word of the name.
    pub(super) method: &'a str,
    /// Second word of the name.
    pub(super) route: Option<&'a str>,
    pub(super) kind: SpanKind,
    pub(super) start_unix_ns: u64,
    pub(super) end_unix_ns: u64,
}

/// A way of writing spans.
pub(super) trait Form {
    /// Begins a span.
    fn begin(&mut self, head: &SpanHead<'_>);
    /// An attribute of the span that was begun.
    fn text(&mut self, key: &str, value: &str);
    /// An attribute of the span that was begun.
    fn integer(&mut self, key: &str, value: i64);
    /// An attribute of the span that was begun.
    fn number(&mut self, key: &str, value: f64);
    /// Ends the span; `error`: why it failed.
    fn end(&mut self, error: Option<&str>);
}

/// What surrounds the spans of this process, in both forms.
#[derive(Clone, Debug)]
pub(in super::super) struct Envelope {
    pub(super) protobuf: super::protobuf::Surroundings,
    pub(super) json: String,
}

// === impl Envelope ===

impl Envelope {
    /// Of a process with these attributes.
    pub(in super::super) fn new(resource: &[(String, String)]) -> Self {
        Self {
            protobuf: super::protobuf::Surroundings::new(resource),
            json: super::json::opening(resource),
        }
    }

    /// These records as one OTLP request in JSON.
    pub(in super::super) fn document<'a>(
        &self,
        encoder: &SpanEncoder,
        records: impl Iterator<Item = &'a SpanRecord>,
    ) -> Bytes {
        let mut json = Json::new(&self.json, 0);
        records.for_each(|record| encoder.encode(record, &mut json));
        json.finish()
    }
}

/// A batch under way, in the form that its receiver takes.
pub(in super::super) enum Writer<'a> {
    Protobuf(Protobuf<'a>),
    Json(Json),
}

// === impl Writer ===

impl<'a> Writer<'a> {
    /// Room for about `bytes_usual` to begin with.
    pub(super) fn new(envelope: &'a Envelope, json: bool, bytes_usual: usize) -> Self {
        if json {
            Self::Json(Json::new(&envelope.json, bytes_usual))
        } else {
            Self::Protobuf(Protobuf::new(&envelope.protobuf, bytes_usual))
        }
    }

    /// Adds the record's spans.
    pub(in super::super) fn put(&mut self, encoder: &SpanEncoder, record: &SpanRecord) {
        match self {
            Self::Protobuf(form) => encoder.encode(record, form),
            Self::Json(form) => encoder.encode(record, form),
        }
    }

    /// The request, whole.
    pub(super) fn finish(self) -> Bytes {
        match self {
            Self::Protobuf(form) => form.finish(),
            Self::Json(form) => form.finish(),
        }
    }
}

#[cfg(test)]
mod tests;
