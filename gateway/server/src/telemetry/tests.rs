use http::{HeaderMap, HeaderValue};
use sumun_policy::policy::Mode;
use tokio::runtime::Runtime;

use super::fixture::{call, refused, route};
use super::gauges::{Gauges, LiveState};
use super::record::CallRecord;
use super::*;
use crate::refusal::Code;
use crate::settings::AccessLogFormat;
use crate::upstream::tls_connector;

const PATIENCE: Duration = Duration::from_secs(10);

struct Nothing;

impl Gauges for Nothing {
    fn read(&self) -> LiveState {
        LiveState::default()
    }
}

fn telemetry(cores: usize, to: Option<std::path::PathBuf>) -> (Arc<Telemetry>, Runtime) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let format = if to.is_some() { AccessLogFormat::Json } else { AccessLogFormat::Off };
    let settings = TelemetrySettings {
        access_log: AccessLogSettings { format, to },
        cores,
        scheme: "http",
        otel: OtelSettings::off(),
        clock: Clock::start(),
    };
    (Telemetry::build(settings, &tls_connector().unwrap(), runtime.handle()).unwrap(), runtime)
}

#[test]
fn calls_of_all_cores_are_told_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let (telemetry, runtime) = telemetry(3, Some(path.clone()));
    let mail = telemetry.route(&route("mail", Mode::Enforce));
    std::thread::scope(|scope| {
        for id in 0..3 {
            let (telemetry, mail) = (&telemetry, &mail);
            scope.spawn(move || {
                let core = telemetry.core(id);
                for _ in 0..100 {
                    core.settle(&call(Some(mail)));
                    core.settle(&refused(Some(mail), Code::RpsOver));
                    core.settle(&refused(None, Code::RouteUnknown));
                }
            });
        }
    });
    runtime.block_on(telemetry.flush(PATIENCE));
    assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 900);
    let text = telemetry.prometheus(&Nothing);
    for line in [
        "decision=\"admit\",reason=\"none\",mode=\"enforce\"} 300",
        "decision=\"refuse\",reason=\"rps_over\",mode=\"enforce\"} 300",
        "sumun_refused_total{route=\"\",code=\"route_unknown\"} 300",
        "http_client_request_duration_seconds_count{server_address=\"127.0.0.1\",server_port=\"9101\",http_request_method=\"GET\",http_response_status_code=\"200\"} 300",
        "sumun_access_log_dropped_total 0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let view = mail.view(telemetry.clock().now());
    assert_eq!((view.admitted, view.refused["rps_over"]), (300, 300));
}

#[test]
#[should_panic(expected = "core 0 is taken")]
fn a_core_has_one_writer() {
    let (telemetry, _runtime) = telemetry(1, None);
    let _first = telemetry.core(0);
    let _second = telemetry.core(0);
}

#[test]
fn a_trace_goes_on_or_begins() {
    let (telemetry, _runtime) = telemetry(1, None);
    let core = telemetry.core(0);
    let mut headers = HeaderMap::new();
    let fresh = core.begin(&headers);
    assert_eq!(fresh.parent_id, None);
    assert!(fresh.trace_id != 0 && fresh.span_id != 0);
    assert!(!fresh.sampled, "nothing is exported, so nothing is begun");
    assert_ne!(core.begin(&headers).trace_id, fresh.trace_id);

    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    headers.insert("traceparent", HeaderValue::from_static(parent));
    let trace = core.begin(&headers);
    assert_eq!(trace.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
    assert_eq!(trace.parent_id, Some(0x00f0_67aa_0ba9_02b7));
    assert_ne!(trace.span_id, 0x00f0_67aa_0ba9_02b7);
    assert!(trace.sampled, "the caller's decision is passed on");
    let out = trace.to_header();
    assert_eq!(&out.as_bytes()[..36], &parent.as_bytes()[..36]);
}

#[test]
fn a_flush_ends_in_time_whatever_happens() {
    let (telemetry, runtime) = telemetry(1, None);
    drop(telemetry.core(0));
    let flush = telemetry.flush(PATIENCE);
    runtime.block_on(async { tokio::time::timeout(PATIENCE / 2, flush).await.unwrap() });
}

#[test]
fn memory_of_a_route_without_traffic_is_small() {
    let (telemetry, _runtime) = telemetry(8, None);
    let mail = telemetry.route(&route("mail", Mode::Enforce));
    assert!(size_of_val(&*mail) <= 256, "{} bytes", size_of_val(&*mail));
    let record = CallRecord { attempts: [None, None], ..call(Some(&mail)) };
    telemetry.core(7).settle(&record);
    assert_eq!(mail.totals().admitted, 1);
}
