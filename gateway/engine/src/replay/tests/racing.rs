//! Tests that what threads did beside each other is reproduced call by call.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::Mutex;

use super::*;

const THREADS: u64 = 4;
/// Calls of each thread, at least.
const CALLS: u64 = 6_000;

/// Policies that come into force meanwhile, at least.
const RELOADS: u64 = 4;

/// What the threads share.
struct Stage {
    live: Live,
    snapshot: Mutex<Arc<Snapshot>>,
    /// Counts nanoseconds, at each look some.
    clock: AtomicU64,
    reloads: AtomicU64,
}

/// One thread, and its part of the tape.
struct Racer<'a> {
    stage: &'a Stage,
    thread: u64,
    random: u64,
    tape: Tape,
    waiting: Vec<(u64, Joined, Waiting, Arc<Route>, Moment)>,
    held: Vec<(u64, u16, Slot, Option<Permit>)>,
}

// === impl Stage ===

impl Stage {
    fn now(&self) -> Moment {
        Moment::from_nanos(self.clock.fetch_add(20_000, Relaxed))
    }
}

// === impl Racer ===

impl<'a> Racer<'a> {
    fn new(stage: &'a Stage, thread: u64) -> Self {
        let (waiting, held) = (Vec::new(), Vec::new());
        Self { stage, thread, random: thread, tape: Tape::default(), waiting, held }
    }

    fn dice(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) % below
    }

    fn run(mut self) -> Tape {
        let mut call = 0;
        while call < CALLS || self.stage.reloads.load(Relaxed) < RELOADS {
            self.ask(self.thread << 32 | call);
            call += 1;
            self.look();
            while self.held.len() as u64 > self.dice(24) {
                let at = self.dice(self.held.len() as u64) as usize;
                let (call, route, slot, permit) = self.held.swap_remove(at);
                self.leave(call, route, slot, permit);
            }
            if self.dice(64) == 0 {
                // Stopped here by the system, as it may be anywhere.
                std::thread::yield_now();
            }
        }
        for (call, route, slot, permit) in std::mem::take(&mut self.held) {
            self.leave(call, route, slot, permit);
        }
        while let Some((call, joined, waiting, route, _)) = self.waiting.pop() {
            self.abandon(call, joined, waiting, &route);
        }
        self.tape
    }

    fn ask(&mut self, call: u64) {
        let snapshot = Arc::clone(&self.stage.snapshot.lock());
        let index = self.dice(snapshot.routes().len() as u64) as usize;
        let route = Arc::clone(&snapshot.routes()[index]);
        let named = ROUTES.iter().position(|n| *n == &*route.policy.name.to_string());
        let caller = (self.dice(2) == 0).then(|| self.dice(20));
        let at = self.stage.now();
        let turn = route.take_turn().expect("recorded");
        let joined = Joined {
            at,
            order: turn.stamp as u32,
            route: named.expect("named") as u16,
            generation: snapshot.generation() as u16,
            class: route.policy.class,
            caller,
        };
        match route.decide_or_wait(Ask { class: joined.class, caller }, at) {
            Course::Decided(decision) => self.decided(call, &route, joined, decision),
            Course::Wait(waiting) => {
                self.tape.joined.push((call, joined));
                let until = at.plus(waiting.patience());
                self.waiting.push((call, joined, waiting, Arc::clone(&route), until));
            }
        }
    }

    /// Looks after those that wait; a few of their clients leave.
    fn look(&mut self) {
        let mut at = 0;
        while at < self.waiting.len() {
            let now = self.stage.now();
            let (_, _, waiting, _, until) = &self.waiting[at];
            let leaves = self.random.is_multiple_of(97);
            if !leaves && *until > now && !waiting.is_granted(Waker::noop()) {
                at += 1;
                continue;
            }
            self.dice(2);
            let (call, joined, waiting, route, _) = self.waiting.swap_remove(at);
            if leaves {
                self.abandon(call, joined, waiting, &route);
                continue;
            }
            let turn = route.take_turn().expect("recorded");
            let joined = Joined { at: now, order: turn.stamp as u32, ..joined };
            let decision = waiting.finish(now);
            self.decided(call, &route, joined, decision);
        }
    }

    fn decided(&mut self, call: u64, route: &Arc<Route>, as_asked: Joined, decision: Decision) {
        let Joined { at, order, route: named, generation, class, caller } = as_asked;
        let shadow = decision.shadow.map(|shed| shed.reason);
        let verdict = match decision.outcome {
            Err(shed) => Verdict::Refused(shed.reason),
            Ok(slot) => match route.function.as_ref().map(Function::reserve) {
                Some(Err(_)) => Verdict::QuotaFull,
                permit => {
                    self.held.push((call, named, slot, permit.and_then(Result::ok)));
                    Verdict::Admitted
                }
            },
        };
        let asked = Asked { at, order, route: named, generation, class, caller, verdict, shadow };
        self.tape.asked.push((call, asked));
    }

    fn abandon(&mut self, call: u64, joined: Joined, waiting: Waiting, route: &Arc<Route>) {
        let turn = route.take_turn().expect("recorded");
        drop(waiting);
        let (at, order) = (self.stage.now(), turn.stamp as u32);
        self.tape.left.push((call, Left { at, order, route: joined.route }));
    }

    fn leave(&mut self, call: u64, route: u16, slot: Slot, permit: Option<Permit>) {
        let of = Arc::clone(slot.route());
        let turn = of.take_turn().expect("recorded");
        let handed = slot.leave();
        drop(permit);
        let (at, order) = (self.stage.now(), turn.stamp as u32);
        self.tape.left.push((call, Left { at, order, route }));
        drop(turn);
        drop(handed);
    }
}

/// Beside the calls: signals, the slow loop, an endpoint that fails, reloads.
fn disturb(stage: &Stage, tape: &mut Tape, done: &dyn Fn() -> bool) {
    let mut round = 0_u64;
    while !done() {
        round += 1;
        let snapshot = Arc::clone(&stage.snapshot.lock());
        let upstream = &snapshot.upstreams()[round as usize % 2];
        let endpoint = &upstream.endpoints()[0];
        let busy = Some((round % 37) as f64);
        let reading = Reading { busy, max: Some(40.0), cpu: Some(0.5), own_in_flight: None };
        upstream.observe(endpoint, &reading, stage.now());
        if round.is_multiple_of(5) {
            (0..3).for_each(|_| endpoint.failed(stage.now()));
        } else {
            endpoint.succeeded(stage.now());
        }
        stage.live.observe_own_cpu((round % 90) as f64 / 100.0, stage.now());
        snapshot.tick(stage.now());
        if round.is_multiple_of(20) {
            let policy = mixed(2_000.0 + 100.0 * (round % 7) as f64);
            let snapshot = Snapshot::compile(policy.clone(), round, &stage.live, stage.now());
            tape.policies.push((snapshot.generation() as u16, Arc::new(policy)));
            *stage.snapshot.lock() = Arc::new(snapshot);
            stage.reloads.fetch_add(1, Relaxed);
        }
        std::thread::yield_now();
    }
}

#[test]
fn every_decision_of_racing_threads_is_reproduced() {
    let live = Live::recorded(CALLERS_MAX, 64 << 20, std::time::Duration::from_hours(1));
    let policy = mixed(2_000.0);
    let snapshot = Snapshot::compile(policy.clone(), 1, &live, at_ms(1));
    let mut tape = Tape {
        policies: vec![(snapshot.generation() as u16, Arc::new(policy))],
        routes: ROUTES.map(name).to_vec(),
        ..Tape::default()
    };
    let snapshot = Mutex::new(Arc::new(snapshot));
    let (clock, reloads) = (AtomicU64::new(2_000_000), AtomicU64::new(0));
    let stage = Stage { live, snapshot, clock, reloads };
    let left = AtomicU64::new(THREADS);
    std::thread::scope(|scope| {
        let racers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (stage, left) = (&stage, &left);
                scope.spawn(move || {
                    let tape = Racer::new(stage, thread).run();
                    left.fetch_sub(1, Relaxed);
                    tape
                })
            })
            .collect();
        disturb(&stage, &mut tape, &|| left.load(Relaxed) == 0);
        for racer in racers {
            let part = racer.join().expect("no panic");
            tape.asked.extend(part.asked);
            tape.joined.extend(part.joined);
            tape.left.extend(part.left);
        }
    });
    tape.settled = stage.live.settled();
    let recording = tape.assemble(&stage.live);
    assert!(recording.is_whole());
    let all = played(&recording, Under::Recorded);
    let wrong = different(&all);
    assert!(wrong.is_empty(), "{} of {}: {:?}", wrong.len(), all.len(), wrong[0]);
    for verdict in [Verdict::Admitted, Verdict::QuotaFull, Verdict::Refused(Reason::Workers)] {
        assert!(count(&all, verdict) > 50, "{verdict:?}: {}", count(&all, verdict));
    }
    assert!(recording.policies.len() > RELOADS as usize && recording.waited.len() > 50);
}
