use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;
use sumun_engine::Reading;
use sumun_policy::policy::{Origin, Protocol, Timeout, Upstream, WorkerSeries};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::text::TextError;
use super::*;
use crate::upstream::tls_connector;

const PATIENCE: Duration = Duration::from_secs(10);

/// Remembers what it was told.
#[derive(Default)]
struct Heard {
    outcomes: Mutex<VecDeque<Outcome>>,
    news: Notify,
}

impl Readings for Heard {
    fn in_flight(&self, _: &Name, _: &Endpoint) -> Option<u32> {
        Some(3)
    }

    fn outcome(&self, _: &Name, _: &Endpoint, outcome: Outcome) {
        self.outcomes.lock().push_back(outcome);
        self.news.notify_one();
    }
}

impl Heard {
    /// The next thing told.
    async fn next(&self) -> Outcome {
        let next = async {
            loop {
                let told = self.outcomes.lock().pop_front();
                if let Some(told) = told {
                    return told;
                }
                self.news.notified().await;
            }
        };
        timeout(PATIENCE, next).await.expect("a scrape tells something")
    }
}

/// A service that answers every request with the same bytes.
struct Service {
    port: u16,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    /// Connections that have ended.
    ended: Arc<AtomicUsize>,
}

async fn service(answer: impl Into<Vec<u8>>) -> Service {
    let answer = Arc::new(answer.into());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = Service {
        port: listener.local_addr().unwrap().port(),
        connections: Arc::default(),
        requests: Arc::default(),
        ended: Arc::default(),
    };
    let (connections, requests) = (Arc::clone(&service.connections), Arc::clone(&service.requests));
    let ended = Arc::clone(&service.ended);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::Relaxed);
            let serving = serve(stream, Arc::clone(&answer), Arc::clone(&requests));
            let ended = Arc::clone(&ended);
            tokio::spawn(async move {
                serving.await;
                ended.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    service
}

/// An answer that says `close` is followed by the end of the connection.
async fn serve(mut stream: TcpStream, answer: Arc<Vec<u8>>, requests: Arc<AtomicUsize>) {
    let close = answer[..answer.len().min(512)].windows(17).any(|w| w == b"connection: close");
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        head.extend_from_slice(&buffer[..n]);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        head.clear();
        requests.fetch_add(1, Ordering::Relaxed);
        if stream.write_all(&answer).await.is_err() || close {
            return;
        }
    }
}

fn ok(text: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain;version=0.0.4;charset=utf-8\r\ncontent-length: {}\r\n\r\n{text}",
        text.len()
    )
}

/// A line that nobody wants, as long as those of a service with many labels.
fn filler() -> String {
    format!("other{{a=\"{}\"}} 1\n", "b".repeat(1000))
}

fn policy(upstreams: &[(&str, &[u16], Duration)]) -> Policy {
    let upstream = |(name, ports, every): &(&str, &[u16], Duration)| {
        let name = Name::new(name).unwrap();
        let endpoint = |port: &u16| Endpoint { tls: false, host: "127.0.0.1".into(), port: *port };
        let upstream = Upstream {
            name: name.clone(),
            origin: Origin { file: "test.yaml".into(), line: 1 },
            endpoints: ports.iter().map(endpoint).collect(),
            protocol: Protocol::Auto,
            timeout: Timeout::default(),
            signals: Some(Signals {
                source: Source::Prometheus,
                path: "/metrics".into(),
                every: *every,
                workers: Some(WorkerSeries { busy: "busy".into(), max: "max".into() }),
                cpu: Some("cpu".into()),
            }),
            workers_max: None,
        };
        (name, upstream)
    };
    Policy {
        upstreams: upstreams.iter().map(upstream).collect::<BTreeMap<_, _>>(),
        ..Policy::default()
    }
}

fn sense(told: &Arc<Heard>) -> Sense {
    let readings: Arc<dyn Readings> = Arc::<Heard>::clone(told);
    Sense::new(Handle::current(), tls_connector().unwrap(), [], readings)
}

/// What one scrape of a service with this answer tells.
async fn scrape(answer: impl Into<Vec<u8>>) -> Outcome {
    let service = service(answer).await;
    let told = Arc::new(Heard::default());
    let mut sense = sense(&told);
    sense.follow(&policy(&[("mail", &[service.port], SCRAPE_TIME_MAX * 2)]));
    told.next().await
}

#[tokio::test]
async fn readings_come_again_and_again_over_one_connection() {
    let service = service(ok("busy 5\nmax 20\ncpu 0.5\n")).await;
    let told = Arc::new(Heard::default());
    let mut sense = sense(&told);
    sense.follow(&policy(&[("mail", &[service.port], Duration::from_millis(100))]));
    for _ in 0..5 {
        let reading = told.next().await.unwrap().reading;
        let expected = Reading {
            busy: Some(5.0),
            max: Some(20.0),
            cpu: Some(0.5),
            own_in_flight: Some(3), // asked when the scrape was sent
        };
        assert_eq!(reading, expected);
    }
    assert_eq!(service.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_connection_that_the_service_closed_is_made_anew() {
    let text = "busy 5\nmax 20\n";
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{text}",
        text.len()
    );
    let service = service(answer).await;
    let told = Arc::new(Heard::default());
    let mut sense = sense(&told);
    sense.follow(&policy(&[("mail", &[service.port], Duration::from_millis(100))]));
    for _ in 0..3 {
        assert!(told.next().await.is_ok());
    }
    assert!(service.connections.load(Ordering::Relaxed) >= 3);
}

#[tokio::test]
async fn what_is_not_a_sound_answer_is_no_reading() {
    let unauthorized = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
    let error = scrape(unauthorized).await.unwrap_err();
    assert!(matches!(error, ScrapeError::Status(StatusCode::UNAUTHORIZED)), "{error}");

    let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 7\r\n\r\nbusy 1\n";
    let error = scrape(html).await.unwrap_err();
    assert!(matches!(&error, ScrapeError::ContentType(said) if said == "text/html"), "{error}");

    let none = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nbusy 1\n";
    assert!(matches!(scrape(none).await, Err(ScrapeError::ContentType(said)) if said.is_empty()));

    let gzip = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip\r\ncontent-length: 7\r\n\r\nbusy 1\n";
    assert!(matches!(scrape(gzip).await, Err(ScrapeError::Compressed(said)) if said == "gzip"));

    let moved = "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n";
    let error = scrape(moved).await.unwrap_err();
    assert!(matches!(&error, ScrapeError::Redirect { location, .. } if location == "/login"));
    assert_eq!(error.to_string(), "the answer is a redirect (302) to `/login`");

    let cut = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: 99\r\n\r\nbusy 1\nmax 20\n";
    let error = scrape(cut).await.unwrap_err();
    assert!(matches!(error, ScrapeError::Exchange(_)), "{error}");

    // No length: the end of the connection is the end of the text, whole or not.
    let cut =
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nbusy 1\nmax 2";
    let error = scrape(cut).await.unwrap_err();
    assert!(matches!(error, ScrapeError::Text(TextError::Partial)), "{error}");

    let error = scrape("SSH-2.0-OpenSSH_9.2\r\n").await.unwrap_err();
    assert!(matches!(error, ScrapeError::Exchange(_)), "{error}");
}

#[tokio::test]
async fn ten_megabytes_are_refused_with_and_without_a_length() {
    let line = filler();
    let text = line.repeat(10 * (1 << 20) / line.len());
    let error = scrape(ok(&text)).await.unwrap_err();
    assert!(matches!(error, ScrapeError::TooLarge), "{error:?}");
    let endless = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n{text}busy 1\n"
    );
    let error = scrape(endless).await.unwrap_err();
    assert!(matches!(error, ScrapeError::TooLarge), "{error:?}");
}

#[tokio::test]
async fn three_megabytes_are_read() {
    let line = filler();
    let text = format!("{}busy 1\n", line.repeat(3 * (1 << 20) / line.len()));
    assert_eq!(scrape(ok(&text)).await.unwrap().reading.busy, Some(1.0));
}

#[tokio::test]
async fn a_service_that_hangs_is_given_up_within_its_period() {
    let started = std::time::Instant::now();
    // A head without a body: the rest never comes.
    let hung = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 99\r\n\r\nbusy 1\n";
    let error = scrape(hung).await.unwrap_err();
    assert!(matches!(error, ScrapeError::Timeout), "{error}");
    assert!(started.elapsed() >= SCRAPE_TIME_MAX);
}

#[tokio::test]
async fn a_scrape_ends_before_the_next_one_is_due() {
    // It takes longer than the period to tell, a byte at a time.
    let slow =
        service("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\nbu").await;
    let told = Arc::new(Heard::default());
    let mut sense = sense(&told);
    sense.follow(&policy(&[("mail", &[slow.port], Duration::from_millis(100))]));
    for _ in 0..4 {
        let error = told.next().await.unwrap_err();
        assert!(matches!(error, ScrapeError::Timeout), "{error}");
        let begun = slow.connections.load(Ordering::Relaxed);
        let ended = slow.ended.load(Ordering::Relaxed);
        assert!(begun <= ended + 2, "{begun} begun, {ended} ended");
    }
}

#[tokio::test]
async fn what_kept_a_service_from_answering_may_be_load_and_a_wrong_answer_is_none() {
    let status = |status| ScrapeError::Status(StatusCode::from_u16(status).unwrap());
    for error in [ScrapeError::Timeout, status(500), status(503), status(429)] {
        assert!(error.is_pressure(), "{error}");
    }
    let partial = ScrapeError::Text(TextError::Partial);
    let html = ScrapeError::ContentType("text/html".into());
    for error in [status(401), status(404), partial, html, ScrapeError::TooLarge] {
        assert!(!error.is_pressure(), "{error}");
    }
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_told() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let told = Arc::new(Heard::default());
    let mut sense = sense(&told);
    sense.follow(&policy(&[("mail", &[port], Duration::from_millis(200))]));
    let error = told.next().await.unwrap_err();
    assert!(matches!(error, ScrapeError::Connect(_)), "{error}");
}

#[tokio::test]
async fn only_what_changed_is_restarted() {
    let (one, two) = (service(ok("busy 1\n")).await, service(ok("busy 2\n")).await);
    let told = Arc::new(Heard::default());
    let mut sense = sense(&told);
    let every = Duration::from_millis(100);
    sense.follow(&policy(&[("mail", &[one.port, two.port], every)]));
    assert_eq!(sense.endpoints(), 2);
    wait(|| one.requests.load(Ordering::Relaxed) > 1 && two.requests.load(Ordering::Relaxed) > 1)
        .await;

    // The second goes, the first stays as it was.
    sense.follow(&policy(&[("mail", &[one.port], every)]));
    assert_eq!(sense.endpoints(), 1);
    let (first, second) =
        (one.requests.load(Ordering::Relaxed), two.requests.load(Ordering::Relaxed));
    wait(|| one.requests.load(Ordering::Relaxed) > first + 5).await;
    assert!(two.requests.load(Ordering::Relaxed) <= second + 1, "one may have been under way");
    assert_eq!(one.connections.load(Ordering::Relaxed), 1, "undisturbed");

    // Another path or period: a new task, so a new connection.
    sense.follow(&policy(&[("mail", &[one.port], Duration::from_millis(150))]));
    wait(|| one.connections.load(Ordering::Relaxed) == 2).await;

    drop(sense);
    wait(|| one.ended.load(Ordering::Relaxed) == 2).await;
    assert_eq!(one.connections.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn orca_is_not_scraped() {
    let told = Arc::new(Heard::default());
    let mut sense = sense(&told);
    let mut policy = policy(&[("mail", &[1], Duration::from_millis(100))]);
    let upstream = policy.upstreams.values_mut().next().unwrap();
    upstream.signals.as_mut().unwrap().source = Source::Orca;
    sense.follow(&policy);
    assert_eq!(sense.endpoints(), 0);
}

async fn wait(condition: impl Fn() -> bool) {
    let until = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, until).await.expect("the condition holds in time");
}
