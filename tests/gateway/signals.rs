//! Signals that fall silent: what holds meanwhile, and that all is as before when they are back.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use sumun_tests::{Actuator, Client, DEADLINE, Gate, Reply, Step, Sumun, Upstream, eventually};

use crate::policies;

pub(crate) const PLAIN: &str = "text/plain;version=0.0.4;charset=utf-8";
pub(crate) const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0;charset=utf-8";

/// Period of the signals in most of these tests.
const EVERY: Duration = Duration::from_millis(200);

/// What Spring Boot answered: see `tests/data/actuator`.
pub(crate) fn actuator(file: &str) -> Reply {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/actuator").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let media = if path.extension().is_some_and(|end| end == "om") { OPEN_METRICS } else { PLAIN };
    Reply::with(200, &[("content-type", media)], text)
}

/// Tomcat's figures, and some CPU that goes with them.
fn figures(busy: f64, max: f64) -> Reply {
    let cpu = 0.1 + busy / 1000.0;
    let text = format!(
        "tomcat_threads_busy_threads{{name=\"http-nio-8080\",}} {busy:?}\n\
         tomcat_threads_config_max_threads{{name=\"http-nio-8080\",}} {max:?}\n\
         system_cpu_usage {cpu:?}\n"
    );
    Reply::with(200, &[("content-type", PLAIN)], text)
}

/// A service whose scrapes are answered with what the test says next, calls by a gate.
pub(crate) struct Service {
    pub(crate) upstream: Upstream,
    scrapes: Arc<Mutex<Scrapes>>,
}

struct Scrapes {
    /// Each answers one scrape.
    next: VecDeque<Reply>,
    /// All later ones.
    then: Reply,
    /// When the last of `next` was asked for.
    drained: Option<Instant>,
}

impl Service {
    pub(crate) async fn start(scrape: Reply, calls: &Gate) -> Self {
        let scrapes = Scrapes { next: VecDeque::new(), then: scrape, drained: None };
        let scrapes = Arc::new(Mutex::new(scrapes));
        let (shared, calls) = (Arc::clone(&scrapes), calls.clone());
        let upstream = Upstream::start(move |request| {
            if request.target() != "/actuator/prometheus" {
                return Reply::ok("ok").behind(&calls);
            }
            let mut scrapes = shared.lock().expect("no test panicked with it");
            let Some(reply) = scrapes.next.pop_front() else { return scrapes.then.clone() };
            if scrapes.next.is_empty() {
                scrapes.drained = Some(Instant::now());
            }
            reply
        });
        Self { upstream: upstream.await, scrapes }
    }

    pub(crate) fn then(&self, reply: Reply) {
        self.scrapes.lock().expect("no test panicked with it").then = reply;
    }

    /// Answers the next scrape with `once`, later ones with `then`.
    fn once(&self, once: Reply, then: Reply) {
        let mut scrapes = self.scrapes.lock().expect("no test panicked with it");
        (scrapes.next, scrapes.then, scrapes.drained) = ([once].into(), then, None);
    }
}

/// A shed route `/batch/**` and an interactive `/page/**` on one upstream with these signals.
pub(crate) fn policy(url: &str, signals: &str, admission: &str) -> String {
    format!(
        "version: 1\n\
         upstreams:\n\
         \x20 up: {{ {}, signals: {{ {signals} }} }}\n\
         routes:\n\
         \x20 job: {{ match: {{ path: /batch/** }}, upstream: up, class: batch, admission: {{ {admission} }} }}\n\
         \x20 page: {{ match: {{ path: /page/** }}, upstream: up }}\n",
        policies::upstream(url)
    )
}

pub(crate) const WORKERS: &str = "workers: { enter: 85%, exit: 75% }";

pub(crate) async fn upstream_now(sumun: &Sumun) -> Value {
    sumun.admin_get("/api/v1/upstreams").await["upstreams"][0].take()
}

/// One signal of the first endpoint: its state, age in ms, and value.
pub(crate) async fn signal(sumun: &Sumun, name: &str) -> (String, Option<u64>, Option<f64>) {
    let upstream = upstream_now(sumun).await;
    let signals = upstream["signals"].as_array().expect("signals");
    let signal = signals.iter().find(|signal| signal["signal"] == name).expect("the signal");
    let state = signal["state"].as_str().expect("a state").to_owned();
    (state, signal["age_ms"].as_u64(), signal["value"].as_f64())
}

fn ids(findings: &Value) -> Vec<String> {
    let findings = findings.as_array().expect("a list of findings");
    findings.iter().map(|finding| finding["id"].as_str().expect("an id").to_owned()).collect()
}

/// Waits until the upstream has exactly these findings.
pub(crate) async fn finds(sumun: &Sumun, expected: &[&str]) -> Value {
    eventually(&format!("findings {expected:?}"), DEADLINE, async || {
        let findings = upstream_now(sumun).await["findings"].take();
        if ids(&findings) == expected { Ok(findings) } else { Err(findings.to_string()) }
    })
    .await
}

async fn limit(sumun: &Sumun) -> Option<u64> {
    sumun.admin_get("/api/v1/routes/job").await["limit"].as_u64()
}

pub(crate) async fn limit_is(sumun: &Sumun, expected: Option<u64>) {
    eventually(&format!("the limit is {expected:?}"), DEADLINE, async || {
        let limit = limit(sumun).await;
        if limit == expected { Ok(()) } else { Err(limit) }
    })
    .await;
}

// === when the gateway starts ===

/// A gateway that restarts in a flood must not let all of it through until the first reading: it is
/// ready when upstreams have told their load, and so the first call is judged.
#[tokio::test]
async fn the_first_call_is_judged_by_a_reading() {
    let told = Gate::closed();
    let upstream = {
        let told = told.clone();
        Upstream::start(move |request| match request.target() {
            "/actuator/prometheus" => figures(200.0, 200.0).behind(&told),
            _ => Reply::ok("admitted"),
        })
        .await
    };
    // The period leaves a scrape the 800 ms that it may take in the test's slowest moments.
    let policy = policy(&upstream.url(), "source: actuator, every: 30s", WORKERS);
    let ready = Cell::new(false);
    let start = async {
        let sumun = Sumun::start(&policy).await;
        ready.set(true);
        sumun
    };
    let tell = async {
        upstream.arrived(1).await;
        assert!(!ready.get(), "ready before the upstream has told its load");
        told.open();
    };
    let (sumun, ()) = tokio::join!(start, tell);
    let refused = sumun.get("/batch/x").await.problem(429, "workers_over");
    assert!(refused["observed"].as_f64().is_some_and(|seen| seen >= 1.0), "{refused}");
    assert_eq!(sumun.get("/page/x").await.status, 200, "interactive, whatever the signal");
}

/// An upstream that doesn't answer delays a start, and doesn't prevent it.
#[tokio::test]
async fn a_start_waits_no_longer_than_a_scrape_may_take() {
    let never = Gate::closed();
    let upstream = {
        let never = never.clone();
        Upstream::start(move |request| match request.target() {
            "/actuator/prometheus" => figures(0.0, 200.0).behind(&never),
            _ => Reply::ok("admitted"),
        })
        .await
    };
    let sumun =
        Sumun::start(&policy(&upstream.url(), "source: actuator, every: 30s", WORKERS)).await;
    assert_eq!(sumun.get("/batch/x").await.status, 200, "nothing is known of its load");
    let (state, ..) = signal(&sumun, "workers").await;
    assert_eq!(state, "absent");
}

// === when the signal falls silent ===

/// What a signal's state must be by its age: two periods fresh, ten until it expires.
fn state_by(age_ms: u64) -> &'static str {
    let every_ms = EVERY.as_millis() as u64;
    // The age is shown in whole milliseconds.
    match age_ms {
        age if age < 2 * every_ms => "fresh",
        age if age == 2 * every_ms => "fresh or stale",
        age if age < 10 * every_ms => "stale",
        _ => "expired",
    }
}

/// Waits for a state; on the way each state shown is that of its age.
async fn becomes(sumun: &Sumun, state: &str, deadline: Duration) {
    eventually(&format!("the signal is {state}"), deadline, async || {
        let (now, age, value) = signal(sumun, "workers").await;
        let age = age.expect("an age: it was read once");
        assert!(state_by(age).contains(&now), "{now} at {age} ms");
        if now == state { Ok(()) } else { Err((now, age, value)) }
    })
    .await;
}

/// What the scheduler of a busy machine may add to the gateway's own times.
const SLACK: Duration = Duration::from_secs(2);

/// E11 for one way of going wrong and one `on_stale`; `expired` is the limit that holds then.
async fn falls_silent(fault: Reply, on_stale: &str, expired: Option<u64>) {
    let gate = Gate::closed();
    gate.open();
    let service = Service::start(figures(30.0, 200.0), &gate).await;
    let admission = format!("{WORKERS}, on_stale: {on_stale}");
    let signals = "source: actuator, every: 200ms";
    let sumun = Sumun::start(&policy(&service.upstream.url(), signals, &admission)).await;
    limit_is(&sumun, Some(140)).await; // 170 less 30 of others

    service.then(fault);
    becomes(&sumun, "stale", 2 * EVERY + SLACK).await;
    assert_eq!(limit(&sumun).await, Some(140), "a stale signal holds");
    becomes(&sumun, "expired", 10 * EVERY + SLACK).await;
    limit_is(&sumun, expired).await;
    let status = if expired == Some(0) { 429 } else { 200 };
    assert_eq!(sumun.get("/batch/x").await.status, status, "{on_stale}");
    assert_eq!(sumun.get("/page/x").await.status, 200, "interactive, whatever the signal");

    // Back, and with another load than before: nothing of the gap is left.
    service.then(figures(100.0, 200.0));
    becomes(&sumun, "fresh", 2 * EVERY + SLACK).await;
    limit_is(&sumun, Some(70)).await;
    assert_eq!(sumun.get("/batch/x").await.status, 200);
}

#[tokio::test]
async fn e11_a_signal_that_answers_500() {
    let fault = || Reply::with(500, &[], "broken");
    falls_silent(fault(), "proven", Some(140)).await;
    falls_silent(fault(), "open", None).await;
    falls_silent(fault(), "closed", Some(0)).await;
}

#[tokio::test]
async fn e11_a_signal_that_hangs() {
    let fault = || Reply::only(Step::Hang);
    falls_silent(fault(), "proven", Some(140)).await;
    falls_silent(fault(), "open", None).await;
    falls_silent(fault(), "closed", Some(0)).await;
}

#[tokio::test]
async fn e11_a_signal_that_says_minus_one() {
    let fault = || figures(-1.0, -1.0);
    falls_silent(fault(), "proven", Some(140)).await;
    falls_silent(fault(), "open", None).await;
    falls_silent(fault(), "closed", Some(0)).await;
}

#[tokio::test]
async fn e11_a_signal_that_freezes_is_found_out_and_the_slots_still_hold() {
    let gate = Gate::closed();
    let service = Service::start(figures(7.0, 20.0), &gate).await;
    let signals = "source: actuator, every: 100ms";
    let sumun = Sumun::start(&policy(&service.upstream.url(), signals, WORKERS)).await;
    limit_is(&sumun, Some(10)).await; // 17 less 7 of others
    // Calls come and go; what the service says stays.
    let mut waiting = Vec::new();
    for _ in 0..6 {
        let mut client = Client::connect(sumun.address()).await;
        client.send("GET /batch/x HTTP/1.1\r\nhost: a\r\n\r\n").await;
        waiting.push(client);
    }
    let findings = finds(&sumun, &["signal-frozen", "signal-frozen"]).await;
    assert_eq!(
        (&findings[0]["signal"], &findings[1]["signal"]),
        (&"workers".into(), &"cpu".into())
    );
    assert_eq!(findings[0]["severity"], "warning");
    let (state, _, _) = signal(&sumun, "workers").await;
    assert_eq!(state, "fresh", "it answers: what it says is used");
    // Seven busy, six of them ours: one other, so 16; never more, whatever the signal says.
    limit_is(&sumun, Some(16)).await;
    gate.open();
    for client in waiting {
        assert_eq!(client.deadline(DEADLINE).answer().await.status, 200);
    }
    limit_is(&sumun, Some(10)).await;
    service.then(figures(0.0, 20.0));
    limit_is(&sumun, Some(17)).await;
    finds(&sumun, &[]).await;
}

// === silence under load ===

const SECOND: Duration = Duration::from_secs(1);

/// Twelve calls in flight at a service of 20 workers with five busy for others: the limit is 12.
async fn loaded() -> (Sumun, Service, Gate, Vec<Client>) {
    let gate = Gate::closed();
    let service = Service::start(figures(0.0, 20.0), &gate).await;
    let signals = "source: actuator, every: 1s";
    let sumun = Sumun::start(&policy(&service.upstream.url(), signals, WORKERS)).await;
    limit_is(&sumun, Some(17)).await;
    let mut waiting = Vec::new();
    for _ in 0..12 {
        let mut client = Client::connect(sumun.address()).await;
        client.send("GET /batch/x HTTP/1.1\r\nhost: a\r\n\r\n").await;
        waiting.push(client);
    }
    eventually("twelve in flight", DEADLINE, async || {
        let count = sumun.metric("sumun_inflight{route=\"job\"}").await;
        if count > 11.5 { Ok(()) } else { Err(count) }
    })
    .await;
    service.then(figures(17.0, 20.0));
    limit_is(&sumun, Some(12)).await;
    (sumun, service, gate, waiting)
}

/// One scrape fails, then the others' load is gone: when, after the failed one was asked for, is the
/// limit 17? On the way it is never under 12.
async fn risen(sumun: &Sumun, service: &Service, fault: Reply) -> Duration {
    service.once(fault, figures(12.0, 20.0));
    let at = eventually("the limit rises", DEADLINE, async || {
        let limit = limit(sumun).await;
        assert!(limit.is_some_and(|limit| limit >= 12), "{limit:?}");
        if limit == Some(17) { Ok(Instant::now()) } else { Err(limit) }
    })
    .await;
    at - service
        .scrapes
        .lock()
        .expect("no test panicked with it")
        .drained
        .expect("the fault was asked for")
}

#[tokio::test]
async fn a_scrape_that_times_out_under_our_load_holds_the_limit_and_does_not_lower_it() {
    let (sumun, service, gate, waiting) = loaded().await;
    let took = risen(&sumun, &service, Reply::only(Step::Hang)).await;
    assert!(took >= 2 * SECOND, "two periods are waited: {took:?}");
    gate.open();
    for client in waiting {
        assert_eq!(client.deadline(DEADLINE).answer().await.status, 200);
    }
}

#[tokio::test]
async fn a_scrape_that_is_answered_wrongly_under_our_load_is_no_pressure() {
    let (sumun, service, gate, waiting) = loaded().await;
    let took = risen(&sumun, &service, Reply::with(404, &[], "")).await;
    assert!(took < 2 * SECOND, "the next reading counts: {took:?}");
    gate.open();
    drop(waiting);
}

#[tokio::test]
async fn hanging_scrapes_under_our_load_never_bring_the_limit_under_the_proven_one() {
    let actuator = Actuator::start(|_| Reply::only(Step::Hang)).await;
    let signals = "source: actuator, every: 200ms";
    let sumun = Sumun::start(&policy(&actuator.upstream().url(), signals, WORKERS)).await;
    actuator.set(0.0, 20.0, 0.1);
    limit_is(&sumun, Some(17)).await;
    let mut waiting = Vec::new();
    for _ in 0..15 {
        let mut client = Client::connect(sumun.address()).await;
        client.send("GET /batch/x HTTP/1.1\r\nhost: a\r\n\r\n").await;
        waiting.push(client);
    }
    actuator.reply(Reply::only(Step::Hang));
    let begun = Instant::now();
    eventually("the signal has expired", DEADLINE, async || {
        let limit = limit(&sumun).await;
        assert_eq!(limit, Some(17), "after {:?}", begun.elapsed());
        let (state, _, _) = signal(&sumun, "workers").await;
        if state == "expired" { Ok(()) } else { Err(state) }
    })
    .await;
    assert_eq!(limit(&sumun).await, Some(17), "proven");
    drop(waiting);
}
