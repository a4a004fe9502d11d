use std::sync::Arc;

use super::super::super::cells::{Histogram as Cells, HistogramSum};
use super::super::settings::OtelSettings;
use super::*;
use crate::upstream::tls_connector;

fn sender() -> MetricsSender {
    let settings = OtelSettings::read(&|name| {
        (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| "http://127.0.0.1:4318".to_owned())
    })
    .unwrap();
    let receiver = settings.metrics.as_ref().unwrap();
    let tls = tls_connector().unwrap();
    let resource = super::super::resource(&settings, "instance");
    let target = Target { receiver, tls, resource: &resource };
    MetricsSender::new(&target, 1).unwrap()
}

fn metrics(families: &[Family]) -> Vec<Metric> {
    let request = sender().request(families, 2);
    // Over the wire and back: what a receiver decodes.
    let bytes = request.encode_to_vec();
    let mut request = ExportMetricsServiceRequest::decode(bytes.as_slice()).unwrap();
    request.resource_metrics.remove(0).scope_metrics.remove(0).metrics
}

#[test]
fn a_histogram_goes_out_as_it_was_counted() {
    let cells = Cells::default();
    for ms in [1, 7, 7, 20_000] {
        cells.observe(ms * 1_000_000);
    }
    let mut sum = HistogramSum::default();
    sum.add(&cells);
    let family = Family {
        name: "http_server_request_duration_seconds",
        otel_name: "http.server.request.duration",
        help: "Durations",
        unit: "s",
        kind: Kind::Histogram,
        points: vec![Point {
            labels: vec![
                ("http.route", Label::Text(Arc::from("mail"))),
                ("http.response.status_code", Label::Number(200)),
            ],
            value: Value::Durations(sum),
        }],
    };
    let metric = &metrics(&[family])[0];
    assert_eq!((metric.name.as_str(), metric.unit.as_str()), ("http.server.request.duration", "s"));
    let Some(metric::Data::Histogram(histogram)) = &metric.data else { panic!("{metric:?}") };
    assert_eq!(histogram.aggregation_temporality, AggregationTemporality::Cumulative as i32);
    let point = &histogram.data_points[0];
    assert_eq!(point.count, 4);
    assert_eq!(point.bucket_counts, [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(point.explicit_bounds.len() + 1, point.bucket_counts.len());
    assert!((point.sum.unwrap() - 20.015).abs() < 1e-9);
    assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (1, 2));
    assert_eq!(point.attributes[0], pair("http.route", text("mail")));
    let status = any_value::Value::IntValue(200);
    assert_eq!(point.attributes[1], pair("http.response.status_code", status));
}

#[test]
fn counters_are_monotonic_sums_and_gauges_are_gauges() {
    let counter = Family::counter("sumun_x_total", "sumun.x", "{call}", "X").with(Value::Count(5));
    let gauge = Family::gauge("sumun_y", "sumun.y", "1", "Y").with(Value::Number(0.5));
    let metrics = metrics(&[counter, gauge]);
    let Some(metric::Data::Sum(sum)) = &metrics[0].data else { panic!("{:?}", metrics[0]) };
    assert!(sum.is_monotonic);
    assert_eq!(sum.data_points[0].value, Some(number_data_point::Value::AsInt(5)));
    let Some(metric::Data::Gauge(gauge)) = &metrics[1].data else { panic!("{:?}", metrics[1]) };
    assert_eq!(gauge.data_points[0].value, Some(number_data_point::Value::AsDouble(0.5)));
}

#[test]
fn the_resource_names_the_service_once() {
    let resource = sender().request(&[], 2).resource_metrics.remove(0).resource.unwrap();
    let names: Vec<_> = resource.attributes.iter().map(|pair| pair.key.as_str()).collect();
    for key in ["service.name", "service.version", "service.instance.id"] {
        assert_eq!(names.iter().filter(|name| **name == key).count(), 1, "{key}");
    }
}
