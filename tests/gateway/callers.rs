//! Who calls: each source of an identity, and each caller's own rate.

use std::collections::BTreeMap;
use std::fs;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sumun_tests::{Client, DEADLINE, Load, Response, Starting, Sumun, Upstream, eventually};

use crate::{policies, tls};

/// Everything goes to one upstream, three calls at once for each caller and none after.
fn three_each(upstream: &str) -> String {
    limited(upstream, "limit: 0.001, burst: 3, per: caller")
}

fn limited(upstream: &str, rps: &str) -> String {
    policies::policy(
        &policies::upstream(upstream),
        &format!("class: batch, admission: {{ rps: {{ {rps} }} }}"),
    )
}

/// A gateway in front of an upstream with this policy and these settings.
fn gateway(policy: &str, settings: &str) -> Starting {
    Sumun::with().policy("policy.yaml", policy).settings(settings)
}

/// Statuses of so many calls with these headers, and the last answer.
async fn calls(sumun: &Sumun, count: usize, headers: &[(&str, &str)]) -> (Vec<u16>, Response) {
    let mut statuses = Vec::new();
    let mut last = Response::default();
    for _ in 0..count {
        last = sumun.call("GET", "/x", headers, b"").await;
        statuses.push(last.status);
    }
    (statuses, last)
}

/// The partition key that both `RateLimit` fields name.
fn partition(refused: &Response) -> Option<String> {
    let key = |field: &str| {
        let value = refused.header(field).expect("a RateLimit field");
        value.split(';').find_map(|part| part.strip_prefix("pk=")).map(str::to_owned)
    };
    assert_eq!(key("ratelimit"), key("ratelimit-policy"), "{refused}");
    key("ratelimit")
}

#[tokio::test]
async fn changed_api_keys_are_used_without_a_restart_and_bad_ones_change_nothing() {
    let upstream = Upstream::plain().await;
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys");
    fs::write(&keys, "orders first-key\n").expect("written");
    let settings =
        format!("callers: {{ by: [api_key:X-Api-Key], api_keys: {} }}\n", keys.display());
    let policy = limited(&upstream.url(), "limit: 1000, burst: 1000, per: caller");
    let sumun = gateway(&policy, &settings).start().await;
    let caller_of = async |key: &str, path: &str| {
        sumun.call("GET", path, &[("x-api-key", key)], b"").await;
        eventually("its line", DEADLINE, async || {
            let lines = sumun.stdout();
            let line = lines.lines().find(|line| line.contains(path)).ok_or("none")?;
            serde_json::from_str::<Value>(line).map_err(|_| "no JSON")
        })
        .await["caller"]
            .as_str()
            .map(str::to_owned)
    };
    let problems = async || sumun.admin_get("/api/v1/status").await["key_problems"].clone();
    assert_eq!(caller_of("first-key", "/call-1").await.as_deref(), Some("orders"));
    assert_eq!(problems().await, json!([]));

    fs::write(&keys, "orders spoilt key\n").expect("written");
    sumun.sighup();
    eventually("the problem is told", DEADLINE, async || match problems().await {
        Value::Array(told) if told.len() == 1 => Ok(()),
        other => Err(other),
    })
    .await;
    assert_eq!(caller_of("first-key", "/call-2").await.as_deref(), Some("orders"));
    assert!(!sumun.stderr().contains("spoilt"), "{}", sumun.stderr());

    // Swapped, and nobody says so.
    let next = keys.with_extension("next");
    fs::write(&next, "billing second-key\n").expect("written");
    fs::rename(&next, &keys).expect("swapped");
    eventually("the problem is gone", DEADLINE, async || match problems().await {
        Value::Array(told) if told.is_empty() => Ok(()),
        other => Err(other),
    })
    .await;
    assert_eq!(caller_of("second-key", "/call-3").await.as_deref(), Some("billing"));
    assert_eq!(caller_of("first-key", "/call-4").await, None);
}

#[tokio::test]
async fn who_floods_by_header_takes_nothing_from_another_caller() {
    let upstream = Upstream::plain().await;
    let settings = "trusted_proxies: [127.0.0.1]\ncallers: { by: [{ header: X-Service-Name }] }\n";
    let sumun = gateway(&three_each(&upstream.url()), settings).start().await;
    let (flood, refused) = calls(&sumun, 20, &[("x-service-name", "orders")]).await;
    assert_eq!(flood.iter().filter(|status| **status == 200).count(), 3, "{flood:?}");
    let problem = refused.problem(429, "rps_over");
    assert!(problem["detail"].to_string().contains("caller"), "{problem}");
    let (billing, _) = calls(&sumun, 3, &[("x-service-name", "billing")]).await;
    assert_eq!(billing, [200, 200, 200]);
    let key = partition(&refused).expect("the caller's partition");
    assert!(key.len() == 14 && key.starts_with(':') && key.ends_with(':'), "{key}");
    assert!(!key.contains("orders"), "opaque");
    let again = calls(&sumun, 1, &[("x-service-name", "orders")]).await.1;
    assert_eq!(partition(&again).as_ref(), Some(&key));
    let other = calls(&sumun, 1, &[("x-service-name", "billing")]).await.1;
    assert!(partition(&other).is_some_and(|other| other != key));
    let (nobody, refused) = calls(&sumun, 4, &[]).await;
    assert_eq!(nobody, [200, 200, 200, 429], "callers that are not known share one bucket");
    assert_eq!(partition(&refused), None);
}

#[tokio::test]
async fn a_strangers_header_is_not_believed_and_still_passed_on() {
    let upstream = Upstream::plain().await;
    let settings = "trusted_proxies: [10.0.0.0/8]\ncallers: { by: [header:X-Service-Name] }\n";
    let sumun = gateway(&three_each(&upstream.url()), settings).start().await;
    let mut statuses = Vec::new();
    for name in ["a", "b", "c", "d"] {
        statuses.extend(calls(&sumun, 1, &[("x-service-name", name)]).await.0);
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
    assert_eq!(upstream.requests()[0].all("x-service-name"), ["a"]);
}

#[tokio::test]
async fn nobody_is_told_apart_by_a_header_that_nobody_may_send() {
    let starting = gateway(&three_each("http://127.0.0.1:1"), "callers: { by: [header:X-A] }\n");
    let (status, printed) = starting.start_and_end().await;
    assert!(!status.success());
    assert!(printed.contains("sumun.yaml:1:16: "), "{printed}");
    assert!(printed.contains("callers.believe: anyone"), "the remedy: {printed}");
}

/// A client identity with this common name.
fn client(name: &str) -> tls::Identity {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let signing_key = rcgen::KeyPair::generate().expect("a key");
    let cert = params.self_signed(&signing_key).expect("a certificate");
    rcgen::CertifiedKey { cert, signing_key }
}

#[tokio::test]
async fn without_a_setting_the_client_certificates_subject_is_the_caller() {
    let (upstream, folder) = (Upstream::plain().await, tempfile::tempdir().expect("a folder"));
    let server = tls::identity("gateway.test");
    let clients = [client("orders"), client("Billing Service")];
    let authorities = clients.each_ref().map(|client| client.cert.pem()).concat();
    fs::write(folder.path().join("clients"), authorities).expect("written");
    tls::write(&server, &folder, "server");
    let path = folder.path().display();
    let settings = format!(
        "tls: {{ cert: {path}/server.cert, key: {path}/server.key, client_ca: {path}/clients }}\n"
    );
    let sumun = gateway(&three_each(&upstream.url()), &settings).start().await;
    let mut seen: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, client) in ["orders", "billing"].into_iter().zip(&clients) {
        for _ in 0..5 {
            let stream = tls::connect(sumun.address(), &server, Some(client), "http/1.1").await;
            let head = tls::exchange(&mut stream.expect("a handshake")).await.expect("an answer");
            seen.entry(name).or_default().push(head.word(1).to_owned());
        }
    }
    for statuses in seen.values() {
        assert_eq!(*statuses, ["200", "200", "200", "429", "429"], "{seen:?}");
    }
    let line = line(&sumun, "Billing").await;
    assert!(line.contains("\"caller\":\"Billing Service\""), "{line}");
}

/// Waits for the line of standard output with this text.
async fn line(sumun: &Sumun, text: &str) -> String {
    eventually("a line of the access log", DEADLINE, async || {
        let stdout = sumun.stdout();
        let found = stdout.lines().find(|line| line.contains(text)).map(str::to_owned);
        found.ok_or(stdout)
    })
    .await
}

/// A key of an issuer of tokens.
struct Issuer(EcdsaKeyPair);

impl Issuer {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"))
    }

    /// The set that knows its public key (RFC 7518 §6.2.1).
    fn keys(&self) -> String {
        let point = self.0.public_key().as_ref();
        let (x, y) = (&point[1..33], &point[33..65]);
        serde_json::json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "k1",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        }]})
        .to_string()
    }

    /// An `Authorization` with a token for this subject.
    fn bearer(&self, subject: &str) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","kid":"k1"}"#);
        let claims = serde_json::json!({ "sub": subject, "exp": 4_102_444_800_u64 }).to_string();
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).expect("signed");
        format!("Bearer {signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

#[tokio::test]
async fn a_token_is_a_caller_where_a_known_key_has_signed_it() {
    let (upstream, folder) = (Upstream::plain().await, tempfile::tempdir().expect("a folder"));
    let (issuer, forger) = (Issuer::new(), Issuer::new());
    let keys = folder.path().join("jwks.json");
    fs::write(&keys, issuer.keys()).expect("written");
    let settings = format!("callers: {{ by: [jwt: sub], jwt_keys: {} }}\n", keys.display());
    let sumun = gateway(&three_each(&upstream.url()), &settings).start().await;
    for subject in ["orders", "billing"] {
        let bearer = issuer.bearer(subject);
        let (statuses, _) = calls(&sumun, 5, &[("authorization", &bearer)]).await;
        assert_eq!(statuses, [200, 200, 200, 429, 429], "{subject}");
    }
    // Two workers write the log: any of the five lines may come first.
    assert!(line(&sumun, "\"caller\":\"billing\"").await.contains("\"status\":"));
    let mut statuses = Vec::new();
    for subject in ["a", "b", "c", "d"] {
        let bearer = forger.bearer(subject);
        statuses.extend(calls(&sumun, 1, &[("authorization", &bearer)]).await.0);
    }
    assert_eq!(statuses, [200, 200, 200, 429], "forged tokens are nobody's: one bucket");
    assert!(upstream.requests()[0].header("authorization").is_some(), "passed on");
}

#[tokio::test]
async fn an_api_key_is_a_caller_and_never_told() {
    let (upstream, folder) = (Upstream::plain().await, tempfile::tempdir().expect("a folder"));
    let keys = folder.path().join("keys");
    fs::write(&keys, "# ours\norders canary-1\nbilling canary-2\n").expect("written");
    let settings =
        format!("callers: {{ by: [api_key:X-Api-Key], api_keys: {} }}\n", keys.display());
    let sumun = gateway(&three_each(&upstream.url()), &settings).start().await;
    for key in ["canary-1", "canary-2"] {
        let (statuses, refused) = calls(&sumun, 5, &[("x-api-key", key)]).await;
        assert_eq!(statuses, [200, 200, 200, 429, 429], "{key}");
        assert!(!refused.to_string().contains("canary"), "{refused}");
    }
    let mut statuses = Vec::new();
    for key in ["canary-3", "canary-4", "canary-5", "canary-6"] {
        statuses.extend(calls(&sumun, 1, &[("x-api-key", key)]).await.0);
    }
    assert_eq!(statuses, [200, 200, 200, 429], "keys that nobody has share one bucket");
    let line = line(&sumun, "\"caller\":\"billing\"").await;
    let metrics = sumun.admin_anonymous("GET", "/metrics", &[], b"").await.text();
    for told in [line, metrics, sumun.stdout(), sumun.stderr()] {
        assert!(!told.contains("canary"), "{told}");
    }
}

#[tokio::test]
async fn a_file_of_keys_that_is_wrong_is_said_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys");
    fs::write(&keys, "orders k-1\nbilling sha256:canary\n").expect("written");
    let settings =
        format!("callers: {{ by: [api_key:X-Api-Key], api_keys: {} }}\n", keys.display());
    let starting = gateway(&three_each("http://127.0.0.1:1"), &settings);
    let (status, printed) = starting.start_and_end().await;
    assert!(!status.success());
    assert!(printed.contains("keys:2: write 64 hexadecimal digits"), "{printed}");
    assert!(!printed.contains("canary"), "{printed}");
}

/// 2,000 calls at once against a budget of 100, by so many callers in turn; admitted by caller.
async fn at_once(per: &str, callers: usize) -> BTreeMap<String, usize> {
    let upstream = Upstream::plain().await;
    let settings = "trusted_proxies: [127.0.0.1]\ncallers: { by: [header:X-Service-Name] }\n";
    let policy = limited(&upstream.url(), &format!("limit: 0.001, burst: 100, per: {per}"));
    let sumun = gateway(&policy, settings).start().await;
    let request = move |connection: usize, _: u64| {
        let name = connection % callers;
        format!("GET /x HTTP/1.1\r\nhost: a\r\nx-service-name: s{name}\r\n\r\n").into_bytes()
    };
    let tally = Load::requests(sumun.address(), request).connections(200).total(2_000).run().await;
    assert!(tally.broken.is_empty(), "{tally:?}");
    assert_eq!(tally.count(200) + tally.count(429), 2_000, "{tally:?}");
    let mut admitted: BTreeMap<String, usize> = BTreeMap::new();
    for seen in upstream.requests() {
        let name = seen.header("x-service-name").expect("a name").to_owned();
        *admitted.entry(name).or_default() += 1;
    }
    admitted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_at_once_against_a_budget_of_a_hundred_are_exactly_a_hundred() {
    assert_eq!(at_once("route", 4).await.values().sum::<usize>(), 100);
    let each = at_once("caller", 4).await;
    assert_eq!(each.into_values().collect::<Vec<_>>(), [100; 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sustained_each_caller_gets_its_rate_and_never_more() {
    let upstream = Upstream::plain().await;
    let settings = "trusted_proxies: [127.0.0.1]\ncallers: { by: [header:X-Service-Name] }\n";
    // A bucket of half a second: a machine that stands still for less loses no token.
    let policy = limited(&upstream.url(), "limit: 100, burst: 50, per: caller");
    let sumun = gateway(&policy, settings).start().await;
    let request = |connection: usize, _: u64| {
        let name = connection % 2;
        format!("GET /x HTTP/1.1\r\nhost: a\r\nx-service-name: s{name}\r\n\r\n").into_bytes()
    };
    let began = std::time::Instant::now();
    let load = Load::requests(sumun.address(), request).connections(8);
    let tally = load.lasting(std::time::Duration::from_secs(3)).run().await;
    let most = 50.0 + 100.0 * began.elapsed().as_secs_f64();
    assert!(tally.broken.is_empty(), "{tally:?}");
    for name in ["s0", "s1"] {
        let seen = upstream.requests();
        let admitted = seen.iter().filter(|r| r.header("x-service-name") == Some(name)).count();
        assert!(admitted as f64 <= most + 1.0, "{name}: {admitted} admitted, at most {most}");
        assert!(admitted as f64 >= 0.9 * 350.0, "{name}: {admitted} admitted of 350");
    }
}

#[tokio::test]
async fn a_hundred_thousand_callers_stay_in_bounded_memory() {
    const BATCH: usize = 500;
    // Each is let in by its rate and refused by the quota: no upstream is needed.
    let policy = "version: 1\n\
        upstreams:\n  up: { endpoints: [\"http://127.0.0.1:1\"] }\n\
        functions:\n  fn: { upstream: up, reserved: 0 }\n\
        routes:\n  all: { match: { path: /** }, function: fn, class: batch, admission: \
        { rps: { limit: 0.001, burst: 5, per: caller } } }\n";
    let settings = "trusted_proxies: [127.0.0.1]\ncallers: { by: [header:X-Service-Name] }\n\
        access_log: { format: off }\n";
    let sumun = gateway(policy, settings).start().await;
    let mut client = Client::connect(sumun.address()).await;
    let mut after_first = 0;
    for batch in 0..100_000 / BATCH {
        let names = (0..BATCH).map(|at| batch * BATCH + at);
        let request =
            |name| format!("GET / HTTP/1.1\r\nhost: a\r\nx-service-name: s{name}\r\n\r\n");
        let requests: Vec<String> = names.map(request).collect();
        let requests = requests.concat();
        client.send(requests).await;
        for _ in 0..BATCH {
            assert_eq!(client.answer().await.status, 429);
        }
        if batch * BATCH == 15_000 {
            after_first = sumun.anonymous_kib(); // the bound of 10,000 has been reached
        }
    }
    let grown = sumun.anonymous_kib().saturating_sub(after_first);
    assert!(grown < 4 * 1024, "{grown} KiB more after 100,000 callers than after 15,000");
    let of_quota = sumun.metric("sumun_admission_total{reason=\"quota_full\"}").await;
    assert!((of_quota - 100_000.0).abs() < 0.5, "each was let in by its rate: {of_quota}");
}
