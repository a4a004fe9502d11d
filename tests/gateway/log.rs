//! The access log: one line a call, in either format, and never a secret.

use sumun_tests::{DEADLINE, Sumun, Upstream, eventually};

use crate::policies;

/// Waits for the line of standard output with this text.
async fn line(sumun: &Sumun, text: &str) -> String {
    eventually("a line of the access log", DEADLINE, async || {
        let stdout = sumun.stdout();
        let found = stdout.lines().find(|line| line.contains(text)).map(str::to_owned);
        found.ok_or(stdout)
    })
    .await
}

#[tokio::test]
async fn each_call_is_one_line_of_json() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    sumun.call("POST", "/logged?q=1", &[], b"x").await;
    let line = line(&sumun, "/logged").await;
    let json: serde_json::Value = serde_json::from_str(&line).expect("a JSON object");
    assert!(json.is_object(), "{json}");
    for part in ["POST", "200", "all"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert_eq!(sumun.stdout().matches("/logged").count(), 1);
}

#[tokio::test]
async fn the_common_format_is_one_line_too() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::with()
        .policy("policy.yaml", &policies::to(&upstream.url()))
        .settings("access_log: { format: common, to: stdout }\n")
        .start()
        .await;
    sumun.get("/logged").await;
    let line = line(&sumun, "/logged").await;
    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    assert!(line.contains("\"GET /logged HTTP/1.1\" 200 2"), "{line}");
}

#[tokio::test]
async fn what_a_client_sends_cannot_forge_a_line() {
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let agent = "x\" , \"forged\": \"yes";
    sumun
        .call("GET", "/one?a=%22%0aforged", &[("user-agent", agent), ("referer", agent)], b"")
        .await;
    let line = line(&sumun, "/one").await;
    let json: serde_json::Value = serde_json::from_str(&line).expect("a JSON object");
    assert!(json.get("forged").is_none(), "{json}");
}

#[tokio::test]
async fn secrets_of_a_call_are_in_no_output() {
    const CANARY: &str = "c4n4ry-s3cr3t";
    let upstream = Upstream::plain().await;
    let sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let headers = [("authorization", CANARY), ("cookie", CANARY), ("x-api-key", CANARY)];
    sumun.call("GET", "/logged", &headers, b"").await;
    line(&sumun, "/logged").await;
    let bearer = format!("Bearer {CANARY}");
    let wrong = [("authorization", bearer.as_str())];
    sumun.admin_anonymous("GET", "/api/v1/status", &wrong, b"").await;
    let text = sumun.stdout() + &sumun.stderr();
    assert!(!text.contains(CANARY), "{text}");
    let metrics = sumun.admin_anonymous("GET", "/metrics", &[], b"").await;
    assert!(!metrics.text().contains(CANARY));
}
