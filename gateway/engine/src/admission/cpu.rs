//! The CPU limit: over `enter` it is cut multiplicatively, under `exit` it recovers additively,
//! between them it holds. Between a cut and a recovery lies at least the dwell.
//!
//! There is no limit until CPU first crosses `enter`; the first cut starts from what was in flight,
//! so it bites at once whatever the capacity. Steps are at least a period apart and each uses a
//! reading newer than the last. The cut may reach zero: while CPU is over its threshold for reasons
//! that are not ours, nothing that may be shed is let in. Once recovered past what limits it
//! otherwise (or past twice what was ever in flight), the limit is gone.

use std::time::Duration;

use sumun_policy::policy::Hysteresis;

use crate::admission::hysteresis::{self, Turn};
use crate::admission::workers::{Fallback, drifted, expired};
use crate::signals::SignalState;
use crate::time::Moment;

/// Largest cut of one step.
const CUT_MAX: f64 = 0.5;

/// Smallest cut of one step: at exactly `enter` a step still does something.
const CUT_MIN: f64 = 0.9;

/// Share of the first cut's starting point that one step recovers.
const RECOVERY_SHARE: f64 = 0.2;

/// How often what was in flight must fit under the limit before the limit goes.
const RELEASE_FACTOR: f64 = 2.0;

/// CPU at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CpuNow {
    /// Share; the last known one where it is not fresh.
    pub share: f64,
    pub state: SignalState,
    pub read_at: Option<Moment>,
    pub staleness: f64,
    pub period: Duration,
    /// Whether readings come without calls.
    pub scraped: bool,
}

/// A lane's CPU limit over time.
#[derive(Debug, Default)]
pub(crate) struct CpuTrack {
    cut: Option<Cut>,
    turn: Turn,
    stepped: Option<Moment>,
    /// Most in flight since the last step.
    peak: u32,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    limit: f64,
    /// What was in flight at the first cut.
    reference: f64,
}

impl CpuTrack {
    /// The limit now; `None`: none.
    pub(crate) fn step(
        &mut self,
        bounds: Hysteresis,
        cpu: &CpuNow,
        in_flight: u32,
        ceiling: Option<u32>,
        fallback: Fallback,
        now: Moment,
    ) -> Option<u32> {
        self.peak = self.peak.max(in_flight);
        match cpu.state {
            SignalState::Absent => None,
            SignalState::Fresh => {
                if let Some(read_at) = cpu.read_at.filter(|at| self.is_due(*at, cpu.period)) {
                    self.stepped = Some(read_at);
                    let dwell = hysteresis::dwell(cpu.period);
                    let over = self.turn.step(bounds, cpu.share, dwell, now);
                    self.adjust(bounds, cpu.share, over, ceiling.map(f64::from));
                    self.peak = in_flight;
                }
                self.limit()
            }
            SignalState::Stale => drifted(self.limit(), fallback.proven, cpu.staleness),
            SignalState::Expired => expired(fallback, self.limit(), ceiling, cpu.scraped),
        }
    }

    /// Whether CPU says that all is well.
    pub(crate) fn healthy(&self, bounds: Hysteresis, cpu: &CpuNow) -> bool {
        let told = matches!(cpu.state, SignalState::Fresh | SignalState::Absent);
        told && self.cut.is_none() && cpu.share <= bounds.enter.ratio()
    }

    /// A tenth of the period is left to the jitter of scrapes.
    fn is_due(&self, read_at: Moment, period: Duration) -> bool {
        self.stepped.is_none_or(|at| read_at.since(at) >= period.mul_f64(0.9))
    }

    fn adjust(&mut self, bounds: Hysteresis, share: f64, over: bool, ceiling: Option<f64>) {
        let (enter, exit) = (bounds.enter.ratio(), bounds.exit.ratio());
        let ceiling = ceiling.unwrap_or(f64::INFINITY);
        if over && share > enter {
            let start = f64::from(self.peak.max(1)).min(ceiling);
            let cut = self.cut.get_or_insert(Cut { limit: start, reference: start });
            cut.limit *= (enter / share).clamp(CUT_MAX, CUT_MIN);
        } else if !over
            && share < exit
            && let Some(cut) = &mut self.cut
        {
            cut.limit += (cut.reference * RECOVERY_SHARE).max(1.0);
            let enough = (RELEASE_FACTOR * cut.reference.max(f64::from(self.peak))).min(ceiling);
            if cut.limit >= enough {
                self.cut = None;
            }
        }
    }

    fn limit(&self) -> Option<u32> {
        self.cut.map(|cut| cut.limit as u32)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
