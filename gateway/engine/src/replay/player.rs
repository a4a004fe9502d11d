//! The engine, taken through a recording.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sumun_policy::Policy;
use sumun_policy::units::Name;

use crate::admission::{Ask, Slot};
use crate::endpoint::Load;
use crate::journal::{GaugeOf, Read, TurnNote};
use crate::live::Live;
use crate::quota::Permit;
use crate::replay::matching::skipped;
use crate::replay::{Asked, Event, Played, Recording, Skipped, Under, Verdict, What};
use crate::route::Route;
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

/// Plays a recording, and tells of each call in order what became of it. Ends early where `stop`
/// says so; it is asked about every millisecond.
pub fn play(
    recording: &Recording,
    under: Under<'_>,
    each: &mut dyn FnMut(&Asked, Played),
    stop: &dyn Fn() -> bool,
) -> Ended {
    let Some(first) = recording.events.first() else { return Ended::Played };
    let mut player = Player::new(recording, under, first.at);
    for place in 0..recording.carried {
        player.ask(place, &mut |_, _| {});
    }
    for (n, event) in recording.events.iter().enumerate() {
        if n.is_multiple_of(STOP_EVERY) && stop() {
            return Ended::Stopped;
        }
        player.until(event.at);
        player.turn_to(event, n, each);
    }
    Ended::Played
}

/// What a call holds.
struct Held {
    _slot: Slot,
    _permit: Option<Permit>,
    _load: Load,
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
    /// Calls that were in flight live, by upstream.
    in_flight: Vec<i64>,
    /// Ends of calls that did not run live.
    later: BinaryHeap<Reverse<(u64, u32)>>,
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
        let index = *self.routes.get(usize::from(asked.route)).ok_or(Skipped::RouteRemoved)?;
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
            in_flight: vec![0; recording.upstreams.len()],
            later: BinaryHeap::new(),
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
                let of = |event: &Event| event.generation(recording);
                if let Some(generation) = recording.events.iter().find_map(of) {
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

    /// What happens before `at` by itself: calls end that only the draft admitted.
    fn until(&mut self, at: Moment) {
        while let Some(Reverse((ends_ns, call))) = self.later.peek().copied()
            && ends_ns <= at.nanos()
        {
            self.later.pop();
            self.held[call as usize] = None;
        }
        while !self.unknown.is_empty() && self.next_turn <= at {
            let stage = &self.stages[0];
            for &index in &self.unknown {
                stage.snapshot.upstreams()[index].refresh(self.next_turn);
            }
            self.next_turn = self.next_turn.plus(TURN_EVERY);
        }
    }

    fn turn_to(&mut self, event: &Event, n: usize, each: &mut dyn FnMut(&Asked, Played)) {
        let upstream = usize::from(event.upstream);
        match &event.what {
            What::Ask(place) => {
                let asked = &self.recording.calls[*place as usize];
                if !self.draft {
                    self.compile(asked.generation, asked.at, n);
                }
                self.ask(*place as usize, each);
                self.in_flight[upstream] += i64::from(asked.verdict == Verdict::Admitted);
            }
            What::Leave(place) => {
                self.held[*place as usize] = None;
                self.in_flight[upstream] -= 1;
            }
            What::Read(read, generation) => self.read(*read, *generation, event.upstream),
            What::Turn(turn) => self.turn(turn, event.upstream, n),
        }
    }

    /// Puts a policy in force, the first time that it decides; lets go of those that decide no more.
    fn compile(&mut self, generation: u16, at: Moment, n: usize) {
        if self.stages.iter().any(|stage| stage.generation == generation) {
            return;
        }
        let Some(policy) = self.recording.policy(generation) else { return };
        self.stages.retain(|stage| stage.last_use >= n);
        let snapshot = Snapshot::compile(Policy::clone(policy), 1, &self.live, at);
        let last_use = last_use(self.recording, generation);
        self.stages.push(Stage::new(generation, snapshot, self.recording, last_use));
    }

    fn stage(&self, generation: u16) -> Option<&Stage> {
        self.stages.iter().find(|stage| self.draft || stage.generation == generation)
    }

    fn ask(&mut self, place: usize, each: &mut dyn FnMut(&Asked, Played)) {
        let asked = &self.recording.calls[place];
        let why = self.skipped.get(&(asked.generation, asked.route)).copied().flatten();
        let route = match (why, self.stage(asked.generation)) {
            (Some(why), _) => Err(why),
            (None, Some(stage)) => stage.route(asked),
            (None, None) => Err(Skipped::RouteRemoved),
        };
        let route = match route {
            Ok(route) => Arc::clone(route),
            Err(why) => return each(asked, Played { verdict: Err(why), shadow: None }),
        };
        let decision = route.decide(Ask { class: asked.class, caller: asked.caller }, asked.at);
        let shadow = decision.shadow.map(|shed| shed.reason);
        let (verdict, held) = match decision.outcome {
            Err(shed) => (Verdict::Refused(shed.reason), None),
            Ok(slot) => match route.function.as_ref().map(super::super::quota::Function::reserve) {
                Some(Err(_)) => (Verdict::QuotaFull, None),
                permit => (Verdict::Admitted, Some((slot, permit.and_then(Result::ok)))),
            },
        };
        if let Some((slot, permit)) = held
            && (self.draft || asked.verdict == Verdict::Admitted)
        {
            let endpoints = route.upstream.endpoints();
            let load = endpoints[place % endpoints.len()].begin();
            self.held[place] = Some(Held { _slot: slot, _permit: permit, _load: load });
            if asked.verdict != Verdict::Admitted {
                let hold_ns = self.hold_ns.get(&asked.route).copied();
                let ends_ns = asked.at.nanos() + hold_ns.unwrap_or(nanos(HOLD_DEFAULT));
                self.later.push(Reverse((ends_ns, place as u32)));
            }
        }
        each(asked, Played { verdict: Ok(verdict), shadow });
    }

    fn read(&self, read: Read, generation: u16, upstream: u16) {
        let GaugeOf::Endpoint(index, kind) = read.source else {
            return self.live.own_cpu().set(read.value, read.at);
        };
        // What a compilation finds was read under the one before.
        let Some(stage) = self.stage(generation).or(self.stages.last()) else { return };
        let Some(target) = stage.upstream(upstream) else { return };
        let name = &self.recording.upstreams[usize::from(upstream)];
        let recorded = self.recording.policy(generation).and_then(|p| p.upstreams.get(name));
        let address = recorded.and_then(|u| u.endpoints.get(usize::from(index)));
        let endpoint = target.endpoints().iter().find(|e| Some(&e.address) == address);
        let Some(endpoint) = endpoint else { return };
        // Busy, and our own calls at that time: with them go those that the draft has more.
        let more = if self.draft && kind < 2 { self.surplus_each(target, upstream) } else { 0.0 };
        endpoint.gauges()[usize::from(kind)].set((read.value + more).max(0.0), read.at);
    }

    /// How many more calls each endpoint has in flight than it had live.
    fn surplus_each(&self, target: &Upstream, upstream: u16) -> f64 {
        let more = i64::from(target.in_flight()) - self.in_flight[usize::from(upstream)];
        more as f64 / target.endpoints().len() as f64
    }

    fn turn(&mut self, turn: &TurnNote, upstream: u16, n: usize) {
        if !self.draft {
            let before = self.stages.len();
            self.compile(turn.generation, turn.at, n);
            if turn.installs || self.stages.len() > before {
                return; // compiling has made this turn
            }
        }
        let Some(stage) = self.stage(turn.generation) else { return };
        let Some(target) = stage.upstream(upstream) else { return };
        for (index, endpoint) in target.endpoints().iter().enumerate().take(64) {
            endpoint.set_up(turn.down & (1 << index) == 0);
        }
        if !turn.installs {
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
