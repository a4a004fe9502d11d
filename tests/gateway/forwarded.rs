//! What a trusted proxy tells, where many calls share one answer: those that wait for it, those that
//! nobody waits for, and purges. Field by field it stands in the conformance table.

use serde_json::json;
use sumun_tests::{DEADLINE, Gate, Recorded, Reply, Sumun, Upstream, eventually};

use crate::policies;

const EVIL: [(&str, &str); 2] = [("host", "h.test"), ("x-forwarded-host", "evil.test")];
const PLAIN: [(&str, &str); 1] = [("host", "h.test")];

/// An origin that makes links of what it is told, behind a gateway that believes its clients.
async fn linking(control: &'static str, gate: &Gate) -> (Upstream, Sumun) {
    let gate = gate.clone();
    let upstream = Upstream::start(move |asked: &Recorded| {
        let scheme = asked.header("x-forwarded-proto").unwrap_or_default();
        let host = asked.header("x-forwarded-host").unwrap_or_default();
        let prefix = asked.header("x-forwarded-prefix").unwrap_or_default();
        let link = format!("{scheme}://{host}{prefix}{}", asked.target());
        Reply::with(200, &[("cache-control", control)], link).behind(&gate)
    })
    .await;
    let sumun = Sumun::with()
        .policy("policy.yaml", &policies::to_with(&upstream.url(), "cache: {}"))
        .settings("trusted_proxies: [127.0.0.0/8]\n")
        .start()
        .await;
    (upstream, sumun)
}

#[tokio::test]
async fn who_waits_for_an_answer_waits_for_one_to_its_own_host() {
    let gate = Gate::closed();
    let (upstream, sumun) = linking("max-age=60", &gate).await;
    let both_asked = async {
        upstream.arrived(2).await;
        gate.open();
    };
    let get = |told: &'static [(&str, &str)]| sumun.call("GET", "/a", told, b"");
    let (one, other, same, plain, ()) =
        tokio::join!(get(&EVIL), get(&PLAIN), get(&EVIL), get(&PLAIN), both_asked);
    for (answer, link) in [
        (one, "http://evil.test/a"),
        (same, "http://evil.test/a"),
        (other, "http://h.test/a"),
        (plain, "http://h.test/a"),
    ] {
        assert_eq!(answer.text(), link, "{answer}");
    }
    assert_eq!(upstream.request_count(), 2, "each of the two was asked for once");
}

#[tokio::test]
async fn a_revalidation_that_nobody_waits_for_asks_by_the_key() {
    let gate = Gate::closed();
    gate.open();
    let (upstream, sumun) = linking("max-age=0, stale-while-revalidate=600", &gate).await;
    let told = [
        ("host", "inner.test"),
        ("x-forwarded-host", "H.test:443, other.test"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/mail"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-real-ip", "6.6.6.6"),
        ("forwarded", "for=6.6.6.6;host=evil.test"),
    ];
    for _ in 0..2 {
        let answer = sumun.call("GET", "/a", &told, b"").await;
        assert_eq!(answer.text(), "https://h.test/mail/a", "{answer}");
    }
    upstream.arrived(2).await;
    for asked in upstream.requests() {
        assert_eq!(asked.all("x-forwarded-host"), ["h.test"]);
        assert_eq!(asked.all("x-forwarded-proto"), ["https"]);
        assert_eq!(asked.all("x-forwarded-prefix"), ["/mail"]);
        assert_eq!(asked.all("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(asked.all("host"), ["inner.test"]);
        for gone in ["x-real-ip", "forwarded"] {
            assert_eq!(asked.header(gone), None, "{gone}");
        }
        let raw = String::from_utf8_lossy(&asked.head.raw).into_owned();
        assert!(!raw.contains("6.6.6.6") && !raw.contains("evil"), "{raw}");
    }
}

#[tokio::test]
async fn a_purge_of_the_clients_url_covers_whatever_else_the_proxy_told() {
    let gate = Gate::closed();
    gate.open();
    let (upstream, sumun) = linking("max-age=600", &gate).await;
    let host = [("x-forwarded-proto", "https"), ("x-forwarded-host", "h.test")];
    let prefix = [&host[..], &[("x-forwarded-prefix", "/mail")]].concat();
    for told in [&host[..], &prefix[..]] {
        sumun.call("GET", "/a", told, b"").await;
        sumun.call("GET", "/a", told, b"").await;
    }
    assert_eq!(upstream.request_count(), 2);
    let json = [("content-type", "application/json")];
    let what = json!({"url": "https://h.test/a"}).to_string();
    let purged = sumun.admin("POST", "/api/v1/cache:purge", &json, what.as_bytes()).await;
    assert_eq!(purged.status, 200, "{purged}");
    let purged: serde_json::Value = serde_json::from_str(&purged.text()).expect("JSON");
    assert_eq!(purged["purged"], 2, "{purged}");
    for told in [&host[..], &prefix[..]] {
        sumun.call("GET", "/a", told, b"").await;
    }
    eventually("both are asked for anew", DEADLINE, async || {
        let count = upstream.request_count();
        if count == 4 { Ok(()) } else { Err(count) }
    })
    .await;
}

#[tokio::test]
async fn a_route_without_cache_passes_everything_on_as_it_came() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::with()
        .policy("policy.yaml", &policies::to(&upstream.url()))
        .settings("trusted_proxies: [127.0.0.0/8]\n")
        .start()
        .await;
    let told = [
        ("host", "Inner.test:80"),
        ("x-forwarded-host", "H.test, other.test"),
        ("x-forwarded-proto", "https, http"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-real-ip", "6.6.6.6"),
        ("forwarded", "for=6.6.6.6"),
    ];
    sumun.call("GET", "/", &told, b"").await;
    let asked = upstream.only_request();
    assert_eq!(asked.all("x-forwarded-for").join(", "), "6.6.6.6, 127.0.0.1");
    for (name, value) in told.into_iter().filter(|(name, _)| *name != "x-forwarded-for") {
        assert_eq!(asked.all(name), [value], "{name}");
    }
}
