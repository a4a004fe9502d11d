//! The engine, taken through a recording.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use sumun_policy::Policy;
use sumun_policy::units::Name;

use crate::admission::wait::{Course, Waiting};
use crate::admission::{Ask, Decision, Slot};
use crate::endpoint::Load;
use crate::journal::{GaugeOf, IN_FLIGHT, Read, TurnNote, UP};
use crate::live::Live;
use crate::quota::{Function, Permit};
use crate::replay::matching::skipped;
use crate::replay::pending::{Due, Pending, Queued};
use crate::replay::{Asked, Event, Played, Recording, Skipped, Under, Verdict, What};
use crate::route::Route;
use crate::signals::Sample;
use crate::snapshot::Snapshot;
use crate::time::{Moment, nanos};
use crate::upstream::Upstream;

/// Events between two looks at whether the replay is still wanted.
const STOP_EVERY: usize = 4096;

/// Holding times of a route that its median is taken from, at most.
const HOLDS_MAX: usize = 4096;

/// Holding time where none is known.
const HOLD_DEFAULT: Duration = Duration::from_millis(100);

/// Turns of upstreams that the recording does not know.
const TURN_EVERY: Duration = Duration::from_millis(100);

/// How a replay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every call was played.
    Played,
    /// It was told to stop.
    Stopped,
}

/// Tells of a call what became of it.
type Each<'e> = dyn FnMut(&Asked, Played) + 'e;

/// Plays a recording, and tells of each call what became of it, in the order of the decisions. Ends
/// early where `stop` says so; it is asked about every millisecond.
pub fn play(
    recording: &Recording,
    under: Under<'_>,
    each: &mut Each<'_>,
    stop: &dyn Fn() -> bool,
) -> Ended {
    let Some(first) = recording.events.first() else { return Ended::Played };
    let mut player = Player::new(recording, under, first.at);
    for place in 0..recording.carried {
        player.ask(place as u32, first.at, &mut |_, _| {});
    }
    for (n, event) in recording.events.iter().enumerate() {
        if n.is_multiple_of(STOP_EVERY) && stop() {
            return Ended::Stopped;
        }
        player.until(event.at, each);
        player.turn_to(event, n, each);
    }
    player.due(Moment::from_nanos(u64::MAX), each);
    Ended::Played
}

/// What a call holds.
struct Held {
    _slot: Slot,
    _permit: Option<Permit>,
    /// Draft: counted at an endpoint. What live ones counted is read with the gauges.
    _load: Option<Load>,
}

/// A policy that decides, and the recording's names in it.
struct Stage {
    generation: u16,
    snapshot: Snapshot,
    routes: Vec<Result<usize, Skipped>>,
    upstreams: Vec<Option<usize>>,
    /// The last event that needs it.
    last_use: usize,
}

struct Player<'a> {
    recording: &'a Recording,
    draft: bool,
    live: Live,
    stages: Vec<Stage>,
    /// Draft: routes that can't be played, by compilation.
    skipped: HashMap<(u16, u16), Option<Skipped>>,
    held: Vec<Option<Held>>,
    /// The gateway's own CPU as each upstream last saw it.
    own_cpu: Vec<Option<Sample>>,
    /// Calls that were in flight live, by upstream.
    in_flight: Vec<i64>,
    /// Recorded: what the calls in the line wait with, by the place of the wait.
    waiting: HashMap<u32, Waiting>,
    /// Draft: what comes by itself.
    pending: Pending,
    /// Draft: calls that end at a time of their own.
    own_end: HashSet<u32>,
    hold_ns: HashMap<u16, u64>,
    /// Draft: upstreams without recorded turns, and their next turn.
    unknown: Vec<usize>,
    next_turn: Moment,
}

// === impl Stage ===

impl Stage {
    fn new(generation: u16, snapshot: Snapshot, recording: &Recording, last_use: usize) -> Self {
        let routes = recording.routes.iter().map(|name| {
            let found = snapshot.routes().binary_search_by(|r| r.policy.name.cmp(name));
            found.map_err(|_| Skipped::RouteRemoved)
        });
        let upstream =
            |name: &Name| snapshot.upstreams().binary_search_by(|u| u.policy.name.cmp(name)).ok();
        let routes = routes.collect();
        let upstreams = recording.upstreams.iter().map(upstream).collect();
        Self { generation, snapshot, routes, upstreams, last_use }
    }

    fn upstream(&self, index: u16) -> Option<&Arc<Upstream>> {
        let index = (*self.upstreams.get(usize::from(index))?)?;
        self.snapshot.upstreams().get(index)
    }

    fn route(&self, asked: &Asked) -> Result<&Arc<Route>, Skipped> {
        self.by_number(asked.route)
    }

    fn by_number(&self, route: u16) -> Result<&Arc<Route>, Skipped> {
        let index = *self.routes.get(usize::from(route)).ok_or(Skipped::RouteRemoved)?;
        Ok(&self.snapshot.routes()[index?])
    }
}

// === impl Player ===

impl<'a> Player<'a> {
    fn new(recording: &'a Recording, under: Under<'_>, begins: Moment) -> Self {
        let live = Live::with_callers_max(recording.callers_max);
        let mut player = Self {
            recording,
            draft: matches!(under, Under::Draft(_)),
            live,
            stages: Vec::new(),
            skipped: HashMap::new(),
            held: std::iter::repeat_with(|| None).take(recording.calls.len()).collect(),
            own_cpu: vec![None; recording.upstreams.len()],
            in_flight: vec![0; recording.upstreams.len()],
            waiting: HashMap::new(),
            pending: Pending::default(),
            own_end: HashSet::new(),
            hold_ns: medians(recording),
            unknown: Vec::new(),
            next_turn: begins.plus(TURN_EVERY),
        };
        match under {
            Under::Draft(policy) => {
                for (generation, recorded) in &recording.policies {
                    for (route, name) in (0u16..).zip(&recording.routes) {
                        let route_then = recorded.routes.get(name);
                        let why = route_then.and_then(|then| skipped(then, recorded, policy));
                        player.skipped.insert((*generation, route), why);
                    }
                }
                let snapshot = Snapshot::compile(policy.clone(), 1, &player.live, begins);
                let stage = Stage::new(0, snapshot, recording, usize::MAX);
                let known: Vec<_> = stage.upstreams.iter().flatten().copied().collect();
                player.unknown = (0..stage.snapshot.upstreams().len())
                    .filter(|index| !known.contains(index))
                    .collect();
                player.stages.push(stage);
            }
            Under::Recorded => {
                // Where it begins with a policy, that comes into force by its own turn.
                let first = recording.events.iter().find(|e| !matches!(e.what, What::Read(..)));
                let installs =
                    matches!(first, Some(Event { what: What::Turn(t), .. }) if t.installs);
                let of = |event: &Event| event.generation(recording);
                if (recording.carried > 0 || !installs)
                    && let Some(generation) = recording.events.iter().find_map(of)
                {
                    player.compile(generation, begins, 0);
                }
            }
        }
        for event in &recording.events {
            if matches!(event.what, What::Leave(place) if (place as usize) < recording.carried) {
                player.in_flight[usize::from(event.upstream)] += 1;
            }
        }
        player
    }

    /// What a draft does by itself until `at`: calls end that it let in at another time, and waits.
    fn due(&mut self, at: Moment, each: &mut Each<'_>) {
        while let Some((due_at, due)) = self.pending.due(at) {
            match due {
                Due::End(call) => self.held[call as usize] = None,
                Due::GiveUp(call) => {
                    if let Some(queued) = self.pending.give_up(call) {
                        self.end_wait(call, queued, due_at, each);
                    }
                }
            }
            self.hand_out(due_at, each);
        }
    }

    /// What happens until `at` by itself.
    fn until(&mut self, at: Moment, each: &mut Each<'_>) {
        self.due(at, each);
        while !self.unknown.is_empty() && self.next_turn <= at {
            let stage = &self.stages[0];
            for &index in &self.unknown {
                stage.snapshot.upstreams()[index].refresh(self.next_turn);
            }
            self.next_turn = self.next_turn.plus(TURN_EVERY);
        }
    }

    fn turn_to(&mut self, event: &Event, n: usize, each: &mut Each<'_>) {
        let upstream = usize::from(event.upstream);
        if let (false, Some(generation)) = (self.draft, event.decides(self.recording)) {
            self.compile(generation, event.at, n);
        }
        match &event.what {
            What::Join(place) => self.join(*place, each),
            What::Abandon(place) => drop(self.waiting.remove(place)),
            What::Ask(place) => {
                let asked = &self.recording.calls[*place as usize];
                let waited = self.recording.waited.get(place).copied();
                match waited.and_then(|wait| self.waiting.remove(&wait)) {
                    Some(waiting) => self.finish(*place, waiting, each),
                    // Under a draft it has asked when it joined.
                    None if self.draft && waited.is_some() => {}
                    None => self.ask(*place, asked.at, each),
                }
                self.in_flight[upstream] += i64::from(asked.verdict == Verdict::Admitted);
            }
            What::Leave(place) => {
                if !self.own_end.contains(place) {
                    self.held[*place as usize] = None;
                }
                self.in_flight[upstream] -= 1;
            }
            What::Read(read, generation) => self.read(*read, *generation, event.upstream),
            What::Turn(turn) => self.turn(turn, event.upstream, n),
        }
        self.hand_out(event.at, each);
    }

    /// Puts a policy in force, the first time that it decides; lets go of those that decide no more.
    fn compile(&mut self, generation: u16, at: Moment, n: usize) {
        if self.is_in_force(generation) {
            return;
        }
        let Some(policy) = self.recording.policy(generation) else { return };
        self.stages.retain(|stage| stage.last_use >= n);
        let snapshot = Snapshot::compile(Policy::clone(policy), 1, &self.live, at);
        let last_use = last_use(self.recording, generation);
        self.stages.push(Stage::new(generation, snapshot, self.recording, last_use));
    }

    fn is_in_force(&self, generation: u16) -> bool {
        self.stages.iter().any(|stage| stage.generation == generation)
    }

    fn stage(&self, generation: u16) -> Option<&Stage> {
        self.stages.iter().find(|stage| self.draft || stage.generation == generation)
    }

    /// The route of a call, or why it can't be played.
    fn route(&self, asked: &Asked) -> Result<Arc<Route>, Skipped> {
        let why = self.skipped.get(&(asked.generation, asked.route)).copied().flatten();
        match (why, self.stage(asked.generation)) {
            (Some(why), _) => Err(why),
            (None, Some(stage)) => stage.route(asked).map(Arc::clone),
            (None, None) => Err(Skipped::RouteRemoved),
        }
    }

    /// A call begins to wait. Under a draft it asks: what becomes of it then is the draft's. One whose
    /// client did not wait for the end says nothing about a draft.
    fn join(&mut self, place: u32, each: &mut Each<'_>) {
        let wait = &self.recording.waits[place as usize];
        if self.draft {
            if let Some(call) = wait.call {
                self.ask(call, wait.joined.at, each);
            }
            return;
        }
        let Some(stage) = self.stage(wait.joined.generation) else { return };
        let Ok(route) = stage.by_number(wait.joined.route).map(Arc::clone) else { return };
        let ask = Ask { class: wait.joined.class, caller: wait.joined.caller };
        if let Course::Wait(waiting) = route.decide_or_wait(ask, wait.joined.at) {
            self.waiting.insert(place, waiting);
        }
    }

    /// A call asks.
    fn ask(&mut self, place: u32, at: Moment, each: &mut Each<'_>) {
        let asked = &self.recording.calls[place as usize];
        let route = match self.route(asked) {
            Ok(route) => route,
            Err(why) => return each(asked, Played { verdict: Err(why), shadow: None }),
        };
        match route.decide_or_wait(Ask { class: asked.class, caller: asked.caller }, at) {
            Course::Decided(decision) => self.settle(place, &route, decision, at, each),
            Course::Wait(waiting) if self.draft => {
                self.own_end.insert(place);
                self.pending.waits(place, Queued { waiting, route }, at);
            }
            // It was decided at once.
            Course::Wait(waiting) => self.settle(place, &route, waiting.finish(at), at, each),
        }
    }

    /// The wait of a call ends as it did live.
    fn finish(&mut self, place: u32, waiting: Waiting, each: &mut Each<'_>) {
        let asked = &self.recording.calls[place as usize];
        match self.route(asked) {
            Ok(route) => self.settle(place, &route, waiting.finish(asked.at), asked.at, each),
            Err(why) => each(asked, Played { verdict: Err(why), shadow: None }),
        }
    }

    /// Draft: those decide who were handed a slot.
    fn hand_out(&mut self, now: Moment, each: &mut Each<'_>) {
        while let Some((call, queued)) = self.pending.granted() {
            self.end_wait(call, queued, now, each);
        }
    }

    fn end_wait(&mut self, call: u32, queued: Queued, now: Moment, each: &mut Each<'_>) {
        let Queued { waiting, route } = queued;
        self.settle(call, &route, waiting.finish(now), now, each);
    }

    /// What a decision makes of a call.
    fn settle(
        &mut self,
        place: u32,
        route: &Arc<Route>,
        decision: Decision,
        now: Moment,
        each: &mut Each<'_>,
    ) {
        let asked = &self.recording.calls[place as usize];
        let shadow = decision.shadow.map(|shed| shed.reason);
        let (verdict, held) = match decision.outcome {
            Err(shed) => (Verdict::Refused(shed.reason), None),
            Ok(slot) => match route.function.as_ref().map(Function::reserve) {
                Some(Err(_)) => (Verdict::QuotaFull, None),
                permit => (Verdict::Admitted, Some((slot, permit.and_then(Result::ok)))),
            },
        };
        let ran = asked.verdict == Verdict::Admitted;
        if let Some((slot, permit)) = held
            && (self.draft || ran)
        {
            let load = self.draft.then(|| {
                let endpoints = route.upstream.endpoints();
                endpoints[place as usize % endpoints.len()].begin()
            });
            self.held[place as usize] = Some(Held { _slot: slot, _permit: permit, _load: load });
            let waited = self.recording.waited.contains_key(&place);
            if self.draft && (!ran || waited || self.own_end.contains(&place)) {
                self.own_end.insert(place);
                let known = self.recording.held_ns[place as usize].filter(|_| ran);
                let typical = self.hold_ns.get(&asked.route).copied();
                let hold_ns = known.or(typical).unwrap_or(nanos(HOLD_DEFAULT));
                self.pending.ends(place, now.nanos().saturating_add(hold_ns));
            }
        }
        each(asked, Played { verdict: Ok(verdict), shadow });
    }

    /// Sets what the next turn reads.
    fn read(&mut self, read: Read, generation: u16, upstream: u16) {
        let GaugeOf::Endpoint(index, kind) = read.source else {
            let own_cpu = Sample { value: read.value, at: read.at };
            self.own_cpu[usize::from(upstream)] = Some(own_cpu);
            return self.live.own_cpu().set(own_cpu.value, own_cpu.at);
        };
        let name = &self.recording.upstreams[usize::from(upstream)];
        let recorded = self.recording.policy(generation).and_then(|p| p.upstreams.get(name));
        let Some(address) = recorded.and_then(|u| u.endpoints.get(usize::from(index))) else {
            return;
        };
        let target = self.draft.then(|| self.stage(generation)?.upstream(upstream)).flatten();
        let endpoint = match target {
            Some(target) => target.endpoints().iter().find(|e| e.address == *address).cloned(),
            None if self.draft => None,
            // Also one that is only about to come into force.
            None => Some(self.live.entries().lock().endpoint(name, address)),
        };
        let Some(endpoint) = endpoint else { return };
        match kind {
            UP => endpoint.set_up(read.value > 0.0),
            IN_FLIGHT if self.draft => {}
            IN_FLIGHT => endpoint.set_in_flight(read.value as u32),
            gauge => {
                // Busy, and our own calls at that time: with them go those that the draft has more.
                let more = match target {
                    Some(target) if gauge < 2 => self.surplus_each(target, upstream),
                    _ => 0.0,
                };
                let gauge = endpoint.gauges()[usize::from(gauge)];
                gauge.set((read.value + more).max(0.0), read.at);
            }
        }
    }

    /// How many more calls each endpoint has in flight than it had live.
    fn surplus_each(&self, target: &Upstream, upstream: u16) -> f64 {
        let more = i64::from(target.in_flight()) - self.in_flight[usize::from(upstream)];
        more as f64 / target.endpoints().len() as f64
    }

    fn turn(&mut self, turn: &TurnNote, upstream: u16, n: usize) {
        if !self.draft {
            let known = self.is_in_force(turn.generation);
            self.compile(turn.generation, turn.at, n);
            if turn.installs || !known {
                return; // compiling has made this turn
            }
        }
        let Some(stage) = self.stage(turn.generation) else { return };
        let Some(target) = stage.upstream(upstream) else { return };
        if !turn.installs {
            if let Some(own_cpu) = self.own_cpu[usize::from(upstream)] {
                self.live.own_cpu().set(own_cpu.value, own_cpu.at);
            }
            target.refresh(turn.at);
        }
        self.live.entries().lock().sweep_orphans(&stage.snapshot.policy);
    }
}

/// The last event that a compilation decides.
fn last_use(recording: &Recording, generation: u16) -> usize {
    let uses = |event: &Event| event.generation(recording) == Some(generation);
    recording.events.iter().rposition(uses).unwrap_or(0)
}

/// The median holding time of each route, of its first [`HOLDS_MAX`] calls.
fn medians(recording: &Recording) -> HashMap<u16, u64> {
    let mut holds: HashMap<u16, Vec<u64>> = HashMap::new();
    for (asked, held) in std::iter::zip(&recording.calls, &recording.held_ns) {
        let Some(held) = held else { continue };
        let of = holds.entry(asked.route).or_default();
        if of.len() < HOLDS_MAX {
            of.push(*held);
        }
    }
    let median = |(route, mut of): (u16, Vec<u64>)| {
        of.sort_unstable();
        (route, of[of.len() / 2])
    };
    holds.into_iter().map(median).collect()
}
