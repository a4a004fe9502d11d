//! The doctor: what recent scrapes of an endpoint, taken together, say about its signal.
//!
//! A [`Chart`] keeps the symptoms of the last [`KEPT_MAX`] scrapes and how long the values have stood
//! still; [`Chart::findings`] is a pure function of it. A symptom counts once it was seen in half of
//! the kept scrapes, so one lost scrape is no finding and one good scrape no cure.
//!
//! What a single scrape shows is in `symptoms`; what a finding says is in [`super::finding`].
//! Bounds: [`KEPT_MAX`] scrapes of at most [`SYMPTOMS_MAX`] symptoms an endpoint.

use std::collections::VecDeque;

use sumun_policy::policy::{Endpoint, Upstream};

use super::finding::{Ailment, Finding, Signal, Symptom};
use super::scrape::Outcome;
use super::text::{Seen, Told};

mod symptoms;

/// Scrapes that are kept.
pub const KEPT_MAX: usize = 4;

/// Symptoms of one scrape that are kept: one for each wanted series and one of their course.
pub const SYMPTOMS_MAX: usize = 6;

/// Scrapes for which a value must be the very same to be called frozen.
const FROZEN_SCRAPES: u32 = 20;

/// How far own calls in flight must have gone up and down meanwhile.
const FROZEN_OWN_SPAN: u32 = 4;

/// Scrapes in a row in which the machine must be busy and the process not.
const HOST_SCRAPES: u32 = 10;

/// The machine's share from which on it matters.
const HOST_BUSY: f64 = 0.5;

/// The process's part of the machine's share under which the load is somebody else's.
const HOST_OWN_PART: f64 = 0.25;

/// Calls answered without an ORCA report after which one is missed.
pub const ORCA_CALLS_MIN: u64 = 100;

/// What was seen at one endpoint lately.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    kept: VecDeque<Vec<Symptom>>,
    busy: Run,
    cpu: Run,
    /// Scrapes in a row in which the CPU was other people's.
    of_host: u32,
}

/// How long a value has been the very same, and what own calls did meanwhile.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    value: Option<f64>,
    scrapes: u32,
    own_least: u32,
    own_most: u32,
}

// === impl Chart ===

impl Chart {
    /// Takes what a scrape gave.
    pub fn note(&mut self, upstream: &Upstream, outcome: &Outcome) {
        let mut symptoms = symptoms::of(upstream, outcome);
        if let Ok(told) = outcome {
            symptoms.extend(self.course(upstream, told));
        }
        self.keep(symptoms);
    }

    /// Takes how many calls an endpoint of an ORCA upstream answered, and whether it ever told its
    /// load.
    pub fn note_orca(&mut self, answered: u64, heard: bool) {
        let missed = !heard && answered >= ORCA_CALLS_MIN;
        let seen =
            || format!("{answered} calls were let through and no answer carried an ORCA report");
        let symptom = missed.then(|| Symptom::of_all(Ailment::OrcaNeverSeen, seen()));
        // What is known for good needs no second look.
        self.kept.clear();
        self.keep(symptom.into_iter().collect());
    }

    /// What is wrong, in the order of the way of a scrape.
    pub fn findings(&self, upstream: &Upstream, endpoint: &Endpoint) -> Vec<Finding> {
        let present = self.present();
        present.iter().map(|symptom| Finding::of(symptom, upstream, endpoint)).collect()
    }

    /// The symptoms that count, each as it was seen last.
    pub fn present(&self) -> Vec<&Symptom> {
        let mut present: Vec<&Symptom> = Vec::new();
        for symptom in self.kept.iter().rev().flatten() {
            let is_new = !present.iter().any(|known| known.is_like(symptom));
            if is_new && 2 * self.count(symptom) >= KEPT_MAX.min(2 * self.kept.len()) {
                present.push(symptom);
            }
        }
        present.sort_by_key(|symptom| (symptom.ailment, symptom.signal));
        present
    }

    /// Kept scrapes that show it.
    fn count(&self, symptom: &Symptom) -> usize {
        let shows = |kept: &&Vec<Symptom>| kept.iter().any(|other| other.is_like(symptom));
        self.kept.iter().filter(shows).count()
    }

    fn keep(&mut self, mut symptoms: Vec<Symptom>) {
        symptoms.truncate(SYMPTOMS_MAX);
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(symptoms);
    }

    /// What only several scrapes can show.
    fn course(
        &mut self,
        upstream: &Upstream,
        told: &Told,
    ) -> impl Iterator<Item = Symptom> + use<> {
        let own = told.reading.own_in_flight.unwrap_or(0);
        let most = told.max.value().unwrap_or(f64::INFINITY);
        // A full pool and an idle or a full machine may well stand still.
        self.busy.note(told.busy.value().filter(|busy| *busy < most), own);
        self.cpu.note(told.cpu.value().filter(|share| *share > 0.0 && *share < 1.0), own);
        let frozen = [(Signal::Workers, self.busy), (Signal::Cpu, self.cpu)]
            .into_iter()
            .filter_map(|(signal, run)| run.symptom(signal));

        let somebody_else =
            |(system, process): (f64, f64)| system >= HOST_BUSY && process < HOST_OWN_PART * system;
        let shares = told.cpu.value().zip(told.process_cpu);
        self.of_host = if shares.is_some_and(somebody_else) { self.of_host + 1 } else { 0 };
        let of_host = shares.filter(|_| self.of_host >= HOST_SCRAPES).map(|(system, process)| {
            let seen = format!(
                "`system_cpu_usage` says {system:.2} while the process itself uses {process:.2}"
            );
            Symptom::of(Ailment::CpuOfTheHost, Signal::Cpu, seen)
        });
        frozen.chain(of_host).chain(differing(upstream, told)).collect::<Vec<_>>().into_iter()
    }
}

/// Where the policy and the endpoint name different numbers of workers.
fn differing(upstream: &Upstream, told: &Told) -> Option<Symptom> {
    let written = f64::from(upstream.workers_max?);
    let (Seen::Value(reported), Some(_)) = (told.max, told.reading.sound().max) else {
        return None;
    };
    let seen = format!("`workers_max` is {written}, the endpoint reports {reported}");
    let symptom = Symptom::of(Ailment::WorkersMaxDiffers, Signal::Workers, seen);
    ((written - reported).abs() >= 1.0).then(|| symptom.hinting([reported.to_string()]))
}

// === impl Run ===

impl Run {
    fn note(&mut self, value: Option<f64>, own: u32) {
        if value.is_some() && self.value.map(f64::to_bits) == value.map(f64::to_bits) {
            self.scrapes = self.scrapes.saturating_add(1);
            self.own_least = self.own_least.min(own);
            self.own_most = self.own_most.max(own);
        } else {
            *self = Self { value, scrapes: 1, own_least: own, own_most: own };
        }
    }

    fn symptom(self, signal: Signal) -> Option<Symptom> {
        let value = self.value?;
        let Self { scrapes, own_least, own_most, .. } = self;
        let frozen = scrapes >= FROZEN_SCRAPES && own_most - own_least >= FROZEN_OWN_SPAN;
        let seen = || {
            let what = if signal == Signal::Cpu { "CPU" } else { "busy" };
            format!(
                "{what} was {value} in each of the last {scrapes} scrapes while own calls in flight \
                 went between {own_least} and {own_most}"
            )
        };
        frozen.then(|| Symptom::of(Ailment::SignalFrozen, signal, seen()))
    }
}

#[cfg(test)]
mod tests;
