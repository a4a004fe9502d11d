//! Traces: a caller's goes on to the upstream and to a real receiver, and the newest are kept here.

use serde_json::Value;
use sumun_tests::{DEADLINE, Rotel, Sumun, Upstream, eventually};

use crate::policies;

/// What a caller sends, and its parts.
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLERS_SPAN: &str = "00f067aa0ba902b7";

/// A route whose first call of a second passes, and a function that is paused.
fn tight(url: &str) -> String {
    format!(
        "version: 1\nupstreams:\n  mailbox: {{ endpoints: [{url}] }}\n\
         functions:\n  paused: {{ upstream: mailbox, reserved: 0 }}\nroutes:\n  \
         receive:\n    match: {{ path: /receive }}\n    upstream: mailbox\n    class: batch\n    \
         admission: {{ mode: enforce, rps: {{ limit: 1, burst: 1 }} }}\n  \
         paused:\n    match: {{ path: /paused }}\n    function: paused\n"
    )
}

/// The spans of a trace, as soon as it is kept.
async fn spans(sumun: &Sumun, trace_id: &str) -> Vec<Value> {
    let path = format!("/api/v1/traces/{trace_id}");
    let document = eventually("the trace is kept", DEADLINE, async || {
        let answer = sumun.admin("GET", &path, &[], b"").await;
        if answer.status == 200 { Ok(answer.json()) } else { Err(answer.to_string()) }
    })
    .await;
    let spans = &document["resourceSpans"][0]["scopeSpans"][0]["spans"];
    spans.as_array().expect("spans").clone()
}

/// An attribute's value, without its type.
fn attribute(span: &Value, key: &str) -> Value {
    let pairs = span["attributes"].as_array().expect("attributes");
    let pair = pairs.iter().find(|pair| pair["key"] == key);
    let value = pair.and_then(|pair| pair["value"].as_object()).and_then(|of| of.values().next());
    value.cloned().unwrap_or(Value::Null)
}

async fn goes_on_by(protocol: &str, rotel: &Rotel, port: u16) {
    let upstream = Upstream::plain().await;
    let service = format!("gate-{}", protocol.replace('/', "-"));
    let sumun = Sumun::with()
        .policy("policy.yaml", &policies::to(&upstream.url()))
        .environment("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        .environment("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://127.0.0.1:{port}"))
        .environment("OTEL_METRICS_EXPORTER", "none")
        .environment("OTEL_SERVICE_NAME", &service)
        .start()
        .await;
    let headers = [("traceparent", TRACEPARENT), ("tracestate", "vendor=value")];
    assert_eq!(sumun.call("GET", "/traced?secret=1", &headers, b"").await.status, 200);

    let got = &upstream.requests()[0];
    let parent = got.header("traceparent").expect("a traceparent");
    let parts: Vec<&str> = parent.split('-').collect();
    assert_eq!((parts[0], parts[1], parts[3]), ("00", TRACE_ID, "01"), "{parent}");
    assert_eq!(got.all("tracestate"), ["vendor=value"]);
    let client = parts[2];

    let spans = spans(&sumun, TRACE_ID).await;
    assert_eq!(spans.len(), 2);
    assert_eq!(spans[0]["parentSpanId"], CALLERS_SPAN);
    assert_eq!(spans[1]["parentSpanId"], spans[0]["spanId"]);
    assert_eq!(spans[1]["spanId"], client, "the upstream's span is a child of the attempt");

    let server = spans[0]["spanId"].as_str().expect("an id");
    let text = rotel.wait_for(&[&service, TRACE_ID, CALLERS_SPAN, server, client]);
    assert!(text.contains("/traced") && !text.contains("secret"), "the query stays out of it");
    assert!(sumun.metric("sumun_spans_dropped_total").await < 1.0);
}

#[tokio::test]
async fn a_callers_trace_goes_on_to_the_upstream_and_to_a_receiver_by_grpc_and_http() {
    let rotel = Rotel::start();
    goes_on_by("grpc", &rotel, rotel.grpc_port).await;
    goes_on_by("http/protobuf", &rotel, rotel.http_port).await;
    goes_on_by("http/json", &rotel, rotel.http_port).await;
}

#[tokio::test]
async fn a_refused_call_is_found_by_the_trace_id_that_its_caller_was_told() {
    let upstream = Upstream::plain().await;
    let link = "http://127.0.0.1:16686/trace/{trace_id}";
    let sumun = Sumun::with()
        .policy("mail.yaml", &tight(&upstream.url()))
        .settings(&format!("traces: {{ link: '{link}' }}\n"))
        .start()
        .await;
    let problem = eventually("a second call in one second", DEADLINE, async || {
        let answer = sumun.get("/receive").await;
        if answer.status == 429 { Ok(answer.json()) } else { Err(answer.status) }
    })
    .await;
    let trace_id = problem["trace_id"].as_str().expect("a trace id");
    let [span]: [Value; 1] = spans(&sumun, trace_id).await.try_into().expect("one span");
    for (key, value) in [
        ("sumun.decision", Value::from("refuse")),
        ("sumun.reason", "rps_over".into()),
        ("sumun.signal", "rps".into()),
        ("sumun.observed", problem["observed"].clone()),
        ("sumun.threshold", problem["threshold"].clone()),
        ("sumun.retry_after_ms", problem["retry_after_ms"].to_string().into()),
        ("sumun.upstream", "mailbox".into()),
        ("sumun.policy.file", "mail.yaml".into()),
        ("http.response.status_code", "429".into()),
    ] {
        let told = attribute(&span, key);
        let same = match (told.as_f64(), value.as_f64()) {
            (Some(told), Some(value)) => (told - value).abs() < 1e-9,
            _ => told == value,
        };
        assert!(same, "{key}: {told} instead of {value}");
    }

    let list = sumun.admin_get("/api/v1/traces?kind=refused&route=receive&status=429").await;
    assert_eq!(list["link"], link);
    let told: Vec<_> = list["traces"].as_array().expect("traces").iter().collect();
    let found = told.iter().find(|trace| trace["trace_id"] == trace_id).expect("it is listed");
    assert_eq!(found["policy_file"], "mail.yaml");
    assert_eq!(found["retry_after_ms"], problem["retry_after_ms"]);
    let others = sumun.admin_get("/api/v1/traces?kind=refused&route=paused").await;
    assert_eq!(others["traces"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn a_full_quota_says_its_figures_and_each_call_the_policy_that_decided() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::with().policy("first.yaml", &tight(&upstream.url())).start().await;
    let refused = async || {
        let problem = sumun.get("/paused").await.problem(429, "quota_full");
        problem["trace_id"].as_str().expect("a trace id").to_owned()
    };
    let before = refused().await;
    std::fs::rename(sumun.policies().join("first.yaml"), sumun.policies().join("second.yaml"))
        .expect("renamed");
    sumun.sighup();
    let file_of = async |trace_id: &str| {
        let span = spans(&sumun, trace_id).await.remove(0);
        assert_eq!(attribute(&span, "sumun.signal"), "concurrency");
        assert_eq!(
            (
                attribute(&span, "sumun.observed").as_f64(),
                attribute(&span, "sumun.threshold").as_f64()
            ),
            (Some(0.0), Some(0.0))
        );
        assert_eq!(attribute(&span, "sumun.function"), "paused");
        attribute(&span, "sumun.policy.file")
    };
    eventually("the new file decides", DEADLINE, async || {
        let file = file_of(&refused().await).await;
        if file == "second.yaml" { Ok(()) } else { Err(file) }
    })
    .await;
    assert_eq!(
        file_of(&before).await,
        "first.yaml",
        "what decided then is told, not what holds now"
    );
}

#[tokio::test]
async fn traces_are_bounded_and_what_is_forgotten_is_counted() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&tight(&upstream.url())).await;
    for _ in 0..200 {
        sumun.get("/nowhere").await;
    }
    eventually("all of them are kept or counted", DEADLINE, async || {
        let list = sumun.admin_get("/api/v1/traces?limit=200").await;
        let refused = &list["kinds"]["refused"];
        let number = |value: &Value| value.as_u64().expect("a count");
        let (kept, forgotten) = (number(&refused["kept"]), number(&refused["forgotten"]));
        let passed_over = number(&list["spans_passed_over"]);
        if kept + forgotten + passed_over == 200 { Ok(()) } else { Err(list.to_string()) }
    })
    .await;
    let metrics = sumun.metrics().await;
    assert!(metrics.sum("sumun_traces_kept{kind=\"refused\"}") >= 1.0);
    assert!(metrics.sum("sumun_spans_dropped_total") < 1.0, "nothing was to be exported");
}
