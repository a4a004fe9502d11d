//! What was: figures that the gateway keeps second by second, held to what its clients saw.

use serde_json::Value;
use sumun_tests::{DEADLINE, Sumun, Upstream, eventually};

use crate::policies;

/// Two routes to one upstream: one takes two calls, then hardly any; one takes all.
fn policy(url: &str, burst: u32) -> String {
    let text = policies::policy(&policies::upstream(url), "");
    let narrow = format!(
        "\x20 narrow: {{ match: {{ path: /narrow }}, upstream: up, class: bulk, \
         admission: {{ rps: {{ limit: 0.01, burst: {burst} }} }} }}\n"
    );
    text + &narrow
}

fn sum(series: &Value, figure: &str) -> f64 {
    let values = series["figures"][figure].as_array();
    values.into_iter().flatten().filter_map(Value::as_f64).sum()
}

/// The series once its calls add up to `calls`.
async fn series(sumun: &Sumun, query: &str, calls: f64) -> Value {
    eventually("the calls are in the series", DEADLINE, async || {
        let series = sumun.admin_get(&format!("/api/v1/series{query}")).await;
        if (sum(&series, "calls") - calls).abs() < 0.01 { Ok(series) } else { Err(series) }
    })
    .await
}

#[tokio::test]
async fn a_route_has_its_calls_and_refusals_second_by_second_also_after_a_reload() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&policy(&upstream.url(), 2)).await;
    let quiet = sumun.admin_get("/api/v1/series?route=narrow").await;
    assert_eq!((&quiet["state"], &quiet["points"]), (&"nothing".into(), &0.into()));
    for status in [200, 200, 429, 429, 429] {
        assert_eq!(sumun.get("/narrow").await.status, status);
    }
    let before = series(&sumun, "?route=narrow", 5.0).await;
    assert_eq!(before["state"], "kept");
    assert_eq!(before["every_s"], 1);
    for (figure, wanted) in [("admitted", 2.0), ("refused", 3.0), ("refused.rps_over", 3.0)] {
        assert!((sum(&before, figure) - wanted).abs() < 0.01, "{figure}: {before}");
    }
    assert!(before["figures"].get("refused.cpu_over").is_none(), "nobody was: {before}");
    let points = before["points"].as_u64().expect("a number") as usize;
    for (figure, values) in before["figures"].as_object().expect("figures") {
        assert_eq!(values.as_array().map(Vec::len), Some(points), "{figure}");
    }
    assert_eq!(before["figures"]["threshold.rps"][0], 0.01, "{before}");
    let age_s = before["at_unix_ms"].as_u64().expect("a time") / 1000
        - before["to_unix_s"].as_u64().expect("a time");
    assert!(age_s < 30, "the newest second is of now: {age_s} s ago");

    sumun.write_policy("policy.yaml", policy(&upstream.url(), 2).replace("0.01", "0.02"));
    sumun.sighup();
    eventually("the reload", DEADLINE, async || {
        match sumun.metric("sumun_policy_revision").await {
            revision if revision > 1.5 => Ok(()),
            revision => Err(revision),
        }
    })
    .await;
    sumun.get("/narrow").await;
    let after = series(&sumun, "?route=narrow", 6.0).await;
    assert!(sum(&after, "refused") >= 3.0, "what was before the reload is there: {after}");
    let threshold = after["figures"]["threshold.rps"].as_array().expect("a list");
    assert_eq!((&threshold[0], threshold.last()), (&0.01.into(), Some(&0.02.into())));
}

#[tokio::test]
async fn the_gateway_the_upstream_and_each_route_have_the_same_calls() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&policy(&upstream.url(), 1)).await;
    for path in ["/narrow", "/a", "/b", "/c"] {
        assert_eq!(sumun.get(path).await.status, 200);
    }
    assert_eq!(sumun.get("/narrow").await.status, 429);
    let all = series(&sumun, "", 5.0).await;
    assert!((sum(&all, "refused.rps_over") - 1.0).abs() < 0.01, "{all}");
    let recent = sumun.admin_get("/api/v1/series/routes").await;
    for (route, calls, refused) in [("narrow", 2.0, 1.0), ("all", 3.0, 0.0)] {
        series(&sumun, &format!("?route={route}"), calls).await;
        let spark = &recent["routes"][route];
        for (list, wanted) in [("calls", calls), ("refused", refused)] {
            let list = spark[list].as_array().expect("a list");
            let sum: f64 = list.iter().filter_map(Value::as_f64).sum();
            assert!(list.len() <= 60 && (sum - wanted).abs() < 0.01, "{route}: {spark}");
        }
    }
    eventually("the calls are in the sketch of six hours", DEADLINE, async || {
        let sketch = sumun.admin_get("/api/v1/series/routes?span=6h").await;
        assert_eq!(sketch["every_s"], 180);
        // Of ten seconds that have ended; a call in each of the first ones is a tenth a second.
        let calls = sketch["routes"]["all"]["calls"].as_array().expect("a list").clone();
        if calls.iter().any(|rate| rate.as_f64() > Some(0.0)) { Ok(()) } else { Err(sketch) }
    })
    .await;
    let up = sumun.admin_get("/api/v1/series?upstream=up").await;
    assert_eq!(up["figures"]["endpoints_up"][0], 1.0, "{up}");
    let unknown = sumun.admin("GET", "/api/v1/series?route=none", &[], b"").await;
    assert_eq!(unknown.status, 404, "{unknown}");
}

#[tokio::test]
async fn a_function_and_its_pool_have_their_slots() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&policies::function(&upstream.url(), "reserved: 3")).await;
    assert_eq!(sumun.get("/").await.status, 200);
    series(&sumun, "?route=all", 1.0).await;
    let function = sumun.admin_get("/api/v1/series?function=fn").await;
    assert_eq!(function["figures"]["reserved"][0], 3.0, "{function}");
    let pool = sumun.admin_get("/api/v1/series?pool=true").await;
    assert!(pool["figures"]["total"][0].as_f64() > Some(3.0), "{pool}");
    assert_eq!(pool["figures"]["in_use"][0], 0.0, "{pool}");
}
