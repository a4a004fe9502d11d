//! A plain proxy with a gate in front: what the baselines run in.
//!
//! One thread, connections kept to the service, calls over the gate answered with 429.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::gates::{self, Gate};
use crate::wire::{self, Connection};

/// How often the signal is read.
const SCRAPE_EVERY: Duration = Duration::from_secs(1);

/// What the proxy is.
#[derive(Deserialize)]
struct Settings {
    /// 0: a free one; it is printed.
    port: u16,
    to: u16,
    gate: String,
    /// Of `fixed-rps`: calls a second, and bucket size.
    rate: f64,
    burst: f64,
    /// A refusal names a random number of seconds from this to that.
    retry_after_s: (u32, u32),
}

struct Proxy {
    settings: Settings,
    gate: RefCell<Box<dyn Gate>>,
    in_flight: Cell<u32>,
    idle: RefCell<Vec<Connection>>,
    random: RefCell<fastrand::Rng>,
}

/// A call that entered; leaves when dropped, answered or not.
struct Entered {
    proxy: Rc<Proxy>,
    at: Instant,
    answered: bool,
}

/// Serves until its process ends.
pub async fn run(settings: &str) {
    let settings: Settings = serde_json::from_str(settings).expect("settings of a proxy");
    let listener = TcpListener::bind(("127.0.0.1", settings.port)).await.expect("bind");
    println!("{}", listener.local_addr().expect("bound").port());
    let gate = gates::named(&settings.gate, settings.rate, settings.burst).expect("a gate");
    let proxy = Rc::new(Proxy {
        settings,
        gate: RefCell::new(gate),
        in_flight: Cell::new(0),
        idle: RefCell::default(),
        random: RefCell::new(fastrand::Rng::with_seed(1)),
    });
    tokio::task::spawn_local(scrape(Rc::clone(&proxy)));
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        stream.set_nodelay(true).ok();
        let proxy = Rc::clone(&proxy);
        tokio::task::spawn_local(async move {
            let serve = service_fn(move |request| answer(Rc::clone(&proxy), request));
            let mut http = hyper::server::conn::http1::Builder::new();
            // A caller that goes away is its own affair.
            let _ =
                http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), serve).await;
        });
    }
}

async fn answer(
    proxy: Rc<Proxy>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let (interactive, now) = (path.starts_with("/interactive"), Instant::now());
    if !proxy.gate.borrow_mut().enter(interactive, proxy.in_flight.get(), now) {
        return Ok(proxy.refuse());
    }
    proxy.in_flight.set(proxy.in_flight.get() + 1);
    let mut entered = Entered { proxy: Rc::clone(&proxy), at: now, answered: false };
    let (status, body) = proxy.ask(path).await.unwrap_or((502, Bytes::new()));
    entered.answered = true;
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
    Ok(answer)
}

/// Reads the service's signal and hands it to the gate; what can't be read is left out.
async fn scrape(proxy: Rc<Proxy>) {
    loop {
        if let Ok((200, text)) = proxy.ask("/actuator/prometheus").await {
            let text = String::from_utf8_lossy(&text);
            let figure = |name: &str| {
                let line = text.lines().find(|line| line.starts_with(name))?;
                line.rsplit(' ').next()?.parse::<f64>().ok()
            };
            let figures = figure("tomcat_threads_busy_threads")
                .zip(figure("tomcat_threads_config_max_threads"));
            if let Some((busy, most)) = figures {
                proxy.gate.borrow_mut().reading(busy, most);
            }
        }
        tokio::time::sleep(SCRAPE_EVERY).await;
    }
}

// === impl Proxy ===

impl Proxy {
    async fn ask(&self, path: &str) -> std::io::Result<(u16, Bytes)> {
        let kept = self.idle.borrow_mut().pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => Connection::open(self.settings.to).await?,
        };
        let answer = connection.call(&wire::get(path)).await?;
        let body = Bytes::copy_from_slice(connection.body());
        if !answer.close {
            self.idle.borrow_mut().push(connection);
        }
        Ok((answer.status, body))
    }

    fn refuse(&self) -> Response<Full<Bytes>> {
        let (from, to) = self.settings.retry_after_s;
        let seconds = self.random.borrow_mut().u32(from..=to);
        let mut answer = Response::new(Full::new(Bytes::from_static(b"come back later")));
        *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        answer
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let (in_flight, now) = (self.proxy.in_flight.get(), Instant::now());
        if self.answered {
            let took = now.duration_since(self.at);
            self.proxy.gate.borrow_mut().left(took, in_flight, now);
        }
        self.proxy.in_flight.set(in_flight - 1);
    }
}
