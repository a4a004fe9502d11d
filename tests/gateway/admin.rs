//! The admin listener: what is open, what is not, and what the API does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use sumun_tests::{DEADLINE, Reply, Sumun, Upstream, eventually};

use crate::policies;

/// Every GET of the API that this version has.
const READS: [&str; 8] = [
    "/api/v1/status",
    "/api/v1/policies",
    "/api/v1/policies/policy.yaml",
    "/api/v1/routes",
    "/api/v1/routes/all",
    "/api/v1/upstreams",
    "/api/v1/functions",
    "/api/v1/cache",
];

async fn functions() -> (Upstream, Sumun) {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&policies::function(&upstream.url(), "reserved: 3")).await;
    (upstream, sumun)
}

/// The policy file's entity tag.
async fn tag(sumun: &Sumun) -> String {
    let answer = sumun.admin("GET", "/api/v1/policies/policy.yaml", &[], b"").await;
    answer.header("etag").unwrap_or_else(|| panic!("no ETag: {answer}")).to_owned()
}

#[tokio::test]
async fn health_and_metrics_are_open_and_everything_else_needs_the_token() {
    let (_upstream, sumun) = functions().await;
    for path in ["/livez", "/readyz", "/metrics"] {
        let answer = sumun.admin_anonymous("GET", path, &[], b"").await;
        assert_eq!(answer.status, 200, "{path}: {answer}");
    }
    for path in READS {
        let answer = sumun.admin_anonymous("GET", path, &[], b"").await;
        assert_eq!(answer.status, 401, "{path}: {answer}");
        let wrong = [("authorization", "Bearer 0000")];
        assert_eq!(sumun.admin_anonymous("GET", path, &wrong, b"").await.status, 401, "{path}");
        let answer = sumun.admin("GET", path, &[], b"").await;
        assert_eq!(answer.status, 200, "{path}: {answer}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}: {answer}");
    }
    for (method, path) in [
        ("PUT", "/api/v1/functions/fn/concurrency"),
        ("DELETE", "/api/v1/functions/fn/concurrency"),
        ("PUT", "/api/v1/policies/policy.yaml"),
        ("POST", "/api/v1/policies:check"),
        ("POST", "/api/v1/policies:preview"),
    ] {
        let json = [("content-type", "application/json")];
        let answer = sumun.admin_anonymous(method, path, &json, b"{}").await;
        assert_eq!(answer.status, 401, "{method} {path}: {answer}");
    }
}

#[tokio::test]
async fn the_token_file_is_private_and_the_planes_share_no_route() {
    let (upstream, sumun) = functions().await;
    let mode =
        fs::metadata(sumun.state().join("admin.token")).expect("a token").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(sumun.token().len() >= 43, "256 bits");
    // The data listener knows nothing of the API: it forwards.
    for path in ["/livez", "/metrics", "/api/v1/status"] {
        assert_eq!(sumun.get(path).await.text(), "ok", "{path}");
    }
    assert_eq!(upstream.request_count(), 3);
}

#[tokio::test]
async fn another_host_name_is_refused() {
    let (_upstream, sumun) = functions().await;
    let bearer = format!("Bearer {}", sumun.token());
    let headers = [("host", "evil.test"), ("authorization", bearer.as_str())];
    let answer =
        sumun_tests::call(sumun.admin_address(), "GET", "/api/v1/status", &headers, b"").await;
    assert!((400..500).contains(&answer.status), "DNS rebinding: {answer}");
    let foreign = [("origin", "http://evil.test"), ("content-type", "application/json")];
    let path = "/api/v1/functions/fn/concurrency";
    let answer = sumun.admin("PUT", path, &foreign, b"{\"reserved\":9}").await;
    assert_eq!(answer.status, 403, "{answer}");
}

#[tokio::test]
async fn status_routes_and_upstreams_say_what_is() {
    let (upstream, sumun) = functions().await;
    for _ in 0..3 {
        sumun.get("/").await;
    }
    let status = sumun.admin_get("/api/v1/status").await;
    assert!(status["version"].is_string(), "{status}");
    let all = sumun.admin_get("/api/v1/routes/all").await;
    assert!(all.to_string().contains("\"in_flight\":0"), "{all}");
    let upstreams = sumun.admin_get("/api/v1/upstreams").await.to_string();
    assert!(upstreams.contains(&upstream.address().to_string()), "{upstreams}");
    let missing = sumun.admin("GET", "/api/v1/routes/none", &[], b"").await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.header("content-type"), Some("application/problem+json"));
    assert_eq!(sumun.admin("POST", "/api/v1/status", &[], b"").await.status, 405);
}

#[tokio::test]
async fn a_policy_file_is_read_byte_for_byte_and_written_with_if_match() {
    let (upstream, sumun) = functions().await;
    let path = "/api/v1/policies/policy.yaml";
    let text = policies::function(&upstream.url(), "reserved: 3");
    let read = sumun.admin("GET", path, &[], b"").await;
    assert_eq!(read.text(), text);
    assert!(read.header("content-type").is_some_and(|t| t.starts_with("application/yaml")));
    let next = format!("# a comment that stays\n{}", text.replace("reserved: 3", "reserved: 4"));
    let yaml = ("content-type", "application/yaml");
    let put = async |headers: &[(&str, &str)], body: &str| {
        let mut all = vec![yaml];
        all.extend_from_slice(headers);
        sumun.admin("PUT", path, &all, body.as_bytes()).await
    };
    assert_eq!(put(&[], &next).await.status, 428);
    assert_eq!(put(&[("if-match", "\"other\"")], &next).await.status, 412);
    let first = tag(&sumun).await;
    let answer = put(&[("if-match", &first)], &next).await;
    assert!((200..300).contains(&answer.status), "{answer}");
    let file = fs::read_to_string(sumun.policies().join("policy.yaml")).expect("the file");
    assert_eq!(file, next, "comments and all");
    eventually("the new reservation", DEADLINE, async || {
        let view = sumun.admin_get("/api/v1/functions/fn").await;
        if view["reserved"] == 4 { Ok(()) } else { Err(view) }
    })
    .await;
    assert_eq!(put(&[("if-match", &first)], &text).await.status, 412, "the tag has changed");
}

#[tokio::test]
async fn a_policy_with_five_mistakes_has_five_problems_with_their_lines() {
    let (upstream, sumun) = functions().await;
    let path = "/api/v1/policies/policy.yaml";
    let bad = five_mistakes(&upstream.url());
    let before = sumun.metric("sumun_policy_revision").await;
    let current = tag(&sumun).await;
    let headers = [("content-type", "application/yaml"), ("if-match", current.as_str())];
    let answer = sumun.admin("PUT", path, &headers, bad.as_bytes()).await;
    assert_eq!(answer.status, 422, "{answer}");
    let problems = answer.json()["problems"].clone();
    let lines: Vec<u64> =
        problems.as_array().expect("problems").iter().filter_map(|p| p["line"].as_u64()).collect();
    assert_eq!(lines, MISTAKEN_LINES, "{problems:#}");
    for problem in problems.as_array().expect("problems") {
        assert_eq!(problem["file"], "policy.yaml", "{problem}");
        for field in ["message", "help"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
        assert!(problem["column"].as_u64().is_some_and(|column| column > 0), "{problem}");
    }
    assert!((sumun.metric("sumun_policy_revision").await - before).abs() < 0.1);
    assert_eq!(sumun.get("/").await.status, 200, "the running policy stays");
    let kept = fs::read_to_string(sumun.policies().join("policy.yaml")).expect("the file");
    assert!(!kept.contains("interactiv "), "nothing was written");
    // The same in the folder: refused, and the old one stays.
    sumun.write_policy("policy.yaml", &bad);
    sumun.sighup();
    eventually("the reload is refused", DEADLINE, async || {
        match sumun.metrics().await.get("sumun_policy_reload_ok") {
            Some(0.0) => Ok(()),
            other => Err(other),
        }
    })
    .await;
    assert_eq!(sumun.get("/").await.status, 200);
}

/// Where [`five_mistakes`] are.
pub const MISTAKEN_LINES: [u64; 5] = [5, 7, 10, 13, 17];

/// A policy with five different mistakes.
pub fn five_mistakes(url: &str) -> String {
    format!(
        "version: 1\n\
         upstreams:\n\
         \x20 up:\n\
         \x20   endpoints: [\"{url}\"]\n\
         \x20   timeout: {{ response: 5 parsecs }}\n\
         functions:\n\
         \x20 fn: {{ upstream: down }}\n\
         routes:\n\
         \x20 one:\n\
         \x20   clas: batch\n\
         \x20   match: {{ path: /one }}\n\
         \x20   upstream: up\n\
         \x20   admission: {{ rps: {{ limit: 5 }} }}\n\
         \x20 two:\n\
         \x20   match: {{ path: /two }}\n\
         \x20   upstream: up\n\
         \x20   class: sometimes\n"
    )
}

#[tokio::test]
async fn a_draft_is_checked_without_changing_anything() {
    let (upstream, sumun) = functions().await;
    let check = async |text: &str| {
        let body = serde_json::json!({ "files": { "policy.yaml": text } }).to_string();
        let json = [("content-type", "application/json")];
        let answer = sumun.admin("POST", "/api/v1/policies:check", &json, body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{answer}");
        answer.json()
    };
    let good = check(&policies::function(&upstream.url(), "reserved: 9")).await;
    assert_eq!(good["problems"].as_array().map(Vec::len), Some(0), "{good}");
    assert!(good["diff"].to_string().contains("fn"), "{good}");
    let bad = check(&five_mistakes(&upstream.url())).await;
    assert_eq!(bad["problems"].as_array().map(Vec::len), Some(5), "{bad}");
    assert_eq!(sumun.admin_get("/api/v1/functions/fn").await["reserved"], 3);
}

#[tokio::test]
async fn concurrency_is_put_and_written_back_to_the_file() {
    let upstream = Upstream::start(|_| Reply::ok("ok").after(Duration::from_millis(1))).await;
    let text = format!("# kept\n{}", policies::function(&upstream.url(), "reserved: 3"));
    let sumun = Sumun::start(&text).await;
    let path = "/api/v1/functions/fn/concurrency";
    let json = [("content-type", "application/json")];
    let reserved = async |expected: serde_json::Value| {
        eventually("the reservation", DEADLINE, async || {
            let view = sumun.admin_get("/api/v1/functions/fn").await;
            if view["reserved"] == expected { Ok(()) } else { Err(view) }
        })
        .await;
    };
    let answer = sumun.admin("PUT", path, &json, b"{\"reserved\": 7}").await;
    assert!((200..300).contains(&answer.status), "{answer}");
    reserved(7.into()).await;
    let file = fs::read_to_string(sumun.policies().join("policy.yaml")).expect("the file");
    assert_eq!(file, text.replace("reserved: 3", "reserved: 7"));
    let answer = sumun.admin("PUT", path, &json, b"{\"reserved\": 0}").await;
    assert!((200..300).contains(&answer.status), "{answer}");
    reserved(0.into()).await;
    sumun.get("/").await.problem(429, "quota_full");
    let answer = sumun.admin("DELETE", path, &json, b"").await;
    assert!((200..300).contains(&answer.status), "{answer}");
    reserved(serde_json::Value::Null).await;
    assert_eq!(sumun.get("/").await.status, 200);
    let file = fs::read_to_string(sumun.policies().join("policy.yaml")).expect("the file");
    assert!(file.starts_with("# kept\n") && !file.contains("reserved"), "{file}");
    for (body, status) in
        [("{\"reserved\": -1}", 400..=422), ("{\"reserved\": 100000}", 400..=422), ("{", 400..=422)]
    {
        let answer = sumun.admin("PUT", path, &json, body.as_bytes()).await;
        assert!(status.contains(&answer.status), "{body}: {answer}");
    }
    let answer =
        sumun.admin("PUT", "/api/v1/functions/none/concurrency", &json, b"{\"reserved\": 1}").await;
    assert_eq!(answer.status, 404, "{answer}");
}

#[tokio::test]
async fn the_metrics_have_the_names_of_the_contract() {
    let upstream = Upstream::plain().await;
    let policy = policies::function(&upstream.url(), "reserved: 3").replace(
        "function: fn }",
        "function: fn, class: bulk, cache: { fresh_for: 1s }, admission: { rps: { limit: 1000 }, workers: { enter: 80% } } }",
    );
    let policy = policy.replace("response: 5s }", "response: 5s }, workers_max: 10");
    let sumun = Sumun::start(&policy).await;
    sumun.get("/").await;
    let metrics = sumun.metrics().await;
    for name in [
        "http_server_request_duration_seconds_count",
        "http_client_request_duration_seconds_count",
        "sumun_admission_total",
        "sumun_inflight",
        "sumun_limit",
        "sumun_threshold",
        "sumun_function_concurrency",
        "sumun_function_throttled_total",
        "sumun_cache_total",
        "sumun_cache_bytes",
        "sumun_policy_reload_ok",
        "sumun_policy_revision",
        "sumun_spans_dropped_total",
    ] {
        assert!(metrics.has(name), "{name} is missing");
    }
    assert_eq!(metrics.label_values("sumun_threshold", "signal"), ["rps", "workers"]);
    assert_eq!(metrics.label_values("sumun_function_concurrency", "kind"), ["in_use", "reserved"]);
    assert_eq!(
        metrics.label_values("http_server_request_duration_seconds_count", "http_route"),
        ["all"]
    );
    let admitted =
        "sumun_admission_total{route=\"all\",class=\"bulk\",decision=\"admit\",mode=\"enforce\"}";
    assert!(
        (metrics.sum(admitted) - 1.0).abs() < 0.1,
        "{:?}",
        metrics.series("sumun_admission_total")
    );
}
