//! The order of classes: bulk before batch before default, strictly.
//!
//! Walking from the highest class down, each lane's limit (1) leaves room for the workers that
//! higher classes lately wanted and did not get, and a margin for their chance variation (trunk
//! reservation: a few slots suffice), and (2) never exceeds the limit of an enforced lane of a
//! higher class, so at no instant is a higher class refused while a lower one is admitted.
//! Interactive calls need no room: they always enter, and being in flight they narrow all others.
//!
//! Lanes in shadow mode hold back only lanes in shadow mode.

use sumun_policy::policy::Class;

use crate::admission::demand::Wanted;
use crate::admission::{Bound, Observed};

/// Part of a limit that the margin may take at most: small pools keep their throughput.
const MARGIN_SHARE_MAX: u32 = 4;

/// A lane as the order sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rank {
    pub class: Class,
    pub enforced: bool,
    pub bound: Option<Bound>,
    pub wanted: Wanted,
}

/// What the classes above hold back from those below.
#[derive(Clone, Copy, Debug, Default)]
struct Above {
    wanted: Wanted,
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
    }
}

impl Above {
    fn add(&mut self, lane: &Rank) {
        self.wanted.workers += lane.wanted.workers;
        self.wanted.unmet += lane.wanted.unmet;
        self.ceiling = Bound::lower(self.ceiling, lane.bound);
    }

    fn narrow(&self, bound: Bound) -> Bound {
        let margin =
            (self.wanted.workers.sqrt().round() as u32).min(bound.limit / MARGIN_SHARE_MAX);
        let room = (self.wanted.unmet.round() as u32).saturating_add(margin).min(bound.limit);
        let observed = match bound.observed {
            Observed::Busy { taken, capacity } => Observed::Busy { taken: taken + room, capacity },
            share @ Observed::Share(_) => share,
        };
        let own = Bound { limit: bound.limit - room, observed, ..bound };
        match self.ceiling {
            Some(ceiling) if ceiling.limit < own.limit => ceiling,
            _ => own,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
