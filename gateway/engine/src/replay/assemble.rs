//! From what was kept in many places to one sequence.

use std::collections::HashMap;
use std::sync::Arc;

use sumun_policy::Policy;
use sumun_policy::units::Name;

use crate::journal::Note;
use crate::live::Live;
use crate::replay::{Asked, Event, Left, ROUTES_MAX, Recording, Verdict, What};
use crate::time::Moment;

/// What was kept of calls, in any order.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// Policies with the lower half of their [`crate::Snapshot::generation`], oldest first.
    pub policies: Vec<(u16, Arc<Policy>)>,
    /// Names of routes; calls say their place. At most [`ROUTES_MAX`].
    pub routes: Vec<Name>,
    /// Calls by a number that is unique on the tape.
    pub asked: Vec<(u64, Asked)>,
    /// Their ends.
    pub left: Vec<(u64, Left)>,
    /// What was kept before this moment is not complete; `None`: nothing was lost.
    pub complete_from: Option<Moment>,
}

/// One upstream's events, with the whole numbers of their turns.
#[derive(Debug, Default)]
struct Lane {
    last: u64,
    events: Vec<(u64, Event)>,
    /// Of its first turn, where older ones were forgotten.
    begins: Option<Moment>,
}

struct Assembly<'a> {
    tape: &'a Tape,
    upstreams: Vec<Name>,
    lanes: Vec<Lane>,
    /// Upstream of a route under a compilation.
    targets: HashMap<(u16, u16), Option<u16>>,
}

// === impl Tape ===

impl Tape {
    /// Puts it in order, with what the slow loop of `live` saw meanwhile. Read the tape first: what
    /// is newer than the journals is left out.
    pub fn assemble(mut self, live: &Live) -> Recording {
        self.routes.truncate(ROUTES_MAX);
        let mut assembly = Assembly::new(&self, live);
        let begins = assembly.lanes.iter().filter_map(|lane| lane.begins).max();
        let begins = begins.max(self.complete_from);
        let (mut calls, mut held_ns) = (Vec::new(), Vec::new());
        let carried = assembly.carry(begins, &mut calls);
        held_ns.resize(calls.len(), None);
        assembly.calls(begins, &mut calls, &mut held_ns);
        let events = assembly.merged(begins);
        let upstreams = assembly.upstreams;
        Recording {
            whole: begins.is_none(),
            callers_max: live.callers_max(),
            policies: self.policies,
            routes: self.routes,
            upstreams,
            calls,
            held_ns,
            carried,
            events,
        }
    }
}

// === impl Assembly ===

impl<'a> Assembly<'a> {
    fn new(tape: &'a Tape, live: &Live) -> Self {
        let mut this =
            Self { tape, upstreams: Vec::new(), lanes: Vec::new(), targets: HashMap::new() };
        let entries = live.entries().lock();
        let mut known: Vec<_> = entries.upstreams().map(|(n, state)| (n.clone(), state)).collect();
        known.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, state) in known {
            let Some((notes, last)) = state.journal() else { continue };
            let upstream = this.lanes.len() as u16;
            this.upstreams.push(name);
            this.lanes.push(Lane::of(&notes, last, upstream));
        }
        this
    }

    /// Calls that were in flight when the recording begins: those whose end is on the tape and whose
    /// beginning is older. They enter first, in the class of their route.
    fn carry(&mut self, begins: Option<Moment>, calls: &mut Vec<Asked>) -> usize {
        let Some(begins) = begins else { return 0 };
        let asked: HashMap<u64, &Asked> = self.tape.asked.iter().map(|(n, a)| (*n, a)).collect();
        let oldest = self.tape.policies.first().map(|(generation, _)| *generation);
        for (number, left) in &self.tape.left {
            let known = asked.get(number).copied();
            if left.at < begins || known.is_some_and(|asked| asked.at >= begins) {
                continue;
            }
            let Some(generation) = known.map(|asked| asked.generation).or(oldest) else { continue };
            let Some(upstream) = self.target(generation, left.route) else { continue };
            let class = self.class(generation, left.route).unwrap_or_default();
            let place = calls.len() as u32;
            calls.push(Asked {
                at: begins,
                order: 0,
                route: left.route,
                generation,
                class: known.map_or(class, |asked| asked.class),
                caller: None,
                verdict: Verdict::Admitted,
                shadow: None,
            });
            self.push(upstream, left.order, left.at, What::Leave(place));
        }
        calls.len()
    }

    fn calls(
        &mut self,
        begins: Option<Moment>,
        calls: &mut Vec<Asked>,
        held_ns: &mut Vec<Option<u64>>,
    ) {
        let mut places = HashMap::new();
        for (number, asked) in &self.tape.asked {
            if begins.is_some_and(|begins| asked.at < begins) {
                continue;
            }
            let Some(upstream) = self.target(asked.generation, asked.route) else { continue };
            let place = calls.len() as u32;
            places.insert(*number, (place, upstream));
            calls.push(*asked);
            held_ns.push(None);
            self.push(upstream, asked.order, asked.at, What::Ask(place));
        }
        for (number, left) in &self.tape.left {
            let Some(&(place, upstream)) = places.get(number) else { continue };
            let held = left.at.nanos().saturating_sub(calls[place as usize].at.nanos());
            held_ns[place as usize] = Some(held);
            self.push(upstream, left.order, left.at, What::Leave(place));
        }
    }

    fn push(&mut self, upstream: u16, order: u32, at: Moment, what: What) {
        let lane = &mut self.lanes[usize::from(upstream)];
        let order = lane.whole(order);
        lane.events.push((order, Event { at, upstream, what }));
    }

    /// By turns within an upstream, by time among upstreams. An event counts as no earlier than one
    /// of its upstream that had its turn before; and a policy comes into force at all upstreams at
    /// once, so what one of them did before it comes before what another did after it.
    fn merged(&mut self, begins: Option<Moment>) -> Vec<Event> {
        let epochs = self.epochs();
        let mut all = Vec::new();
        for lane in &mut self.lanes {
            lane.events.sort_by_key(|(order, _)| *order);
            let own: Vec<u16> = lane.events.iter().filter_map(|(_, e)| e.installs()).collect();
            let (mut latest, mut epoch) = (Moment::default(), 0);
            for (_, event) in lane.events.drain(..) {
                latest = latest.max(event.at);
                // Here by its own turn; where a policy does not know this upstream, by time.
                let reached = |n: usize| match event.installs() {
                    Some(generation) => epochs[n].0 == generation,
                    None => !own.contains(&epochs[n].0) && epochs[n].1 <= latest,
                };
                epoch = (epoch..epochs.len()).rev().find(|n| reached(*n)).map_or(epoch, |n| n + 1);
                if begins.is_none_or(|begins| latest >= begins) {
                    all.push((epoch, latest, event));
                }
            }
        }
        all.sort_by_key(|(epoch, latest, _)| (*epoch, *latest));
        all.into_iter().map(|(_, _, event)| event).collect()
    }

    /// The policies that came into force, and when.
    fn epochs(&self) -> Vec<(u16, Moment)> {
        let mut epochs: Vec<(u16, Moment)> = Vec::new();
        let events = self.lanes.iter().flat_map(|lane| &lane.events);
        for (generation, at) in events.filter_map(|(_, e)| Some((e.installs()?, e.at))) {
            match epochs.iter_mut().find(|(known, _)| *known == generation) {
                Some((_, known)) => *known = at.min(*known),
                None => epochs.push((generation, at)),
            }
        }
        epochs.sort_by_key(|(_, at)| *at);
        epochs
    }

    fn target(&mut self, generation: u16, route: u16) -> Option<u16> {
        let (tape, upstreams) = (self.tape, &self.upstreams);
        *self.targets.entry((generation, route)).or_insert_with(|| {
            let route = written(tape, generation, route)?;
            let upstream = upstreams.binary_search(route.target.upstream()).ok()?;
            Some(upstream as u16)
        })
    }

    fn class(&self, generation: u16, route: u16) -> Option<sumun_policy::policy::Class> {
        written(self.tape, generation, route).map(|route| route.class)
    }
}

/// A route as a compilation's policy has it.
fn written(tape: &Tape, generation: u16, route: u16) -> Option<&sumun_policy::policy::Route> {
    let (_, policy) = tape.policies.iter().find(|(known, _)| *known == generation)?;
    policy.routes.get(tape.routes.get(usize::from(route))?)
}

// === impl Lane ===

impl Lane {
    fn of(notes: &[Note], last: u64, upstream: u16) -> Self {
        let mut lane = Self { last, ..Self::default() };
        let mut reads = Vec::new();
        for note in notes {
            match note {
                Note::Read(read) => reads.push(*read),
                Note::Turn(turn) => {
                    if lane.events.is_empty() && !turn.installs {
                        lane.begins = Some(turn.at);
                    }
                    let order = lane.whole(turn.order);
                    let event = |what| (order, Event { at: turn.at, upstream, what });
                    let reads = reads.drain(..).map(|r| event(What::Read(r, turn.generation)));
                    lane.events.extend(reads);
                    lane.events.push(event(What::Turn(*turn)));
                }
            }
        }
        lane
    }

    /// The whole number of a turn of which the lower half is known.
    fn whole(&self, order: u32) -> u64 {
        self.last.wrapping_sub(u64::from((self.last as u32).wrapping_sub(order)))
    }
}
