//! The service: a fixed number of workers behind one queue, as Tomcat has them.
//!
//! A call waits in the queue (at most `queue_max`; beyond, 503) and then keeps a worker for a
//! service time drawn from a distribution. A worker that wakes late begins the next queued call
//! when it should have, so a busy machine does not take capacity away while there is a queue.
//!
//! Beside the pool, as on a management port: `/actuator/prometheus` in Actuator's text,
//! `/__set?slow=4` and `/__set?signal=fine|freeze|error|hang|minus`, `/__stats` and `/__arrivals`.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};

use crate::timer::Timer;

/// Arrivals kept for `/__arrivals`: a run of a minute at the highest admitted rate.
const ARRIVALS_MAX: usize = 200_000;

/// Bimodal: one call in ten takes this many times as long as the others.
const LONG_SHARE: f64 = 0.1;
const LONG_TIMES: f64 = 10.0;

/// What the service is.
#[derive(Deserialize)]
struct Settings {
    /// 0: a free one; it is printed.
    port: u16,
    workers: u32,
    mean_ms: f64,
    service: Service,
    queue_max: usize,
    seed: u64,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Service {
    Constant,
    Exponential,
    Bimodal,
}

/// How the signal behaves.
#[derive(Clone, Copy, PartialEq)]
enum Signal {
    Fine,
    /// The last figures again and again.
    Freeze,
    /// 500.
    Error,
    /// No answer.
    Hang,
    /// -1 for both, as with virtual threads.
    Minus,
}

/// A call in the queue.
struct Job {
    arrived: Instant,
    done: oneshot::Sender<()>,
}

/// The service's state.
struct Pool {
    settings: Settings,
    random: RefCell<fastrand::Rng>,
    queue: RefCell<VecDeque<Job>>,
    called: Notify,
    busy: Cell<u32>,
    /// Calls of `/batch…` that have come and are not answered, now and at most.
    batch: Cell<u32>,
    batch_peak: Cell<u32>,
    queue_peak: Cell<usize>,
    served: Cell<u64>,
    late_us: Cell<u64>,
    slow: Cell<f64>,
    signal: Cell<Signal>,
    frozen: Cell<u32>,
    begun: Instant,
    arrivals_us: RefCell<Vec<u64>>,
}

/// A batch call's presence, to its end.
struct Present(Rc<Pool>);

/// Serves until its process ends.
pub async fn run(settings: &str) {
    let settings: Settings = serde_json::from_str(settings).expect("settings of an upstream");
    let listener = TcpListener::bind(("127.0.0.1", settings.port)).await.expect("bind");
    println!("{}", listener.local_addr().expect("bound").port());
    let pool = Rc::new(Pool::new(settings));
    for _ in 0..pool.settings.workers {
        tokio::task::spawn_local(work(Rc::clone(&pool)));
    }
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        stream.set_nodelay(true).ok();
        let pool = Rc::clone(&pool);
        tokio::task::spawn_local(async move {
            let serve = service_fn(move |request| answer(Rc::clone(&pool), request));
            let mut http = hyper::server::conn::http1::Builder::new();
            // A caller that goes away is its own affair.
            let _ =
                http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), serve).await;
        });
    }
}

/// One worker: takes the oldest call, keeps it for its service time, answers.
async fn work(pool: Rc<Pool>) {
    let timer = Timer::new();
    let mut free_at = Instant::now();
    loop {
        let next = pool.queue.borrow_mut().pop_front();
        let Some(job) = next else {
            pool.called.notified().await;
            continue;
        };
        pool.busy.set(pool.busy.get() + 1);
        free_at = free_at.max(job.arrived) + pool.service_time();
        let late = timer.until(free_at).await;
        pool.late_us.set(pool.late_us.get() + late.as_micros() as u64);
        pool.busy.set(pool.busy.get() - 1);
        pool.served.set(pool.served.get() + 1);
        // Nobody may be waiting any more; the work was done all the same.
        let _ = job.done.send(());
    }
}

async fn answer(
    pool: Rc<Pool>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    Ok(match path {
        "/actuator/prometheus" => pool.exposition().await,
        "/__set" => pool.set(query),
        "/__stats" => text(StatusCode::OK, pool.stats()),
        "/__arrivals" => text(StatusCode::OK, json!(*pool.arrivals_us.borrow()).to_string()),
        _ => pool.serve(path).await,
    })
}

// === impl Pool ===

impl Pool {
    fn new(settings: Settings) -> Self {
        Self {
            random: RefCell::new(fastrand::Rng::with_seed(settings.seed)),
            settings,
            queue: RefCell::default(),
            called: Notify::new(),
            busy: Cell::new(0),
            batch: Cell::new(0),
            batch_peak: Cell::new(0),
            queue_peak: Cell::new(0),
            served: Cell::new(0),
            late_us: Cell::new(0),
            slow: Cell::new(1.0),
            signal: Cell::new(Signal::Fine),
            frozen: Cell::new(0),
            begun: Instant::now(),
            arrivals_us: RefCell::default(),
        }
    }

    async fn serve(self: Rc<Self>, path: &str) -> Response<Full<Bytes>> {
        let arrived = Instant::now();
        if self.arrivals_us.borrow().len() < ARRIVALS_MAX {
            self.arrivals_us
                .borrow_mut()
                .push(arrived.duration_since(self.begun).as_micros() as u64);
        }
        let _present = path.starts_with("/batch").then(|| Present::enter(&self));
        if self.queue.borrow().len() >= self.settings.queue_max {
            return text(StatusCode::SERVICE_UNAVAILABLE, "the queue is full".into());
        }
        let (done, answered) = oneshot::channel();
        self.queue.borrow_mut().push_back(Job { arrived, done });
        self.queue_peak.set(self.queue_peak.get().max(self.queue.borrow().len()));
        self.called.notify_one();
        answered.await.expect("workers answer every call");
        text(
            StatusCode::OK,
            "{\"mail\":\"A hundred bytes, as a small answer of a service has them.\"}".into(),
        )
    }

    fn service_time(&self) -> Duration {
        let share = self.random.borrow_mut().f64();
        let times = match self.settings.service {
            Service::Constant => 1.0,
            Service::Exponential => -(1.0 - share).ln(),
            Service::Bimodal => {
                let short = 1.0 / (1.0 - LONG_SHARE + LONG_SHARE * LONG_TIMES);
                if share < LONG_SHARE { short * LONG_TIMES } else { short }
            }
        };
        Duration::from_secs_f64(times * self.slow.get() * self.settings.mean_ms / 1000.0)
    }

    async fn exposition(&self) -> Response<Full<Bytes>> {
        let (mut busy, mut most) = (f64::from(self.busy.get()), f64::from(self.settings.workers));
        match self.signal.get() {
            Signal::Fine => {}
            Signal::Freeze => busy = f64::from(self.frozen.get()),
            Signal::Error => return text(StatusCode::INTERNAL_SERVER_ERROR, String::new()),
            Signal::Hang => std::future::pending().await,
            Signal::Minus => (busy, most) = (-1.0, -1.0),
        }
        let cpu = f64::from(self.busy.get()) / f64::from(self.settings.workers);
        let mut out = String::new();
        for (name, labels, value) in [
            ("system_cpu_usage", "", cpu),
            ("tomcat_threads_busy_threads", "{name=\"http-nio-8080\"}", busy),
            ("tomcat_threads_config_max_threads", "{name=\"http-nio-8080\"}", most),
        ] {
            let _ = write!(out, "# TYPE {name} gauge\n{name}{labels} {value:?}\n");
        }
        let mut answer = text(StatusCode::OK, out);
        let kind = http::HeaderValue::from_static("text/plain;version=0.0.4;charset=utf-8");
        answer.headers_mut().insert(http::header::CONTENT_TYPE, kind);
        answer
    }

    fn set(&self, query: &str) -> Response<Full<Bytes>> {
        let bad = || text(StatusCode::BAD_REQUEST, format!("not understood: {query}"));
        match query.split_once('=') {
            Some(("slow", times)) => match times.parse() {
                Ok(times) => self.slow.set(times),
                Err(_) => return bad(),
            },
            Some(("signal", kind)) => {
                self.frozen.set(self.busy.get());
                self.signal.set(match kind {
                    "fine" => Signal::Fine,
                    "freeze" => Signal::Freeze,
                    "error" => Signal::Error,
                    "hang" => Signal::Hang,
                    "minus" => Signal::Minus,
                    _ => return bad(),
                });
            }
            _ => return bad(),
        }
        text(StatusCode::OK, String::new())
    }

    fn stats(&self) -> String {
        let served = self.served.get();
        json!({
            "served": served,
            "batch_peak": self.batch_peak.get(),
            "queue_peak": self.queue_peak.get(),
            "in_flight": self.busy.get() as usize + self.queue.borrow().len(),
            "late_mean_us": self.late_us.get() / served.max(1),
        })
        .to_string()
    }
}

// === impl Present ===

impl Present {
    fn enter(pool: &Rc<Pool>) -> Self {
        pool.batch.set(pool.batch.get() + 1);
        pool.batch_peak.set(pool.batch_peak.get().max(pool.batch.get()));
        Self(Rc::clone(pool))
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.batch.set(self.0.batch.get() - 1);
    }
}

fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    answer
}
