use http::HeaderValue;

use super::*;

fn taken(name: &'static str, value: &str) -> Option<Reading> {
    let mut headers = HeaderMap::new();
    headers.insert(name, HeaderValue::from_str(value).unwrap());
    let reading = take(&mut headers);
    assert!(headers.is_empty(), "the report is for the gateway, not for the caller");
    reading
}

fn of(busy: Option<f64>, max: Option<f64>, cpu: Option<f64>) -> Reading {
    Reading { busy, max, cpu, own_in_flight: None }
}

#[test]
fn every_form_says_the_same() {
    let expected = Some(of(Some(17.0), Some(200.0), Some(0.4)));
    for text in [
        "TEXT cpu_utilization=0.3,application_utilization=0.4,named_metrics.workers=17,named_metrics.workers_max=200,rps_fractional=5",
        "TEXT cpu_utilization=0.4, named_metrics.workers=17, named_metrics.workers_max=200",
        "cpu_utilization=0.4, named_metrics.workers = 17 ,named_metrics.workers_max=200",
        r#"JSON {"cpu_utilization":0.3,"application_utilization":0.4,"named_metrics":{"workers":17,"workers_max":200},"eps":1}"#,
        r#"JSON {"cpuUtilization":0.4,"namedMetrics":{"workers":17,"workers_max":200}}"#,
        r#"{"cpu_utilization":0.4,"named_metrics":{"workers":17,"workers_max":200}}"#,
    ] {
        assert_eq!(taken("endpoint-load-metrics", text), expected, "{text}");
    }
}

#[test]
fn the_binary_form_is_read_with_and_without_padding() {
    // By hand, apart from the code under test: field 1 double 0.5; field 8 map "workers" → 17.
    let mut bytes = vec![0x09];
    bytes.extend_from_slice(&0.5_f64.to_le_bytes());
    bytes.extend_from_slice(&[0x42, 18, 0x0a, 7]);
    bytes.extend_from_slice(b"workers");
    bytes.push(0x11);
    bytes.extend_from_slice(&17.0_f64.to_le_bytes());
    let padded = base64::engine::general_purpose::STANDARD.encode(&bytes);
    let expected = Some(of(Some(17.0), None, Some(0.5)));
    assert_eq!(taken("endpoint-load-metrics-bin", &padded), expected);
    assert_eq!(taken("endpoint-load-metrics-bin", padded.trim_end_matches('=')), expected);
    assert_eq!(taken("endpoint-load-metrics", &format!("BIN {padded}")), expected);
}

#[test]
fn what_cannot_be_read_is_taken_off_all_the_same() {
    let long = format!("TEXT cpu_utilization=0.5,{}", "x".repeat(BYTES_MAX));
    for text in [
        "",
        "TEXT",
        "TEXT nonsense",
        "TEXT cpu_utilization=high",
        "TEXT cpu_utilization=NaN",
        "TEXT cpu_utilization=-1",
        "TEXT named_metrics.workers=-1",
        "JSON",
        "JSON {\"cpu_utilization\":",
        "JSON [1]",
        "{}",
        "BIN ***",
        &long,
    ] {
        assert_eq!(taken("endpoint-load-metrics", text), None, "{text}");
    }
    assert_eq!(taken("endpoint-load-metrics-bin", "////"), None);
}

#[test]
fn a_response_without_a_report_keeps_its_headers() {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/plain"));
    assert_eq!(take(&mut headers), None);
    assert_eq!(headers.len(), 1);
}
