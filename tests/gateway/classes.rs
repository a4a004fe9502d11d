//! `Sumun-Class`: anybody may be shed sooner, only who is listed later, and the upstream is told.

use std::time::Duration;

use sumun_tests::{DEADLINE, Load, Reply, Sumun, Upstream, eventually};

use crate::deploy::METRIC_OF_CLASSES;
use crate::policies;

/// `/batch/**` under an rps limit, `/page/**` interactive, one upstream; ops-console may raise.
async fn gateway(upstream: &Upstream, rps: &str) -> Sumun {
    let keys = policies::upstream(&upstream.url());
    let policy = format!(
        "version: 1\n\
         upstreams:\n  up: {{ {keys} }}\n\
         routes:\n\
         \x20 job: {{ match: {{ path: /batch/** }}, upstream: up, class: batch, admission: {{ rps: {{ {rps} }} }} }}\n\
         \x20 page: {{ match: {{ path: /page/** }}, upstream: up }}\n"
    );
    let settings = "trusted_proxies: [127.0.0.1]\n\
        callers: { by: [header:X-Service-Name], may_raise: [ops-console] }\n";
    Sumun::with().policy("policy.yaml", &policy).settings(settings).start().await
}

/// The class that the upstream was told of a call with these headers.
async fn told(sumun: &Sumun, upstream: &Upstream, path: &str, headers: &[(&str, &str)]) -> String {
    upstream.forget();
    assert_eq!(sumun.call("GET", path, headers, b"").await.status, 200);
    let seen = upstream.only_request();
    assert_eq!(seen.all("sumun-class").len(), 1, "{:?}", seen.head);
    seen.header("sumun-class").unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_upstream_is_told_the_class_that_holds_and_not_the_one_that_was_said() {
    let upstream = Upstream::plain().await;
    let sumun = gateway(&upstream, "limit: 1000, burst: 1000").await;
    let ops = ("x-service-name", "ops-console");
    let stranger = ("x-service-name", "orders");
    for (path, said, caller, wanted) in [
        ("/page/x", None, None, "interactive"),
        ("/page/x", Some("bulk"), None, "bulk"),
        ("/page/x", Some("default"), Some(stranger), "default"),
        ("/batch/x", None, None, "batch"),
        ("/batch/x", Some("bulk"), None, "bulk"),
        ("/batch/x", Some("batch"), None, "batch"),
        ("/batch/x", Some("urgent"), Some(ops), "batch"),
        ("/batch/x", Some("interactive"), None, "batch"),
        ("/batch/x", Some("interactive"), Some(stranger), "batch"),
        ("/batch/x", Some("default"), Some(ops), "default"),
        ("/batch/x", Some("interactive"), Some(ops), "interactive"),
    ] {
        let mut headers: Vec<_> = said.map(|said| ("Sumun-Class", said)).into_iter().collect();
        headers.extend(caller);
        let class = told(&sumun, &upstream, path, &headers).await;
        assert_eq!(class, wanted, "{path} {headers:?}");
    }
    for (result, count) in [("denied", 2.0), ("raised", 2.0), ("unknown", 1.0), ("lowered", 1.0)] {
        let selector = format!("{METRIC_OF_CLASSES}{{route=\"job\",result=\"{result}\"}}");
        let seen = sumun.metric(&selector).await;
        assert!((seen - count).abs() < 0.1, "{result}: {seen}");
    }
    let admitted = "sumun_admission_total{route=\"job\",class=\"interactive\",decision=\"admit\"}";
    assert!((sumun.metric(admitted).await - 1.0).abs() < 0.1, "under the class that held");
}

#[tokio::test]
async fn a_call_that_was_raised_to_interactive_is_never_shed() {
    let upstream = Upstream::plain().await;
    let sumun = gateway(&upstream, "limit: 0.001, burst: 1").await;
    let raised = [("sumun-class", "interactive"), ("x-service-name", "ops-console")];
    let stranger = [("sumun-class", "interactive"), ("x-service-name", "orders")];
    assert_eq!(sumun.call("GET", "/batch/x", &stranger, b"").await.status, 200);
    for _ in 0..20 {
        assert_eq!(sumun.call("GET", "/batch/x", &raised, b"").await.status, 200);
    }
    assert_eq!(sumun.call("GET", "/batch/x", &stranger, b"").await.status, 429);
    let wanted = "\"class\":\"interactive\",\"caller\":\"ops-console\"";
    eventually("a line of the access log", DEADLINE, async || {
        let stdout = sumun.stdout();
        if stdout.contains(wanted) { Ok(()) } else { Err(stdout) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_say_bulk_are_shed_before_the_others_of_their_route() {
    let upstream = Upstream::start(|_| Reply::ok("ok").after(Duration::from_millis(20))).await;
    let policy = policies::policy(
        &format!("{}, workers_max: 8", policies::upstream(&upstream.url())),
        "class: default, admission: { workers: { enter: 75%, exit: 60% } }",
    );
    let sumun = Sumun::start(&policy).await;
    let load = |class: &'static str, connections| {
        let request = move |_: usize, _: u64| {
            format!("GET /x HTTP/1.1\r\nhost: a\r\nsumun-class: {class}\r\n\r\n").into_bytes()
        };
        Load::requests(sumun.address(), request).connections(connections)
    };
    let bulk = load("bulk", 8);
    let stop = bulk.stop();
    let bulk = bulk.start();
    let default = load("default", 6).lasting(Duration::from_secs(3)).run().await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let bulk = bulk.await.expect("the load ends");
    let served = |tally: &sumun_tests::Tally| tally.count(200) as f64 / tally.answers() as f64;
    assert!(default.broken.is_empty() && bulk.broken.is_empty(), "{default:?} {bulk:?}");
    let (default, bulk) = (served(&default), served(&bulk));
    assert!(default > 0.5 && bulk < default / 2.0, "served: default {default}, bulk {bulk}");
}
