use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sumun_policy::policy::Mode;

use super::super::families::{Sources, Totals, gather};
use super::super::fixture::{call, name, refused, route, shed};
use super::super::gauges::{CacheState, FunctionState, LiveState, RouteState, SignalState};
use super::super::meters::RouteMeters;
use super::super::process::ProcessState;
use super::super::record::{CacheResult, CallRecord};
use super::super::registry::Registry;
use super::super::traces::{Kind, KindCounts};
use super::*;
use crate::refusal::Code;

fn live() -> LiveState {
    let signal = |value, age_s: f64| SignalState {
        upstream: name("mailbox"),
        signal: "workers",
        value,
        age: Some(Duration::from_secs_f64(age_s)),
    };
    LiveState {
        routes: vec![
            RouteState {
                route: name("mail"),
                in_flight: 3,
                limit: Some(170),
                thresholds: vec![("workers", 0.85), ("rps", 500.0)],
            },
            RouteState { route: name("free"), in_flight: 0, limit: None, thresholds: Vec::new() },
        ],
        signals: vec![signal(Some(0.4), 0.5), signal(Some(0.9), 0.25), signal(None, 2.0)],
        findings: vec![(name("mailbox"), 1)],
        functions: vec![FunctionState {
            function: name("fn-mail"),
            reserved: Some(300),
            in_use: 2,
            throttled: 11,
        }],
        cache: CacheState { bytes: 4096, entries: 3, evictions: vec![(name("mail"), 2)] },
        policy_ok: true,
        policy_revision: 7,
        connections: 64,
        recording: None,
        stores: Vec::new(),
    }
}

fn settle(registry: &Registry, meters: &Arc<RouteMeters>, record: &CallRecord) {
    meters.count(0, record);
    for attempt in record.attempts.iter().flatten() {
        registry.endpoint(&attempt.endpoint).count(0, 1, attempt, record.ended_ns);
    }
}

fn text() -> String {
    let registry = Registry::new(1);
    let mail = registry.route(&route("mail", Mode::Enforce));
    let shadow = registry.route(&route("shadow", Mode::Shadow));
    settle(&registry, &mail, &call(None));
    settle(&registry, &mail, &refused(None, Code::WorkersOver));
    let miss = CallRecord { cache: Some(CacheResult::Miss), ..call(None) };
    settle(&registry, &mail, &miss);
    let would = CallRecord { shadow: Some(shed(Code::CpuOver)), ..call(None) };
    settle(&registry, &shadow, &would);
    settle(&registry, registry.unrouted(), &refused(None, Code::RouteUnknown));
    let traces = Kind::ALL.map(|kind| (kind, KindCounts { kept: 7, forgotten: 8 }));
    render(&gather(&Sources {
        routes: &registry.routes(),
        endpoints: &registry.endpoints(),
        scheme: "http",
        live: &live(),
        process: &ProcessState::read(1.7e9),
        totals: Totals { spans_dropped: 5, points_dropped: 9, lines_dropped: 6, traces },
    }))
}

#[test]
fn every_metric_of_the_contract_is_there_with_its_labels() {
    let text = text();
    for line in [
        "sumun_admission_total{route=\"mail\",class=\"batch\",decision=\"admit\",reason=\"none\",mode=\"enforce\"} 2",
        "sumun_admission_total{route=\"mail\",class=\"batch\",decision=\"refuse\",reason=\"workers_over\",mode=\"enforce\"} 1",
        "sumun_admission_total{route=\"shadow\",class=\"batch\",decision=\"refuse\",reason=\"cpu_over\",mode=\"shadow\"} 1",
        "sumun_refused_total{route=\"mail\",code=\"workers_over\"} 1",
        "sumun_refused_total{route=\"\",code=\"route_unknown\"} 1",
        "sumun_cache_total{route=\"mail\",result=\"miss\"} 1",
        "sumun_inflight{route=\"mail\"} 3",
        "sumun_limit{route=\"mail\"} 170",
        "sumun_threshold{route=\"mail\",signal=\"workers\"} 0.85",
        "sumun_signal{upstream=\"mailbox\",signal=\"workers\"} 0.9",
        "sumun_signal_age_seconds{upstream=\"mailbox\",signal=\"workers\"} 2",
        "sumun_signal_findings{upstream=\"mailbox\"} 1",
        "sumun_function_concurrency{function=\"fn-mail\",kind=\"reserved\"} 300",
        "sumun_function_concurrency{function=\"fn-mail\",kind=\"in_use\"} 2",
        "sumun_function_throttled_total{function=\"fn-mail\"} 11",
        "sumun_cache_bytes 4096",
        "sumun_cache_entries 3",
        "sumun_cache_evictions_total{route=\"mail\"} 2",
        "sumun_policy_reload_ok 1",
        "sumun_policy_revision 7",
        "sumun_spans_dropped_total 5",
        "sumun_metric_points_dropped_total 9",
        "sumun_traces_kept{kind=\"refused\"} 7",
        "sumun_traces_forgotten_total{kind=\"sampled\"} 8",
        "sumun_access_log_dropped_total 6",
        "sumun_connections 64",
        "http_server_request_duration_seconds_count{http_route=\"mail\",url_scheme=\"http\",http_request_method=\"GET\",http_response_status_code=\"200\"} 2",
        "http_server_request_duration_seconds_count{url_scheme=\"http\",http_request_method=\"GET\",http_response_status_code=\"404\"} 1",
        "http_client_request_duration_seconds_count{server_address=\"127.0.0.1\",server_port=\"9101\",http_request_method=\"GET\",http_response_status_code=\"200\"} 3",
    ] {
        assert!(text.lines().any(|found| found == line), "no line\n{line}\nin\n{text}");
    }
    assert!(!text.contains("sumun_limit{route=\"free\"}"), "no limit is no number");
}

#[test]
fn buckets_are_cumulative_and_end_with_the_count() {
    let text = text();
    let labels = "http_route=\"mail\",url_scheme=\"http\",http_request_method=\"GET\",http_response_status_code=\"200\"";
    let bucket = |bound: &str| {
        let line =
            format!("http_server_request_duration_seconds_bucket{{{labels},le=\"{bound}\"}} ");
        text.lines().find_map(|found| found.strip_prefix(&line)).map(str::to_owned)
    };
    assert_eq!(bucket("0.005").as_deref(), Some("0"));
    assert_eq!(bucket("0.01").as_deref(), Some("0"));
    assert_eq!(bucket("0.025").as_deref(), Some("2"));
    assert_eq!(bucket("10").as_deref(), Some("2"));
    assert_eq!(bucket("+Inf").as_deref(), Some("2"));
    assert!(text.contains(&format!("http_server_request_duration_seconds_sum{{{labels}}} 0.024")));
}

#[test]
fn label_values_cannot_break_out() {
    let mut text = String::new();
    write_labels(&mut text, &[("a.b", Label::Text("x\"y\\z\nw".into()))], Some("+Inf"));
    assert_eq!(text, "{a_b=\"x\\\"y\\\\z\\nw\",le=\"+Inf\"}");
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let spawned = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = spawned.expect("promtool is needed (Debian: apt-get install prometheus)");
    promtool.stdin.take().unwrap().write_all(text().as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
