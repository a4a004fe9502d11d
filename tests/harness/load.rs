//! Closed-loop load: some connections, each sending its next request once the last is answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::client::{Broken, Client, Response};

type Request = dyn Fn(usize, u64) -> Vec<u8> + Send + Sync;
type Look = dyn Fn(&Response) -> Result<(), String> + Send + Sync;

/// Load about to run.
pub struct Load {
    address: SocketAddr,
    connections: usize,
    request: Arc<Request>,
    look: Arc<Look>,
    requests_max: u64,
    duration_max: Duration,
    stop: Arc<AtomicBool>,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Answers by status.
    pub by_status: BTreeMap<u16, u64>,
    /// Calls without an answer, with what was seen; the first 100.
    pub broken: Vec<Broken>,
    /// Connections that were refused: the gateway has stopped accepting. No call was lost.
    pub refused: u64,
    /// Answers that the look refused, the first 100.
    pub wrong: Vec<String>,
    /// Slowest answer.
    pub slowest: Duration,
}

// === impl Load ===

impl Load {
    /// GET `path` over and over on one connection, until told otherwise or 60 s.
    pub fn get(address: SocketAddr, path: &str) -> Self {
        let request = format!("GET {path} HTTP/1.1\r\nhost: gateway.test\r\n\r\n").into_bytes();
        Self::requests(address, move |_, _| request.clone())
    }

    /// Requests made for each connection and turn.
    pub fn requests(
        address: SocketAddr,
        request: impl Fn(usize, u64) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self {
            address,
            connections: 1,
            request: Arc::new(request),
            look: Arc::new(|_| Ok(())),
            requests_max: u64::MAX,
            duration_max: Duration::from_mins(1),
            stop: Arc::default(),
        }
    }

    /// On this many connections.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// This many requests in all.
    #[must_use]
    pub fn total(mut self, requests: u64) -> Self {
        self.requests_max = requests;
        self
    }

    /// At most for this long.
    #[must_use]
    pub fn lasting(mut self, duration: Duration) -> Self {
        self.duration_max = duration;
        self
    }

    /// Looks at each answer; what it refuses is in [`Tally::wrong`].
    #[must_use]
    pub fn look(
        mut self,
        look: impl Fn(&Response) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.look = Arc::new(look);
        self
    }

    /// A flag that ends the load once it is true.
    pub fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Runs in the background.
    pub fn start(self) -> tokio::task::JoinHandle<Tally> {
        tokio::spawn(self.run())
    }

    /// Runs to its end.
    pub async fn run(self) -> Tally {
        let turns = Arc::new(AtomicU64::new(0));
        let ends = Instant::now() + self.duration_max;
        let mut workers = JoinSet::new();
        for index in 0..self.connections {
            let worker = Worker {
                address: self.address,
                index,
                request: Arc::clone(&self.request),
                look: Arc::clone(&self.look),
                turns: Arc::clone(&turns),
                turns_max: self.requests_max,
                stop: Arc::clone(&self.stop),
                ends,
            };
            workers.spawn(worker.run());
        }
        let mut total = Tally::default();
        while let Some(tally) = workers.join_next().await {
            total.add(tally.expect("a load worker does not panic"));
        }
        total
    }
}

struct Worker {
    address: SocketAddr,
    index: usize,
    request: Arc<Request>,
    look: Arc<Look>,
    turns: Arc<AtomicU64>,
    turns_max: u64,
    stop: Arc<AtomicBool>,
    ends: Instant,
}

// === impl Worker ===

impl Worker {
    async fn run(self) -> Tally {
        let mut tally = Tally::default();
        let mut connection = None;
        while !self.stop.load(Ordering::Relaxed) && Instant::now() < self.ends {
            let turn = self.turns.fetch_add(1, Ordering::Relaxed);
            if turn >= self.turns_max {
                break;
            }
            let client = match connection.take() {
                Some(client) => Ok(client),
                None => Client::try_connect(self.address).await,
            };
            let Ok(mut client) = client else {
                tally.refused += 1;
                break;
            };
            let began = Instant::now();
            let request = (self.request)(self.index, turn);
            let method = if request.starts_with(b"HEAD ") { "HEAD" } else { "GET" };
            client.send(&request).await;
            match client.response_to(method).await {
                Ok(answer) => {
                    tally.note(&answer, began.elapsed(), &*self.look);
                    let closes = answer.header("connection").is_some_and(|v| v == "close");
                    connection = (!closes).then_some(client);
                }
                Err(broken) => tally.broken.push(broken),
            }
        }
        tally
    }
}

// === impl Tally ===

impl Tally {
    /// Answers with this status.
    pub fn count(&self, status: u16) -> u64 {
        self.by_status.get(&status).copied().unwrap_or(0)
    }

    /// All answers.
    pub fn answers(&self) -> u64 {
        self.by_status.values().sum()
    }

    /// Asserts that every call was answered with `status` and looked right.
    ///
    /// # Panics
    /// Otherwise, with the tally.
    pub fn assert_all(&self, status: u16) {
        let only = self.answers() == self.count(status) && self.answers() > 0;
        assert!(only && self.broken.is_empty() && self.wrong.is_empty(), "{self:#?}");
    }

    fn note(&mut self, answer: &Response, took: Duration, look: &Look) {
        *self.by_status.entry(answer.status).or_default() += 1;
        self.slowest = self.slowest.max(took);
        if let Err(why) = look(answer)
            && self.wrong.len() < 100
        {
            self.wrong.push(format!("{why}: {answer}"));
        }
    }

    fn add(&mut self, other: Self) {
        for (status, count) in other.by_status {
            *self.by_status.entry(status).or_default() += count;
        }
        self.broken.extend(other.broken);
        self.broken.truncate(100);
        self.wrong.extend(other.wrong);
        self.refused += other.refused;
        self.slowest = self.slowest.max(other.slowest);
    }
}
