//! The doctor: what real services say of their load, what is found wrong with it, and where that is
//! shown: the admin API, the log, the metrics, `sumun check --live`.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use sumun_tests::{Client, DEADLINE, Gate, Reply, Step, Sumun, Upstream, binary_path, eventually};

use crate::signals::{
    OPEN_METRICS, PLAIN, Service, WORKERS, actuator, finds, limit_is, policy, signal, upstream_now,
};

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
        let keys = "    signals: { source: actuator, every: 500ms }";
        policy +=
            &["  up-", &format!("{index:02}"), ":\n    endpoints: [", &url, "]\n", keys, "\n"]
                .concat();
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
    let upstream = Upstream::start(|request| {
        if request.target() == "/page/with" {
            let report =
                "TEXT cpu_utilization=0.3, named_metrics.workers=2, named_metrics.workers_max=20";
            return Reply::with(200, &[("endpoint-load-metrics", report)], "ok");
        }
        Reply::ok("ok")
    })
    .await;
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
