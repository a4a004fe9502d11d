//! What is sensed: the load that upstreams tell, and the gateway's own CPU.
//!
//! [`Sense`] follows the policy: each endpoint of an upstream that has a source to scrape gets a task
//! of its own on the background runtime, with its own connection, apart from the calls' pools: a
//! full pool must not silence the signal that would relieve it. A reload restarts only the tasks
//! whose endpoint or signals changed. Readings go to a [`Readings`]; nothing is kept here.
//!
//! What scrapes gave is also looked at by the [`doctor`]: a signal that is not there, or means
//! nothing, is a finding in words with the property to set.
//!
//! Bounds: one task, one connection and 64 KiB of text an endpoint; an answer of 4 MiB.

pub mod charts;
pub mod cpu;
pub mod doctor;
pub mod finding;
pub mod orca;
mod scrape;
mod survey;
pub mod text;
pub mod visit;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use sumun_policy::Policy;
use sumun_policy::policy::{Endpoint, Signals, Source};
use sumun_policy::units::Name;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use self::scrape::Scrape;
pub use self::scrape::{BODY_BYTES_MAX, Outcome, SCRAPE_TIME_MAX, ScrapeError};
pub use self::survey::{Found, Server};

/// Where readings go: the gateway hands them to the engine.
pub trait Readings: Send + Sync {
    /// Own calls in flight to an endpoint, asked when a scrape is sent; `None`: not known.
    fn in_flight(&self, upstream: &Name, endpoint: &Endpoint) -> Option<u32>;

    /// What a scrape told, or why it told nothing. Called on the background runtime; must not block.
    fn outcome(&self, upstream: &Name, endpoint: &Endpoint, outcome: Outcome);
}

/// The scrapes that run. Dropping it stops them.
pub struct Sense {
    background: Handle,
    connector: TlsConnector,
    own: Arc<[SocketAddr]>,
    readings: Arc<dyn Readings>,
    tasks: HashMap<(Name, Endpoint), Task>,
}

struct Task {
    signals: Signals,
    abort: AbortHandle,
    /// Whether the endpoint has told something, be it an error.
    asked: watch::Receiver<bool>,
}

// === impl Sense ===

impl Sense {
    /// Nothing is scraped yet. `own` are the gateway's own addresses: they are never scraped.
    pub fn new(
        background: Handle,
        connector: TlsConnector,
        own: impl Into<Arc<[SocketAddr]>>,
        readings: Arc<dyn Readings>,
    ) -> Self {
        Self { background, connector, own: own.into(), readings, tasks: HashMap::new() }
    }

    /// Scrapes what `policy` says from now on. Endpoints whose signals stayed go on undisturbed.
    pub fn follow(&mut self, policy: &Policy) {
        let mut before = std::mem::take(&mut self.tasks);
        for (upstream, signals, endpoint) in scraped(policy) {
            let key = (upstream.clone(), endpoint.clone());
            let kept = before.remove(&key).filter(|task| task.signals == *signals);
            let task = kept.unwrap_or_else(|| self.start(upstream, signals, endpoint));
            self.tasks.insert(key, task);
        }
        // What is left in `before`, or was filtered out, stops when dropped.
    }

    /// Endpoints being scraped.
    pub fn endpoints(&self) -> usize {
        self.tasks.len()
    }

    /// Ends once each endpoint that is scraped now has been asked and has answered, or failed to:
    /// within [`SCRAPE_TIME_MAX`] and a little, whatever they do.
    pub fn all_asked(&self) -> impl Future<Output = ()> + use<> {
        let each: Vec<_> = self.tasks.values().map(|task| task.asked.clone()).collect();
        async move {
            for mut asked in each {
                // An error: the task was stopped, nobody waits for it any more.
                let _ = asked.wait_for(|asked| *asked).await;
            }
        }
    }

    fn start(&self, upstream: &Name, signals: &Signals, endpoint: &Endpoint) -> Task {
        let scrape = Scrape {
            endpoint: endpoint.clone(),
            signals: signals.clone(),
            connector: self.connector.clone(),
            own: Arc::clone(&self.own),
        };
        let (told, asked) = watch::channel(false);
        let run = scrape.run(upstream.clone(), Arc::clone(&self.readings), told);
        let abort = self.background.spawn(run).abort_handle();
        Task { signals: signals.clone(), abort, asked }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

/// Every endpoint that has something to scrape: a source that is not ORCA, and a series.
fn scraped(policy: &Policy) -> impl Iterator<Item = (&Name, &Signals, &Endpoint)> {
    policy.upstreams.values().flat_map(move |upstream| {
        let signals = upstream.signals.as_ref().filter(|signals| is_scraped(signals));
        let endpoints = upstream.endpoints.iter();
        endpoints.filter_map(move |endpoint| Some((&upstream.name, signals?, endpoint)))
    })
}

fn is_scraped(signals: &Signals) -> bool {
    signals.source != Source::Orca && (signals.workers.is_some() || signals.cpu.is_some())
}

#[cfg(test)]
mod tests;
