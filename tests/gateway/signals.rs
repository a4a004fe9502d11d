//! Signals: what real services say, what the doctor says of it, and what holds when they fall silent.

use std::collections::VecDeque;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use sumun_tests::{
    Actuator, Client, DEADLINE, Gate, Reply, Step, Sumun, Upstream, binary_path, eventually,
};

use crate::policies;

const PLAIN: &str = "text/plain;version=0.0.4;charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0;charset=utf-8";

/// Period of the signals in most of these tests.
const EVERY: Duration = Duration::from_millis(200);

/// What Spring Boot answered: see `tests/data/actuator`.
fn actuator(file: &str) -> Reply {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/actuator").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let media = if file.ends_with(".om") { OPEN_METRICS } else { PLAIN };
    Reply::with(200, &[("content-type", media)], text)
}

/// Tomcat's figures, and CPU at 10 %.
fn figures(busy: f64, max: f64) -> Reply {
    let text = format!(
        "tomcat_threads_busy_threads{{name=\"http-nio-8080\",}} {busy:?}\n\
         tomcat_threads_config_max_threads{{name=\"http-nio-8080\",}} {max:?}\n\
         system_cpu_usage 0.1\n"
    );
    Reply::with(200, &[("content-type", PLAIN)], text)
}

/// A service whose scrapes are answered with what the test says next, calls by a gate.
struct Service {
    upstream: Upstream,
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
    async fn start(scrape: Reply, calls: &Gate) -> Self {
        let scrapes = Scrapes { next: VecDeque::new(), then: scrape, drained: None };
        let scrapes = Arc::new(Mutex::new(scrapes));
        let (shared, calls) = (Arc::clone(&scrapes), calls.clone());
        let upstream = Upstream::start(move |request| {
            if request.target() != "/actuator/prometheus" {
                return Reply::ok("ok").behind(&calls);
            }
            let mut scrapes = shared.lock().unwrap();
            let Some(reply) = scrapes.next.pop_front() else { return scrapes.then.clone() };
            if scrapes.next.is_empty() {
                scrapes.drained = Some(Instant::now());
            }
            reply
        });
        Self { upstream: upstream.await, scrapes }
    }

    fn then(&self, reply: Reply) {
        self.scrapes.lock().unwrap().then = reply;
    }

    /// Answers the next scrape with `once`, later ones with `then`.
    fn once(&self, once: Reply, then: Reply) {
        let mut scrapes = self.scrapes.lock().unwrap();
        (scrapes.next, scrapes.then, scrapes.drained) = ([once].into(), then, None);
    }
}

/// A shed route `/batch/**` and an interactive `/page/**` on one upstream with these signals.
fn policy(url: &str, signals: &str, admission: &str) -> String {
    format!(
        "version: 1\n\
         upstreams:\n\
         \x20 up:\n\
         \x20   {}\n\
         \x20   signals: {{ {signals} }}\n\
         routes:\n\
         \x20 job: {{ match: {{ path: /batch/** }}, upstream: up, class: batch, admission: {{ {admission} }} }}\n\
         \x20 page: {{ match: {{ path: /page/** }}, upstream: up }}\n",
        policies::upstream(url)
    )
}

const WORKERS: &str = "workers: { enter: 85%, exit: 75% }";

async fn upstream_now(sumun: &Sumun) -> Value {
    sumun.admin_get("/api/v1/upstreams").await["upstreams"][0].take()
}

/// One signal of the first endpoint: its state, age in ms, and value.
async fn signal(sumun: &Sumun, name: &str) -> (String, Option<u64>, Option<f64>) {
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
async fn finds(sumun: &Sumun, expected: &[&str]) -> Value {
    eventually(&format!("findings {expected:?}"), DEADLINE, async || {
        let findings = upstream_now(sumun).await["findings"].take();
        if ids(&findings) == expected { Ok(findings) } else { Err(findings.to_string()) }
    })
    .await
}

async fn limit(sumun: &Sumun) -> Option<u64> {
    sumun.admin_get("/api/v1/routes/job").await["limit"].as_u64()
}

async fn limit_is(sumun: &Sumun, expected: Option<u64>) {
    eventually(&format!("the limit is {expected:?}"), DEADLINE, async || {
        let limit = limit(sumun).await;
        if limit == expected { Ok(()) } else { Err(limit) }
    })
    .await;
}

// === what real services say ===

#[tokio::test]
async fn a_real_tomcat_is_read_in_both_formats() {
    for file in
        ["boot-2.7-mbeanregistry.om", "boot-3.2-mbeanregistry.txt", "boot-3.3.1-mbeanregistry.txt"]
    {
        let service = Service::start(actuator(file), &Gate::closed()).await;
        let signals = "source: actuator, every: 200ms";
        let sumun = Sumun::start(&policy(&service.upstream.url(), signals, WORKERS)).await;
        eventually(file, DEADLINE, async || match signal(&sumun, "workers").await {
            (state, _, Some(value)) if state == "fresh" && (value - 0.005).abs() < 1e-9 => Ok(()),
            other => Err(other),
        })
        .await;
        assert_eq!(signal(&sumun, "cpu").await.2, Some(0.25), "{file}");
        limit_is(&sumun, Some(169)).await; // 85 % of 200, less the one that the scrape itself takes
        assert_eq!(upstream_now(&sumun).await["findings"], Value::Array(Vec::new()), "{file}");
    }
}

#[tokio::test]
async fn a_finding_is_shown_counted_and_logged_once_and_goes_when_it_is_mended() {
    let service = Service::start(actuator("boot-2.7.txt"), &Gate::closed()).await;
    let signals = "source: actuator, every: 100ms";
    let sumun = Sumun::start(&policy(&service.upstream.url(), signals, WORKERS)).await;
    let findings = finds(&sumun, &["tomcat-mbeanregistry-off"]).await;
    let finding = &findings[0];
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["endpoint"], service.upstream.url());
    assert_eq!(finding["signal"], "workers");
    let words = |key: &str| finding[key].as_str().expect("words").to_owned();
    assert!(words("seen").contains("tomcat_threads_busy_threads"), "{finding}");
    assert!(words("meanwhile").contains("on_stale"), "{finding}");
    assert!(words("remedy").contains("server.tomcat.mbeanregistry.enabled=true"), "{finding}");
    let count = "sumun_signal_findings{upstream=\"up\"}";
    assert!((sumun.metric(count).await - 1.0).abs() < f64::EPSILON);

    let before = service.upstream.request_count();
    service.upstream.arrived(before + 10).await;
    let logged = sumun.stdout() + &sumun.stderr();
    assert_eq!(logged.matches("tomcat-mbeanregistry-off").count(), 1, "{logged}");

    service.then(actuator("boot-2.7-mbeanregistry.om"));
    finds(&sumun, &[]).await;
    assert!(sumun.metric(count).await.abs() < f64::EPSILON);
    limit_is(&sumun, Some(169)).await;
}

/// What `sumun check --live` says of this policy: exit code and report.
fn check_live(policy: &str) -> (i32, Value, String) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("mail.yaml"), policy).expect("written");
    let run = |output: &str| {
        Command::new(binary_path())
            .args(["check", "--live", "--policies", ".", "--output", output])
            .current_dir(folder.path())
            .output()
            .expect("the binary")
    };
    let (json, text) = (run("json"), run("text"));
    let code = json.status.code().expect("a code");
    assert_eq!(text.status.code(), Some(code), "both say the same");
    let report = serde_json::from_slice(&json.stdout).expect("JSON");
    (code, report, String::from_utf8_lossy(&text.stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_live_finds_every_way_of_going_wrong() {
    let text = "tomcat_threads_busy_threads 1\n";
    let head = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n");
    let plain = "content-type: text/plain\r\n";
    let whole = Duration::from_millis(20);
    let cases: Vec<(&str, Reply)> = vec![
        ("login-needed", Reply::with(401, &[("www-authenticate", "Basic")], "")),
        ("path-unknown", Reply::with(404, &[], "{}")),
        ("redirected", Reply::with(302, &[("location", "/login")], "")),
        ("status-unusable", Reply::with(503, &[], "")),
        ("not-http", Reply::with(400, &[], "This combination of host and port requires TLS.\r\n")),
        ("not-http", Reply::raw("\x15\x03\x01\0\x02\x02\x46")),
        ("not-metrics", Reply::with(200, &[("content-type", "text/html")], "<html>")),
        (
            "compressed",
            Reply::with(200, &[("content-type", PLAIN), ("content-encoding", "gzip")], "\x1f"),
        ),
        // Shorter than its Content-Length; cut within a line; without the end of OpenMetrics.
        (
            "answer-cut-off",
            Reply::raw(head(&format!("{plain}content-length: 999\r\n")) + text).then(Step::Close),
        ),
        ("answer-cut-off", Reply::raw(head(plain) + "tomcat_threads_busy_thr").then(Step::Close)),
        ("answer-cut-off", Reply::with(200, &[("content-type", OPEN_METRICS)], text)),
        (
            "answer-too-large",
            Reply::raw(head(&format!("{plain}content-length: 10485760\r\n")))
                .then(Step::Fill(10 << 20)),
        ),
        (
            "answer-too-slow",
            Reply::raw(head(&format!("{plain}content-length: 99\r\n")))
                .then(Step::Drip(vec![b'#'; 99].into(), whole)),
        ),
        ("answer-too-slow", Reply::only(Step::Hang)),
        (
            "text-malformed",
            Reply::with(200, &[("content-type", PLAIN)], "tomcat_threads_busy_threads one\n"),
        ),
        ("workers-max-unknown", actuator("boot-3.3.0-mbeanregistry.om")),
        ("workers-unreadable", actuator("boot-3.2-virtual-threads.txt")),
        ("series-of-jetty", actuator("boot-3.2-jetty.txt")),
        ("no-worker-pool", actuator("boot-3.2-undertow.txt")),
        ("no-worker-pool", actuator("boot-3.2-netty.om")),
    ];
    let mut policy = String::from("version: 1\nupstreams:\n");
    let mut services = Vec::new();
    for (index, (_, reply)) in cases.iter().enumerate() {
        let service = Service::start(reply.clone(), &Gate::closed()).await;
        let url = service.upstream.url();
        policy += &format!(
            "  up-{index:02}:\n    endpoints: [{url}]\n    signals: {{ source: actuator, every: 500ms }}\n"
        );
        services.push(service);
    }
    policy += "routes:\n  all: { match: { path: /** }, upstream: up-00 }\n";
    let (code, report, text) =
        tokio::task::spawn_blocking(move || check_live(&policy)).await.expect("checked");
    assert_eq!((code, &report["ok"]), (1, &Value::Bool(false)), "{text}");
    assert_eq!(report["live"]["endpoints"], cases.len(), "{text}");
    let findings = report["live"]["findings"].as_array().expect("findings");
    let found: Vec<_> = findings.iter().map(|finding| finding["id"].as_str().unwrap()).collect();
    let expected: Vec<_> = cases.iter().map(|(id, _)| *id).collect();
    assert_eq!(found, expected, "{text}");
    for (index, finding) in findings.iter().enumerate() {
        // Its place is the key `signals` of its upstream.
        assert_eq!(finding["upstream"], format!("up-{index:02}"));
        assert_eq!((&finding["line"], &finding["column"]), (&(5 + 3 * index).into(), &5.into()));
        let place = format!("mail.yaml:{}:5: {}", 5 + 3 * index, services[index].upstream.url());
        assert!(text.contains(&place), "{place}\n{text}");
    }
    assert!(text.contains("20 findings about signals of 20 endpoints"), "{text}");
    let large = &services[11].upstream;
    assert_eq!(large.malformed(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_live_is_0_where_signals_are_as_they_should_be() {
    let service = Service::start(actuator("boot-3.2-mbeanregistry.txt"), &Gate::closed()).await;
    let policy = policy(&service.upstream.url(), "source: actuator, every: 200ms", WORKERS);
    let check = move || check_live(&policy);
    let (code, report, text) = tokio::task::spawn_blocking(check).await.expect("checked");
    assert_eq!((code, &report["ok"]), (0, &Value::Bool(true)), "{text}");
    assert!(text.contains("fine: signals of 1 endpoint read"), "{text}");
}

/// A real Prometheus, ended when dropped.
struct Prometheus {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("prometheus.yml"), "scrape_configs: []\n").expect("written");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        let child = Command::new("prometheus")
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus runs (Debian package `prometheus`)");
        eventually("prometheus listens", DEADLINE, async || {
            std::net::TcpStream::connect(("127.0.0.1", port)).map(drop).map_err(|e| e.to_string())
        })
        .await;
        Self { child, port, _folder: folder }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test]
async fn a_real_prometheus_is_read_as_an_upstream() {
    let prometheus = Prometheus::start().await;
    let url = format!("http://127.0.0.1:{}", prometheus.port);
    let signals = "source: prometheus, path: /metrics, every: 200ms, \
                   workers: { busy: prometheus_engine_queries, max: prometheus_engine_queries_concurrent_max }, \
                   cpu: process_cpu_seconds_total";
    let sumun = Sumun::start(&policy(&url, signals, WORKERS)).await;
    limit_is(&sumun, Some(17)).await; // 85 % of its 20 queries at once, none of them running
    assert_eq!(signal(&sumun, "workers").await.2, Some(0.0));
    // Its CPU seconds since the start are no share, however small they are at first.
    let findings = finds(&sumun, &["series-is-a-counter"]).await;
    assert_eq!(findings[0]["signal"], "cpu");
    assert_eq!(signal(&sumun, "cpu").await.2, None);
}

#[tokio::test]
async fn orca_that_never_comes_is_a_finding_until_it_comes() {
    let gate = Gate::closed();
    let reports = gate.clone();
    let upstream = Upstream::start(move |request| {
        if request.target() == "/page/with" {
            let report =
                "TEXT cpu_utilization=0.3, named_metrics.workers=2, named_metrics.workers_max=20";
            return Reply::with(200, &[("endpoint-load-metrics", report)], "ok").behind(&reports);
        }
        Reply::ok("ok")
    })
    .await;
    gate.open();
    let sumun = Sumun::start(&policy(&upstream.url(), "source: orca", WORKERS)).await;
    let mut client = Client::connect(sumun.address()).await;
    for _ in 0..110 {
        let answer = client.exchange("GET /page/without HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(answer.status, 200);
    }
    finds(&sumun, &["orca-never-seen"]).await;
    let answer = client.exchange("GET /page/with HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(answer.header("endpoint-load-metrics"), None, "it is for the gateway");
    finds(&sumun, &[]).await;
    assert_eq!(signal(&sumun, "workers").await.2, Some(0.1));
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
async fn becomes(sumun: &Sumun, state: &str, deadline: Duration) -> Duration {
    let begun = Instant::now();
    eventually(&format!("the signal is {state}"), deadline, async || {
        let (now, age, value) = signal(sumun, "workers").await;
        let age = age.expect("an age: it was read once");
        assert!(state_by(age).contains(&now), "{now} at {age} ms");
        if now == state { Ok(()) } else { Err((now, age, value)) }
    })
    .await;
    begun.elapsed()
}

/// What the scheduler of a busy machine may add to the gateway's own times.
const SLACK: Duration = Duration::from_secs(2);

/// E11 for one way of going wrong and one `on_stale`; `expired` is the limit that holds then.
async fn falls_silent(fault: Reply, on_stale: &str, expired: Option<u64>) {
    let service = Service::start(figures(30.0, 200.0), &{
        let gate = Gate::closed();
        gate.open();
        gate
    })
    .await;
    let admission = format!("{WORKERS}, on_stale: {on_stale}");
    let signals = "source: actuator, every: 200ms";
    let sumun = Sumun::start(&policy(&service.upstream.url(), signals, &admission)).await;
    limit_is(&sumun, Some(140)).await; // 170 less 30 of others

    service.then(fault);
    let took = becomes(&sumun, "stale", 2 * EVERY + SLACK).await;
    assert!(took <= 2 * EVERY + SLACK, "{took:?}");
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
    let findings = finds(&sumun, &["signal-frozen"]).await;
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
    at - service.scrapes.lock().unwrap().drained.expect("the fault was asked for")
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
