mod racing;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::task::Waker;

use sumun_policy::policy::{Admission, Mode, OnStale, Target};

use super::*;
use crate::admission::wait::{Course, Waiting};
use crate::fixture::{
    actuator, address, at_ms, cpu, function, name, policy, route, rps, upstream, workers,
};
use crate::rate::callers::CALLERS_MAX;
use crate::{Ask, Decision, Function, Live, Permit, Reading, Route, Slot, Snapshot};

const ROUTES: [&str; 6] = ["bulk", "batch", "default", "interactive", "shadow", "plain"];

/// A live engine in virtual time that keeps what it does on a tape, as the server does.
struct World {
    live: Live,
    snapshot: Snapshot,
    tape: Tape,
    now_ms: u64,
    random: u64,
    /// Ends and the ends of patience, by time in nanoseconds.
    next: BinaryHeap<Reverse<(u64, u64, Next)>>,
    waiting: Vec<Queued>,
    held: Vec<Option<(u16, Slot, Option<Permit>)>>,
}

type Queued = (u64, Joined, Waiting, Arc<Route>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    End,
    GiveUp,
}

impl World {
    fn new(policy: Policy) -> Self {
        let live = Live::recorded(CALLERS_MAX, 8 << 20, std::time::Duration::from_hours(1));
        let snapshot = Snapshot::compile(policy.clone(), 1, &live, at_ms(1));
        let tape = Tape {
            policies: vec![(snapshot.generation() as u16, Arc::new(policy))],
            routes: ROUTES.map(name).to_vec(),
            ..Tape::default()
        };
        let (next, waiting, held) = (BinaryHeap::new(), Vec::new(), Vec::new());
        Self { live, snapshot, tape, now_ms: 1, random: 7, next, waiting, held }
    }

    fn dice(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) % below
    }

    fn reload(&mut self, policy: Policy) {
        self.snapshot = Snapshot::compile(policy.clone(), 2, &self.live, at_ms(self.now_ms));
        self.hand_out(at_ms(self.now_ms));
        self.tape.policies.push((self.snapshot.generation() as u16, Arc::new(policy)));
    }

    /// Runs for a while; `heard`: whether the upstreams' signals come.
    fn run(&mut self, for_ms: u64, heard: bool) {
        for _ in 0..for_ms {
            self.now_ms += 1;
            self.by_itself();
            (0..self.dice(5)).for_each(|_| self.ask());
            if self.now_ms.is_multiple_of(100) {
                let share = self.dice(100) as f64 / 100.0;
                self.live.observe_own_cpu(share, at_ms(self.now_ms));
                self.snapshot.tick(at_ms(self.now_ms));
                self.hand_out(at_ms(self.now_ms));
            }
            if heard && self.now_ms % 1000 < 2 {
                self.observe((self.now_ms % 1000) as usize);
                self.hand_out(at_ms(self.now_ms));
            }
        }
    }

    fn observe(&mut self, index: usize) {
        let reading = Reading {
            busy: Some(self.dice(40) as f64 - 1.0),
            max: Some(40.0),
            cpu: Some(self.dice(120) as f64 / 100.0),
            own_in_flight: None,
        };
        let (fails, at) = (self.dice(3) == 0, at_ms(self.now_ms));
        let upstream = &self.snapshot.upstreams()[index % self.snapshot.upstreams().len()];
        let endpoint = &upstream.endpoints()[index % upstream.endpoints().len()];
        if fails {
            (0..3).for_each(|_| endpoint.failed(at));
            upstream.scrape_failed(endpoint, at);
        } else {
            endpoint.succeeded(at);
            upstream.observe(endpoint, &reading, at);
        }
    }

    fn ask(&mut self) {
        let index = self.dice(self.snapshot.routes().len() as u64) as usize;
        let route = Arc::clone(&self.snapshot.routes()[index]);
        let named =
            ROUTES.iter().position(|n| *n == &*route.policy.name.to_string()).expect("named");
        let class = if self.dice(4) == 0 { Class::Bulk } else { route.policy.class };
        let caller = (self.dice(2) == 0).then(|| self.dice(20));
        let joined = Joined {
            at: at_ms(self.now_ms),
            order: 0,
            route: named as u16,
            generation: self.snapshot.generation() as u16,
            class,
            caller,
        };
        let turn = route.take_turn().expect("recorded");
        let call = self.held.len() as u64;
        self.held.push(None);
        let joined = Joined { order: turn.stamp as u32, ..joined };
        match route.decide_or_wait(Ask { class, caller }, joined.at) {
            Course::Decided(decision) => self.decided(call, &route, joined, decision),
            Course::Wait(waiting) => {
                self.tape.joined.push((call, joined));
                let gives_up = joined.at.plus(waiting.patience()).nanos();
                self.next.push(Reverse((gives_up, call, Next::GiveUp)));
                self.waiting.push((call, joined, waiting, Arc::clone(&route)));
            }
        }
    }

    /// What a decision makes of a call; `as_asked` says when, and in which turn.
    fn decided(&mut self, call: u64, route: &Arc<Route>, as_asked: Joined, decision: Decision) {
        let Joined { at, order, route: named, generation, class, caller } = as_asked;
        let mut held = None;
        let verdict = match decision.outcome {
            Err(shed) => Verdict::Refused(shed.reason),
            Ok(slot) => match route.function.as_ref().map(Function::reserve) {
                Some(Err(_)) => Verdict::QuotaFull,
                permit => {
                    held = Some((named, slot, permit.and_then(Result::ok)));
                    Verdict::Admitted
                }
            },
        };
        let shadow = decision.shadow.map(|shed| shed.reason);
        let asked = Asked { at, order, route: named, generation, class, caller, verdict, shadow };
        self.tape.asked.push((call, asked));
        if held.is_some() {
            let hold_ns = 1_000_000 + self.dice(40_000_000);
            self.next.push(Reverse((at.nanos() + hold_ns, call, Next::End)));
        }
        self.held[call as usize] = held;
    }

    /// What comes by itself until now, in its order.
    fn by_itself(&mut self) {
        while let Some(Reverse((at_ns, call, next))) = self.next.peek().copied()
            && at_ns <= self.now_ms * 1_000_000
        {
            self.next.pop();
            let at = Moment::from_nanos(at_ns);
            match next {
                Next::End => self.leave(call, at),
                Next::GiveUp => {
                    if let Some(place) = self.waiting.iter().position(|(c, ..)| *c == call) {
                        self.finish(place, at);
                    }
                }
            }
            self.hand_out(at);
        }
    }

    /// Those who were handed a slot are decided.
    fn hand_out(&mut self, at: Moment) {
        let granted = |(_, _, waiting, _): &Queued| waiting.is_granted(Waker::noop());
        while let Some(place) = self.waiting.iter().position(granted) {
            self.finish(place, at);
        }
    }

    fn finish(&mut self, place: usize, at: Moment) {
        let (call, joined, waiting, route) = self.waiting.remove(place);
        let turn = route.take_turn().expect("recorded");
        let joined = Joined { at, order: turn.stamp as u32, ..joined };
        let decision = waiting.finish(at);
        self.decided(call, &route, joined, decision);
    }

    fn leave(&mut self, call: u64, at: Moment) {
        let (route, slot, permit) = self.held[call as usize].take().expect("held");
        let of = Arc::clone(slot.route());
        let turn = of.take_turn().expect("recorded");
        drop((slot.leave(), permit));
        self.tape.left.push((call, Left { at, order: turn.stamp as u32, route }));
    }

    fn recording(&self) -> Recording {
        // In another order than they happened, as from several threads.
        let mut tape = self.tape.clone();
        tape.asked.sort_by_key(|(call, _)| call % 3);
        tape.left.sort_by_key(|(call, _)| call % 2);
        tape.settled = self.live.settled();
        tape.assemble(&self.live)
    }
}

/// Two upstreams, every kind of threshold, a reservation and the shared pool.
fn mixed(limit: f64) -> Policy {
    let all = Admission { cpu: cpu(80, 70).cpu, ..workers(85, 75) };
    let mut scraped = upstream("scraped", &[1, 2]);
    scraped.signals = Some(actuator());
    scraped.workers_max = Some(20);
    let mut plain = upstream("plain", &[3]);
    plain.workers_max = Some(30);
    let with = |text: &str, class, to: &str, admission| {
        let mut route = route(text, &format!("/{text}"), class, to);
        route.admission = admission;
        route
    };
    let own = Admission { cpu: cpu(60, 50).cpu.map(gateway), ..rps(limit, 20) };
    let mut routes = [
        with("bulk", Class::Bulk, "scraped", Some(all.clone())),
        with("batch", Class::Batch, "scraped", Some(Admission { rps: rps(limit, 9).rps, ..all })),
        with("default", Class::Default, "plain", Some(own)),
        with("interactive", Class::Interactive, "scraped", None),
        with("shadow", Class::Batch, "plain", Some(shadow(&workers(50, 40)))),
        with(
            "plain",
            Class::Default,
            "plain",
            Some(Admission { on_stale: OnStale::Closed, ..workers(90, 80) }),
        ),
    ];
    routes[3].target = Target::Function { function: name("fn"), upstream: name("scraped") };
    routes[5].target = Target::Function { function: name("rest"), upstream: name("plain") };
    let mut policy = policy([scraped, plain], routes);
    policy.pool.total = 20;
    policy.pool.unreserved_min = 1;
    let functions = [function("fn", "scraped", Some(8)), function("rest", "plain", None)];
    policy.functions = functions.into_iter().map(|f| (f.name.clone(), f)).collect();
    policy
}

fn gateway(cpu: sumun_policy::policy::Cpu) -> sumun_policy::policy::Cpu {
    sumun_policy::policy::Cpu { of: sumun_policy::policy::CpuOf::Gateway, ..cpu }
}

fn shadow(admission: &Admission) -> Admission {
    Admission { mode: Mode::Shadow, ..admission.clone() }
}

fn played(recording: &Recording, under: Under<'_>) -> Vec<(Asked, Played)> {
    let mut all = Vec::new();
    let ended = play(recording, under, &mut |asked, played| all.push((*asked, played)), &|| false);
    assert_eq!(ended, Ended::Played);
    all
}

/// Calls that the replay decides otherwise than live.
fn different(all: &[(Asked, Played)]) -> Vec<&(Asked, Played)> {
    all.iter()
        .filter(|(asked, played)| {
            (Ok(asked.verdict), asked.shadow) != (played.verdict, played.shadow)
        })
        .collect()
}

fn count(all: &[(Asked, Played)], verdict: Verdict) -> usize {
    all.iter().filter(|(_, played)| played.verdict == Ok(verdict)).count()
}

#[test]
fn every_live_decision_is_reproduced_across_a_reload_and_a_silence() {
    let mut world = World::new(mixed(200.0));
    world.run(8_000, true);
    world.run(14_000, false); // stale, then expired
    world.reload(mixed(90.0));
    world.run(9_000, true);
    let recording = world.recording();
    assert!(recording.is_whole());
    let all = played(&recording, Under::Recorded);
    assert_eq!(all.len(), world.tape.asked.len());
    let wrong = different(&all);
    assert!(wrong.is_empty(), "{} of {}: {:?}", wrong.len(), all.len(), wrong[0]);
    // Everything that may happen has happened.
    assert!(all.len() > 50_000);
    for reason in [Reason::Rps, Reason::Cpu, Reason::Workers] {
        assert!(count(&all, Verdict::Refused(reason)) > 100, "{reason:?}");
    }
    assert!(count(&all, Verdict::QuotaFull) > 100 && count(&all, Verdict::Admitted) > 1_000);
    assert!(all.iter().any(|(asked, _)| asked.shadow.is_some()));
    let waited = |verdict| {
        let places = recording.waited.keys().map(|place| recording.calls[*place as usize]);
        places.filter(|asked| asked.verdict == verdict).count()
    };
    assert!(waited(Verdict::Admitted) > 100, "{}", waited(Verdict::Admitted));
    assert!(waited(Verdict::Refused(Reason::Workers)) > 10);
}

#[test]
fn the_running_policy_as_a_draft_decides_as_live() {
    let mut world = World::new(mixed(150.0));
    world.run(10_000, true);
    let recording = world.recording();
    let draft = mixed(150.0);
    let all = played(&recording, Under::Draft(&draft));
    let wrong = different(&all);
    assert!(wrong.is_empty(), "{} of {}: {:?}", wrong.len(), all.len(), wrong[0]);
}

#[test]
fn a_draft_is_decided_by_its_own_rules() {
    let mut world = World::new(mixed(150.0));
    world.run(5_000, true);
    let recording = world.recording();
    let mut draft = mixed(150.0);
    draft.functions.get_mut(&name("fn")).unwrap().reserved = Some(0);
    draft.routes.remove(&name("bulk"));
    let all = played(&recording, Under::Draft(&draft));
    for (asked, played) in &all {
        match ROUTES[usize::from(asked.route)] {
            "interactive" => assert_eq!(played.verdict, Ok(Verdict::QuotaFull)),
            "bulk" => assert_eq!(played.verdict, Err(Skipped::RouteRemoved)),
            _ => assert!(played.verdict.is_ok()),
        }
    }
}

#[test]
fn calls_that_only_the_draft_admits_hold_their_slots_as_long_as_others_did() {
    let batch = |max| {
        let mut to = upstream("u", &[1]);
        to.workers_max = Some(max);
        let mut route = route("batch", "/", Class::Batch, "u");
        route.admission = Some(workers(100, 90));
        policy([to], [route])
    };
    let mut world = World::new(batch(10));
    world.run(5_000, false);
    let recording = world.recording();
    let refused = |max| {
        let all = played(&recording, Under::Draft(&batch(max)));
        all.len() - count(&all, Verdict::Admitted)
    };
    let (same, wider, all) = (refused(10), refused(20), refused(1_000));
    // Two calls a millisecond for 20 ms each: 40 in flight.
    assert!(same > 5_000 && wider < same && wider > 2_000 && all == 0, "{same} {wider} {all}");
}

#[test]
fn a_recording_without_its_beginning_is_played_from_where_it_is_complete() {
    let mut world = World::new(mixed(150.0));
    world.run(10_000, true);
    world.tape.complete_from = Some(at_ms(4_000));
    let kept = |call: &Asked| call.at >= at_ms(3_500);
    world.tape.asked.retain(|(_, asked)| kept(asked));
    let recording = world.recording();
    assert!(!recording.is_whole() && recording.carried > 0);
    let all = played(&recording, Under::Recorded);
    assert!(all.iter().all(|(asked, _)| asked.at >= at_ms(4_000)));
    let late: Vec<_> = all.iter().filter(|(asked, _)| asked.at >= at_ms(7_000)).copied().collect();
    // Who exactly is refused depends on what the engine had learned; how many, hardly.
    let live = late.iter().filter(|(asked, _)| asked.verdict == Verdict::Admitted).count();
    let replayed = count(&late, Verdict::Admitted);
    eprintln!("{live} admitted live, {replayed} in the replay, of {}", late.len());
    assert!(live.abs_diff(replayed) * 10 < live, "{live} {replayed}");
}

#[test]
fn nothing_recorded_is_nothing_played() {
    let recording =
        Tape::default().assemble(&Live::recorded(CALLERS_MAX, 1 << 20, std::time::Duration::MAX));
    assert_eq!((recording.span(), recording.calls().len()), (None, 0));
    assert!(played(&recording, Under::Recorded).is_empty());
}

#[test]
fn a_replay_that_nobody_waits_for_ends() {
    let mut world = World::new(mixed(150.0));
    world.run(1_000, true);
    let ended = play(&world.recording(), Under::Recorded, &mut |_, _| {}, &|| true);
    assert_eq!(ended, Ended::Stopped);
}

#[test]
fn what_is_not_recorded_takes_no_turns() {
    let snapshot = Snapshot::compile(mixed(1.0), 1, &Live::new(), at_ms(1));
    assert!(snapshot.upstreams().iter().all(|upstream| upstream.take_turn(None).is_none()));
    assert_eq!(snapshot.upstreams()[0].endpoints()[0].address, address(3));
}
