//! What is counted of each route and each endpoint.
//!
//! [`RouteMeters`] begin when a policy first names the route and survive reloads; the registry
//! forgets them some minutes after the last policy that named them. The path only adds to its own
//! core's cell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use sumun_engine::Moment;
use sumun_policy::policy::{self, Class, Mode};
use sumun_policy::units::Name;

use super::cells::{Counter, HistogramSum, PerCore, SeriesKey, SeriesTable};
use super::gates::{CLASSES, GateCell, GateTotals, add_counts};
use super::labels::{CACHE_LABELS, CACHE_RESULTS, CODES, method_index};
use super::record::{Attempt, CacheResult, CallRecord};
use super::step::Step;
use super::window::{self, Fine, RouteView, Window};
use crate::callers::class::ClassAsked;
use crate::refusal::Code;

/// Counters of one route.
#[derive(Debug)]
pub struct RouteMeters {
    name: Option<Name>,
    facts: ArcSwap<RouteFacts>,
    cells: PerCore<RouteCell>,
    window: Mutex<Window>,
    /// What the counters stood at when the last step was taken; nothing before the first call.
    stepped: Mutex<Option<Box<Step>>>,
}

/// What the newest policy says of the route, as far as reports need it. Counts stay with the name,
/// what was decided stays with the class that held for the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteFacts {
    /// How much it may be shed.
    pub class: Class,
    /// Whether its refusals are only counted.
    pub shadow: bool,
}

/// One core's share.
#[derive(Debug, Default)]
struct RouteCell {
    /// What was decided, by class.
    gates: [GateCell; CLASSES],
    /// Refused by the gateway, by code.
    refused: [Counter; CODES],
    /// What came of `Sumun-Class`.
    class_asked: [Counter; ClassAsked::LABELS.len()],
    cache: [Counter; CACHE_RESULTS],
    /// By method and status.
    durations: SeriesTable,
    /// Of calls that were not refused.
    fine: Fine,
    /// Second and number of notable spans kept in it; see `spans`.
    kept_second: Counter,
    kept: Counter,
}

/// What became of the question whether a call may enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let through.
    Admit,
    /// Answered by the gateway.
    Refuse(Code),
    /// Refused by a threshold, but answered from a stale stored answer.
    Stale(Code),
    /// Never asked: a hit, or refused before.
    Unasked,
}

impl Verdict {
    /// Of a finished call.
    pub fn of(record: &CallRecord) -> Self {
        if record.background && record.attempts[0].is_none() {
            // Refused or superfluous: the client has its answer, and it is counted there.
            return Self::Unasked;
        }
        if let Some(shed) = record.shed
            && record.refusal.is_none()
        {
            return Self::Stale(shed.code);
        }
        match record.refusal {
            Some(code @ (Code::RpsOver | Code::CpuOver | Code::WorkersOver | Code::QuotaFull)) => {
                Self::Refuse(code)
            }
            // These come from behind the gate.
            Some(
                Code::NoEndpoint
                | Code::UpstreamUnreachable
                | Code::UpstreamReset
                | Code::UpstreamTimeout,
            ) => Self::Admit,
            _ if record.attempts[0].is_some() => Self::Admit,
            None if !matches!(record.cache, Some(CacheResult::Hit | CacheResult::Collapsed)) => {
                Self::Admit
            }
            _ => Self::Unasked,
        }
    }

    /// As reports have it.
    pub fn decision(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Refuse(_) => "refuse",
            Self::Stale(_) => "stale",
            Self::Unasked => "none",
        }
    }
}

/// A count by label.
pub type Counts = Vec<(&'static str, u64)>;

/// What a route's counters stand at, summed over cores; counts of zero are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteTotals {
    /// Let through while refusals are real.
    pub admitted: u64,
    /// Let through while refusals are only counted, and none was.
    pub admitted_shadow: u64,
    /// Refused, by code.
    pub refused: Counts,
    /// Would have been refused, by code.
    pub shadow: Counts,
    /// Answered stale instead of refused, by code.
    pub stale: Counts,
    /// Cache results.
    pub cache: Counts,
    /// What came of `Sumun-Class`.
    pub class_asked: Counts,
}

// === impl RouteMeters ===

impl RouteMeters {
    /// Meters of a route; `None`: of calls that match none.
    pub(super) fn new(route: Option<&policy::Route>, cores: usize) -> Self {
        let facts =
            route.map_or(RouteFacts { class: Class::Interactive, shadow: false }, RouteFacts::of);
        Self {
            name: route.map(|route| route.name.clone()),
            facts: ArcSwap::from_pointee(facts),
            cells: PerCore::new(cores),
            window: Mutex::default(),
            stepped: Mutex::default(),
        }
    }

    /// Takes over what a new policy says.
    pub(super) fn update(&self, route: &policy::Route) {
        let facts = RouteFacts::of(route);
        if **self.facts.load() != facts {
            self.facts.store(Arc::new(facts));
        }
    }

    /// The route's name; empty for calls that match none.
    pub fn name(&self) -> &str {
        self.name.as_ref().map_or("", Name::as_str)
    }

    /// The route; `None` for calls that match none.
    pub(super) fn route(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// What the newest policy says of the route.
    pub fn facts(&self) -> Arc<RouteFacts> {
        self.facts.load_full()
    }

    /// The class of the newest policy.
    pub fn class(&self) -> Class {
        self.facts.load().class
    }

    /// Counts one finished call on `core`.
    pub(super) fn count(&self, core: usize, record: &CallRecord) {
        let cell = self.cells.own(core);
        cell.gates[record.class as usize].count(record, || self.facts.load().shadow);
        if let Some(asked) = record.class_asked {
            cell.class_asked[asked as usize].add(1);
        }
        if record.background {
            return;
        }
        if let Some(code) = record.refusal {
            cell.refused[code as usize].add(1);
        }
        if let Some(result) = record.cache {
            cell.cache[result as usize].add(1);
        }
        let duration_ns = record.ended_ns.saturating_sub(record.started_ns);
        cell.durations.observe(server_key(record), duration_ns);
        if record.refusal.is_none() {
            cell.fine.observe(duration_ns);
        }
    }

    /// Counts a call of which `core` has read nothing but that it is there.
    pub(super) fn count_unread(&self, core: usize, code: Code) {
        self.cells.own(core).refused[code as usize].add(1);
    }

    /// Whether `core` may keep one more notable span of this route in second `second`.
    pub(super) fn may_keep(&self, core: usize, second: u64, limit: u64) -> bool {
        let cell = self.cells.own(core);
        if cell.kept_second.get() != second {
            cell.kept_second.set(second);
            cell.kept.set(0);
        }
        if cell.kept.get() >= limit {
            return false;
        }
        cell.kept.add(1);
        true
    }

    /// What the counters stand at.
    pub fn totals(&self) -> RouteTotals {
        let codes = Code::ALL.map(Code::as_str);
        let by = |labels: &[&'static str], pick: &dyn Fn(&RouteCell, usize) -> u64| {
            let count = |index| self.cells.made().map(|cell| pick(cell, index)).sum::<u64>();
            let counts = labels.iter().enumerate().map(|(index, label)| (*label, count(index)));
            counts.filter(|(_, count)| *count > 0).collect()
        };
        let mut totals = RouteTotals {
            refused: by(&codes, &|cell, index| cell.refused[index].get()),
            cache: by(&CACHE_LABELS, &|cell, index| cell.cache[index].get()),
            class_asked: by(&ClassAsked::LABELS, &|cell, index| cell.class_asked[index].get()),
            ..RouteTotals::default()
        };
        for (_, gate) in self.gates() {
            totals.admitted += gate.admitted;
            totals.admitted_shadow += gate.admitted_shadow;
            add_counts(&mut totals.shadow, &gate.shadow);
            add_counts(&mut totals.stale, &gate.stale);
        }
        totals
    }

    /// What was decided, by the class that held for the call; classes without a call are left out.
    pub fn gates(&self) -> Vec<(Class, GateTotals)> {
        let of = |class: Class| {
            GateTotals::of(&self.cells.made().map(move |cell| &cell.gates[class as usize]))
        };
        let totals = Class::ALL.into_iter().map(|class| (class, of(class)));
        totals.filter(|(_, totals)| !totals.is_empty()).collect()
    }

    /// Durations by key, summed over cores. The keys are [`server_key`]s.
    pub(super) fn durations(&self) -> Vec<(SeriesKey, HistogramSum)> {
        sum_series(self.cells.made().map(|cell| &cell.durations))
    }

    /// Takes the once-a-second sample that rates and quantiles are computed from; gives the calls so
    /// far.
    pub(super) fn sample(&self, now_ns: u64) -> u64 {
        let calls = self.calls();
        self.window.lock().sample(now_ns, calls, || self.fine());
        calls
    }

    /// What was counted since this was asked last, where there have been `calls` so far; `None`
    /// before the first. For one who asks: the sampler of [`super::series`].
    pub(super) fn step(&self, calls: u64) -> Option<Step> {
        let mut stepped = self.stepped.lock();
        if stepped.is_none() && calls == 0 {
            return None;
        }
        let last = stepped.get_or_insert_default();
        if last.calls() == calls {
            return Some(Step::default());
        }
        let now = Step::of(calls, &self.totals(), self.fine());
        let step = now.since(last);
        **last = now;
        Some(step)
    }

    /// Live numbers.
    pub fn view(&self, now: Moment) -> RouteView {
        let now_ns = now.nanos();
        let window = self.window.lock();
        let rate = window.rate(now_ns, self.calls());
        let latency = window.latency(&self.fine());
        drop(window);
        RouteView::new(rate, latency, self.totals())
    }

    /// Every call so far.
    fn calls(&self) -> u64 {
        self.durations().iter().map(|(_, sum)| sum.count()).sum()
    }

    fn fine(&self) -> window::FineSum {
        let mut sum = window::FineSum::default();
        self.cells.made().for_each(|cell| sum.add(&cell.fine));
        sum
    }
}

impl RouteFacts {
    fn of(route: &policy::Route) -> Self {
        Self {
            class: route.class,
            shadow: route.admission.as_ref().is_some_and(|a| a.mode == Mode::Shadow),
        }
    }
}

fn sum_series<'a>(tables: impl Iterator<Item = &'a SeriesTable>) -> Vec<(SeriesKey, HistogramSum)> {
    let mut sums: Vec<(SeriesKey, HistogramSum)> = Vec::new();
    for (key, histogram) in tables.flat_map(SeriesTable::read) {
        let index = sums.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            sums.push((key, HistogramSum::default()));
            sums.len() - 1
        });
        sums[index].1.add(histogram);
    }
    sums.sort_unstable_by_key(|(key, _)| *key);
    sums
}

/// Label set of a served call: method and status.
pub(super) fn server_key(record: &CallRecord) -> SeriesKey {
    SeriesKey::from(method_index(&record.method)) << 16 | SeriesKey::from(record.status)
}

/// Label set of an attempt: method, failure, status.
fn client_key(method: u8, attempt: &Attempt) -> SeriesKey {
    let failure = attempt.failed.map_or(0, |code| code as u8 + 1);
    SeriesKey::from(failure) << 24 | SeriesKey::from(method) << 16 | SeriesKey::from(attempt.status)
}

/// Takes a key apart: method index, status (0: none), failure.
pub(super) fn split_key(key: SeriesKey) -> (u8, u16, Option<&'static str>) {
    let failure = ((key >> 24) as usize).checked_sub(1).and_then(|code| Code::ALL.get(code));
    ((key >> 16) as u8, key as u16, failure.map(|code| code.as_str()))
}

/// Durations of the attempts at one endpoint, up to the response head.
#[derive(Debug)]
pub struct EndpointMeters {
    /// `host:port`.
    pub(super) address: Arc<str>,
    cells: PerCore<SeriesTable>,
    retired: AtomicBool,
}

// === impl EndpointMeters ===

impl EndpointMeters {
    pub(super) fn new(address: Arc<str>, cores: usize) -> Self {
        Self { address, cells: PerCore::new(cores), retired: AtomicBool::new(false) }
    }

    /// Tells the cores to ask the registry anew: these meters are no longer reported.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    /// Every attempt so far.
    pub(super) fn attempts(&self) -> u64 {
        self.durations().iter().map(|(_, sum)| sum.count()).sum()
    }

    /// Counts one attempt on `core`; `ended_ns` stands in where the head never came.
    pub(super) fn count(&self, core: usize, method: u8, attempt: &Attempt, ended_ns: u64) {
        let until_ns = if attempt.head_ns == 0 { ended_ns } else { attempt.head_ns };
        let duration_ns = until_ns.saturating_sub(attempt.started_ns);
        self.cells.own(core).observe(client_key(method, attempt), duration_ns);
    }

    pub(super) fn durations(&self) -> Vec<(SeriesKey, HistogramSum)> {
        sum_series(self.cells.made())
    }
}

#[cfg(test)]
mod tests;
