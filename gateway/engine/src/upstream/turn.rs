//! One turn of the slow loop: from what the lanes wanted and the endpoints said to the terms on
//! which each class is let in.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use sumun_policy::policy::{Class, Per};

use crate::admission::Bound;
use crate::admission::account::Account;
use crate::admission::classes::{self, Rank};
use crate::admission::demand::{Demand, HOLD_DEFAULT_S, Wanted};
use crate::admission::lane::{Lane, World};
use crate::admission::limit::{self, LoadNow};
use crate::admission::offer::ClassNow;
use crate::admission::wait::Handed;
use crate::slots::{Slots, UNLIMITED};
use crate::time::{Moment, nanos};
use crate::upstream::Upstream;
use crate::upstream::seen::Seen;

/// The classes that may be shed, highest first.
const SHEDDABLE: [Class; 3] = [Class::Default, Class::Batch, Class::Bulk];

/// Shortest holding time, seconds: a microsecond.
const HOLD_MIN_S: f64 = 1e-6;

/// Time constant of the holding time that returns are booked by: at a few calls a second a shorter
/// one is half chance.
const HOLD_OVER: Duration = Duration::from_secs(5);

/// Scratch space of the slow loop, so that a turn allocates nothing once it has grown.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// What this turn sees.
    pub seen: Seen,
    /// Rounds that were kept for a replay.
    pub rounds: u32,
    lanes: Vec<LaneNow>,
    ranks: Vec<Rank>,
    /// Seconds a call holds its slot in each world, smoothed: returns are booked for long after.
    hold_s: [Option<f64>; World::ALL.len()],
}

/// A lane at one moment.
#[derive(Clone, Copy, Debug)]
struct LaneNow {
    bound: Option<Bound>,
    wanted: [Wanted; Class::ALL.len()],
    /// Smoothed calls in flight in each world.
    in_flight: [[f64; Class::ALL.len()]; World::ALL.len()],
}

impl Upstream {
    /// Sets the terms of all lanes; returns who was handed a slot. `elapsed`: since the last turn, zero
    /// at the first.
    pub(super) fn turn(&self, scratch: &mut Scratch, elapsed: Duration, now: Moment) -> Handed {
        self.lanes.iter().for_each(|lane| sample(lane, now));
        let hold_s = World::ALL.map(|world| self.hold_s(world));
        scratch.seen.read(&self.endpoints, &self.gateway_cpu);
        let load = self.load(&mut scratch.seen, now);
        scratch.lanes.clear();
        scratch.lanes.extend(self.lanes.iter().map(|lane| {
            let world = lane.world();
            let load = LoadNow { hold_s: hold_s[world as usize], ..load };
            self.lane_now(lane, &load, now)
        }));
        scratch.rank(self);
        classes::order(&mut scratch.ranks);
        scratch.smooth(hold_s, elapsed);
        self.publish(scratch, elapsed);
        self.lanes.iter().for_each(|lane| forgive(lane, elapsed, now));
        self.hand_out(scratch.hold_s[World::Live as usize])
    }

    /// Tells how long to wait for a slot, and lets those in who wait where limits have risen.
    fn hand_out(&self, hold_s: Option<f64>) -> Handed {
        let hold = hold_s.map_or(Duration::ZERO, Duration::from_secs_f64);
        self.state.hold_ns.store(nanos(hold), Relaxed);
        if self.state.slots.is_waited_for() {
            return self.state.line.pass_on(&self.state.slots);
        }
        Handed::default()
    }

    fn hold_s(&self, world: World) -> Option<f64> {
        let flows = self.lanes.iter().flat_map(|lane| {
            let learned = lane.state.learned.lock();
            lane.demand(&learned, world).each_ref().map(Demand::flow)
        });
        Demand::hold_s(flows)
    }

    fn lane_now(&self, lane: &Lane, load: &LoadNow, now: Moment) -> LaneNow {
        let mut learned = lane.state.learned.lock();
        let in_flight = self.slots_of(lane).in_flight();
        let bound = lane
            .rules
            .as_ref()
            .and_then(|rules| limit::bound(rules, &mut learned, load, in_flight, now));
        let acting = lane.demand(&learned, lane.world());
        LaneNow {
            bound,
            wanted: acting.each_ref().map(|demand| demand.wanted(load.hold_s)),
            in_flight: World::ALL
                .map(|world| lane.demand(&learned, world).each_ref().map(|demand| demand.flow().0)),
        }
    }

    /// The word that a lane's decisions are made on.
    fn slots_of(&self, lane: &Lane) -> &Slots {
        match lane.world() {
            World::Live => &self.state.slots,
            World::Virtual => &self.state.shadow,
        }
    }

    fn publish(&self, scratch: &Scratch, elapsed: Duration) {
        let mut above = scratch.held(Class::Interactive);
        for ranks in scratch.ranks.chunk_by(|a, b| a.class == b.class) {
            let Some(class) = ranks.first().map(|rank| rank.class) else { continue };
            // Lanes in shadow mode want nothing of the real world.
            let wanted = World::ALL.map(|world| {
                let counts = |rank: &&Rank| rank.enforced || world == World::Virtual;
                ranks.iter().filter(counts).map(|rank| rank.wanted.workers).sum::<f64>()
            });
            for rank in ranks {
                let lane = &self.lanes[rank.lane];
                let world = lane.world() as usize;
                let wanted = wanted[world];
                let hold_s = scratch.hold_s[world].unwrap_or(HOLD_DEFAULT_S).max(HOLD_MIN_S);
                let now = ClassNow { above: above[world], wanted, hold_s, elapsed };
                let part = if wanted > 0.0 { rank.wanted.workers / wanted } else { 1.0 };
                let in_flight = self.slots_of(lane).in_flight();
                let mut learned = lane.state.learned.lock();
                let learned = &mut learned.classes[class as usize];
                let offer = rank.bound.map(|bound| {
                    let offer = now.offer(bound, part, in_flight, &mut learned.boundary);
                    learned.returns = 1e9 / offer.interval_ns as f64;
                    offer
                });
                lane.publish(class, offer.as_ref());
            }
            let held = scratch.held(class);
            above = [above[0] + held[0], above[1] + held[1]];
        }
        let enforced = scratch.ranks.iter().filter(|rank| rank.enforced);
        let widest = enforced.map(|rank| Bound::limit_of(rank.bound.as_ref())).max();
        self.state.slots.set_limit(widest.unwrap_or(UNLIMITED));
    }
}

impl Scratch {
    fn smooth(&mut self, hold_s: [Option<f64>; World::ALL.len()], elapsed: Duration) {
        let step = 1.0 - (-elapsed.as_secs_f64() / HOLD_OVER.as_secs_f64()).exp();
        for (held, seen) in self.hold_s.iter_mut().zip(hold_s) {
            let Some(seen_s) = seen else { continue };
            *held = Some(held.map_or(seen_s, |held_s| held_s + step * (seen_s - held_s)));
        }
    }

    /// Workers that calls of a class hold in each world.
    fn held(&self, class: Class) -> [f64; World::ALL.len()] {
        World::ALL.map(|world| {
            self.lanes.iter().map(|lane| lane.in_flight[world as usize][class as usize]).sum()
        })
    }

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

/// Takes the counters of each class.
fn sample(lane: &Lane, now: Moment) {
    let learned = &mut *lane.state.learned.lock();
    let take = |account: &Account, demands: &mut [Demand; Class::ALL.len()]| {
        for class in Class::ALL {
            let account = account.of(class);
            demands[class as usize].sample(account.counts(), account.in_flight(), now);
        }
    };
    take(&lane.state.live, &mut learned.live);
    if lane.is_shadow() {
        take(&lane.state.shadow, &mut learned.shadow);
    }
    learned.strangers.sample((lane.account().strangers.load(Relaxed), 0), 0, now);
}

/// Takes back bookings of returns that nobody keeps. Known callers that have a rate of their own book
/// on that, and are forgiven there.
fn forgive(lane: &Lane, elapsed: Duration, now: Moment) {
    let Some(rules) = &lane.rules else { return };
    let learned = lane.state.learned.lock();
    let account = lane.account();
    let mut admitted_all = 0.0;
    for class in SHEDDABLE {
        let (_, admitted) = lane.demand(&learned, lane.world())[class as usize].flow();
        admitted_all += admitted;
        let returns = learned.classes[class as usize].returns;
        if returns > 0.0 {
            account.of(class).returns.forgive(admitted / returns, elapsed, now);
        }
    }
    if let Some((rps, _)) = rules.rps {
        let admitted = match rps.per {
            Per::Route => admitted_all,
            Per::Caller => learned.strangers.flow().1,
        };
        account.rate_returns.forgive(admitted / rps.limit, elapsed, now);
    }
}
