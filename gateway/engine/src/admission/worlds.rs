//! Tests that the real and the virtual world decide by the same function and never touch each other.

use proptest::prelude::*;
use sumun_policy::Policy;
use sumun_policy::policy::{Admission, Class, Mode};

use crate::fixture::{admission, at_ms, cpu, policy, route, rps, upstream, workers};
use crate::{Ask, Live, Moment, Reading, Shed, Slot, Snapshot};

const LANES: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Call { lane: usize, class: usize, caller: Option<u64> },
    Leave(usize),
    Observe { busy: f64, cpu: f64 },
    Tick,
    Reload(u32),
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let step = prop_oneof![
        10 => (0..LANES, 0usize..4, prop::option::of(0u64..20))
            .prop_map(|(lane, class, caller)| Step::Call { lane, class, caller }),
        5 => (0usize..200).prop_map(Step::Leave),
        2 => (0.0f64..12.0, 0.0f64..1.2).prop_map(|(busy, cpu)| Step::Observe { busy, cpu }),
        2 => Just(Step::Tick),
        1 => (1u32..15).prop_map(Step::Reload),
    ];
    prop::collection::vec((0u64..400, step), 1..200)
}

/// Three lanes with all thresholds, each in a mode of its own.
fn written(workers_max: u32, modes: [Mode; LANES]) -> Policy {
    let mut target = upstream("u", &[1]);
    target.workers_max = Some(workers_max);
    let classes = [Class::Default, Class::Batch, Class::Bulk];
    let routes = classes.into_iter().zip(modes).enumerate().map(|(n, (class, mode))| {
        let mut route = route(&format!("r{n}"), &format!("/{n}"), class, "u");
        route.admission = Some(Admission {
            mode,
            rps: rps(20.0, 5).rps,
            cpu: cpu(80, 70).cpu,
            workers: workers(60, 50).workers,
            ..admission()
        });
        route
    });
    policy([target], routes)
}

/// Who is in a world, in the order of their calls.
struct Replay {
    live: Live,
    snapshot: Snapshot,
    modes: [Mode; LANES],
    calls: Vec<Option<Slot>>,
    now: Moment,
}

/// What a call heard: its refusal, and its refusal in appearance.
type Heard = (usize, Option<Shed>, Option<Shed>);

impl Replay {
    fn new(modes: [Mode; LANES]) -> Self {
        let live = Live::new();
        let snapshot = Snapshot::compile(written(10, modes), 1, &live, at_ms(1));
        Self { live, snapshot, modes, calls: Vec::new(), now: at_ms(1) }
    }

    fn run(modes: [Mode; LANES], steps: &[(u64, Step)]) -> Vec<Heard> {
        let mut replay = Self::new(modes);
        let heard = steps.iter().filter_map(|(gap_ms, step)| replay.step(*gap_ms, step)).collect();
        replay.calls.clear();
        let upstream = &replay.snapshot.upstreams()[0].state;
        assert_eq!((upstream.slots.in_flight(), upstream.shadow.in_flight()), (0, 0));
        for route in replay.snapshot.routes() {
            let state = &route.lane.state;
            assert_eq!((state.live.in_flight(), state.shadow.in_flight()), (0, 0));
        }
        heard
    }

    fn step(&mut self, gap_ms: u64, step: &Step) -> Option<Heard> {
        self.now = self.now.plus(std::time::Duration::from_millis(gap_ms));
        match *step {
            Step::Call { lane, class, caller } => {
                let ask = Ask { class: Class::ALL[class], caller };
                let decision = self.snapshot.routes()[lane].decide(ask, self.now);
                let refused = decision.outcome.as_ref().err().copied();
                self.calls.push(decision.outcome.ok());
                return Some((lane, refused, decision.shadow));
            }
            Step::Leave(n) if !self.calls.is_empty() => {
                let count = self.calls.len();
                self.calls[n % count] = None;
            }
            Step::Leave(_) => {}
            Step::Observe { busy, cpu } => {
                let upstream = &self.snapshot.upstreams()[0];
                let reading = Reading { busy: Some(busy), cpu: Some(cpu), ..Reading::default() };
                upstream.observe(&upstream.endpoints()[0], &reading, self.now);
            }
            Step::Tick => self.snapshot.tick(self.now),
            Step::Reload(max) => {
                let policy = written(max, self.modes);
                self.snapshot = Snapshot::compile(policy, 2, &self.live, self.now);
            }
        }
        None
    }
}

proptest! {
    /// What shadow mode reports is what enforcing would have answered, to the millisecond of
    /// Retry-After; and it refuses nothing.
    #[test]
    fn shadow_reports_exactly_what_enforcing_would_answer(steps in steps()) {
        let enforced = Replay::run([Mode::Enforce; LANES], &steps);
        let shadow = Replay::run([Mode::Shadow; LANES], &steps);
        prop_assert_eq!(enforced.len(), shadow.len());
        for ((_, refused, none), (_, nothing, appearance)) in enforced.iter().zip(&shadow) {
            prop_assert_eq!((none, nothing), (&None, &None));
            prop_assert_eq!(refused, appearance);
        }
    }

    /// A lane in shadow mode changes nothing of what calls of other lanes are answered: it is as if
    /// it had no thresholds at all.
    #[test]
    fn a_shadow_lane_changes_no_live_decision(steps in steps()) {
        let beside = |mode| {
            let heard = Replay::run([Mode::Enforce, mode, Mode::Enforce], &steps);
            heard.into_iter().map(|(lane, refused, _)| (lane, refused)).collect::<Vec<_>>()
        };
        prop_assert_eq!(beside(Mode::Shadow), beside(Mode::Off));
    }

    /// The same calls at the same times get the same answers: what was recorded can be replayed.
    #[test]
    fn a_replay_gives_the_same_answers(steps in steps()) {
        let modes = [Mode::Enforce, Mode::Shadow, Mode::Enforce];
        prop_assert_eq!(Replay::run(modes, &steps), Replay::run(modes, &steps));
    }
}

#[test]
fn racing_calls_never_pass_the_limit_of_the_virtual_world() {
    let snapshot = Snapshot::compile(written(3, [Mode::Shadow; LANES]), 1, &Live::new(), at_ms(0));
    let state = &snapshot.upstreams()[0].state;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let snapshot = &snapshot;
            scope.spawn(move || {
                for round in 0..3_000u64 {
                    let route = &snapshot.routes()[(thread + round as usize) % LANES];
                    let slot = route.admit(at_ms(round * 50)).outcome;
                    assert!(state.shadow.in_flight() <= 3, "over the limit in appearance");
                    drop(slot);
                }
            });
        }
    });
    assert_eq!((state.slots.in_flight(), state.shadow.in_flight()), (0, 0));
}
