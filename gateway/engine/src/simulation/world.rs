//! The world: events in the order of their time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sumun_policy::policy::Class;

use super::scenario::{HerdOutcome, Outcome, Scenario, Service, Tally};
use crate::fixture::{actuator, policy, route, upstream};
use crate::{Ask, Endpoint, Live, Load, Moment, Reading, Slot, Snapshot};

const SECOND_NS: u64 = 1_000_000_000;
const TICK_NS: u64 = SECOND_NS / 10;
/// From the sampling of a scrape to its answer.
const SCRAPE_NS: u64 = 5_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Finish(usize),
    Arrive(usize),
    Return(usize),
    ScrapeBack { busy: u32, own: u32 },
    Scrape,
    Tick,
}

/// Who calls.
#[derive(Clone, Copy, Debug)]
enum Who {
    /// Somebody who comes without the gateway.
    Bypass,
    Caller {
        lane: usize,
        caller: Option<u32>,
    },
    /// A client of the herd.
    Client(usize),
}

/// A call at the upstream.
#[derive(Debug)]
struct Call {
    who: Who,
    arrived_ns: u64,
    held: Option<(Slot, Load)>,
}

pub(super) struct World {
    scenario: Scenario,
    snapshot: Snapshot,
    endpoint: Arc<Endpoint>,
    now_ns: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    sequence: u64,
    random: u64,
    calls: Vec<Option<Call>>,
    free: Vec<usize>,
    waiting: VecDeque<usize>,
    busy: u32,
    outcome: Outcome,
}

impl World {
    pub(super) fn new(scenario: Scenario) -> Self {
        let mut target = upstream("u", &[1]);
        if scenario.scraped {
            target.signals = Some(actuator());
        } else {
            target.workers_max = Some(scenario.workers);
        }
        let routes = scenario.lanes.iter().enumerate().map(|(n, lane)| {
            let mut route = route(&format!("r{n}"), &format!("/{n}"), lane.class, "u");
            route.admission.clone_from(&lane.admission);
            route
        });
        let policy = policy([target], routes);
        let snapshot = Snapshot::compile(policy, 1, &Live::new(), Moment::from_nanos(0));
        let endpoint = Arc::clone(&snapshot.upstreams()[0].endpoints()[0]);
        let callers = |lane: &super::Source| vec![Tally::default(); lane.callers as usize];
        let outcome = Outcome {
            lanes: vec![Tally::default(); scenario.lanes.len()],
            callers: scenario.lanes.iter().map(callers).collect(),
            bypass: Tally::default(),
            good_per_second: Vec::new(),
            took_s: Vec::new(),
            in_flight_max: 0,
            capacity: scenario.capacity(),
            measured_s: scenario.measured_s,
            retry_after_max: Duration::ZERO,
            herd: HerdOutcome::default(),
        };
        Self {
            snapshot,
            endpoint,
            now_ns: 0,
            events: BinaryHeap::new(),
            sequence: 0,
            random: scenario.seed,
            calls: Vec::new(),
            free: Vec::new(),
            waiting: VecDeque::new(),
            busy: 0,
            outcome,
            scenario,
        }
    }

    pub(super) fn run(mut self) -> Outcome {
        self.at(0, Event::Scrape);
        self.at(0, Event::Tick);
        (0..=self.scenario.lanes.len()).for_each(|source| self.arrive_later(source));
        if let Some(herd) = self.scenario.herd {
            (0..herd.clients).for_each(|n| self.at((herd.at_s * 1e9) as u64, Event::Return(n)));
        }
        let end_ns = ((self.scenario.warm_up_s + self.scenario.measured_s) * 1e9) as u64;
        while let Some(Reverse((at_ns, _, event))) = self.events.pop() {
            if at_ns >= end_ns {
                break;
            }
            self.now_ns = at_ns;
            self.turn(event);
        }
        self.calls.clear();
        assert_eq!(self.snapshot.upstreams()[0].in_flight(), 0, "a slot leaked");
        self.outcome
    }

    fn turn(&mut self, event: Event) {
        match event {
            Event::Tick => {
                self.snapshot.tick(self.now());
                self.at(TICK_NS, Event::Tick);
            }
            Event::Scrape => {
                let own = self.endpoint.in_flight();
                if self.seconds() < self.scenario.blind_from_s && self.scenario.scraped {
                    self.at(SCRAPE_NS, Event::ScrapeBack { busy: self.busy, own });
                }
                self.at(SECOND_NS, Event::Scrape);
            }
            Event::ScrapeBack { busy, own } => {
                let reading = Reading {
                    busy: Some(f64::from(busy)),
                    max: Some(f64::from(self.scenario.workers)),
                    cpu: None,
                    own_in_flight: Some(own),
                };
                self.snapshot.upstreams()[0].observe(&self.endpoint, &reading, self.now());
            }
            Event::Arrive(source) => {
                let who = self.who(source);
                self.arrive(who);
                self.arrive_later(source);
            }
            Event::Return(client) => self.arrive(Who::Client(client)),
            Event::Finish(call) => self.finish(call),
        }
    }

    /// The source after the last lane is the traffic that bypasses the gateway.
    fn who(&mut self, source: usize) -> Who {
        let Some(lane) = self.scenario.lanes.get(source) else { return Who::Bypass };
        let callers = u64::from(lane.callers);
        let caller = (callers > 0).then(|| (self.bits() % callers) as u32);
        Who::Caller { lane: source, caller }
    }

    fn ask(&self, who: Who) -> Option<(usize, Ask)> {
        let (lane, caller) = match who {
            Who::Bypass => return None,
            Who::Caller { lane, caller } => (lane, caller.map(u64::from)),
            Who::Client(n) => (0, self.scenario.herd.filter(|herd| herd.known).map(|_| n as u64)),
        };
        let source = &self.scenario.lanes[lane];
        Some((lane, Ask { class: source.asks.unwrap_or(source.class), caller }))
    }

    fn tally(&mut self, who: Who, count: impl Fn(&mut Tally)) {
        if !self.is_measured() {
            return;
        }
        match who {
            Who::Bypass => count(&mut self.outcome.bypass),
            Who::Caller { lane, caller } => {
                count(&mut self.outcome.lanes[lane]);
                if let Some(caller) = caller {
                    count(&mut self.outcome.callers[lane][caller as usize]);
                }
            }
            Who::Client(_) => {}
        }
    }

    fn arrive(&mut self, who: Who) {
        self.tally(who, |tally| tally.offered += 1);
        self.outcome.herd.attempts += u64::from(matches!(who, Who::Client(_)));
        let mut held = None;
        if let Some((lane, ask)) = self.ask(who) {
            match self.snapshot.routes()[lane].decide(ask, self.now()).outcome {
                Ok(slot) => held = Some((slot, self.endpoint.begin())),
                Err(shed) => {
                    assert_ne!(ask.class, Class::Interactive);
                    self.tally(who, |tally| tally.refused += 1);
                    let longest = &mut self.outcome.retry_after_max;
                    *longest = (*longest).max(shed.retry_after);
                    if let Who::Client(client) = who {
                        // Callers are told whole milliseconds, rounded up.
                        let after_ms = shed.retry_after.as_nanos().div_ceil(1_000_000) as u64;
                        self.at(after_ms * 1_000_000, Event::Return(client));
                    }
                    return;
                }
            }
        }
        if self.is_measured() {
            let in_flight = self.snapshot.upstreams()[0].in_flight();
            self.outcome.in_flight_max = self.outcome.in_flight_max.max(in_flight);
        }
        let call = Some(Call { who, arrived_ns: self.now_ns, held });
        let place = self.free.pop().unwrap_or_else(|| {
            self.calls.push(None);
            self.calls.len() - 1
        });
        self.calls[place] = call;
        self.waiting.push_back(place);
        self.serve();
    }

    fn serve(&mut self) {
        while self.busy < self.scenario.workers
            && let Some(call) = self.waiting.pop_front()
        {
            self.busy += 1;
            let slow =
                self.scenario.slow.filter(|(from, to, _)| (*from..*to).contains(&self.seconds()));
            let mean_s = self.scenario.service_s * slow.map_or(1.0, |(_, _, times)| times);
            let service_ns = match self.scenario.service {
                Service::Exponential => self.exponential_ns(mean_s),
                Service::Constant => (mean_s * 1e9) as u64,
                Service::Bimodal => {
                    let times = if self.uniform() < 0.9 { 0.5 } else { 5.5 };
                    (mean_s * times * 1e9) as u64
                }
            };
            self.at(service_ns, Event::Finish(call));
        }
    }

    fn finish(&mut self, place: usize) {
        let call = self.calls[place].take().expect("a call finishes once");
        self.free.push(place);
        self.busy -= 1;
        let took_s = (self.now_ns - call.arrived_ns) as f64 / 1e9;
        let good = took_s <= 10.0 * self.scenario.service_s;
        self.tally(call.who, |tally| {
            tally.good += u64::from(good);
            tally.late += u64::from(!good);
        });
        let second = self.seconds() as usize;
        if self.outcome.good_per_second.len() <= second {
            self.outcome.good_per_second.resize(second + 1, 0);
        }
        let ours = !matches!(call.who, Who::Bypass);
        self.outcome.good_per_second[second] += u64::from(good && ours);
        if matches!(call.who, Who::Caller { lane: 0, .. }) {
            let tenth = (self.seconds() * 10.0) as usize;
            let tenths = self.outcome.took_s.len().max(tenth + 1);
            self.outcome.took_s.resize(tenths, Vec::new());
            self.outcome.took_s[tenth].push(took_s);
        }
        if let (Who::Client(_), Some(herd)) = (call.who, self.scenario.herd) {
            self.outcome.herd.served += 1;
            self.outcome.herd.drained_s = self.seconds() - herd.at_s;
        }
        drop(call.held);
        self.serve();
    }

    fn arrive_later(&mut self, source: usize) {
        let second = self.seconds();
        let lane = self.scenario.lanes.get(source);
        let rate = lane.map_or(self.scenario.bypass, |lane| lane.rate_at(second));
        if rate > 0.0 {
            let gap_ns = self.exponential_ns(1.0 / rate);
            self.at(gap_ns, Event::Arrive(source));
        }
    }

    fn at(&mut self, after_ns: u64, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((self.now_ns + after_ns, self.sequence, event)));
    }

    fn now(&self) -> Moment {
        Moment::from_nanos(self.now_ns)
    }

    fn seconds(&self) -> f64 {
        self.now_ns as f64 / 1e9
    }

    fn is_measured(&self) -> bool {
        self.seconds() >= self.scenario.warm_up_s
    }

    /// splitmix64.
    fn bits(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// In (0, 1).
    fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// By inversion.
    fn exponential_ns(&mut self, mean_s: f64) -> u64 {
        (-self.uniform().ln() * mean_s * 1e9) as u64
    }
}
