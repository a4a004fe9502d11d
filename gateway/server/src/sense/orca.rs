//! ORCA: the load of an upstream in the headers of its responses, as fresh as the last one.
//!
//! Source: gRFC A51 and `xds.data.orca.v3.OrcaLoadReport`. Read are the text form
//! (`TEXT cpu_utilization=0.3, named_metrics.workers=17`, the word may be missing), the JSON form
//! (`JSON {…}`) and the binary form (base64 in `endpoint-load-metrics-bin`). The headers are for the
//! gateway: they are taken off the response, also where they can't be read.
//!
//! Meaning: `named_metrics.workers` is busy workers, `named_metrics.workers_max` the most there are;
//! of `cpu_utilization` and `application_utilization` the higher is the CPU share, since the tighter
//! of the two is what the upstream will run out of.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName};
use prost::Message;
use serde::Deserialize;
use sumun_engine::Reading;

const TEXT: HeaderName = HeaderName::from_static("endpoint-load-metrics");
const BINARY: HeaderName = HeaderName::from_static("endpoint-load-metrics-bin");

/// Longest header that is read; a report of a few numbers has some hundred bytes.
const BYTES_MAX: usize = 8 << 10;

const WORKERS: &str = "workers";
const WORKERS_MAX: &str = "workers_max";

/// gRPC sends binary headers with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Takes the report off a response's headers; `None` where there is none that can be used.
pub fn take(headers: &mut HeaderMap) -> Option<Reading> {
    let (text, binary) = (headers.remove(TEXT), headers.remove(BINARY));
    let bounded = |value: &http::HeaderValue| value.len() <= BYTES_MAX;
    let reading = match (text.filter(bounded), binary.filter(bounded)) {
        (Some(text), _) => parse(text.to_str().ok()?),
        (None, Some(binary)) => parse_binary(binary.as_bytes()),
        (None, None) => None,
    };
    reading.filter(|reading| *reading != Reading::default())
}

fn parse(text: &str) -> Option<Reading> {
    let text = text.trim();
    match text.split_once(' ') {
        Some(("TEXT", pairs)) => Some(parse_text(pairs)),
        Some(("JSON", json)) => parse_json(json),
        Some(("BIN", binary)) => parse_binary(binary.trim().as_bytes()),
        _ if text.starts_with('{') => parse_json(text),
        _ => Some(parse_text(text)),
    }
}

/// `name=value` separated by commas; what isn't a number or isn't known is passed over.
fn parse_text(pairs: &str) -> Reading {
    let mut report = Report::default();
    for (name, value) in pairs.split(',').filter_map(|pair| pair.split_once('=')) {
        let Ok(value) = value.trim().parse::<f64>() else { continue };
        match name.trim() {
            "cpu_utilization" => report.cpu = Some(value),
            "application_utilization" => report.application = Some(value),
            name => match name.strip_prefix("named_metrics.") {
                Some(WORKERS) => report.workers = Some(value),
                Some(WORKERS_MAX) => report.workers_max = Some(value),
                _ => {}
            },
        }
    }
    report.reading()
}

/// Field names as in the definition or, as protobuf's JSON mapping has them, in camel case.
#[derive(Deserialize)]
struct JsonReport {
    #[serde(alias = "cpuUtilization")]
    cpu_utilization: Option<f64>,
    #[serde(alias = "applicationUtilization")]
    application_utilization: Option<f64>,
    #[serde(default, alias = "namedMetrics")]
    named_metrics: HashMap<String, f64>,
}

fn parse_json(json: &str) -> Option<Reading> {
    let json: JsonReport = serde_json::from_str(json).ok()?;
    let report = Report {
        cpu: json.cpu_utilization,
        application: json.application_utilization,
        workers: json.named_metrics.get(WORKERS).copied(),
        workers_max: json.named_metrics.get(WORKERS_MAX).copied(),
    };
    Some(report.reading())
}

/// The fields of `OrcaLoadReport` that count here.
#[derive(Clone, PartialEq, Message)]
struct BinaryReport {
    #[prost(double, tag = "1")]
    cpu_utilization: f64,
    #[prost(map = "string, double", tag = "8")]
    named_metrics: HashMap<String, f64>,
    #[prost(double, tag = "9")]
    application_utilization: f64,
}

fn parse_binary(base64: &[u8]) -> Option<Reading> {
    let binary = BinaryReport::decode(BASE64.decode(base64).ok()?.as_slice()).ok()?;
    // Protobuf can't tell 0 from absent; a load of exactly 0 is taken for absent.
    let given = |value: f64| (value != 0.0).then_some(value);
    let report = Report {
        cpu: given(binary.cpu_utilization),
        application: given(binary.application_utilization),
        workers: binary.named_metrics.get(WORKERS).copied(),
        workers_max: binary.named_metrics.get(WORKERS_MAX).copied(),
    };
    Some(report.reading())
}

/// A report in any form.
#[derive(Default)]
struct Report {
    cpu: Option<f64>,
    application: Option<f64>,
    workers: Option<f64>,
    workers_max: Option<f64>,
}

impl Report {
    fn reading(self) -> Reading {
        let shares = self.cpu.into_iter().chain(self.application);
        let reading = Reading {
            busy: self.workers,
            max: self.workers_max,
            cpu: shares.filter(|share| share.is_finite()).reduce(f64::max),
            own_in_flight: None,
        };
        reading.sound()
    }
}

#[cfg(test)]
mod tests;
