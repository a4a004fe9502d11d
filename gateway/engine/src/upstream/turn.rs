//! One turn of the slow loop: from what the lanes wanted and the endpoints said to the terms on
//! which each class is let in.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use sumun_policy::policy::Class;

use crate::admission::Bound;
use crate::admission::classes::{self, Rank};
use crate::admission::demand::{Demand, HOLD_DEFAULT_S, Wanted};
use crate::admission::lane::Lane;
use crate::admission::limit;
use crate::admission::offer::ClassNow;
use crate::slots::UNLIMITED;
use crate::time::{Moment, nanos};
use crate::upstream::Upstream;

/// The classes that may be shed, highest first.
const SHEDDABLE: [Class; 3] = [Class::Default, Class::Batch, Class::Bulk];

/// Scratch space of the slow loop, so that a turn allocates nothing once it has grown.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    lanes: Vec<LaneNow>,
    ranks: Vec<Rank>,
}

/// A lane at one moment.
#[derive(Clone, Copy, Debug)]
struct LaneNow {
    bound: Option<Bound>,
    wanted: [Wanted; Class::ALL.len()],
    /// Smoothed calls in flight.
    in_flight: [f64; Class::ALL.len()],
}

impl Upstream {
    /// Sets the terms of all lanes. `elapsed`: since the last turn, zero at the first.
    pub(super) fn turn(&self, scratch: &mut Scratch, elapsed: Duration, now: Moment) {
        let flows = self.lanes.iter().flat_map(|lane| sample(lane, now));
        let hold_s = Demand::hold_s(flows);
        let load = self.load(hold_s, now);
        scratch.lanes.clear();
        scratch.lanes.extend(self.lanes.iter().map(|lane| {
            let mut learned = lane.state.learned.lock();
            let slots = if lane.is_shadow() { &self.state.shadow } else { &self.state.slots };
            let bound = lane
                .rules
                .as_ref()
                .and_then(|rules| limit::bound(rules, &mut learned, &load, slots.in_flight(), now));
            LaneNow {
                bound,
                wanted: learned.classes.each_ref().map(|class| class.demand.wanted(hold_s)),
                in_flight: learned.classes.each_ref().map(|class| class.demand.flow().0),
            }
        }));
        scratch.rank(self);
        classes::order(&mut scratch.ranks);
        self.publish(scratch, hold_s.unwrap_or(HOLD_DEFAULT_S), elapsed);
        self.lanes.iter().for_each(|lane| forgive(lane, elapsed, now));
        let hold = hold_s.map_or(Duration::ZERO, Duration::from_secs_f64);
        self.state.hold_ns.store(nanos(hold), Relaxed);
        if self.state.slots.is_waited_for() {
            // Limits may have risen.
            self.state.line.pass_on(&self.state.slots);
        }
    }

    fn publish(&self, scratch: &Scratch, hold_s: f64, elapsed: Duration) {
        let mut above: f64 = scratch.lanes.iter().map(|lane| lane.held(Class::Interactive)).sum();
        for ranks in scratch.ranks.chunk_by(|a, b| a.class == b.class) {
            let Some(class) = ranks.first().map(|rank| rank.class) else { continue };
            let wanted = ranks.iter().map(|rank| rank.wanted.workers).sum();
            let now = ClassNow { above, wanted, hold_s: hold_s.max(1e-6) };
            for rank in ranks {
                let lane = &self.lanes[rank.lane];
                let part = if wanted > 0.0 { rank.wanted.workers / wanted } else { 1.0 };
                let mut learned = lane.state.learned.lock();
                let learned = &mut learned.classes[class as usize];
                let offer = rank.bound.map(|bound| {
                    let offer = now.offer(bound, part, &mut learned.cohort, elapsed);
                    learned.returns = 1e9 / offer.interval_ns as f64;
                    offer
                });
                lane.publish(class, offer.as_ref());
            }
            above += scratch.lanes.iter().map(|lane| lane.held(class)).sum::<f64>();
        }
        let enforced = scratch.ranks.iter().filter(|rank| rank.enforced);
        let widest = enforced.map(|rank| Bound::limit_of(rank.bound.as_ref())).max();
        self.state.slots.set_limit(widest.unwrap_or(UNLIMITED));
    }
}

impl Scratch {
    /// Each lane that sheds, once for each class that its calls may have.
    fn rank(&mut self, upstream: &Upstream) {
        self.ranks.clear();
        for class in SHEDDABLE {
            for (index, (lane, now)) in upstream.lanes.iter().zip(&self.lanes).enumerate() {
                if lane.rules.is_some() {
                    self.ranks.push(Rank {
                        lane: index,
                        class,
                        enforced: lane.is_enforced(),
                        bound: now.bound,
                        wanted: now.wanted[class as usize],
                    });
                }
            }
        }
    }
}

impl LaneNow {
    fn held(&self, class: Class) -> f64 {
        self.in_flight[class as usize]
    }
}

/// Takes the counters of each class; gives what was in flight and admitted per second.
fn sample(lane: &Lane, now: Moment) -> [(f64, f64); Class::ALL.len()] {
    let mut learned = lane.state.learned.lock();
    let account = lane.account();
    Class::ALL.map(|class| {
        let demand = &mut learned.classes[class as usize].demand;
        demand.sample(account.of(class).counts(), account.of(class).in_flight(), now);
        demand.flow()
    })
}

/// Takes back bookings of returns that nobody keeps.
fn forgive(lane: &Lane, elapsed: Duration, now: Moment) {
    let Some(rules) = &lane.rules else { return };
    let learned = lane.state.learned.lock();
    let account = lane.account();
    let mut admitted_all = 0.0;
    for class in SHEDDABLE {
        let learned = &learned.classes[class as usize];
        let (_, admitted) = learned.demand.flow();
        admitted_all += admitted;
        if learned.returns > 0.0 {
            account.of(class).returns.forgive(admitted / learned.returns, elapsed, now);
        }
    }
    if let Some((rps, _)) = rules.rps {
        account.rate_returns.forgive(admitted_all / rps.limit, elapsed, now);
    }
}
