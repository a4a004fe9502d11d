//! What `deploy/` ships, as far as it can be checked without a container engine.
//!
//! Needs `promtool` (Debian package `prometheus`), which `make test` installs.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use sumun::settings::Settings;
use sumun_tests::binary_path;

use crate::tidy::root;

/// Every metric that the gateway promises to dashboards and alerts. That it has them in fact is
/// looked at in `demo`, where all of them have something to say.
pub(crate) const METRICS: [&str; 28] = [
    "http_client_request_duration_seconds",
    "http_server_request_duration_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "sumun_access_log_dropped_total",
    "sumun_admission_total",
    "sumun_cache_bytes",
    "sumun_cache_entries",
    "sumun_cache_evictions_total",
    "sumun_cache_total",
    "sumun_connections",
    "sumun_function_concurrency",
    "sumun_function_throttled_total",
    "sumun_inflight",
    "sumun_limit",
    "sumun_metric_points_dropped_total",
    "sumun_policy_reload_ok",
    "sumun_policy_revision",
    "sumun_recording_bytes",
    "sumun_recording_lost_total",
    "sumun_refused_total",
    "sumun_signal",
    "sumun_signal_age_seconds",
    "sumun_signal_findings",
    "sumun_spans_dropped_total",
    "sumun_threshold",
    "sumun_traces_forgotten_total",
    "sumun_traces_kept",
];

/// More of them where gateways share a store; looked at in `redis`.
pub(crate) const METRICS_SHARED: [&str; 3] =
    ["sumun_store_op_duration_seconds", "sumun_store_ops_total", "sumun_store_up"];

/// And one where callers say their class; looked at in `classes`.
pub(crate) const METRIC_OF_CLASSES: &str = "sumun_class_asked_total";

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join("deploy").join(path)).unwrap()
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap()
}

fn promtool(arguments: &[&str]) {
    let folder = root().join("deploy");
    let output = Command::new("promtool").args(arguments).current_dir(folder).output();
    let output = output.expect("promtool runs (Debian package `prometheus`)");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// Names in a query that look like one of ours, without a histogram's suffix.
fn metrics_in(query: &str) -> BTreeSet<String> {
    query
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| {
            ["sumun_", "http_server_request", "http_client_request", "process_"]
                .iter()
                .any(|begin| word.starts_with(begin))
        })
        .map(|word| {
            let histogram = word.contains("_duration_seconds");
            let base = ["_bucket", "_count", "_sum"].iter().find_map(|end| word.strip_suffix(end));
            base.filter(|_| histogram).unwrap_or(word).to_owned()
        })
        .collect()
}

#[test]
fn prometheus_takes_its_configuration_and_alerts_fire_when_they_should() {
    promtool(&["check", "config", "prometheus.yml"]);
    promtool(&["test", "rules", "alerts.test.yml"]);
}

#[test]
fn every_alert_is_played() {
    let alerts = yaml("alerts.yml");
    let rules = alerts["groups"].as_array().unwrap().iter();
    let rules = rules.flat_map(|group| group["rules"].as_array().unwrap());
    let named: BTreeSet<_> = rules.map(|rule| rule["alert"].as_str().unwrap()).collect();
    let plays = yaml("alerts.test.yml");
    let plays = plays["tests"].as_array().unwrap().iter();
    let looks = plays.flat_map(|play| play["alert_rule_test"].as_array().unwrap());
    let fire = looks.filter(|look| !look["exp_alerts"].as_array().unwrap().is_empty());
    let fired: BTreeSet<_> = fire.map(|look| look["alertname"].as_str().unwrap()).collect();
    assert_eq!(named, fired);
}

/// What the dashboard's panels ask for.
fn drawn() -> BTreeSet<String> {
    let dashboard: Value = serde_json::from_str(&read("grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.flat_map(|target| metrics_in(target["expr"].as_str().unwrap())).collect()
}

fn promised() -> impl Iterator<Item = &'static str> {
    METRICS.into_iter().chain(METRICS_SHARED).chain([METRIC_OF_CLASSES])
}

#[test]
fn dashboard_and_alerts_name_only_metrics_that_exist() {
    let mut named = drawn();
    for rule in yaml("alerts.yml")["groups"][0]["rules"].as_array().unwrap() {
        named.extend(metrics_in(rule["expr"].as_str().unwrap()));
    }
    assert!(named.len() >= 12, "the queries are not read: {named:?}");
    for name in named {
        assert!(promised().any(|known| known == name), "no such metric: {name}");
    }
}

#[test]
fn every_promised_metric_is_on_the_dashboard() {
    let drawn = drawn();
    let missing: Vec<_> = promised().filter(|name| !drawn.contains(*name)).collect();
    assert!(missing.is_empty(), "no panel for {missing:?}");
}

#[test]
fn panels_have_a_place_and_a_number_of_their_own() {
    let dashboard: Value = serde_json::from_str(&read("grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let apart =
        |key: &str| panels.iter().map(|panel| panel[key].to_string()).collect::<BTreeSet<_>>();
    assert_eq!((apart("id").len(), apart("gridPos").len()), (panels.len(), panels.len()));
}

#[test]
fn metrics_are_found_in_queries() {
    let query = r#"rate(http_server_request_duration_seconds_bucket{a="b"}[1m]) / sumun_inflight"#;
    let named: Vec<_> = metrics_in(query).into_iter().collect();
    assert_eq!(named, ["http_server_request_duration_seconds", "sumun_inflight"]);
}

#[test]
fn compose_mounts_what_exists_and_pins_what_it_pulls() {
    let compose = yaml("compose.yaml");
    let services = compose["services"].as_object().unwrap();
    for name in ["gateway-1", "gateway-2", "demo", "redis", "prometheus", "jaeger"] {
        assert!(services.contains_key(name), "no service {name}");
    }
    for (name, service) in services {
        for volume in service["volumes"].as_array().unwrap_or(&Vec::new()) {
            let host = volume.as_str().unwrap().split(':').next().unwrap();
            let here = if host.starts_with('.') {
                root().join("deploy").join(host).exists()
            } else {
                compose["volumes"].as_object().unwrap().contains_key(host)
            };
            assert!(here, "{name} mounts {host}, which is not there");
        }
        if let Some(image) = service["image"].as_str() {
            let tag = image.rsplit_once(':').map(|(_, tag)| tag);
            assert!(tag.is_some_and(|tag| tag != "latest"), "{name}: {image} is not pinned");
        }
    }
}

/// Takes a command of the gateway as it would be started, without starting anything.
fn assert_understood(words: &[String], environment: &BTreeMap<String, String>) {
    let (subcommand, arguments) = words.split_first().expect("a command");
    let mut command = Command::new(binary_path());
    // What `run` would run with is what `config` prints.
    if subcommand == "run" {
        command.arg("config").args(arguments);
    } else {
        command.arg(subcommand).args(arguments).arg("--help");
    }
    let output = command.current_dir(root().join("deploy")).envs(environment).output().unwrap();
    let (said, complaint) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{words:?} {environment:?}: {complaint}");
    if subcommand == "run" {
        let flags = arguments.iter().filter(|word| word.starts_with("--"));
        let variables = environment.keys().filter(|name| name.starts_with("SUMUN_"));
        for name in flags.chain(variables) {
            assert!(said.contains(name.as_str()), "{name} has no effect:\n{said}");
        }
    }
}

fn words(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// Without the program's own path.
fn behind_program(mut words: Vec<String>) -> Vec<String> {
    assert_eq!(words.remove(0), "/usr/bin/sumun");
    words
}

#[test]
fn commands_and_variables_of_compose_are_understood() {
    let compose = yaml("compose.yaml");
    for name in ["gateway-1", "gateway-2", "demo"] {
        let service = &compose["services"][name];
        let environment = service["environment"].as_object().unwrap().iter();
        let environment = environment.map(|(name, value)| {
            let value = value.as_str().unwrap();
            // A variable of whoever starts it, empty by default.
            let value = if value == "${SUMUN_REDIS:-}" { "redis://127.0.0.1:6379" } else { value };
            (name.clone(), value.to_owned())
        });
        assert_understood(&words(&service["command"]), &environment.collect());
        if let Some(test) = service["healthcheck"]["test"].as_array() {
            assert_eq!(test[0], "CMD", "{name}");
            let test = Value::from(test[1..].to_vec());
            assert_understood(&behind_program(words(&test)), &BTreeMap::new());
        }
    }
}

#[test]
fn commands_of_image_and_unit_are_understood() {
    let (dockerfile, unit) = (read("Dockerfile"), read("sumun.service"));
    let list = |text: &str| words(&serde_json::from_str(text).unwrap());
    let of_image = |begin: &str| {
        let line = dockerfile.lines().find(|line| line.starts_with(begin)).unwrap();
        list(&line[line.find('[').unwrap()..])
    };
    assert_eq!(of_image("ENTRYPOINT "), ["/usr/bin/sumun"]);
    let of_unit = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let of_unit = of_unit.split(' ').map(str::to_owned).collect();
    let health = behind_program(of_image("HEALTHCHECK "));
    for words in [of_image("CMD "), health, behind_program(of_unit)] {
        assert_understood(&words, &BTreeMap::new());
    }
}

#[test]
fn who_stops_the_gateway_waits_for_its_drain_and_leaves_it_its_descriptors() {
    let Settings { drain, limits, .. } = Settings::default();
    let seconds = |text: &str| Duration::from_secs(text.trim_end_matches('s').parse().unwrap());
    // One for the client, one for the upstream.
    let descriptors = 2 * limits.connections;
    let unit = read("sumun.service");
    let of_unit = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    assert!(seconds(of_unit("TimeoutStopSec=")) > drain.announce + drain.limit);
    assert!(of_unit("LimitNOFILE=").parse::<usize>().unwrap() > descriptors);
    let compose = yaml("compose.yaml");
    for name in ["gateway-1", "gateway-2"] {
        let service = &compose["services"][name];
        let grace = service["stop_grace_period"].as_str().unwrap();
        assert!(seconds(grace) > drain.announce + drain.limit, "{name}");
        assert!(service["ulimits"]["nofile"].as_u64().unwrap() as usize > descriptors, "{name}");
    }
}

#[test]
fn nothing_of_compose_is_reachable_from_another_machine() {
    let compose = yaml("compose.yaml");
    for (name, service) in compose["services"].as_object().unwrap() {
        assert_eq!(service["network_mode"], "host", "{name}");
        let told = service["command"].to_string() + &service["environment"].to_string();
        // The demo's services know no other address.
        assert!(name == "demo" || told.contains("127.0.0.1"), "{name} is not told where to listen");
        assert!(!told.contains("0.0.0.0"), "{name}");
    }
}

#[test]
fn the_image_is_neither_root_nor_without_health() {
    let dockerfile = read("Dockerfile");
    let (_, last) = dockerfile.rsplit_once("\nFROM ").unwrap();
    assert!(last.starts_with("gcr.io/distroless/"));
    assert!(last.contains("\nUSER nonroot\n"));
    assert!(last.contains("\nHEALTHCHECK "));
    for copied in ["policies", "gateway", "tests", "admin-ui/package-lock.json"] {
        assert!(dockerfile.contains(copied), "{copied} is not copied");
        assert!(root().join(copied).exists(), "{copied} is copied and not there");
    }
}

#[test]
fn the_unit_says_when_it_is_ready_and_gives_up_what_it_can() {
    let unit = read("sumun.service");
    let has = |line: &str| assert!(unit.lines().any(|at| at == line), "no {line}");
    has("Type=notify");
    has("NoNewPrivileges=yes");
    has("ProtectSystem=strict");
    has("CapabilityBoundingSet=");
}
