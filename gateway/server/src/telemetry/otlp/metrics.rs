//! Metrics by OTLP, encoded from the families as they are.
//!
//! The SDK of OpenTelemetry takes single measurements only; it has no way in for a histogram that is
//! already counted. So the request is built from the protocol's own messages, and the numbers are
//! the very ones of `/metrics`.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use super::super::cells::BOUNDS_S;
use super::super::families::{Family, Kind, Label, Point, Value};
pub use super::partial::Partial;
pub use super::send::SendError;
use super::send::Sender;
use super::settings::Protocol;
use super::{OtlpError, Target};

/// The gRPC method.
const METHOD: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// Sends all metrics to a receiver.
#[derive(Debug)]
pub struct MetricsSender {
    resource: Resource,
    started_unix_ns: u64,
    json: bool,
    sender: Sender,
}

// === impl MetricsSender ===

impl MetricsSender {
    /// Call it within the runtime it will send on.
    pub(in super::super) fn new(
        target: &Target<'_>,
        started_unix_ns: u64,
    ) -> Result<Self, OtlpError> {
        let sender =
            Sender::new(target, METHOD).map_err(|error| OtlpError::Metrics(Box::new(error)))?;
        let attributes = target.resource.iter().map(|(key, value)| pair(key, text(value)));
        let resource = Resource { attributes: attributes.collect(), ..Resource::default() };
        let json = target.receiver.protocol == Protocol::HttpJson;
        Ok(Self { resource, started_unix_ns, json, sender })
    }

    /// Sends `families` as of `now_unix_ns`; tries once: the next period brings newer sums.
    /// Answers what of it the receiver did not take.
    pub async fn send(&self, families: &[Family], now_unix_ns: u64) -> Result<Partial, SendError> {
        let request = self.request(families, now_unix_ns);
        let body = if self.json {
            serde_json::to_vec(&request).map_err(|error| SendError::Unreachable(error.into()))?
        } else {
            request.encode_to_vec()
        };
        self.sender.send(body.into()).await
    }

    fn request(&self, families: &[Family], now_unix_ns: u64) -> ExportMetricsServiceRequest {
        let times = Times { start: self.started_unix_ns, now: now_unix_ns };
        let scope = InstrumentationScope {
            name: super::SCOPE.to_owned(),
            version: super::SCOPE_VERSION.to_owned(),
            ..InstrumentationScope::default()
        };
        let scope_metrics = ScopeMetrics {
            scope: Some(scope),
            metrics: families.iter().map(|family| encode(family, times)).collect(),
            schema_url: String::new(),
        };
        let resource_metrics = ResourceMetrics {
            resource: Some(self.resource.clone()),
            scope_metrics: vec![scope_metrics],
            schema_url: String::new(),
        };
        ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] }
    }
}

#[derive(Clone, Copy)]
struct Times {
    start: u64,
    now: u64,
}

fn encode(family: &Family, times: Times) -> Metric {
    let temporality = AggregationTemporality::Cumulative as i32;
    let numbers = || family.points.iter().filter_map(|point| number(point, times)).collect();
    let data = match family.kind {
        Kind::Counter => metric::Data::Sum(Sum {
            data_points: numbers(),
            aggregation_temporality: temporality,
            is_monotonic: true,
        }),
        Kind::Gauge => metric::Data::Gauge(Gauge { data_points: numbers() }),
        Kind::Histogram => metric::Data::Histogram(Histogram {
            data_points: family.points.iter().filter_map(|p| histogram(p, times)).collect(),
            aggregation_temporality: temporality,
        }),
    };
    Metric {
        name: family.otel_name.to_owned(),
        description: family.help.to_owned(),
        unit: family.unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn number(point: &Point, times: Times) -> Option<NumberDataPoint> {
    let value = match point.value {
        Value::Count(count) => number_data_point::Value::AsInt(super::signed(count)),
        Value::Number(number) => number_data_point::Value::AsDouble(number),
        Value::Durations(_) => return None,
    };
    Some(NumberDataPoint {
        attributes: attributes(point),
        start_time_unix_nano: times.start,
        time_unix_nano: times.now,
        value: Some(value),
        ..NumberDataPoint::default()
    })
}

fn histogram(point: &Point, times: Times) -> Option<HistogramDataPoint> {
    let Value::Durations(sum) = point.value else { return None };
    Some(HistogramDataPoint {
        attributes: attributes(point),
        start_time_unix_nano: times.start,
        time_unix_nano: times.now,
        count: sum.count(),
        sum: Some(sum.sum.as_secs_f64()),
        bucket_counts: sum.buckets.to_vec(),
        explicit_bounds: BOUNDS_S.to_vec(),
        ..HistogramDataPoint::default()
    })
}

fn attributes(point: &Point) -> Vec<KeyValue> {
    let value = |label: &Label| match label {
        Label::Word(word) => text(word),
        Label::Text(value) => text(value),
        Label::Number(number) => any_value::Value::IntValue(*number),
    };
    point.labels.iter().map(|(key, label)| pair(key, value(label))).collect()
}

fn pair(key: &str, value: any_value::Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn text(text: &str) -> any_value::Value {
    any_value::Value::StringValue(text.to_owned())
}

#[cfg(test)]
mod tests;
