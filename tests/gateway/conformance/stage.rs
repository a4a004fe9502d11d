//! One gateway and one origin for all rows that want the same cache rules.
//!
//! A stage begins with the first row that needs it and ends with the last one that holds it; rows
//! find their replies by the first segment of their path.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use sumun_tests::{Recorded, Reply, Sumun, Upstream};
use tokio::runtime::Runtime;

use crate::policies;

/// What rows leave for the origin, by row.
type Rows = Arc<Mutex<HashMap<String, Row>>>;

/// Stages that some row holds, by their keys and clients.
type Stages = HashMap<(String, Clients), Weak<Stage>>;

/// One row as the origin sees it.
#[derive(Default)]
struct Row {
    replies: VecDeque<Reply>,
    asked: Vec<Recorded>,
}

/// Who the rows' clients are to the gateway.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Clients {
    /// Anybody.
    Strangers,
    /// A proxy that it trusts.
    TrustedProxy,
}

/// A gateway with its origin.
pub(super) struct Stage {
    pub(super) sumun: Sumun,
    /// Dropped behind the gateway, with the origin's tasks in it.
    pub(super) runtime: Runtime,
    _upstream: Upstream,
    rows: Rows,
}

impl Stage {
    /// The stage of all rows with these keys under `cache` and these clients.
    pub(super) fn shared(keys: &str, clients: Clients) -> Arc<Self> {
        static STAGES: OnceLock<Mutex<Stages>> = OnceLock::new();
        let mut stages = lock(STAGES.get_or_init(Mutex::default));
        let which = (keys.to_owned(), clients);
        if let Some(stage) = stages.get(&which).and_then(Weak::upgrade) {
            return stage;
        }
        let stage = Arc::new(Self::start(keys, clients));
        stages.insert(which, Arc::downgrade(&stage));
        stage
    }

    /// A stage of its own, for a row that leaves traces: an endpoint that failed, a limit used up.
    pub(super) fn start(keys: &str, clients: Clients) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let rows = Rows::default();
        let seen = Arc::clone(&rows);
        let (upstream, sumun) = runtime.block_on(async {
            let upstream = Upstream::start(move |request| reply(&seen, request)).await;
            let (keys, more) = keys.split_once("; ").unwrap_or((keys, ""));
            let comma = if more.is_empty() { "" } else { ", " };
            let route = format!("cache: {{ {keys} }}{comma}{more}");
            let policy = policies::to_with(&upstream.url(), &route);
            let sumun = Sumun::with().policy("policy.yaml", &policy);
            let sumun = match clients {
                Clients::Strangers => sumun,
                Clients::TrustedProxy => sumun.settings("trusted_proxies: [127.0.0.0/8]\n"),
            };
            (upstream, sumun.start().await)
        });
        Self { sumun, runtime, _upstream: upstream, rows }
    }

    /// What the origin will answer next to this row.
    pub(super) fn push(&self, row: &str, reply: Reply) {
        lock(&self.rows).entry(row.to_owned()).or_default().replies.push_back(reply);
    }

    /// Replies that the origin was not asked for.
    pub(super) fn left(&self, row: &str) -> usize {
        lock(&self.rows).get(row).map_or(0, |row| row.replies.len())
    }

    /// Forgets them.
    pub(super) fn clear(&self, row: &str) {
        lock(&self.rows).entry(row.to_owned()).or_default().replies.clear();
    }

    /// What the origin was asked by this row so far.
    pub(super) fn asked(&self, row: &str) -> Vec<Recorded> {
        lock(&self.rows).get(row).map_or_else(Vec::new, |row| row.asked.clone())
    }
}

fn reply(rows: &Rows, request: &Recorded) -> Reply {
    let name = request.target().split(['/', '?']).nth(1).unwrap_or_default();
    let mut rows = lock(rows);
    let row = rows.entry(name.to_owned()).or_default();
    row.asked.push(request.clone());
    let unexpected = || Reply::with(599, &[("cache-control", "no-store")], "not to be asked");
    row.replies.pop_front().unwrap_or_else(unexpected)
}

/// A row that fails says nothing about the others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
