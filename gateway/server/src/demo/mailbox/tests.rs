use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;

use super::{Call, Mailbox, QUEUE, Service, WORKERS, capacity_per_second, service_time};

fn request(method: Method, path: &str) -> Request<Bytes> {
    Request::builder().method(method).uri(path).body(Bytes::new()).unwrap()
}

async fn scrape(mailbox: &Mailbox) -> String {
    let answer = mailbox.answer(request(Method::GET, "/actuator/prometheus")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn value<'text>(text: &'text str, name: &str) -> &'text str {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.rsplit_once(' ').unwrap().1
}

#[test]
fn a_flood_fills_workers_and_queue_and_is_refused_beyond() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mailbox = std::sync::Arc::new(Mailbox::new("test", 1));
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..WORKERS + QUEUE + 30 {
            let mailbox = mailbox.clone();
            calls.spawn(async move {
                mailbox.answer(request(Method::POST, "/mail/receive/a")).await.status()
            });
        }
        // The refusals come first: they wait for nothing.
        for _ in 0..30 {
            let refused = calls.join_next().await.unwrap().unwrap();
            assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE);
        }
        let text = scrape(&mailbox).await;
        let busy = value(&text, "tomcat_threads_busy_threads");
        assert_eq!(busy, value(&text, "tomcat_threads_config_max_threads"));
        assert!(value(&text, "system_cpu_usage").starts_with("0.84"));
        calls.abort_all();
        while calls.join_next().await.is_some() {}
        let text = scrape(&mailbox).await;
        assert_eq!(value(&text, "tomcat_threads_busy_threads"), "0.0");
        assert_eq!(value(&text, "system_cpu_usage"), "0.04");
    });
}

#[test]
fn answers_its_calls_and_nothing_else() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mailbox = Mailbox::new("test", 1);
        for (method, path, status) in [
            (Method::POST, "/mail/receive/kim", 202),
            (Method::GET, "/mail/list/inbox", 200),
            (Method::GET, "/mail/read/7", 200),
            (Method::PATCH, "/mail/read/7", 200),
            (Method::POST, "/mail/reindex/inbox", 202),
            (Method::GET, "/mail/receive/kim", 404),
            (Method::GET, "/mail/list/", 404),
            (Method::GET, "/mail", 404),
        ] {
            let answer = mailbox.answer(request(method, path)).await;
            assert_eq!(answer.status().as_u16(), status, "{path}");
        }
        // What was answered with work is counted under its template; a 404 is not.
        let text = scrape(&mailbox).await;
        assert_eq!(text.matches("http_server_requests_seconds_count").count(), 5);
        assert!(text.contains("uri=\"/mail/list/{folder}\""));
    });
}

#[test]
fn a_loaded_instance_is_slower_by_at_most_half() {
    let idle = Duration::from_millis(80);
    assert_eq!(service_time(idle, 0.0), idle);
    assert_eq!(service_time(idle, 1.0), Duration::from_millis(120));
    assert!(service_time(idle, 0.5) < service_time(idle, 0.9));
    // 20 workers, 120 ms each.
    assert!((capacity_per_second() - 166.7).abs() < 0.1);
}

#[test]
fn calls_are_parsed() {
    assert_eq!(
        Call::parse(&Method::GET, "/mail/list/inbox/2026"),
        Some(Call::List { folder: "inbox/2026" })
    );
    assert_eq!(Call::parse(&Method::POST, "/mail/read/1"), None);
}
