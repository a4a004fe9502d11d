use std::time::Duration;

use http_body::Body as _;
use sumun_engine::{QuotaFull, Reason, Shed};

use super::{Code, Refusal};
use crate::body::Body;
use crate::path::Caller;
use crate::telemetry::record::Trace;

const PLAIN: Caller = Caller { grpc: false, h2: false };
const GRPC: Caller = Caller { grpc: true, h2: true };
const TRACE: Trace = Trace { trace_id: 0xabc, span_id: 1, parent_id: None, sampled: false };

fn shed(reason: Reason) -> Shed {
    let retry_after = Duration::from_micros(1_200_400);
    Shed { reason, observed: 0.912_345, threshold: 0.85, retry_after, limit: 170 }
}

fn json(body: &Body) -> serde_json::Value {
    match body {
        Body::Full(bytes) => serde_json::from_slice(bytes).unwrap(),
        _ => panic!("a problem is one piece"),
    }
}

#[test]
fn codes_are_distinct_and_their_statuses_are_errors() {
    let texts: std::collections::HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(texts.len(), Code::ALL.len());
    for code in Code::ALL {
        assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
    }
}

#[test]
fn every_refusal_is_a_problem_with_a_proxy_status() {
    for code in Code::ALL {
        let response = Refusal::new(code, "because").response(PLAIN, None, &TRACE);
        assert_eq!(response.status(), code.status());
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let proxy_status = response.headers()["proxy-status"].to_str().unwrap();
        assert!(proxy_status.starts_with("sumun; error="), "{proxy_status}");
        let problem = json(response.body());
        assert_eq!(problem["status"], code.status().as_u16());
        assert_eq!(problem["code"], code.as_str());
        assert_eq!(problem["detail"], "because");
        assert_eq!(problem["trace_id"], "00000000000000000000000000000abc");
    }
}

#[test]
fn a_429_says_what_was_over_and_when_to_come_back() {
    let refusal = Refusal::shed(Code::WorkersOver, shed(Reason::Workers));
    let response = refusal.response(PLAIN, None, &TRACE);
    assert_eq!(response.headers()["retry-after"], "2");
    assert_eq!(
        response.headers()["ratelimit-policy"],
        "\"workers\";q=170;qu=\"concurrent-requests\""
    );
    assert_eq!(response.headers()["ratelimit"], "\"workers\";r=0;t=2");
    let problem = json(response.body());
    assert_eq!(problem["signal"], "workers");
    assert_eq!(problem["observed"], 0.9123);
    assert_eq!(problem["threshold"], 0.85);
    assert_eq!(problem["retry_after_ms"], 1201);
}

#[test]
fn a_full_quota_is_a_429_too() {
    let response =
        Refusal::quota(QuotaFull { in_use: 300, limit: 300 }).response(PLAIN, None, &TRACE);
    assert_eq!(response.status(), 429);
    assert_eq!(
        response.headers()["ratelimit-policy"],
        "\"quota\";q=300;qu=\"concurrent-requests\""
    );
    let problem = json(response.body());
    assert_eq!((&problem["code"], &problem["observed"]), (&"quota_full".into(), &300.into()));
}

#[test]
fn grpc_callers_get_trailers_only() {
    let response = Refusal::shed(Code::RpsOver, shed(Reason::Rps)).response(GRPC, None, &TRACE);
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/grpc");
    assert_eq!(response.headers()["grpc-status"], "8");
    assert_eq!(response.headers()["grpc-retry-pushback-ms"], "1201");
    assert!(response.body().is_end_stream());
}
