//! One lane's limit at one moment, before the order of classes: the lower of what workers and CPU
//! allow.

use std::time::Duration;

use sumun_policy::policy::{Cpu, CpuOf, Workers};

use crate::admission::cpu::CpuNow;
use crate::admission::lane::{Learned, Rules};
use crate::admission::workers::{Fallback, WorkersNow, WorkersTrack};
use crate::admission::{Bound, Observed, Reason};
use crate::signals::SignalState;
use crate::time::Moment;

/// First return after a refusal by workers, at least and at most: a shorter one would come back into
/// the same burst, a longer one would leave the service idle.
const RETRY_AFTER_MIN: Duration = Duration::from_millis(100);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);

/// First return where no holding time is known yet.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

/// An upstream's load at one moment, as the slow loop sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoadNow {
    pub workers: WorkersNow,
    pub cpu_upstream: CpuNow,
    pub cpu_gateway: CpuNow,
    /// Seconds a call holds its slot.
    pub hold_s: Option<f64>,
    /// Period of the upstream's signals.
    pub period: Duration,
}

/// The limit of a lane now, and notes it where all is well. `in_flight`: at the upstream, in the
/// world that the lane decides in.
pub(crate) fn bound(
    rules: &Rules,
    learned: &mut Learned,
    load: &LoadNow,
    in_flight: u32,
    now: Moment,
) -> Option<Bound> {
    let fallback = Fallback { on_stale: rules.on_stale, proven: learned.proven.limit() };
    let workers = rules.workers.and_then(|rules| {
        let limit = learned.workers.step(rules, &load.workers, fallback, now)?;
        Some(by_workers(rules, limit, load))
    });
    let cpu = rules.cpu.and_then(|cpu| {
        let ceiling = workers.map(|bound| bound.limit);
        let share = load.cpu(cpu);
        let limit = learned.cpu.step(cpu.bounds, share, in_flight, ceiling, fallback, now)?;
        Some(Bound {
            limit,
            // Calls beyond what would take CPU from `enter` down to `exit`.
            free: f64::from(limit) * cpu.bounds.exit.ratio() / cpu.bounds.enter.ratio(),
            reason: Reason::Cpu,
            threshold: cpu.bounds.enter.ratio(),
            observed: Observed::Share(share.share),
            retry_after: share.period.max(RETRY_AFTER_MIN),
        })
    });
    let bound = Bound::lower(workers, cpu);
    if let Some(bound) = bound.filter(|_| healthy(rules, learned, load)) {
        learned.proven.note(bound.limit, now);
    }
    bound
}

fn by_workers(rules: Workers, limit: u32, load: &LoadNow) -> Bound {
    let taken = load.workers.others.round() as u32;
    let fresh = matches!(load.workers.state, SignalState::Fresh | SignalState::Absent);
    let enter = rules.bounds.enter.ratio();
    let free = f64::from(limit) - (rules.full.ratio() - enter) * load.workers.capacity;
    let hold = load.hold_s.map_or(RETRY_AFTER_DEFAULT, Duration::from_secs_f64);
    Bound {
        limit,
        // Under zero only where a reading says so: other people's load alone is over `enter`.
        free: if fresh { free } else { free.max(0.0) },
        reason: Reason::Workers,
        threshold: enter,
        observed: Observed::Busy { taken, capacity: load.workers.capacity },
        // With no slot of ours nothing frees one: only the next reading can.
        retry_after: if limit == 0 { load.period.max(RETRY_AFTER_MIN) } else { hold }
            .clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX),
    }
}

fn healthy(rules: &Rules, learned: &Learned, load: &LoadNow) -> bool {
    let workers = rules.workers.is_none_or(|_| WorkersTrack::healthy(&load.workers));
    let cpu = rules.cpu.is_none_or(|cpu| learned.cpu.healthy(cpu.bounds, load.cpu(cpu)));
    workers && cpu
}

impl LoadNow {
    fn cpu(&self, cpu: Cpu) -> &CpuNow {
        match cpu.of {
            CpuOf::Upstream => &self.cpu_upstream,
            CpuOf::Gateway => &self.cpu_gateway,
        }
    }
}
