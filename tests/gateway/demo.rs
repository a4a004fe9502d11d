//! `sumun demo` shows what it is for: within a minute a newcomer sees admissions, refusals, cache
//! hits and quotas move, and people who wait for an answer are not among the refused.

#![allow(clippy::unwrap_used, reason = "a test may panic in its helpers too")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use sumun::demo::{Demo, DemoAddresses};
use sumun_tests::{Starting, Sumun, eventually};

use crate::deploy::METRICS;
use crate::tidy::root;

/// The wave of mail takes 20 s from its trough to its crest; a busy machine gets twice that.
const SEEN_WITHIN: Duration = Duration::from_mins(1);

/// Any free ports.
pub(crate) fn any_ports() -> DemoAddresses {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    DemoAddresses { mailbox: [any; 2], catalog: any, functions: any }
}

/// The example policies, in front of demo services that listen here.
pub(crate) fn with_policies(mut gateway: Starting, here: DemoAddresses) -> Starting {
    let usual = DemoAddresses::default();
    let moved = [
        (usual.mailbox[0], here.mailbox[0]),
        (usual.mailbox[1], here.mailbox[1]),
        (usual.catalog, here.catalog),
        (usual.functions, here.functions),
    ];
    for entry in std::fs::read_dir(root().join("policies")).unwrap() {
        let path = entry.unwrap().path();
        let mut policy = std::fs::read_to_string(&path).unwrap();
        for (usual, here) in moved {
            policy = policy.replace(&usual.to_string(), &here.to_string());
        }
        gateway = gateway.policy(path.file_name().unwrap().to_str().unwrap(), &policy);
    }
    gateway
}

#[tokio::test]
async fn everything_is_seen_to_move_within_a_minute() {
    let services = Demo::services_only(any_ports()).unwrap();
    let gateway = with_policies(Sumun::with(), services.addresses()).start().await;
    let load = Demo::start(any_ports(), gateway.address()).unwrap();
    let wanted = [
        r#"sumun_admission_total{route="mail-read",decision="admit"}"#,
        r#"sumun_admission_total{route="mail-receive",decision="admit"}"#,
        r#"sumun_admission_total{route="mail-receive",decision="refuse"}"#,
        r#"sumun_cache_total{result="hit"}"#,
        r#"sumun_function_throttled_total{function="thumbnails"}"#,
    ];
    let metrics = eventually("everything moves", SEEN_WITHIN, async || {
        let metrics = gateway.metrics().await;
        let still: Vec<_> = wanted.iter().filter(|series| metrics.sum(series) < 20.0).collect();
        if still.is_empty() { Ok(metrics) } else { Err(format!("{still:?}")) }
    })
    .await;
    load.stop();
    services.stop();
    for name in METRICS {
        let there = metrics.has(name) || metrics.has(&format!("{name}_count"));
        assert!(there, "dashboards and alerts may name {name}, and it is not there");
    }
    for name in metrics.names("sumun_") {
        assert!(METRICS.contains(&name), "dashboards and alerts don't know {name}");
    }
    // A quota holds for every class; load never sheds an interactive call.
    for reason in ["rps_over", "cpu_over", "workers_over"] {
        let labels = format!(r#"class="interactive",decision="refuse",reason="{reason}""#);
        let shed = metrics.sum(&format!("sumun_admission_total{{{labels}}}"));
        assert!(shed < 1.0, "{shed} interactive calls were shed: {reason}");
    }
    let answers = "http_server_request_duration_seconds_count";
    let failed = metrics.series(&format!(r#"{answers}{{http_route="mail-read"}}"#));
    let failed: Vec<_> = failed.iter().filter(|(series, _)| !series.contains("\"200\"")).collect();
    assert!(failed.is_empty(), "interactive calls that were not answered 200: {failed:?}");
}
