//! A Tomcat-like mail service: worker threads, an accept queue, Actuator's metrics.
//!
//! | call | answer |
//! |---|---|
//! | `POST /mail/receive/{account}` | 202, the mail is taken in |
//! | `GET /mail/list/{folder}` | 200, the folder's mails |
//! | `GET /mail/read/{id}` | 200, one mail |
//! | `PUT`, `PATCH`, `DELETE` `/mail/read/{id}` | 200, the mail is changed |
//! | `POST /mail/reindex/{folder}` | 202, the folder is indexed again |
//! | `GET /actuator/prometheus` | 200, metrics as text; takes no worker, as on a management port |
//!
//! A call holds one of [`WORKERS`] workers for its service time, which grows with the load. Where
//! all are busy and [`QUEUE`] calls wait, it is answered 503, as Tomcat refuses what its accept
//! queue cannot hold.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use parking_lot::Mutex;
use serde_json::json;

use super::actuator::{self, Reading, Served};
use super::serve::{Answer, Service, empty, json as json_answer};
use super::workers::Workers;

/// Worker threads of one instance. Tomcat's default is 200; fewer fill sooner.
pub(super) const WORKERS: u32 = 20;

/// Calls that wait for a worker. Tomcat's `acceptCount` has the same default.
pub(super) const QUEUE: u32 = 100;

/// Shortest and longest service time on an idle instance, in milliseconds.
const SERVICE_MS: std::ops::RangeInclusive<u64> = 40..=120;

/// By how much a fully loaded instance is slower than an idle one: workers share caches, locks
/// and CPU.
const SLOWER_AT_FULL: f64 = 0.5;

/// Mails in a folder's list.
const LISTED: u32 = 20;

/// One instance.
#[derive(Debug)]
pub(super) struct Mailbox {
    name: &'static str,
    workers: Workers,
    rng: Mutex<fastrand::Rng>,
    served: Mutex<Served>,
}

/// What was asked, with the URI template that Spring labels its metrics with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call<'path> {
    Receive { account: &'path str },
    List { folder: &'path str },
    Read { id: &'path str },
    Change { id: &'path str },
    Reindex { folder: &'path str },
}

// === impl Mailbox ===

impl Mailbox {
    /// An idle instance that draws its service times from `seed`.
    pub(super) fn new(name: &'static str, seed: u64) -> Self {
        Self {
            name,
            workers: Workers::new(WORKERS, QUEUE),
            rng: Mutex::new(fastrand::Rng::with_seed(seed)),
            served: Mutex::default(),
        }
    }

    async fn work(&self, call: Call<'_>) -> Answer {
        let Ok(_worker) = self.workers.take().await else {
            return empty(StatusCode::SERVICE_UNAVAILABLE);
        };
        let idle = Duration::from_millis(self.rng.lock().u64(SERVICE_MS));
        tokio::time::sleep(service_time(idle, self.workers.load())).await;
        self.result(call)
    }

    fn result(&self, call: Call<'_>) -> Answer {
        let instance = self.name;
        match call {
            Call::Receive { account } => {
                accepted(&json!({ "account": account, "instance": instance }))
            }
            Call::Reindex { folder } => {
                accepted(&json!({ "folder": folder, "instance": instance }))
            }
            Call::Change { id } => {
                json_answer(&json!({ "id": id, "changed": true, "instance": instance }))
            }
            Call::List { folder } => {
                let mails: Vec<_> = (1..=LISTED)
                    .map(|id| json!({ "id": id, "subject": format!("Mail {id} of {folder}") }))
                    .collect();
                json_answer(&json!({ "folder": folder, "instance": instance, "mails": mails }))
            }
            Call::Read { id } => json_answer(&json!({
                "id": id, "subject": format!("Mail {id}"), "text": "…", "instance": instance,
            })),
        }
    }

    fn metrics(&self) -> Answer {
        let load = self.workers.load();
        let reading = Reading {
            busy: self.workers.busy(),
            max: self.workers.max(),
            // A model, since the worker sleeps instead of computing: 4 % at rest, 84 % at full.
            system_cpu: 0.04 + 0.80 * load,
            process_cpu: 0.02 + 0.78 * load,
        };
        let text = actuator::text(&reading, &self.served.lock());
        let mut answer = Response::new(Full::new(Bytes::from(text)));
        answer
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(actuator::CONTENT_TYPE));
        answer
    }
}

impl Service for Mailbox {
    async fn answer(&self, request: Request<Bytes>) -> Answer {
        let path = request.uri().path();
        if path == "/actuator/prometheus" && request.method() == Method::GET {
            return self.metrics();
        }
        let Some(call) = Call::parse(request.method(), path) else {
            return empty(StatusCode::NOT_FOUND);
        };
        let began = Instant::now();
        let answer = self.work(call).await;
        let (method, uri) = call.template();
        self.served.lock().record(method, uri, answer.status().as_u16(), began.elapsed());
        answer
    }
}

// === impl Call ===

impl<'path> Call<'path> {
    fn parse(method: &Method, path: &'path str) -> Option<Self> {
        let mut segments = path.strip_prefix("/mail/")?.splitn(2, '/');
        let (verb, name) = (segments.next()?, segments.next()?);
        match (method.as_str(), verb) {
            _ if name.is_empty() => None,
            ("POST", "receive") => Some(Self::Receive { account: name }),
            ("GET" | "HEAD", "list") => Some(Self::List { folder: name }),
            ("GET" | "HEAD", "read") => Some(Self::Read { id: name }),
            ("PUT" | "PATCH" | "DELETE", "read") => Some(Self::Change { id: name }),
            ("POST", "reindex") => Some(Self::Reindex { folder: name }),
            _ => None,
        }
    }

    fn template(self) -> (&'static str, &'static str) {
        match self {
            Self::Receive { .. } => ("POST", "/mail/receive/{account}"),
            Self::List { .. } => ("GET", "/mail/list/{folder}"),
            Self::Read { .. } => ("GET", "/mail/read/{id}"),
            Self::Change { .. } => ("PUT", "/mail/read/{id}"),
            Self::Reindex { .. } => ("POST", "/mail/reindex/{folder}"),
        }
    }
}

/// A 202 with this JSON.
fn accepted(value: &serde_json::Value) -> Answer {
    let mut answer = json_answer(value);
    *answer.status_mut() = StatusCode::ACCEPTED;
    answer
}

/// Service time of a call that would take `idle` on an idle instance, at a load of 0 to 1.
fn service_time(idle: Duration, load: f64) -> Duration {
    idle.mul_f64(1.0 + SLOWER_AT_FULL * load * load)
}

/// Calls per second that one instance can serve with all workers busy.
pub(super) fn capacity_per_second() -> f64 {
    let idle_ms = SERVICE_MS.start().midpoint(*SERVICE_MS.end());
    f64::from(WORKERS) / service_time(Duration::from_millis(idle_ms), 1.0).as_secs_f64()
}

#[cfg(test)]
mod tests;
