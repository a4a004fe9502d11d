//! From what was kept in many places to one sequence.

use std::collections::HashMap;
use std::sync::Arc;

use sumun_policy::Policy;
use sumun_policy::units::Name;

use crate::journal::Note;
use crate::live::Live;
use crate::replay::{Asked, Event, Joined, Left, ROUTES_MAX, Recording, Verdict, Wait, What};
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
    /// Of those that waited first, how that began.
    pub joined: Vec<(u64, Joined)>,
    /// Their ends.
    pub left: Vec<(u64, Left)>,
    /// What was kept before this moment is not complete; `None`: nothing was lost.
    pub complete_from: Option<Moment>,
    /// What was stamped later than this is not complete ([`Live::settled`], asked before the tape was
    /// read).
    pub settled: u64,
}

struct Assembly<'a> {
    tape: &'a Tape,
    upstreams: Vec<Name>,
    /// With the whole stamp, and of one stamp what comes first.
    events: Vec<(u64, u8, Event)>,
    /// Upstream of a route under a compilation.
    targets: HashMap<(u16, u16), Option<u16>>,
    calls: Vec<Asked>,
    waits: Vec<Wait>,
}

// === impl Tape ===

impl Tape {
    /// Puts it in order, with what the slow loop of `live` saw meanwhile.
    pub fn assemble(mut self, live: &Live) -> Recording {
        self.routes.truncate(ROUTES_MAX);
        let mut assembly = Assembly::new(&self);
        let begins = assembly.slow_loops(live).max(self.complete_from);
        let carried = assembly.carry(begins);
        let waits = assembly.waits(begins);
        let (held_ns, waited) = assembly.asks(begins, &waits);
        let events = assembly.ordered(begins);
        let Assembly { upstreams, calls, waits, .. } = assembly;
        Recording {
            whole: begins.is_none(),
            callers_max: live.callers_max(),
            policies: self.policies,
            routes: self.routes,
            upstreams,
            calls,
            waits,
            waited,
            held_ns,
            carried,
            events,
        }
    }
}

// === impl Assembly ===

impl<'a> Assembly<'a> {
    fn new(tape: &'a Tape) -> Self {
        Self {
            tape,
            upstreams: Vec::new(),
            events: Vec::new(),
            targets: HashMap::new(),
            calls: Vec::new(),
            waits: Vec::new(),
        }
    }

    /// What the slow loops saw; answers from when on all of them are known.
    fn slow_loops(&mut self, live: &Live) -> Option<Moment> {
        let entries = live.entries().lock();
        let mut known: Vec<_> = entries
            .upstreams()
            .filter_map(|(name, state)| Some((name.clone(), state.notes()?)))
            .collect();
        drop(entries);
        known.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut begins = None;
        for (upstream, (name, notes)) in (0u16..).zip(known) {
            self.upstreams.push(name);
            begins = begins.max(self.slow_loop(upstream, &notes));
        }
        begins
    }

    /// Answers when its first turn was, where older ones were forgotten.
    fn slow_loop(&mut self, upstream: u16, notes: &[Note]) -> Option<Moment> {
        let first = notes.iter().find_map(|note| match note {
            Note::Turn(turn) => Some(turn),
            Note::Read(_) => None,
        });
        let begins = first.filter(|turn| !turn.installs).map(|turn| turn.at);
        let mut reads = Vec::new();
        for note in notes {
            match note {
                Note::Read(read) => reads.push(*read),
                Note::Turn(turn) => {
                    for read in reads.drain(..) {
                        let what = What::Read(read, turn.generation);
                        self.push(upstream, turn.order, turn.at, what);
                    }
                    self.push(upstream, turn.order, turn.at, What::Turn(*turn));
                }
            }
        }
        begins
    }

    /// Calls that were in flight when the recording begins: those whose end is on the tape and whose
    /// beginning is older. They enter first, in the class of their route. Answers how many.
    fn carry(&mut self, begins: Option<Moment>) -> usize {
        let (tape, Some(begins)) = (self.tape, begins) else { return 0 };
        let asked: HashMap<u64, &Asked> = tape.asked.iter().map(|(n, a)| (*n, a)).collect();
        let joined: HashMap<u64, &Joined> = tape.joined.iter().map(|(n, j)| (*n, j)).collect();
        let oldest = tape.policies.first().map(|(generation, _)| *generation);
        for (number, left) in &tape.left {
            let known = asked.get(number).copied();
            let late = left.at < begins || known.is_some_and(|asked| asked.at >= begins);
            if late || (known.is_none() && joined.contains_key(number)) {
                continue;
            }
            let Some(generation) = known.map(|asked| asked.generation).or(oldest) else { continue };
            let Some(upstream) = self.target(generation, left.route) else { continue };
            let class = self.class(generation, left.route).unwrap_or_default();
            let place = self.calls.len() as u32;
            self.calls.push(Asked {
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
        self.calls.len()
    }

    /// The waits, by the numbers of their calls.
    fn waits(&mut self, begins: Option<Moment>) -> HashMap<u64, u32> {
        let mut places = HashMap::new();
        for (number, joined) in &self.tape.joined {
            if !self.is_settled(joined.order) || begins.is_some_and(|begins| joined.at < begins) {
                continue;
            }
            let Some(upstream) = self.target(joined.generation, joined.route) else { continue };
            let place = self.waits.len() as u32;
            places.insert(*number, place);
            self.waits.push(Wait { joined: *joined, call: None });
            self.push(upstream, joined.order, joined.at, What::Join(place));
        }
        places
    }

    /// The calls, how long each held its slot, and the wait of each.
    fn asks(
        &mut self,
        begins: Option<Moment>,
        waits: &HashMap<u64, u32>,
    ) -> (Vec<Option<u64>>, HashMap<u32, u32>) {
        let (mut places, mut waited) = (HashMap::new(), HashMap::new());
        let mut held_ns = vec![None; self.calls.len()];
        for (number, asked) in &self.tape.asked {
            if !self.is_settled(asked.order) || begins.is_some_and(|begins| asked.at < begins) {
                continue;
            }
            let Some(upstream) = self.target(asked.generation, asked.route) else { continue };
            let place = self.calls.len() as u32;
            places.insert(*number, place);
            self.calls.push(*asked);
            held_ns.push(None);
            if let Some(wait) = waits.get(number) {
                self.waits[*wait as usize].call = Some(place);
                waited.insert(place, *wait);
            }
            self.push(upstream, asked.order, asked.at, What::Ask(place));
        }
        for (number, left) in &self.tape.left {
            let (at, order) = (left.at, left.order);
            if let Some(place) = places.get(number).copied() {
                let asked = self.calls[place as usize];
                held_ns[place as usize] = Some(at.nanos().saturating_sub(asked.at.nanos()));
                let upstream = self.target(asked.generation, asked.route).unwrap_or_default();
                self.push(upstream, order, at, What::Leave(place));
            } else if let Some(wait) = waits.get(number).copied() {
                let joined = self.waits[wait as usize].joined;
                let upstream = self.target(joined.generation, joined.route).unwrap_or_default();
                self.push(upstream, order, at, What::Abandon(wait));
            }
        }
        (held_ns, waited)
    }

    /// What is known whole of it is pushed, and what was in flight then stays so.
    fn push(&mut self, upstream: u16, order: u32, at: Moment, what: What) {
        if self.is_settled(order) {
            let rank = u8::from(!matches!(what, What::Read(..)));
            self.events.push((self.whole(order), rank, Event { at, upstream, what }));
        }
    }

    fn ordered(&mut self, begins: Option<Moment>) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.events);
        // Stable: the upstreams of one policy begin in the order of their names.
        events.sort_by_key(|(stamp, rank, _)| (*stamp, *rank));
        let mut latest = Moment::default();
        let kept = events.into_iter().filter_map(|(_, _, event)| {
            latest = latest.max(event.at);
            begins.is_none_or(|begins| latest >= begins).then_some(event)
        });
        kept.collect()
    }

    /// The whole of a stamp of which the lower half is known.
    fn whole(&self, order: u32) -> u64 {
        let ahead = order.wrapping_sub(self.tape.settled as u32).cast_signed();
        self.tape.settled.wrapping_add_signed(ahead.into())
    }

    fn is_settled(&self, order: u32) -> bool {
        self.whole(order) <= self.tape.settled
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
