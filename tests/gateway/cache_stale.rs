//! Stale answers at work: while one is revalidated, where the origin fails, and instead of a refusal.
//!
//! The rules are rows of the conformance table; here is what they cost the origin and how they count.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sumun_tests::{DEADLINE, Gate, Load, Reply, Step, Sumun, Upstream, eventually};

use crate::policies;

/// Stale on arrival, and asked about with a tag.
const STALE: [(&str, &str); 3] =
    [("cache-control", "max-age=60"), ("age", "70"), ("etag", "\"1\"")];

/// Stale on arrival, and served so while it is revalidated.
const REVALIDATED: [(&str, &str); 2] =
    [("cache-control", "max-age=60, stale-while-revalidate=600"), ("age", "70")];

/// An origin whose first answer has these headers and whose later ones wait for the gate.
async fn first(
    headers: &'static [(&'static str, &'static str)],
    later: Reply,
    route: &str,
) -> (Upstream, Sumun) {
    let count = AtomicUsize::new(0);
    let upstream = Upstream::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::with(200, headers, "first"),
        _ => later.clone(),
    })
    .await;
    let sumun = Sumun::start(&policies::to_with(&upstream.url(), route)).await;
    (upstream, sumun)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_herd_on_a_stale_answer_is_served_at_once_and_asks_once() {
    let gate = Gate::closed();
    let fresh = Reply::with(200, &[("cache-control", "max-age=60")], "second").behind(&gate);
    let (upstream, sumun) = first(&REVALIDATED, fresh, "cache: {}").await;
    assert_eq!(sumun.get("/").await.text(), "first");
    // The origin answers nothing meanwhile: whoever waited for it would wait in vain.
    let tally = Load::get(sumun.address(), "/").connections(20).total(200).start().await;
    tally.expect("no panic").assert_all(200);
    assert_eq!(sumun.get("/").await.text(), "first");
    upstream.arrived(2).await;
    assert_eq!(upstream.request_count(), 2);
    gate.open();
    eventually("the new answer is stored", DEADLINE, async || {
        let text = sumun.get("/").await.text();
        if text == "second" { Ok(()) } else { Err(text) }
    })
    .await;
    assert_eq!(upstream.request_count(), 2);
    sumun.idle(DEADLINE).await;
    // What nobody asked for is no call served, and yet one that was admitted and sent.
    let metrics = sumun.metrics().await;
    let hits = metrics.sum("sumun_cache_total{result=\"hit\"}");
    let served = metrics.sum("http_server_request_duration_seconds_count");
    assert!((served - hits - 1.0).abs() < 0.1, "{served} served, {hits} hits");
    let admitted = metrics.sum("sumun_admission_total{decision=\"admit\"}");
    assert!((admitted - 2.0).abs() < 0.1, "{admitted} admitted");
}

#[tokio::test]
async fn a_revalidation_asks_for_the_whole_whatever_the_client_wanted() {
    let fresh = Reply::with(200, &[("cache-control", "max-age=60")], "second");
    let (upstream, sumun) = first(&REVALIDATED, fresh, "cache: {}").await;
    sumun.get("/").await;
    let part = sumun.call("HEAD", "/", &[("range", "bytes=0-0"), ("x-own", "1")], b"").await;
    assert_eq!(part.status, 200);
    upstream.arrived(2).await;
    let asked = &upstream.requests()[1];
    assert_eq!((asked.method(), asked.header("range")), ("GET", None));
    assert_eq!(asked.header("x-own"), Some("1"));
    assert_eq!(asked.header("x-forwarded-for"), Some("127.0.0.1"));
}

#[tokio::test]
async fn a_failed_revalidation_is_tried_again_and_harms_nobody() {
    let (upstream, sumun) = first(&REVALIDATED, Reply::with(500, &[], "no"), "cache: {}").await;
    sumun.get("/").await;
    eventually("asked again and again", DEADLINE, async || {
        let answer = sumun.get("/").await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "first"), "{answer}");
        let count = upstream.request_count();
        if count >= 4 { Ok(()) } else { Err(count) }
    })
    .await;
}

const SHEDDING: &str = "class: bulk, admission: { rps: { limit: 0.01, burst: 1 } }";

#[tokio::test]
async fn a_call_that_would_be_shed_is_answered_stale_and_counted_so() {
    let route = format!("{SHEDDING}, cache: {{ stale_if_shed: 1h }}");
    let (upstream, sumun) = first(&STALE, Reply::ok("second"), &route).await;
    sumun.get("/").await;
    for _ in 0..5 {
        let answer = sumun.get("/").await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "first"), "{answer}");
    }
    sumun.get("/other").await.problem(429, "rps_over");
    assert_eq!(upstream.request_count(), 1, "while shedding nothing is revalidated");
    let metrics = sumun.metrics().await;
    let count = |decision: &str| {
        let route = "route=\"all\",class=\"bulk\",mode=\"enforce\"";
        metrics.sum(&format!("sumun_admission_total{{{route},decision=\"{decision}\"}}"))
    };
    assert!((count("stale") - 5.0).abs() < 0.1, "{}", count("stale"));
    assert!((count("refuse") - 1.0).abs() < 0.1, "{}", count("refuse"));
    let reason = metrics.sum("sumun_admission_total{decision=\"stale\",reason=\"rps_over\"}");
    assert!((reason - 5.0).abs() < 0.1, "{reason}");
}

#[tokio::test]
async fn a_stale_answer_that_asks_meanwhile_does_not_while_its_route_sheds() {
    let route = format!("{SHEDDING}, cache: {{}}");
    let (upstream, sumun) = first(&REVALIDATED, Reply::ok("second"), &route).await;
    sumun.get("/").await;
    for _ in 0..20 {
        assert_eq!(sumun.get("/").await.text(), "first");
    }
    sumun.get("/other").await.problem(429, "rps_over");
    assert_eq!(upstream.request_count(), 1);
    let stale = sumun.metric("sumun_admission_total{decision=\"stale\"}").await;
    assert!(stale.abs() < 0.1, "served by the origin's leave, not instead of a refusal: {stale}");
}

#[tokio::test]
async fn a_full_quota_is_answered_stale_too() {
    let gate = Gate::closed();
    let behind = gate.clone();
    let upstream = Upstream::start(move |request| match request.target() {
        "/slow" => Reply::ok("slow").behind(&behind),
        _ => Reply::with(200, &STALE, "first"),
    })
    .await;
    let policy = policies::function(&upstream.url(), "reserved: 1")
        .replace("function: fn", "function: fn, cache: { stale_if_shed: 1h }");
    let sumun = Sumun::start(&policy).await;
    sumun.get("/").await;
    sumun.idle(DEADLINE).await;
    let slow = Load::get(sumun.address(), "/slow").connections(1).total(1).start();
    upstream.arrived(2).await;
    assert_eq!(sumun.get("/").await.text(), "first");
    sumun.get("/other").await.problem(429, "quota_full");
    let stale = "sumun_admission_total{decision=\"stale\",reason=\"quota_full\"}";
    assert!((sumun.metric(stale).await - 1.0).abs() < 0.1);
    gate.open();
    slow.await.expect("no panic").assert_all(200);
    sumun.idle(DEADLINE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_herd_on_an_origin_that_fails_shares_the_stale_answer() {
    let failing = Arc::new(AtomicBool::new(false));
    let (fails, gate) = (Arc::clone(&failing), Gate::closed());
    let behind = gate.clone();
    let upstream = Upstream::start(move |_| {
        if fails.load(Ordering::SeqCst) {
            Reply::only(Step::Wait(behind.clone())).then(Step::Close)
        } else {
            Reply::with(200, &STALE, "first")
        }
    })
    .await;
    let sumun = Sumun::start(&policies::to_with(&upstream.url(), "cache: {}")).await;
    sumun.get("/").await;
    failing.store(true, Ordering::SeqCst);
    let load = Load::get(sumun.address(), "/").connections(50).total(50).start();
    upstream.arrived(2).await;
    eventually("all are connected", DEADLINE, async || {
        let open = sumun.fd_count();
        if open >= 60 { Ok(()) } else { Err(open) }
    })
    .await;
    gate.open();
    load.await.expect("no panic").assert_all(200);
    // One call and its retry: the others were told, and did not try one after the other. A few that
    // came behind the answer asked for themselves.
    let asked = upstream.request_count();
    assert!(asked < 20, "{asked} calls to an origin that fails");
    sumun.idle(DEADLINE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_identical_misses_are_one_call() {
    let gate = Gate::closed();
    let behind = gate.clone();
    let upstream = Upstream::start(move |_| {
        Reply::with(200, &[("cache-control", "max-age=60")], "shared").behind(&behind)
    })
    .await;
    let sumun = Sumun::start(&policies::to_with(&upstream.url(), "cache: {}")).await;
    let load = Load::get(sumun.address(), "/").connections(1000).total(1000).start();
    upstream.arrived(1).await;
    eventually("all are connected", DEADLINE, async || {
        let open = sumun.fd_count();
        if open >= 1010 { Ok(()) } else { Err(open) }
    })
    .await;
    gate.open();
    load.await.expect("no panic").assert_all(200);
    assert_eq!(upstream.request_count(), 1);
    sumun.idle(DEADLINE).await;
}
