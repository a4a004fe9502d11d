//! A record as spans: a SERVER span for the call, a CLIENT span for each attempt.
//!
//! Attributes by OpenTelemetry's semantic conventions for HTTP, and `sumun.*` for what was decided.

use http::Version;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::super::families::split_address;
use super::super::labels::cache_label;
use super::super::record::{Attempt, ShedRecord};
use super::super::spans::SpanRecord;
use super::super::wall::Wall;

/// What every span of this process has in common.
#[derive(Debug)]
pub(super) struct SpanContextOf {
    pub(super) wall: Wall,
    pub(super) scheme: &'static str,
    pub(super) scope: InstrumentationScope,
}

// === impl SpanContextOf ===

impl SpanContextOf {
    /// Adds the record's spans to `batch`.
    pub(super) fn encode(&self, record: &SpanRecord, batch: &mut Vec<SpanData>) {
        batch.push(self.server(record));
        let attempts = record.attempts.iter().flatten();
        let last = attempts.clone().count().saturating_sub(1);
        for (index, attempt) in attempts.enumerate() {
            batch.push(self.client(record, attempt, index, index == last));
        }
    }

    fn server(&self, record: &SpanRecord) -> SpanData {
        let name = match record.route.as_ref().map(|route| route.name()) {
            Some(route) if !route.is_empty() => format!("{} {route}", record.method).into(),
            _ => record.method.into(),
        };
        let mut attributes = self.http_server(record);
        sumun(record, &mut attributes);
        let error = server_error(record);
        attributes.extend(error.map(|error| KeyValue::new("error.type", error)));
        let parent = record.trace.parent_id;
        SpanData {
            span_context: context(record, record.trace.span_id),
            parent_span_id: SpanId::from_bytes(parent.unwrap_or(0).to_be_bytes()),
            parent_span_is_remote: parent.is_some(),
            span_kind: SpanKind::Server,
            name,
            start_time: self.wall.at(record.started_ns),
            end_time: self.wall.at(record.ended_ns),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: error.map_or(Status::Unset, Status::error),
            instrumentation_scope: self.scope.clone(),
        }
    }

    fn http_server(&self, record: &SpanRecord) -> Vec<KeyValue> {
        let mut attributes = Vec::with_capacity(24);
        attributes.push(KeyValue::new("http.request.method", record.method));
        attributes.push(KeyValue::new("url.scheme", self.scheme));
        attributes.push(KeyValue::new("url.path", record.path.as_str().to_owned()));
        attributes.push(KeyValue::new("client.address", record.peer.to_string()));
        attributes.push(KeyValue::new("network.protocol.version", version(record.version)));
        attributes
            .push(KeyValue::new("http.request.body.size", super::signed(record.request_bytes)));
        attributes
            .push(KeyValue::new("http.response.body.size", super::signed(record.response_bytes)));
        if record.status != 0 {
            attributes.push(KeyValue::new("http.response.status_code", i64::from(record.status)));
        }
        if let Some(route) = record.route.as_ref().filter(|route| !route.name().is_empty()) {
            attributes.push(KeyValue::new("http.route", route.name().to_owned()));
        }
        attributes
    }

    fn client(&self, record: &SpanRecord, attempt: &Attempt, index: usize, last: bool) -> SpanData {
        let (host, port) = split_address(&attempt.endpoint);
        let mut attributes = vec![
            KeyValue::new("http.request.method", record.method),
            KeyValue::new("server.address", host.to_owned()),
            KeyValue::new("url.path", record.path.as_str().to_owned()),
        ];
        attributes.extend(port.map(|port| KeyValue::new("server.port", i64::from(port))));
        if attempt.status != 0 {
            attributes.push(KeyValue::new("http.response.status_code", i64::from(attempt.status)));
        }
        if index > 0 {
            attributes
                .push(KeyValue::new("http.request.resend_count", super::signed(index as u64)));
        }
        // A client calls every 4xx and 5xx an error (semantic conventions, span status).
        let error = match (attempt.failed, attempt.status) {
            (Some(code), _) => Some(code.as_str().to_owned()),
            (None, status @ 400..) => Some(status.to_string()),
            _ => None,
        };
        attributes.extend(error.clone().map(|error| KeyValue::new("error.type", error)));
        // The attempt that answered goes on until the answer's last byte.
        let head_ends = attempt.head_ns != 0 && (attempt.failed.is_some() || !last);
        let ended_ns = if head_ends { attempt.head_ns } else { record.ended_ns };
        SpanData {
            span_context: context(record, attempt.span_id),
            parent_span_id: SpanId::from_bytes(record.trace.span_id.to_be_bytes()),
            parent_span_is_remote: false,
            span_kind: SpanKind::Client,
            name: record.method.into(),
            start_time: self.wall.at(attempt.started_ns),
            end_time: self.wall.at(ended_ns),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: error.map_or(Status::Unset, Status::error),
            instrumentation_scope: self.scope.clone(),
        }
    }
}

fn context(record: &SpanRecord, span_id: u64) -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes(record.trace.trace_id.to_be_bytes()),
        SpanId::from_bytes(span_id.to_be_bytes()),
        if record.trace.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() },
        false,
        TraceState::default(),
    )
}

/// What was decided, and why.
fn sumun(record: &SpanRecord, attributes: &mut Vec<KeyValue>) {
    attributes.push(KeyValue::new("sumun.policy.revision", super::signed(record.revision)));
    // In shadow mode: what would have been, as the metrics have it.
    let decision = if record.shadow.is_some() { "refuse" } else { record.verdict.decision() };
    attributes.push(KeyValue::new("sumun.decision", decision));
    if record.route.as_ref().is_some_and(|route| !route.name().is_empty()) {
        attributes.push(KeyValue::new("sumun.class", record.class.as_str()));
    }
    if let Some(caller) = &record.caller {
        attributes.push(KeyValue::new("sumun.caller", caller.to_string()));
    }
    if let Some(result) = record.cache {
        attributes.push(KeyValue::new("sumun.cache", cache_label(result)));
    }
    if let Some(fwd) = record.cache_fwd {
        attributes.push(KeyValue::new("sumun.cache.fwd", fwd));
    }
    if let Some(detail) = record.cache_detail {
        attributes.push(KeyValue::new("sumun.cache.detail", detail));
    }
    if let Some(function) = record.route.as_ref().and_then(|route| route.facts().function.clone()) {
        attributes.push(KeyValue::new("sumun.function", function.as_str().to_owned()));
    }
    if let Some(code) = record.refusal {
        attributes.push(KeyValue::new("sumun.reason", code.as_str()));
    }
    let Some(ShedRecord { code, signal, observed, threshold }) = record.shed.or(record.shadow)
    else {
        return;
    };
    if record.refusal.is_none() {
        attributes.push(KeyValue::new("sumun.reason", code.as_str()));
    }
    if record.shed.is_none() {
        attributes.push(KeyValue::new("sumun.mode", "shadow"));
    }
    attributes.push(KeyValue::new("sumun.signal", signal));
    attributes.push(KeyValue::new("sumun.observed", observed));
    attributes.push(KeyValue::new("sumun.threshold", threshold));
}

/// Why a call failed as seen from its caller; a 4xx is the caller's own (semantic conventions).
fn server_error(record: &SpanRecord) -> Option<&'static str> {
    match (record.refusal, record.status) {
        (Some(code), 500..) => Some(code.as_str()),
        (None, 500..) => Some("upstream_status"),
        _ if !record.complete => Some("incomplete"),
        _ => None,
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

#[cfg(test)]
mod tests;
