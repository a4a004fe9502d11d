//! What admission and quota decided of a route's calls, by the class that held for each call.
//!
//! Written by one core, summed by readers; the path adds to its own core's cell only.

use sumun_policy::policy::Class;

use super::cells::Counter;
use super::meters::{Counts, Verdict};
use super::record::CallRecord;
use crate::refusal::Code;

/// Classes.
pub(super) const CLASSES: usize = Class::ALL.len();

/// The codes with which a gate refuses.
const CODES: [Code; 4] = [Code::RpsOver, Code::CpuOver, Code::WorkersOver, Code::QuotaFull];

/// One core's share of one class.
#[derive(Debug, Default)]
pub(super) struct GateCell {
    /// Calls that passed admission: refusals are real, or only counted.
    admitted: [Counter; 2],
    /// Refused, by code.
    refused: [Counter; CODES.len()],
    /// Would have been refused, by code.
    shadow: [Counter; CODES.len()],
    /// Refused, but answered from a stale stored answer, by code.
    stale: [Counter; CODES.len()],
}

/// What the counters of one class stand at, summed over cores; counts of zero are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateTotals {
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
}

// === impl GateCell ===

impl GateCell {
    /// Counts one finished call of a route that is in shadow mode, or not.
    pub(super) fn count(&self, record: &CallRecord, shadow: impl FnOnce() -> bool) {
        let add = |counters: &[Counter; CODES.len()], code| {
            if let Some(index) = CODES.iter().position(|gate| *gate == code) {
                counters[index].add(1);
            }
        };
        match Verdict::of(record) {
            Verdict::Stale(code) => add(&self.stale, code),
            Verdict::Refuse(code) => add(&self.refused, code),
            Verdict::Admit => match record.shadow {
                Some(shed) => add(&self.shadow, shed.code),
                None => self.admitted[usize::from(shadow())].add(1),
            },
            Verdict::Unasked => {}
        }
    }
}

// === impl GateTotals ===

impl GateTotals {
    /// Sums the cells of one class.
    pub(super) fn of<'a>(cells: &(impl Iterator<Item = &'a GateCell> + Clone)) -> Self {
        let sum = |counter: &dyn Fn(&GateCell) -> u64| cells.clone().map(counter).sum::<u64>();
        let by = |pick: &dyn Fn(&GateCell, usize) -> u64| {
            let counts = CODES.iter().enumerate();
            let counts = counts.map(|(at, code)| (code.as_str(), sum(&|cell| pick(cell, at))));
            counts.filter(|(_, count)| *count > 0).collect()
        };
        Self {
            admitted: sum(&|cell| cell.admitted[0].get()),
            admitted_shadow: sum(&|cell| cell.admitted[1].get()),
            refused: by(&|cell, at| cell.refused[at].get()),
            shadow: by(&|cell, at| cell.shadow[at].get()),
            stale: by(&|cell, at| cell.stale[at].get()),
        }
    }

    /// Whether nothing was decided.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Adds counts by label to others, in the order of the codes.
pub(super) fn add_counts(sum: &mut Counts, more: &Counts) {
    for (label, count) in more {
        match sum.iter_mut().find(|(known, _)| known == label) {
            Some((_, sum)) => *sum += count,
            None => sum.push((label, *count)),
        }
    }
    let order = |label: &&str| CODES.iter().position(|code| code.as_str() == *label);
    sum.sort_by_key(|(label, _)| order(label));
}
