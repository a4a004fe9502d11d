//! The charts of every endpoint whose signal is watched, and the log of what changes on them.
//!
//! Begins empty and follows the policy; a chart is forgotten with its endpoint, or where its signals
//! change. A finding is logged once when it appears and once when it is gone, of one endpoint at
//! most every [`LOG_EVERY`]: a signal that comes and goes must not fill the log.
//!
//! Bounds: one chart an endpoint of the policy. The lock is held for a look, never over a wait, and
//! never by the data path.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use sumun_policy::Policy;
use sumun_policy::policy::{Endpoint, Source, Upstream};
use sumun_policy::units::Name;
use tokio::time::Instant;

use super::doctor::Chart;
use super::finding::{Ailment, Finding, Severity, Signal};
use super::scrape::Outcome;

/// Least time between two changes of one endpoint that are logged.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Every chart.
#[derive(Debug, Default)]
pub struct Charts(Mutex<BTreeMap<Name, Watched>>);

/// An upstream whose signal is watched.
#[derive(Debug)]
struct Watched {
    upstream: Upstream,
    endpoints: BTreeMap<Endpoint, Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    chart: Chart,
    logged: Logged,
}

/// What the log was told last.
#[derive(Debug, Default)]
struct Logged {
    complaints: Vec<(Ailment, Option<Signal>)>,
    at: Option<Instant>,
}

// === impl Charts ===

impl Charts {
    /// Keeps charts of what `policy` watches from now on.
    pub fn follow(&self, policy: &Policy) {
        let mut charts = self.0.lock();
        let mut before = std::mem::take(&mut *charts);
        for upstream in policy.upstreams.values().filter(|upstream| upstream.signals.is_some()) {
            let same = |watched: &Watched| {
                watched.upstream.signals == upstream.signals
                    && watched.upstream.workers_max == upstream.workers_max
            };
            let mut kept = before.remove(&upstream.name).filter(same).map(|w| w.endpoints);
            let endpoints = upstream.endpoints.iter().map(|endpoint| {
                let chart = kept.as_mut().and_then(|kept| kept.remove(endpoint));
                (endpoint.clone(), chart.unwrap_or_default())
            });
            let endpoints = endpoints.collect();
            let watched = Watched { upstream: upstream.clone(), endpoints };
            charts.insert(upstream.name.clone(), watched);
        }
    }

    /// Takes what a scrape gave. One of an endpoint that is no longer watched is nobody's.
    pub fn note(&self, upstream: &Name, endpoint: &Endpoint, outcome: &Outcome) {
        self.update(upstream, endpoint, |chart, upstream| chart.note(upstream, outcome));
    }

    /// Takes how many calls an upstream answered that should send ORCA headers, and whether this
    /// endpoint ever did.
    pub fn note_orca(&self, upstream: &Name, endpoint: &Endpoint, answered: u64, heard: bool) {
        self.update(upstream, endpoint, |chart, _| chart.note_orca(answered, heard));
    }

    /// Whether the upstream is to send ORCA headers.
    pub fn expects_orca(upstream: &Upstream) -> bool {
        upstream.signals.as_ref().is_some_and(|signals| signals.source == Source::Orca)
    }

    /// What is wrong with an upstream's signals, endpoint by endpoint.
    pub fn findings(&self, upstream: &str) -> Vec<Finding> {
        let charts = self.0.lock();
        let watched = charts.iter().find(|(name, _)| name.as_str() == upstream);
        watched.map(|(_, watched)| watched.findings()).unwrap_or_default()
    }

    /// How many findings each watched upstream has.
    pub fn counts(&self) -> Vec<(Name, u64)> {
        let charts = self.0.lock();
        let count = |watched: &Watched| {
            watched.endpoints.values().map(|kept| kept.chart.present().len() as u64).sum()
        };
        charts.iter().map(|(name, watched)| (name.clone(), count(watched))).collect()
    }

    fn update(
        &self,
        upstream: &Name,
        endpoint: &Endpoint,
        update: impl FnOnce(&mut Chart, &Upstream),
    ) {
        let mut charts = self.0.lock();
        let Some(watched) = charts.get_mut(upstream) else { return };
        let Some(kept) = watched.endpoints.get_mut(endpoint) else { return };
        update(&mut kept.chart, &watched.upstream);
        kept.log(&watched.upstream, endpoint, Instant::now());
    }
}

// === impl Watched ===

impl Watched {
    fn findings(&self) -> Vec<Finding> {
        let of =
            |(endpoint, kept): (&Endpoint, &Kept)| kept.chart.findings(&self.upstream, endpoint);
        self.endpoints.iter().flat_map(of).collect()
    }
}

// === impl Kept ===

impl Kept {
    /// Says what is new and what is gone since the log was told last.
    fn log(&mut self, upstream: &Upstream, endpoint: &Endpoint, now: Instant) {
        let present = self.chart.present();
        let complaints: Vec<_> = present.iter().map(|s| (s.ailment, s.signal)).collect();
        let recently = self.logged.at.is_some_and(|at| now.duration_since(at) < LOG_EVERY);
        if recently || complaints == self.logged.complaints {
            return;
        }
        let is_new = |complaint| !self.logged.complaints.contains(complaint);
        for (symptom, _) in present.iter().zip(&complaints).filter(|(_, c)| is_new(c)) {
            say(upstream, &Finding::of(symptom, upstream, endpoint));
        }
        for (ailment, signal) in self.logged.complaints.iter().filter(|c| !complaints.contains(c)) {
            tracing::info!(
                upstream = upstream.name.as_str(),
                endpoint = %endpoint,
                finding = ailment.id(),
                signal = signal.map(Signal::as_str),
                "a finding about the signal is gone"
            );
        }
        self.logged = Logged { complaints, at: Some(now) };
    }
}

fn say(upstream: &Upstream, finding: &Finding) {
    let Finding { id, endpoint, signal, seen, meanwhile, remedy, .. } = finding;
    let upstream = upstream.name.as_str();
    if finding.severity == Severity::Info {
        tracing::info!(upstream, endpoint, finding = id, signal, seen, remedy, "about the signal");
    } else {
        tracing::warn!(
            upstream,
            endpoint,
            finding = id,
            signal,
            seen,
            meanwhile,
            remedy,
            "the signal is not what the policy counts on"
        );
    }
}

#[cfg(test)]
mod tests;
