//! One visit to every endpoint of a policy that is not running: each is scraped twice, about a
//! period apart, and what that shows is told. What only a longer watch can show is not.
//!
//! Begins and ends with a call. Bounds: [`VISITS_MAX`] endpoints at a time, of each one connection;
//! a visit takes two scrapes and a pause of at most [`PAUSE_MAX`].

use std::time::Duration;

use sumun_policy::Policy;
use sumun_policy::policy::{Endpoint, Upstream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::doctor::Chart;
use super::finding::Finding;
use super::is_scraped;
use super::scrape::{Line, Scrape};
use super::text::Wanted;

/// Endpoints visited at a time.
const VISITS_MAX: usize = 64;

/// Longest pause between the two scrapes, however long the period.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What a visit to a policy's endpoints found.
#[derive(Debug, Default)]
pub struct Visit {
    /// Endpoints that were scraped.
    pub endpoints: usize,
    /// Each finding with the name of its upstream, in the order of the policy.
    pub findings: Vec<(String, Finding)>,
}

/// Visits every endpoint that has something to scrape.
pub async fn visit(policy: &Policy, connector: &TlsConnector) -> Visit {
    let wants = |u: &&Upstream| u.signals.as_ref().is_some_and(is_scraped);
    let mut places = policy
        .upstreams
        .values()
        .filter(wants)
        .flat_map(|upstream| upstream.endpoints.iter().map(move |endpoint| (upstream, endpoint)))
        .enumerate();
    let mut visits = JoinSet::new();
    let mut found = Vec::new();
    loop {
        while visits.len() < VISITS_MAX
            && let Some((index, (upstream, endpoint))) = places.next()
        {
            let (upstream, endpoint) = (upstream.clone(), endpoint.clone());
            let connector = connector.clone();
            visits.spawn(async move { (index, look(upstream, endpoint, connector).await) });
        }
        match visits.join_next().await {
            Some(Ok(visited)) => found.push(visited),
            // Nobody cancels a visit: it can only have panicked.
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => break,
        }
    }
    found.sort_by_key(|(index, _)| *index);
    let endpoints = found.len();
    let findings = found.into_iter().flat_map(|(_, findings)| findings).collect();
    Visit { endpoints, findings }
}

async fn look(
    upstream: Upstream,
    endpoint: Endpoint,
    connector: TlsConnector,
) -> Vec<(String, Finding)> {
    let Some(signals) = upstream.signals.clone() else { return Vec::new() };
    let pause = signals.every.min(PAUSE_MAX);
    let wanted = Wanted::of(&signals);
    let scrape = Scrape { endpoint, signals, connector, own: [].into() };
    let mut line = Line::default();
    let mut chart = Chart::default();
    chart.note(&upstream, &scrape.once(&mut line, &wanted).await);
    tokio::time::sleep(pause).await;
    chart.note(&upstream, &scrape.once(&mut line, &wanted).await);
    let name = upstream.name.as_str();
    let findings = chart.findings(&upstream, &scrape.endpoint);
    findings.into_iter().map(|finding| (name.to_owned(), finding)).collect()
}

#[cfg(test)]
mod tests;
