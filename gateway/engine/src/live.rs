//! Everything that survives a reload: calls in flight, buckets, permits, breakers, what was
//! learned. Keyed by the stable names of the policy.
//!
//! Bounded by the policy: what the newest one does not name is forgotten once nothing holds it.
//! As long as a call or an older snapshot still does it stays, so a route that comes back finds
//! its calls in flight.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sumun_policy::Policy;
use sumun_policy::policy;
use sumun_policy::units::Name;

use crate::admission::lane::LaneState;
use crate::endpoint::Endpoint;
use crate::journal::{self, Budget};
use crate::order::Stamps;
use crate::quota::{FunctionState, Pool};
use crate::rate::callers::CALLERS_MAX;
use crate::signals::{Gauge, Reading};
use crate::time::Moment;
use crate::upstream::UpstreamState;

/// The live state of one gateway.
#[derive(Clone, Debug)]
pub struct Live {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    own_cpu: Arc<Gauge>,
    pool: Arc<Pool>,
    recorder: Option<Recorder>,
    callers_max: usize,
    entries: Mutex<Entries>,
}

/// What is kept for a replay.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    pub budget: Arc<Budget>,
    pub stamps: Arc<Stamps>,
    /// How long a turn of the slow loop is kept.
    pub keep: Duration,
}

/// Locked by compilation and by the sweep of the slow loop only.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    generation: u64,
    upstreams: HashMap<Name, Arc<UpstreamState>>,
    endpoints: HashMap<(Name, policy::Endpoint), Arc<Endpoint>>,
    lanes: HashMap<Name, Arc<LaneState>>,
    functions: HashMap<Name, Arc<FunctionState>>,
    /// Entries that the newest policy does not name.
    orphans: bool,
}

// === impl Live ===

impl Live {
    /// The state of a gateway that has seen nothing yet, and of which nothing is recorded.
    pub fn new() -> Self {
        Self::with(CALLERS_MAX, None)
    }

    /// The same, with another bound on the callers that are remembered of one route (at least 1).
    pub fn with_callers_max(callers_max: usize) -> Self {
        Self::with(callers_max, None)
    }

    /// The same, and what its slow loop sees is kept for a replay: for `keep`, in at most `bytes`.
    pub fn recorded(callers_max: usize, bytes: usize, keep: Duration) -> Self {
        let budget = Arc::new(Budget::new(bytes / journal::NOTE_BYTES));
        Self::with(callers_max, Some(Recorder { budget, stamps: Arc::default(), keep }))
    }

    fn with(callers_max: usize, recorder: Option<Recorder>) -> Self {
        Self {
            inner: Arc::new(Inner {
                callers_max,
                own_cpu: Arc::new(Gauge::new()),
                pool: Arc::new(Pool::new(policy::Pool::default())),
                recorder,
                entries: Mutex::new(Entries::default()),
            }),
        }
    }

    /// Bytes that what is kept of the slow loop takes.
    pub fn journal_bytes(&self) -> usize {
        self.inner.recorder.as_ref().map_or(0, |recorder| recorder.budget.used_bytes())
    }

    /// A stamp up to which every turn has ended, so that all of them are recorded whole; 0 where
    /// nothing is.
    pub fn settled(&self) -> u64 {
        let entries = self.entries().lock();
        let last = self.recorder().map_or(0, |recorder| recorder.stamps.last());
        entries.upstreams.values().for_each(|upstream| upstream.pass());
        last
    }

    pub(crate) fn recorder(&self) -> Option<&Recorder> {
        self.inner.recorder.as_ref()
    }

    /// Takes a reading of the gateway's own CPU, a share 0..=1 of what it may use; about once a
    /// second. What cannot be true is dropped.
    pub fn observe_own_cpu(&self, share: f64, now: Moment) {
        let reading = Reading { cpu: Some(share), ..Reading::default() };
        if let Some(share) = reading.sound().cpu {
            self.inner.own_cpu.set(share, now);
        }
    }

    /// The newest of these shares; `None` before the first.
    pub fn own_cpu_share(&self) -> Option<f64> {
        self.inner.own_cpu.last().map(|sample| sample.value)
    }

    pub(crate) fn own_cpu(&self) -> &Arc<Gauge> {
        &self.inner.own_cpu
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.inner.pool
    }

    pub(crate) fn callers_max(&self) -> usize {
        self.inner.callers_max
    }

    pub(crate) fn entries(&self) -> &Mutex<Entries> {
        &self.inner.entries
    }

    /// Entries held, of all kinds.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn entry_count(&self) -> usize {
        let e = self.entries().lock();
        e.upstreams.len() + e.endpoints.len() + e.lanes.len() + e.functions.len()
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Entries ===

impl Entries {
    /// The number of the next compilation, from 1.
    pub(crate) fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    pub(crate) fn upstream(
        &mut self,
        name: &Name,
        recorder: Option<&Recorder>,
    ) -> Arc<UpstreamState> {
        entry(&mut self.upstreams, name.clone(), || UpstreamState::new(recorder))
    }

    /// Every upstream that is known, also those of older policies.
    pub(crate) fn upstreams(&self) -> impl Iterator<Item = (&Name, &Arc<UpstreamState>)> {
        self.upstreams.iter()
    }

    pub(crate) fn endpoint(
        &mut self,
        upstream: &Name,
        address: &policy::Endpoint,
    ) -> Arc<Endpoint> {
        let key = (upstream.clone(), address.clone());
        entry(&mut self.endpoints, key, || Endpoint::new(address.clone()))
    }

    pub(crate) fn lane(&mut self, route: &Name) -> Arc<LaneState> {
        entry(&mut self.lanes, route.clone(), LaneState::default)
    }

    pub(crate) fn function(&mut self, name: &Name, pool: &Arc<Pool>) -> Arc<FunctionState> {
        entry(&mut self.functions, name.clone(), || FunctionState::new(Arc::clone(pool)))
    }

    /// Forgets what the policy does not name and nothing holds. New holders are made only under
    /// this lock, so a count of one cannot grow meanwhile.
    pub(crate) fn sweep(&mut self, policy: &Policy) {
        let mut orphans = false;
        self.upstreams
            .retain(|name, held| keep(policy.upstreams.contains_key(name), held, &mut orphans));
        self.endpoints.retain(|(name, address), held| {
            let upstream = policy.upstreams.get(name);
            let named = upstream.is_some_and(|u| u.endpoints.contains(address));
            keep(named, held, &mut orphans)
        });
        self.lanes.retain(|name, held| keep(policy.routes.contains_key(name), held, &mut orphans));
        self.functions
            .retain(|name, held| keep(policy.functions.contains_key(name), held, &mut orphans));
        self.orphans = orphans;
    }

    /// [`sweep`](Self::sweep), if the last one left something behind.
    pub(crate) fn sweep_orphans(&mut self, policy: &Policy) {
        if self.orphans {
            self.sweep(policy);
        }
    }

    pub(crate) fn is_newest(&self, generation: u64) -> bool {
        self.generation == generation
    }
}

fn entry<K: Hash + Eq, V>(map: &mut HashMap<K, Arc<V>>, key: K, new: impl FnOnce() -> V) -> Arc<V> {
    Arc::clone(map.entry(key).or_insert_with(|| Arc::new(new())))
}

fn keep<V>(named: bool, entry: &Arc<V>, orphans: &mut bool) -> bool {
    let held = Arc::strong_count(entry) > 1;
    *orphans |= held && !named;
    named || held
}

#[cfg(all(test, not(loom)))]
mod tests;
