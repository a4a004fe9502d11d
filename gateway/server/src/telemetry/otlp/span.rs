//! A record as spans: a SERVER span for the call, a CLIENT span for each attempt.
//!
//! Attributes by OpenTelemetry's semantic conventions for HTTP, and `sumun.*` for what was decided.

use std::fmt::Display;
use std::io::Write;

use http::Version;

use super::super::families::split_address;
use super::super::labels::cache_label;
use super::super::record::{Attempt, ShedRecord};
use super::super::spans::SpanRecord;
use super::super::wall::Wall;
use super::form::{Form, SpanHead, SpanKind};
use super::signed;

/// OTLP's flags: it is known whether the parent is in another process.
const PARENT_KNOWN: u32 = 0x100;

/// OTLP's flags: the parent is in another process.
const PARENT_REMOTE: u32 = 0x200;

/// Longest text of an address: an IPv6 one that maps an IPv4 one.
const ADDRESS_BYTES_MAX: usize = 45;

/// Makes spans of records.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct SpanEncoder {
    pub(in super::super) wall: Wall,
    pub(in super::super) scheme: &'static str,
}

// === impl SpanEncoder ===

impl SpanEncoder {
    /// Writes the record's spans.
    pub(super) fn encode(&self, record: &SpanRecord, form: &mut impl Form) {
        self.server(record, form);
        let attempts = record.attempts();
        let last = attempts.clone().count().saturating_sub(1);
        for (index, attempt) in attempts.enumerate() {
            self.client(record, attempt, index, index == last, form);
        }
    }

    fn server(&self, record: &SpanRecord, form: &mut impl Form) {
        let parent_id = record.trace.parent_id;
        let remote = if parent_id.is_some() { PARENT_REMOTE } else { 0 };
        form.begin(&SpanHead {
            trace_id: record.trace.trace_id,
            span_id: record.trace.span_id,
            parent_id,
            flags: flags(record) | remote,
            method: record.method,
            route: record.route_name(),
            kind: SpanKind::Server,
            start_unix_ns: self.wall.unix_ns(record.started_ns),
            end_unix_ns: self.wall.unix_ns(record.ended_ns),
        });
        self.http_server(record, form);
        decided(record, form);
        let error = server_error(record);
        if let Some(error) = error {
            form.text("error.type", error);
        }
        form.end(error);
    }

    fn http_server(&self, record: &SpanRecord, form: &mut impl Form) {
        form.text("http.request.method", record.method);
        form.text("url.scheme", self.scheme);
        form.text("url.path", record.path.as_str());
        form.text("client.address", shown(&mut [0; ADDRESS_BYTES_MAX], record.peer));
        form.text("network.protocol.version", version(record.version));
        form.integer("http.request.body.size", signed(record.request_bytes));
        form.integer("http.response.body.size", signed(record.response_bytes));
        if record.status != 0 {
            form.integer("http.response.status_code", record.status.into());
        }
        if let Some(route) = record.route_name() {
            form.text("http.route", route);
        }
    }

    fn client(
        &self,
        record: &SpanRecord,
        attempt: &Attempt,
        index: usize,
        last: bool,
        form: &mut impl Form,
    ) {
        // The attempt that answered goes on until the answer's last byte.
        let head_ends = attempt.head_ns != 0 && (attempt.failed.is_some() || !last);
        let ended_ns = if head_ends { attempt.head_ns } else { record.ended_ns };
        form.begin(&SpanHead {
            trace_id: record.trace.trace_id,
            span_id: attempt.span_id,
            parent_id: Some(record.trace.span_id),
            flags: flags(record),
            method: record.method,
            route: None,
            kind: SpanKind::Client,
            start_unix_ns: self.wall.unix_ns(attempt.started_ns),
            end_unix_ns: self.wall.unix_ns(ended_ns),
        });
        let (host, port) = split_address(&attempt.endpoint);
        form.text("http.request.method", record.method);
        form.text("server.address", host);
        if let Some(port) = port {
            form.integer("server.port", port.into());
        }
        form.text("url.path", record.path.as_str());
        if attempt.status != 0 {
            form.integer("http.response.status_code", attempt.status.into());
        }
        if index > 0 {
            form.integer("http.request.resend_count", signed(index as u64));
        }
        // A client calls every 4xx and 5xx an error (semantic conventions, span status).
        let mut status = itoa::Buffer::new();
        let error = match (attempt.failed, attempt.status) {
            (Some(code), _) => Some(code.as_str()),
            (None, 400..) => Some(status.format(attempt.status)),
            _ => None,
        };
        if let Some(error) = error {
            form.text("error.type", error);
        }
        form.end(error);
    }
}

fn flags(record: &SpanRecord) -> u32 {
    u32::from(record.trace.sampled) | PARENT_KNOWN
}

/// What was decided, and why.
fn decided(record: &SpanRecord, form: &mut impl Form) {
    let told = record.told();
    form.integer("sumun.policy.revision", signed(record.revision));
    form.text("sumun.decision", told.decision);
    if let Some(caller) = &record.caller {
        form.text("sumun.caller", caller);
    }
    if let Some(result) = record.cache {
        form.text("sumun.cache", cache_label(result));
    }
    if let Some(fwd) = record.cache_fwd {
        form.text("sumun.cache.fwd", fwd);
    }
    if let Some(detail) = record.cache_detail {
        form.text("sumun.cache.detail", detail);
    }
    if let Some(reason) = told.reason {
        form.text("sumun.reason", reason);
    }
    if record.retry_after_ms != 0 {
        form.integer("sumun.retry_after_ms", record.retry_after_ms.into());
    }
    if let Some(place) = &record.place {
        form.text("sumun.class", record.class.as_str());
        if let Some(function) = &place.function {
            form.text("sumun.function", function.as_str());
        }
        // Where to look, where there is something to look for.
        if told.reason.is_some() {
            form.text("sumun.upstream", place.upstream.as_str());
            form.text("sumun.policy.file", &place.file);
        }
    }
    let Some(ShedRecord { signal, observed, threshold, .. }) = told.limit else { return };
    if told.shadow {
        form.text("sumun.mode", "shadow");
    }
    form.text("sumun.signal", signal);
    form.number("sumun.observed", observed);
    form.number("sumun.threshold", threshold);
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

/// A short value as text, without allocating.
fn shown(room: &mut [u8; ADDRESS_BYTES_MAX], value: impl Display) -> &str {
    let mut rest = &mut room[..];
    // An address fits; what would not is cut.
    let _ = write!(rest, "{value}");
    let written = ADDRESS_BYTES_MAX - rest.len();
    std::str::from_utf8(&room[..written]).unwrap_or_default()
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
