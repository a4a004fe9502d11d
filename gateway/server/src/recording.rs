//! What is kept of the calls that asked for admission, so that a draft of the policy can be tried on
//! them ([`sumun_engine::replay`]).
//!
//! Begins with the process. Each worker writes a ring of its own ([`ring::Ring`]): mostly 8 bytes when
//! a call is decided, as many where it waits before and when it ends ([`entry`]), without waiting and
//! without allocating but for a chunk now and then. What the engine's slow loop saw is kept by the
//! engine itself. Nothing of a call's content is kept: its route, its class, its caller (a hash, and its
//! name where that is no secret), times, and what was decided.
//!
//! Bounds: `recording.bytes` altogether, three fifths for calls; [`POLICIES_MAX`] revisions and
//! [`NAMES_MAX`] names beside; what is older than `recording.keep` is not shown. The oldest is forgotten first, and counted.

mod entry;
mod ring;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use parking_lot::Mutex;
use sumun_engine::replay::{ROUTES_MAX, Tape};
use sumun_engine::{Moment, Snapshot};
use sumun_policy::Policy;
use sumun_policy::units::Name;

use self::entry::Entry;
pub use self::ring::CoreRecorder;
use self::ring::Ring;
use crate::callers::CallerName;
use crate::settings::RecordingSettings;

/// Revisions of the policy that a recording may span; with the next one it begins later. Each holds
/// its policy in memory.
pub const POLICIES_MAX: usize = 32;

/// Names of callers that are kept; later ones are told by their hash. At 128 bytes about 1 MiB.
pub const NAMES_MAX: usize = 10_000;

/// The recording of one process.
pub struct Recording {
    keep: Duration,
    rings: Vec<Arc<Ring>>,
    /// Rings given to workers.
    given: AtomicUsize,
    policies: Mutex<Policies>,
    names: Arc<Mutex<HashMap<u64, CallerName>>>,
}

/// What decided, and what the numbers of routes mean.
#[derive(Default)]
struct Policies {
    in_force: VecDeque<InForce>,
    /// Whether one was forgotten.
    forgotten: bool,
    names: Vec<Name>,
    numbers: HashMap<Name, u16>,
}

struct InForce {
    generation: u16,
    since: Moment,
    policy: Arc<Policy>,
}

/// What a recording holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordingView {
    /// Memory taken by calls.
    pub bytes: u64,
    /// Calls that were forgotten before their time, since the process began.
    pub lost: u64,
}

/// A tape with what was left out of it.
pub struct Taken {
    /// The calls.
    pub tape: Tape,
    /// Calls within the time to keep that are not on it.
    pub lost: u64,
}

// === impl Recording ===

impl Recording {
    /// Nothing recorded yet. `None`: nothing shall be.
    pub fn new(settings: &RecordingSettings, workers: usize) -> Option<Arc<Self>> {
        if settings.bytes == 0 {
            return None;
        }
        let each = Self::calls_bytes(settings) / workers.max(1);
        let rings = (0..workers).map(|_| Arc::new(Ring::new(each, settings.keep)));
        Some(Arc::new(Self {
            keep: settings.keep,
            rings: rings.collect(),
            given: AtomicUsize::new(0),
            policies: Mutex::default(),
            names: Arc::default(),
        }))
    }

    /// Bytes that the engine may use for its slow loop.
    pub fn journal_bytes(settings: &RecordingSettings) -> usize {
        settings.bytes as usize / 5 * 2
    }

    fn calls_bytes(settings: &RecordingSettings) -> usize {
        settings.bytes as usize - Self::journal_bytes(settings)
    }

    /// A worker's end; `None` once every worker has its own.
    pub fn recorder(&self) -> Option<CoreRecorder> {
        let core = self.given.fetch_add(1, Relaxed);
        let names = || Arc::clone(&self.names);
        self.rings.get(core).map(|ring| CoreRecorder::new(Arc::clone(ring), names()))
    }

    /// Takes note of a policy that comes into force; returns the numbers of its routes, by index.
    /// `None`: too many names since the process began, its calls are not recorded.
    pub fn follow(&self, snapshot: &Snapshot, now: Moment) -> Vec<Option<u16>> {
        let mut policies = self.policies.lock();
        policies.in_force.push_back(InForce {
            generation: snapshot.generation() as u16,
            since: now,
            policy: Arc::clone(&snapshot.policy),
        });
        if policies.in_force.len() > POLICIES_MAX {
            policies.in_force.pop_front();
            policies.forgotten = true;
        }
        snapshot.routes().iter().map(|route| policies.number(&route.policy.name)).collect()
    }

    /// The name of a caller, where it has one and it was among the first [`NAMES_MAX`].
    pub fn name(&self, caller: u64) -> Option<CallerName> {
        self.names.lock().get(&caller).cloned()
    }

    /// What it holds.
    pub fn view(&self) -> RecordingView {
        let mut view = RecordingView::default();
        for ring in &self.rings {
            view.bytes += ring.bytes();
            view.lost += ring.lost();
        }
        view
    }

    /// Everything that is kept of the last [`RecordingSettings::keep`]. Copies it: some milliseconds
    /// for each MiB. `settled`: a stamp that [`sumun_engine::Live::settled`] has just given.
    pub fn take(&self, settled: u64, now: Moment) -> Taken {
        let since = Moment::from_nanos(now.nanos().saturating_sub(self.keep.as_nanos() as u64));
        let mut tape = Tape { settled, ..Tape::default() };
        let mut begins = (since > Moment::default()).then_some(since);
        let mut seen = 0;
        for (core, ring) in (0u64..).zip(&self.rings) {
            let read = ring.read();
            begins = begins.max(read.complete_from);
            seen += ring.seen(now);
            for entry in read.entries {
                match entry {
                    Entry::Asked(number, asked) => {
                        tape.asked.push((core << 32 | u64::from(number), asked));
                    }
                    Entry::Joined(number, joined) => {
                        tape.joined.push((core << 32 | u64::from(number), joined));
                    }
                    Entry::Left(number, left) => {
                        tape.left.push((core << 32 | u64::from(number), left));
                    }
                }
            }
        }
        let policies = self.policies.lock();
        let known = policies.in_force.iter().map(|known| known.generation);
        let known: Vec<u16> = known.collect();
        tape.asked.retain(|(_, asked)| known.contains(&asked.generation));
        if policies.forgotten {
            begins = begins.max(policies.in_force.front().map(|oldest| oldest.since));
        }
        tape.policies =
            policies.in_force.iter().map(|k| (k.generation, Arc::clone(&k.policy))).collect();
        tape.routes.clone_from(&policies.names);
        drop(policies);
        tape.complete_from = begins;
        let on_tape = |at: Moment| begins.is_none_or(|begins| at >= begins);
        let kept = tape.asked.iter().filter(|(_, asked)| on_tape(asked.at)).count() as u64;
        Taken { tape, lost: seen.saturating_sub(kept) }
    }
}

// === impl Policies ===

impl Policies {
    fn number(&mut self, name: &Name) -> Option<u16> {
        if let Some(number) = self.numbers.get(name) {
            return Some(*number);
        }
        let number = u16::try_from(self.names.len()).ok().filter(|n| usize::from(*n) < ROUTES_MAX);
        let number = number?;
        self.names.push(name.clone());
        self.numbers.insert(name.clone(), number);
        Some(number)
    }
}

#[cfg(test)]
mod tests;
