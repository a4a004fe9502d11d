//! Recent traces; what they say is telemetry's own tests' matter.

use serde_json::json;

use super::*;
use crate::telemetry::traces::{Decision, StatusWanted};

#[tokio::test]
async fn the_list_says_what_was_kept_and_where_else_to_look() {
    let fixture = Fixture::new().await;
    let list = fixture.get("/api/v1/traces").await.json();
    let kind = json!({"kept": 1, "forgotten": 2});
    let wanted = json!({
        "traces": [], "spans_passed_over": 3, "link": "http://127.0.0.1:16686/trace/{trace_id}",
        "kinds": {"refused": kind, "slow": kind, "error": kind, "sampled": kind},
    });
    assert_eq!(list, wanted);
    let usual = Wanted { limit: 50, ..Wanted::default() };
    assert_eq!(*fixture.watched.wanted.lock(), [usual]);
}

#[tokio::test]
async fn each_filter_reaches_the_gateway() {
    let fixture = Fixture::new().await;
    let query = "kind=refused&route=mail-receive&decision=refuse&status=4xx&min_ms=1.5&\
                 caller=web%20front&cache=miss&before=7&limit=1000";
    assert_eq!(fixture.get(&format!("/api/v1/traces?{query}")).await.status, StatusCode::OK);
    let wanted = Wanted {
        kind: Some(Kind::Refused),
        route: Some("mail-receive".to_owned()),
        decision: Some(Decision::Refuse),
        status: Some(StatusWanted::Class(4)),
        least_ns: 1_500_000,
        caller: Some("web front".to_owned()),
        cache: Some("miss".to_owned()),
        before: Some(7),
        limit: 200,
    };
    assert_eq!(*fixture.watched.wanted.lock(), [wanted]);
}

#[tokio::test]
async fn what_is_no_filter_is_refused() {
    let fixture = Fixture::new().await;
    for query in [
        "kind=quick",
        "decision=maybe",
        "status=teapot",
        "min_ms=-1",
        "min_ms=NaN",
        "before=x",
        "limit=-1",
        "colour=red",
    ] {
        let answer = fixture.get(&format!("/api/v1/traces?{query}")).await;
        assert_eq!(answer.refusal(), (400, "bad_request".to_owned()), "{query}");
    }
    assert!(fixture.watched.wanted.lock().is_empty());
}

#[tokio::test]
async fn a_trace_is_its_document_or_not_found() {
    let fixture = Fixture::new().await;
    let found = fixture.get(&format!("/api/v1/traces/{TRACE_ID}")).await;
    assert_eq!(found.header("content-type"), "application/json");
    assert_eq!(found.json(), json!({"resourceSpans": []}));
    let upper = TRACE_ID.to_uppercase();
    for id in ["1", &TRACE_ID[1..], &format!("{TRACE_ID}0"), &upper, &"0".repeat(32), "%e2%82%ac"] {
        let answer = fixture.get(&format!("/api/v1/traces/{id}")).await;
        assert_eq!(answer.refusal(), (404, "not_found".to_owned()), "{id}");
    }
}
