//! The engine in virtual time: one upstream, a pool of workers behind it, and more calls than it
//! can take.
//!
//! Calls arrive as a Poisson process per lane; an admitted one goes to the upstream, which serves
//! as many as it has workers, first come first served, each for an exponential time. Once a
//! simulated second the upstream is scraped (the answer takes a while to come back), ten times a
//! second the slow loop turns. Nothing here knows the real time; the seed is fixed.

mod scenarios;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use sumun_policy::policy::{Admission, Class};

use crate::fixture::{actuator, policy, route, upstream};
use crate::{Endpoint, Live, Load, Moment, Reading, Reason, Slot, Snapshot};

const SECOND_NS: u64 = 1_000_000_000;
const TICK_NS: u64 = SECOND_NS / 10;
/// From the sampling of a scrape to its answer.
const SCRAPE_NS: u64 = 5_000_000;

/// What is simulated.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub workers: u32,
    pub service_s: f64,
    /// Whether the upstream is scraped; else the policy tells its workers.
    pub scraped: bool,
    pub lanes: Vec<Source>,
    /// Calls per second that reach the upstream without the gateway.
    pub bypass: f64,
    /// Not measured: the limits settle.
    pub warm_up_s: f64,
    pub measured_s: f64,
    /// Between these seconds service takes this much longer.
    pub slow: Option<(f64, f64, f64)>,
    /// From this second on scrapes are lost.
    pub blind_from_s: f64,
}

/// A lane and its offered load.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub class: Class,
    pub admission: Option<Admission>,
    /// Calls per second.
    pub rate: f64,
}

/// What became of a lane's calls in the measured time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub offered: u64,
    pub refused: u64,
    /// Answered within ten service times.
    pub good: u64,
    pub late: u64,
}

#[derive(Debug)]
pub(crate) struct Outcome {
    pub lanes: Vec<Tally>,
    pub bypass: Tally,
    /// Good answers in each second from the beginning, all lanes.
    pub good_per_second: Vec<u64>,
    /// Most in flight at the upstream through the gateway that may be shed, after warm-up.
    pub in_flight_max: u32,
    pub capacity: f64,
    pub measured_s: f64,
    pub retry_after_max: std::time::Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Finish(usize),
    Arrive(usize),
    ScrapeBack { busy: u32, own: u32 },
    Scrape,
    Tick,
}

/// A call at the upstream.
#[derive(Debug)]
struct Call {
    /// `None`: it came without the gateway.
    lane: Option<usize>,
    arrived_ns: u64,
    held: Option<(Slot, Load)>,
}

struct World {
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

impl Scenario {
    /// Workers of 100 ms, scraped, one lane of a class at a multiple of the capacity.
    pub(crate) fn one(workers: u32, class: Class, admission: Admission, times: f64) -> Self {
        let service_s = 0.1;
        let rate = times * f64::from(workers) / service_s;
        Self {
            workers,
            service_s,
            scraped: true,
            lanes: vec![Source { class, admission: Some(admission), rate }],
            bypass: 0.0,
            warm_up_s: 3.0,
            measured_s: 10.0,
            slow: None,
            blind_from_s: f64::INFINITY,
        }
    }

    pub(crate) fn capacity(&self) -> f64 {
        f64::from(self.workers) / self.service_s
    }

    pub(crate) fn run(self) -> Outcome {
        World::new(self).run()
    }
}

impl Outcome {
    /// Good answers as a share of what the upstream could have given.
    pub(crate) fn goodput(&self) -> f64 {
        let good: u64 = self.lanes.iter().map(|lane| lane.good).sum();
        good as f64 / self.measured_s / self.capacity
    }
}

impl Tally {
    pub(crate) fn refused_share(&self) -> f64 {
        self.refused as f64 / self.offered.max(1) as f64
    }

    /// Without any queue 1 in 22,000 exponential service times is longer than ten means.
    pub(crate) fn is_fast(&self) -> bool {
        self.late as f64 <= 0.001 * self.good as f64
    }

    pub(crate) fn good_share(&self) -> f64 {
        self.good as f64 / self.offered.max(1) as f64
    }
}

impl World {
    fn new(scenario: Scenario) -> Self {
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
        let outcome = Outcome {
            lanes: vec![Tally::default(); scenario.lanes.len()],
            bypass: Tally::default(),
            good_per_second: Vec::new(),
            in_flight_max: 0,
            capacity: scenario.capacity(),
            measured_s: scenario.measured_s,
            retry_after_max: std::time::Duration::ZERO,
        };
        Self {
            scenario,
            snapshot,
            endpoint,
            now_ns: 0,
            events: BinaryHeap::new(),
            sequence: 0,
            random: 0x5eed,
            calls: Vec::new(),
            free: Vec::new(),
            waiting: VecDeque::new(),
            busy: 0,
            outcome,
        }
    }

    fn run(mut self) -> Outcome {
        self.at(0, Event::Scrape);
        self.at(0, Event::Tick);
        (0..=self.scenario.lanes.len()).for_each(|source| self.arrive_later(source));
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
                self.arrive(source);
                self.arrive_later(source);
            }
            Event::Finish(call) => self.finish(call),
        }
    }

    /// The source after the last lane is the traffic that bypasses the gateway.
    fn arrive(&mut self, source: usize) {
        let measured = self.is_measured();
        let lane = (source < self.scenario.lanes.len()).then_some(source);
        let tally = lane.map_or(&mut self.outcome.bypass, |lane| &mut self.outcome.lanes[lane]);
        tally.offered += u64::from(measured);
        let held = if let Some(lane) = lane {
            match self.snapshot.routes()[lane].admit(Moment::from_nanos(self.now_ns)).outcome {
                Ok(slot) => Some((slot, self.endpoint.begin())),
                Err(shed) => {
                    assert_eq!(shed.reason, Reason::Workers);
                    tally.refused += u64::from(measured);
                    let longest = &mut self.outcome.retry_after_max;
                    *longest = (*longest).max(shed.retry_after);
                    return;
                }
            }
        } else {
            None
        };
        if measured {
            let in_flight = self.snapshot.upstreams()[0].in_flight();
            self.outcome.in_flight_max = self.outcome.in_flight_max.max(in_flight);
        }
        let call = Some(Call { lane, arrived_ns: self.now_ns, held });
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
            let service_ns = self.exponential_ns(mean_s);
            self.at(service_ns, Event::Finish(call));
        }
    }

    fn finish(&mut self, place: usize) {
        let call = self.calls[place].take().expect("a call finishes once");
        self.free.push(place);
        self.busy -= 1;
        let took_s = (self.now_ns - call.arrived_ns) as f64 / 1e9;
        let good = took_s <= 10.0 * self.scenario.service_s;
        if self.is_measured() {
            let tally = match call.lane {
                Some(lane) => &mut self.outcome.lanes[lane],
                None => &mut self.outcome.bypass,
            };
            tally.good += u64::from(good);
            tally.late += u64::from(!good);
        }
        let second = self.seconds() as usize;
        if self.outcome.good_per_second.len() <= second {
            self.outcome.good_per_second.resize(second + 1, 0);
        }
        self.outcome.good_per_second[second] += u64::from(good && call.lane.is_some());
        drop(call.held);
        self.serve();
    }

    fn arrive_later(&mut self, source: usize) {
        let rate = self.scenario.lanes.get(source).map_or(self.scenario.bypass, |lane| lane.rate);
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

    /// By inversion, from splitmix64.
    fn exponential_ns(&mut self, mean_s: f64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let uniform = ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        (-uniform.ln() * mean_s * 1e9) as u64
    }
}
