#[path = "../../../../../tests/harness/rotel.rs"]
mod rotel;
mod scripted;
mod tls;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use sumun_policy::policy::Mode;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;

use self::rotel::Rotel;
use self::scripted::Scripted;
use super::super::fixture::{call, name, refused, route};
use super::super::gauges::{Gauges, LiveState, RouteState};
use super::super::{Telemetry, TelemetrySettings};
use super::settings::OtelSettings;
use crate::clock::Clock;
use crate::refusal::Code;
use crate::settings::{AccessLogFormat, AccessLogSettings};
use crate::upstream::tls_connector;

const PATIENCE: Duration = Duration::from_secs(30);

/// Telemetry under these variables, with its runtime.
fn telemetry(variables: &[(&str, &str)]) -> (Arc<Telemetry>, Runtime) {
    telemetry_by(variables, &tls_connector().unwrap())
}

fn telemetry_by(variables: &[(&str, &str)], tls: &TlsConnector) -> (Arc<Telemetry>, Runtime) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let find = |wanted: &str| variables.iter().find(|(name, _)| *name == wanted);
    let otel = OtelSettings::read(&|name| find(name).map(|(_, v)| (*v).to_owned())).unwrap();
    let settings = TelemetrySettings {
        access_log: AccessLogSettings { format: AccessLogFormat::Off, to: None },
        cores: 1,
        scheme: "http",
        otel,
        clock: Clock::start(),
    };
    (Telemetry::build(settings, tls, runtime.handle()).unwrap(), runtime)
}

/// Settles a forwarded call in a trace of its own and a refused one; gives the trace ids.
fn settle_two(telemetry: &Arc<Telemetry>) -> [String; 2] {
    let core = telemetry.core(0);
    let mail = telemetry.route(&route("mail", Mode::Enforce));
    [call(Some(&mail)), refused(Some(&mail), Code::WorkersOver)].map(|mut record| {
        record.trace = core.begin(&http::HeaderMap::new());
        core.settle(&record);
        format!("{:032x}", record.trace.trace_id)
    })
}

/// What a receiver must have got of [`settle_two`], whatever the protocol.
fn assert_spans_arrive(rotel: &Rotel, protocol: &str, endpoint: &str, tls: &TlsConnector) {
    let variables = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_TRACES_SAMPLER", "always_on"),
        ("OTEL_SERVICE_NAME", &format!("gate-{}", protocol.replace('/', "-"))),
    ];
    let (telemetry, runtime) = telemetry_by(&variables, tls);
    let [forwarded, shed] = settle_two(&telemetry);
    runtime.block_on(telemetry.flush(PATIENCE));
    let service = format!("gate-{}", protocol.replace('/', "-"));
    let text = rotel.wait_for(&[
        &service,
        &forwarded,
        &shed,
        "GET mail",
        "sumun.decision",
        "sumun.observed",
        "sumun.threshold",
        "sumun.policy.revision",
        "sumun.function",
        "server.address",
        "http.route",
    ]);
    for value in ["workers_over", "fn-mail", "0.91", "127.0.0.1", "/mail/list/7"] {
        assert!(text.contains(value), "{value} is not in\n{text}");
    }
    let metrics = telemetry.prometheus(&Nothing);
    assert!(metrics.contains("sumun_spans_dropped_total 0"), "none was lost");
}

struct Nothing;

impl Gauges for Nothing {
    fn read(&self) -> LiveState {
        LiveState {
            routes: vec![RouteState {
                route: name("mail"),
                in_flight: 42,
                limit: Some(170),
                thresholds: Vec::new(),
            }],
            ..LiveState::default()
        }
    }
}

#[test]
fn spans_arrive_at_a_real_receiver_by_grpc() {
    let rotel = Rotel::start();
    let endpoint = format!("http://127.0.0.1:{}", rotel.grpc_port);
    assert_spans_arrive(&rotel, "grpc", &endpoint, &tls_connector().unwrap());
}

#[test]
fn spans_arrive_at_a_real_receiver_by_http() {
    let rotel = Rotel::start();
    let endpoint = format!("http://127.0.0.1:{}", rotel.http_port);
    for protocol in ["http/protobuf", "http/json"] {
        assert_spans_arrive(&rotel, protocol, &endpoint, &tls_connector().unwrap());
    }
}

#[test]
fn spans_arrive_over_tls_and_only_under_a_known_authority() {
    let rotel = Rotel::start();
    let front = tls::Front::start();
    for (protocol, port) in [("grpc", rotel.grpc_port), ("http/protobuf", rotel.http_port)] {
        let endpoint = format!("https://127.0.0.1:{}", front.before(port));
        assert_spans_arrive(&rotel, protocol, &endpoint, &front.connector());

        // The system's authorities don't know the one of this test.
        let (telemetry, runtime) = telemetry(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
            ("OTEL_TRACES_SAMPLER", "always_on"),
        ]);
        settle_two(&telemetry);
        runtime.block_on(telemetry.flush(PATIENCE));
        let metrics = telemetry.prometheus(&Nothing);
        assert!(metrics.contains("sumun_spans_dropped_total 3"), "{protocol}: none arrived");
    }
}

#[test]
fn metrics_arrive_at_a_real_receiver_by_grpc_and_http() {
    let rotel = Rotel::start();
    for (protocol, port) in [
        ("grpc", rotel.grpc_port),
        ("http/protobuf", rotel.http_port),
        ("http/json", rotel.http_port),
    ] {
        let service = format!("gate-{}", protocol.replace('/', "-"));
        let (telemetry, runtime) = telemetry(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://127.0.0.1:{port}")),
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
            ("OTEL_SERVICE_NAME", &service),
        ]);
        settle_two(&telemetry);
        let live: Arc<dyn Gauges> = Arc::new(Nothing);
        let weak: Weak<dyn Gauges> = Arc::downgrade(&live);
        telemetry.push_metrics(weak).unwrap();
        let text = rotel.wait_for(&[
            &service,
            "http.server.request.duration",
            "http.client.request.duration",
            "sumun.admission",
            "sumun.inflight",
            "sumun.limit",
        ]);
        for value in ["workers_over", "mail", "enforce", "170"] {
            assert!(text.contains(value), "{value} is not in\n{text}");
        }
        drop((telemetry, runtime));
    }
}

#[test]
fn spans_that_no_receiver_takes_are_counted() {
    // A port that was free a moment ago: nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (telemetry, _runtime) = telemetry(&[
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("http://127.0.0.1:{port}/v1/traces")),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
        ("OTEL_TRACES_SAMPLER", "always_on"),
    ]);
    settle_two(&telemetry);
    // One SERVER and one CLIENT span of the first call, one SERVER span of the second.
    wait_for(&telemetry, "sumun_spans_dropped_total 3\n");
}

/// Waits until the metrics say this.
fn wait_for(telemetry: &Telemetry, line: &str) {
    let until = Instant::now() + PATIENCE;
    while !telemetry.prometheus(&Nothing).contains(line) {
        assert!(Instant::now() < until, "{line} in\n{}", telemetry.prometheus(&Nothing));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_a_receiver_refuses_of_a_request_that_it_takes_is_counted() {
    // Of either signal: the fields are the same. Two of what was sent, and why.
    let protobuf = b"\x0a\x0e\x08\x02\x12\x0aover quota".to_vec();
    let json = br#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"over quota"}}"#.to_vec();
    for (protocol, answer) in
        [("grpc", protobuf.clone()), ("http/protobuf", protobuf), ("http/json", json)]
    {
        let receiver = Scripted::start(protocol == "grpc", answer);
        let (telemetry, runtime) = telemetry(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.url()),
            ("OTEL_METRIC_EXPORT_INTERVAL", "3600000"),
            ("OTEL_TRACES_SAMPLER", "always_on"),
        ]);
        settle_two(&telemetry);
        runtime.block_on(telemetry.flush(PATIENCE));
        // Three spans went out.
        wait_for(&telemetry, "sumun_spans_dropped_total 2\n");
    }
}

#[test]
fn points_that_a_receiver_refuses_are_counted() {
    let refused = br#"{"partialSuccess":{"rejectedDataPoints":"1"}}"#.to_vec();
    let receiver = Scripted::start(false, refused);
    let (telemetry, _runtime) = telemetry(&[
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.url()),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "50"),
    ]);
    let live: Arc<dyn Gauges> = Arc::new(Nothing);
    telemetry.push_metrics(Arc::downgrade(&live)).unwrap();
    wait_for(&telemetry, "sumun_metric_points_dropped_total 3\n");
}
