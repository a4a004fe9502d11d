//! The order of classes: bulk before batch before default, strictly.
//!
//! Walking from the highest class down, each lane's limit (1) leaves room for the workers that
//! higher classes lately wanted and did not get, and a margin for their chance variation, and (2)
//! never exceeds the limit of an enforced lane of a
//! higher class. Walking back up, (3) shedding of a class begins no sooner than where all lower
//! ones are shed whole. So at no instant is a call refused while one of a lower class would be let
//! in, call by call, on the ramp and at the limit.
//!
//! The margin is trunk reservation as in telephone networks: where the classes above want the share
//! `ρ` of the limit, the chance that they climb `m` slots over what lower ones may fill falls as
//! `ρ^m`; `m` is chosen so that it is [`CLIMB_CHANCE`], once for each class that wants anything.
//!
//! Interactive calls need no room: they always enter, and being in flight they narrow all others.
//!
//! Lanes in shadow mode hold back only lanes in shadow mode.

use sumun_policy::policy::Class;

use crate::admission::demand::Wanted;
use crate::admission::{Bound, Observed};

/// Part of a limit that a margin may take at most: small pools keep their throughput.
const MARGIN_SHARE_MAX: f64 = 0.25;

/// Chance that a higher class, at a moment when lower ones fill all they may, finds no slot.
const CLIMB_CHANCE: f64 = 0.02;

/// Share of a limit under which what is wanted needs no margin.
const SHARE_MIN: f64 = 0.001;

/// Largest share that the margin reckons with: near 1 it would grow without end, and what cannot
/// be had is already left as room.
const SHARE_MAX: f64 = 0.9;

/// A class of a lane, as the order sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rank {
    /// Its lane's place at the upstream.
    pub lane: usize,
    pub class: Class,
    pub enforced: bool,
    pub bound: Option<Bound>,
    pub wanted: Wanted,
}

/// What the classes above hold back from those below.
#[derive(Clone, Copy, Debug, Default)]
struct Above {
    wanted: Wanted,
    /// What was wanted down to each class that wants anything.
    levels: [f64; Class::ALL.len()],
    ceiling: Option<Bound>,
}

/// Puts the limits of an upstream's lanes in order; `lanes` come highest class first.
pub(crate) fn order(lanes: &mut [Rank]) {
    debug_assert!(lanes.is_sorted_by(|a, b| a.class >= b.class), "lanes are not in class order");
    let (mut enforced, mut all) = (Above::default(), Above::default());
    for class in lanes.chunk_by_mut(|a, b| a.class == b.class) {
        for lane in class.iter_mut() {
            let above = if lane.enforced { &enforced } else { &all };
            lane.bound = lane.bound.map(|bound| above.narrow(bound));
        }
        for lane in class.iter().filter(|lane| lane.class != Class::Interactive) {
            all.add(lane);
            if lane.enforced {
                enforced.add(lane);
            }
        }
        if let Some(class) = class.first().map(|lane| lane.class) {
            all.close(class);
            enforced.close(class);
        }
    }
    begin_in_order(lanes);
}

/// Lifts where shedding begins to where it is complete for all lower classes.
fn begin_in_order(lanes: &mut [Rank]) {
    let (mut enforced, mut all) = (0, 0);
    for class in lanes.chunk_by_mut(|a, b| a.class == b.class).rev() {
        for lane in class.iter_mut() {
            let floor = if lane.enforced { enforced } else { all };
            if let Some(bound) = &mut lane.bound {
                bound.free = bound.free.max(f64::from(floor)).min(f64::from(bound.limit));
            }
        }
        for lane in class.iter() {
            let Some(bound) = &lane.bound else { continue };
            all = all.max(bound.limit);
            if lane.enforced {
                enforced = enforced.max(bound.limit);
            }
        }
    }
}

impl Above {
    fn add(&mut self, lane: &Rank) {
        self.wanted.workers += lane.wanted.workers;
        self.wanted.unmet += lane.wanted.unmet;
        self.ceiling = Bound::lower(self.ceiling, lane.bound);
    }

    /// Ends a class: those below it keep a margin for all down to it.
    fn close(&mut self, class: Class) {
        let before = self.levels.iter().copied().fold(0.0, f64::max);
        if self.wanted.workers > before {
            self.levels[class as usize] = self.wanted.workers;
        }
    }

    fn narrow(&self, bound: Bound) -> Bound {
        let limit = f64::from(bound.limit);
        let margin: f64 = self.levels.iter().map(|wanted| margin(*wanted, limit)).sum();
        let room = (self.wanted.unmet + margin).round();
        // One slot at least: who calls rarely would find the pool full each time.
        let room = if margin > 0.0 { room.max(1.0) } else { room };
        let room = (room as u32).min(bound.limit);
        let observed = match bound.observed {
            Observed::Busy { taken, capacity } => Observed::Busy { taken: taken + room, capacity },
            share @ Observed::Share(_) => share,
        };
        let free = bound.free - f64::from(room);
        let own = Bound { limit: bound.limit - room, free, observed, ..bound };
        match self.ceiling {
            Some(ceiling) if ceiling.limit < own.limit => {
                Bound { free: own.free.min(f64::from(ceiling.limit)), ..ceiling }
            }
            _ => own,
        }
    }
}

/// Slots of `limit` that keep the chance of a climb low while `wanted` of them are wanted.
fn margin(wanted: f64, limit: f64) -> f64 {
    let share = wanted / limit.max(1.0);
    if share < SHARE_MIN {
        return 0.0;
    }
    let slots = CLIMB_CHANCE.ln() / share.min(SHARE_MAX).ln();
    // Whole slots of the cap: a limit of three has no margin to give.
    slots.min((limit * MARGIN_SHARE_MAX).floor())
}

#[cfg(all(test, not(loom)))]
mod tests;
