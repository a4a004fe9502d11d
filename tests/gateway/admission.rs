//! Admission: who is refused over a threshold, how it is told, and who never is.

use std::time::{Duration, Instant};

use sumun_tests::{
    Actuator, Client, DEADLINE, Gate, H2Client, H2Reply, H2Upstream, Load, Reply, Response, Step,
    Sumun, Upstream, eventually,
};

use crate::policies;

/// `/batch/**` with these admission keys beside `/page/**`, interactive, on one upstream.
fn beside(upstream: &str, admission: &str) -> String {
    format!(
        "version: 1\n\
         upstreams:\n  up: {{ {upstream} }}\n\
         routes:\n\
         \x20 job: {{ match: {{ path: /batch/** }}, upstream: up, class: batch, admission: {{ {admission} }} }}\n\
         \x20 page: {{ match: {{ path: /page/** }}, upstream: up }}\n"
    )
}

/// Everything that a 429 has to say.
fn assert_refusal(answer: &Response, code: &str, signal: &str) -> serde_json::Value {
    let problem = answer.problem(429, code);
    assert_eq!(problem["signal"], signal, "{answer}");
    assert!(problem["observed"].is_number() && problem["threshold"].is_number(), "{answer}");
    assert_eq!(problem["route"], "job", "{answer}");
    let policy = problem["policy"].to_string();
    assert!(policy.contains("policy.yaml") && policy.contains("job"), "policy is {policy}");
    let wait_ms = problem["retry_after_ms"].as_u64().expect("retry_after_ms");
    let wait_s: u64 = answer.header("retry-after").and_then(|s| s.parse().ok()).expect("seconds");
    assert_eq!(wait_s, wait_ms.div_ceil(1000).max(1), "rounded up: {answer}");
    let limit = answer.header("ratelimit").expect("RateLimit");
    let quota = answer.header("ratelimit-policy").expect("RateLimit-Policy");
    assert!(limit.starts_with('"') && limit.contains(";r=") && limit.contains(";t="), "{limit}");
    assert!(quota.starts_with('"') && quota.contains(";q="), "{quota}");
    problem
}

#[tokio::test]
async fn over_the_rps_limit_a_call_is_429_and_says_everything() {
    let upstream = Upstream::plain().await;
    let keys = policies::upstream(&upstream.url());
    let sumun = Sumun::start(&beside(&keys, "rps: { limit: 0.5, burst: 3 }")).await;
    let mut client = Client::connect(sumun.address()).await;
    let request = "GET /batch/1 HTTP/1.1\r\nhost: a\r\n\r\n";
    for _ in 0..3 {
        assert_eq!(client.exchange(request).await.status, 200);
    }
    let refused = client.exchange(request).await;
    let problem = assert_refusal(&refused, "rps_over", "rps");
    assert_eq!(problem["threshold"], 0.5);
    assert!(problem["retry_after_ms"].as_u64().is_some_and(|ms| ms <= 2_100), "{problem}");
    assert_eq!(upstream.request_count(), 3, "a refused call costs the upstream nothing");
    let next = client.exchange("GET /page/1 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(next.status, 200, "the connection stays open");
    let refused =
        "sumun_admission_total{route=\"job\",class=\"batch\",decision=\"refuse\",mode=\"enforce\"}";
    assert!((sumun.metric(refused).await - 1.0).abs() < 0.1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rps_limit_is_exact_over_all_workers_and_connections() {
    let upstream = Upstream::plain().await;
    let keys = policies::upstream(&upstream.url());
    let sumun = Sumun::start(&beside(&keys, "rps: { limit: 100, burst: 100 }")).await;
    let began = Instant::now();
    let load = Load::get(sumun.address(), "/batch/x").connections(16);
    let tally = load.lasting(Duration::from_secs(2)).run().await;
    let most = 100.0 + 100.0 * began.elapsed().as_secs_f64();
    let admitted = tally.count(200);
    assert!(tally.broken.is_empty(), "{tally:?}");
    assert_eq!(tally.answers(), admitted + tally.count(429), "{tally:?}");
    assert_eq!(upstream.request_count() as u64, admitted);
    assert!(admitted as f64 <= most + 1.0, "{admitted} admitted, at most {most}");
    assert!(admitted as f64 >= 0.9 * 300.0, "{admitted} admitted of 300 that were offered room");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interactive_calls_beside_a_shed_batch_are_all_served() {
    let upstream = Upstream::start(|_| Reply::ok("ok").after(Duration::from_millis(5))).await;
    let keys = format!("{}, workers_max: 8", policies::upstream(&upstream.url()));
    let admission = "rps: { limit: 50, burst: 5 }, workers: { enter: 50%, exit: 40% }";
    let sumun = Sumun::start(&beside(&keys, admission)).await;
    let batch = Load::get(sumun.address(), "/batch/x").connections(12).start();
    let page = Load::get(sumun.address(), "/page/x").connections(2);
    let page = page.lasting(Duration::from_secs(2)).run().await;
    page.assert_all(200);
    batch.abort();
    assert!(sumun.metric("sumun_admission_total{route=\"job\",decision=\"refuse\"}").await > 0.0);
    let page = "sumun_admission_total{route=\"page\",decision=\"refuse\"}";
    assert!(sumun.metric(page).await < 0.5);
}

#[tokio::test]
async fn own_calls_in_flight_are_the_busy_workers_where_no_signal_tells() {
    let gate = Gate::closed();
    let behind = gate.clone();
    let upstream = Upstream::start(move |_| Reply::ok("x").behind(&behind)).await;
    let keys = format!("{}, workers_max: 10", policies::upstream(&upstream.url()));
    let sumun = Sumun::start(&beside(&keys, "workers: { enter: 50%, exit: 40% }")).await;
    let mut waiting = Vec::new();
    let mut refused = 0;
    for _ in 0..30 {
        let client = Client::connect(sumun.address()).await;
        let mut client = client.deadline(Duration::from_millis(150));
        client.send("GET /batch/x HTTP/1.1\r\nhost: a\r\n\r\n").await;
        match client.response().await {
            Ok(answer) => {
                assert_refusal(&answer, "workers_over", "workers");
                refused += 1;
            }
            Err(_) => waiting.push(client),
        }
    }
    assert_eq!((waiting.len(), refused), (5, 25), "half of ten workers and not one more");
    assert_eq!(upstream.in_flight_max(), 5);
    let limit = sumun.metric("sumun_limit{route=\"job\"}").await;
    assert!((limit - 5.0).abs() < f64::EPSILON, "{limit}");
    // Interactive calls still pass.
    let mut page = Client::connect(sumun.address()).await;
    page.send("GET /page/x HTTP/1.1\r\nhost: a\r\n\r\n").await;
    upstream.arrived(6).await;
    gate.open();
    for client in waiting {
        assert_eq!(client.deadline(DEADLINE).answer().await.status, 200);
    }
    sumun.idle(DEADLINE).await;
    assert_eq!(sumun.get("/batch/again").await.status, 200);
}

/// A gateway with a fast scrape of an actuator.
async fn scraped(actuator: &Actuator, admission: &str) -> Sumun {
    let keys = format!(
        "{}, signals: {{ source: actuator, every: 100ms }}",
        policies::upstream(&actuator.upstream().url())
    );
    Sumun::start(&beside(&keys, admission)).await
}

/// Waits until calls of the batch route are answered with this status.
async fn batch_becomes(sumun: &Sumun, status: u16) -> Response {
    eventually("the batch route changes", Duration::from_secs(5), async || {
        let answer = sumun.get("/batch/x").await;
        if answer.status == status { Ok(answer) } else { Err(answer.to_string()) }
    })
    .await
}

#[tokio::test]
async fn busy_workers_reported_by_the_actuator_close_and_open_the_gate() {
    let actuator = Actuator::start(|_| Reply::ok("ok")).await;
    let sumun = scraped(&actuator, "workers: { enter: 85%, exit: 75% }").await;
    batch_becomes(&sumun, 200).await;
    // Other people's load: none of it went through the gateway.
    actuator.set(190.0, 200.0, 0.1);
    let refused = batch_becomes(&sumun, 429).await;
    let problem = assert_refusal(&refused, "workers_over", "workers");
    assert_eq!(problem["threshold"], 0.85, "{problem}");
    assert!(problem["observed"].as_f64().is_some_and(|seen| seen >= 0.85), "{problem}");
    assert_eq!(sumun.get("/page/x").await.status, 200);
    actuator.set(20.0, 200.0, 0.1);
    batch_becomes(&sumun, 200).await;
}

#[tokio::test]
async fn cpu_reported_by_the_actuator_closes_and_opens_the_gate() {
    let actuator = Actuator::start(|_| Reply::ok("ok")).await;
    let sumun = scraped(&actuator, "cpu: { of: upstream, enter: 80%, exit: 70% }").await;
    batch_becomes(&sumun, 200).await;
    actuator.set(0.0, 200.0, 0.97);
    let refused = batch_becomes(&sumun, 429).await;
    let problem = assert_refusal(&refused, "cpu_over", "cpu");
    assert_eq!(problem["threshold"], 0.8, "{problem}");
    actuator.set(0.0, 200.0, 0.2);
    batch_becomes(&sumun, 200).await;
}

#[tokio::test]
async fn figures_that_mean_nothing_are_not_used() {
    let actuator = Actuator::start(|_| Reply::ok("ok")).await;
    let admission = "workers: { enter: 85% }, cpu: { enter: 80% }, on_stale: open";
    let sumun = scraped(&actuator, admission).await;
    batch_becomes(&sumun, 200).await;
    for (busy, max, cpu) in [(-1.0, -1.0, -1.0), (f64::NAN, 200.0, f64::NAN), (5.0, 0.0, -1.0)] {
        actuator.set(busy, max, cpu);
        let before = actuator.upstream().request_count() - actuator.calls().len();
        eventually("five scrapes", DEADLINE, async || {
            let scrapes = actuator.upstream().request_count() - actuator.calls().len();
            if scrapes >= before + 5 { Ok(()) } else { Err(scrapes) }
        })
        .await;
        assert_eq!(sumun.get("/batch/x").await.status, 200, "{busy} of {max}, {cpu}");
    }
}

#[tokio::test]
async fn a_signal_that_is_gone_ends_in_what_on_stale_says() {
    for (on_stale, status) in [("closed", 429), ("open", 200), ("proven", 200)] {
        let actuator = Actuator::start(|_| Reply::ok("ok")).await;
        let admission = format!("workers: {{ enter: 85% }}, on_stale: {on_stale}");
        let sumun = scraped(&actuator, &admission).await;
        batch_becomes(&sumun, 200).await;
        actuator.reply(Reply::with(500, &[], "broken"));
        if status == 200 {
            // Long enough to expire, and still served.
            eventually("the signal is old", DEADLINE, async || {
                let age = sumun.metric("sumun_signal_age_seconds").await;
                if age > 1.0 { Ok(()) } else { Err(age) }
            })
            .await;
        }
        batch_becomes(&sumun, status).await;
        actuator.set(1.0, 200.0, 0.1);
        batch_becomes(&sumun, 200).await;
    }
}

#[tokio::test]
async fn shadow_changes_no_byte_of_any_answer() {
    let upstream = Upstream::start(|request| {
        Reply::with(
            200,
            &[("x-own", "1"), ("date", "Sun, 06 Nov 1994 08:49:37 GMT")],
            request.target(),
        )
    })
    .await;
    let keys = policies::upstream(&upstream.url());
    let mut answers = Vec::new();
    for mode in ["shadow", "off"] {
        let admission = format!("mode: {mode}, rps: {{ limit: 0.1, burst: 1 }}");
        let sumun = Sumun::start(&beside(&keys, &admission)).await;
        let mut bytes = Vec::new();
        for n in 0..20 {
            let answer = sumun.get(&format!("/batch/{n}")).await;
            bytes.push((answer.head.raw.clone(), answer.body.clone()));
        }
        let metrics = sumun.metrics().await;
        let shadow = "sumun_admission_total{route=\"job\",mode=\"shadow\",decision=\"refuse\"}";
        let expected = if mode == "shadow" { 19.0 } else { 0.0 };
        assert!(
            (metrics.sum(shadow) - expected).abs() < 0.1,
            "{mode}: {:?}",
            metrics.series("sumun_admission_total")
        );
        assert!(metrics.sum("sumun_admission_total{mode=\"enforce\",decision=\"refuse\"}") < 0.1);
        answers.push(bytes);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(upstream.request_count(), 40);
}

#[tokio::test]
async fn a_grpc_call_is_refused_with_trailers_only() {
    let upstream = H2Upstream::start(|_| H2Reply::grpc(b"hi")).await;
    let keys = format!("{}, protocol: http2", policies::upstream(&upstream.url()));
    let sumun = Sumun::start(&beside(&keys, "rps: { limit: 0.1, burst: 1 }")).await;
    let client = H2Client::connect(sumun.address()).await;
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let call = async || {
        let call = client.call("POST", "/batch/Call", &headers, b"\0\0\0\0\0", &[]);
        call.await.expect("an answer")
    };
    assert_eq!(call().await.trailer("grpc-status"), Some("0"));
    let refused = call().await;
    assert_eq!(refused.status, 200, "{refused:?}");
    assert!(refused.ended_with_headers && refused.body.is_empty(), "{refused:?}");
    // RESOURCE_EXHAUSTED, or UNAVAILABLE by gRPC's own table from HTTP.
    let status = refused.header("grpc-status");
    assert!(matches!(status, Some("8" | "14")), "{refused:?}");
    assert!(refused.header("grpc-message").is_some(), "{refused:?}");
    assert!(refused.header("content-type").is_some_and(|t| t.starts_with("application/grpc")));
    assert_eq!(upstream.request_count(), 1);
}

#[tokio::test]
async fn point_10_an_early_429_leaves_no_body_to_be_read_as_a_request() {
    let upstream = Upstream::plain().await;
    let keys = policies::upstream(&upstream.url());
    let sumun = Sumun::start(&beside(&keys, "rps: { limit: 0.01, burst: 1 }")).await;
    assert_eq!(sumun.get("/batch/first").await.status, 200);
    let smuggled = "GET /page/smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    for times in [1, 200, 50_000] {
        let body = smuggled.repeat(times);
        let mut client = Client::connect(sumun.address()).await;
        client
            .send(format!(
                "POST /batch/x HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
                body.len()
            ))
            .await;
        // The answer comes before the body has been sent.
        assert_refusal(&client.answer().await, "rps_over", "rps");
        client.send(&body).await;
        client.send("GET /page/next HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        client.rest().await;
    }
    let bytes = String::from_utf8_lossy(&upstream.all_bytes()).into_owned();
    assert!(!bytes.contains("smuggled"), "{bytes}");
}

#[tokio::test]
async fn a_refusal_does_not_wait_for_a_body_that_expects_to_be_asked_for() {
    let upstream = Upstream::plain().await;
    let keys = policies::upstream(&upstream.url());
    let sumun = Sumun::start(&beside(&keys, "rps: { limit: 0.01, burst: 1 }")).await;
    assert_eq!(sumun.get("/batch/first").await.status, 200);
    let mut client = Client::connect(sumun.address()).await;
    client
        .send(
            "POST /batch/x HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\
             expect: 100-continue\r\n\r\n",
        )
        .await;
    let answer = client.answer().await;
    assert_refusal(&answer, "rps_over", "rps");
    assert!(answer.interim.is_empty(), "no 100 before a refusal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_finds_all_workers_taken_is_served_by_the_next_that_is_free() {
    let took = Duration::from_millis(200);
    let reply = Reply { steps: vec![Step::Pause(took)] };
    let upstream = Upstream::start(move |_| {
        let mut reply = reply.clone();
        reply.steps.extend(Reply::ok("done").steps);
        reply
    });
    let upstream = upstream.await;
    let keys = format!("{}, workers_max: 2", policies::upstream(&upstream.url()));
    let sumun =
        Sumun::start(&beside(&keys, "workers: { enter: 85%, full: 100%, wait: 250ms }")).await;
    let request = "GET /batch/1 HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::connect(sumun.address()).await);
    }
    // How long to wait follows from how long calls take, which is learned from the first.
    eventually("a third call waits and is served", DEADLINE, async || {
        sumun.idle(DEADLINE).await;
        let came = upstream.request_count();
        for client in &mut clients[..2] {
            client.send(request).await;
        }
        upstream.arrived(came + 2).await;
        clients[2].send(request).await;
        let mut statuses = Vec::new();
        for client in &mut clients {
            statuses.push(client.answer().await.status);
        }
        if statuses == [200, 200, 200] { Ok(()) } else { Err(statuses) }
    })
    .await;
    assert_eq!(upstream.in_flight_max(), 2, "nobody waits at the service");
}
