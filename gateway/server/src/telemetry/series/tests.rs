use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use sumun_engine::Live;
use sumun_policy::policy::Mode;

use super::super::fixture::{call, refused, route};
use super::super::registry::Registry;
use super::*;
use crate::refusal::Code;

const BEGIN: u64 = 1_700_000_000;

/// A gateway that is watched but takes no calls: they are counted by hand.
struct World {
    live: Live,
    snapshot: RwLock<Arc<Snapshot>>,
    second: AtomicU64,
    registry: Registry,
    series: Series,
}

impl Observe for World {
    fn observe(&self) -> Observed {
        let snapshot = Arc::clone(&self.snapshot.read());
        let now = Moment::from_nanos(self.second.load(Ordering::Relaxed) - BEGIN + 1);
        Observed { snapshot, now, own_cpu: Some(0.25), connections: 3 }
    }
}

impl World {
    fn new(policy: &str) -> Arc<Self> {
        let live = Live::new();
        let snapshot = compile(policy, 1, &live);
        let world = Arc::new(Self {
            snapshot: RwLock::new(Arc::new(snapshot)),
            live,
            second: AtomicU64::new(BEGIN),
            registry: Registry::new(1),
            series: Series::default(),
        });
        let observe: Arc<dyn Observe> = Arc::clone(&world) as _;
        world.series.begin(Arc::downgrade(&observe));
        world
    }

    fn reload(&self, policy: &str) {
        *self.snapshot.write() = Arc::new(compile(policy, 2, &self.live));
    }

    fn meters(&self, of: &str) -> Arc<RouteMeters> {
        self.registry.route(&route(of, Mode::Enforce))
    }

    fn calls(&self, of: &str, count: usize) {
        let meters = self.meters(of);
        (0..count).for_each(|_| meters.count(0, &call(Some(&meters))));
    }

    /// Samples as many seconds, and then the next one.
    fn pass(&self, seconds: u64) {
        let second = self.second.fetch_add(seconds, Ordering::Relaxed) + seconds;
        let routes = self.registry.tick((second - BEGIN) * 1_000_000_000);
        self.series.tick(second, &routes);
    }

    fn points(&self, of: &Of, span: Span) -> Points {
        match self.series.read(of, span) {
            Kept::Points(points) => points,
            other => panic!("{of:?}: {other:?}"),
        }
    }

    fn figure(&self, of: &Of, figure: &str) -> Vec<f32> {
        let points = self.points(of, Span::Quarter);
        let found = points.figures.into_iter().find(|(known, _)| *known == figure);
        found.unwrap_or_else(|| panic!("no {figure} of {of:?}")).1
    }
}

fn compile(policy: &str, revision: u64, live: &Live) -> Snapshot {
    let files = [("test.yaml".to_owned(), policy.to_owned())];
    let (policy, problems) = sumun_policy::check(&files);
    assert!(problems.is_empty(), "{problems:?}");
    Snapshot::compile(policy.unwrap(), revision, live, Moment::from_nanos(1))
}

const POLICY: &str = "\
version: 1
pool: { total: 10, unreserved_min: 1 }
upstreams:
  up: { endpoints: [http://127.0.0.1:9101], workers_max: 20 }
functions:
  fn: { upstream: up, reserved: 4 }
routes:
  mail: { match: { path: /mail }, function: fn, class: bulk, admission: { workers: { enter: 80% } } }
  quiet: { match: { path: /quiet }, upstream: up }
";

fn of_route(name: &str) -> Of {
    Of::Route(name.to_owned())
}

#[test]
fn nothing_is_kept_before_the_first_call() {
    let world = World::new(POLICY);
    world.meters("mail");
    for _ in 0..5 {
        world.pass(1);
    }
    for of in [Of::Gateway, Of::Pool, of_route("mail"), Of::Upstream("up".into())] {
        assert_eq!(world.series.read(&of, Span::Day), Kept::Nothing, "{of:?}");
    }
    assert_eq!(world.series.bytes(), 0);
    assert!(world.series.sketch(None).routes.is_empty());
}

#[test]
fn a_second_has_its_calls_with_what_became_of_them() {
    let world = World::new(POLICY);
    world.calls("mail", 3);
    let meters = world.meters("mail");
    meters.count(0, &refused(Some(&meters), Code::WorkersOver));
    world.pass(1);
    world.pass(1);
    world.calls("mail", 1);
    world.pass(1);
    let mail = of_route("mail");
    assert_eq!(world.points(&mail, Span::Quarter).to_unix_s, BEGIN + 3);
    for (figure, wanted) in [
        ("calls", [4.0, 0.0, 1.0]),
        ("admitted", [3.0, 0.0, 1.0]),
        ("refused", [1.0, 0.0, 0.0]),
        ("refused.workers_over", [1.0, 0.0, 0.0]),
        ("in_flight", [0.0, 0.0, 0.0]),
        ("threshold.workers", [0.8, 0.8, 0.8]),
    ] {
        assert_eq!(world.figure(&mail, figure), wanted, "{figure}");
        if figure.starts_with("calls") || figure.starts_with("refused") {
            assert_eq!(world.figure(&Of::Gateway, figure), wanted, "{figure} of the gateway");
        }
    }
    let p50 = world.figure(&mail, "latency_ms.p50");
    assert!((p50[0] / 12.0 - 1.0).abs() < 0.26 && p50[1].is_nan(), "{p50:?}");
    assert_eq!(world.figure(&Of::Gateway, "signal.cpu"), [0.25; 3]);
    assert_eq!(world.figure(&Of::Gateway, "connections"), [3.0; 3]);
    assert_eq!(world.figure(&Of::Upstream("up".into()), "endpoints_up"), [1.0; 3]);
    assert_eq!(world.figure(&Of::Pool, "unreserved"), [6.0; 3]);
    assert_eq!(world.series.read(&of_route("quiet"), Span::Quarter), Kept::Nothing);
    let minute = world.series.sketch(None);
    assert_eq!(minute.routes["mail"], (vec![4.0, 0.0, 1.0], vec![1.0, 0.0, 0.0]));
    assert_eq!((minute.to_unix_s, minute.every_s), (BEGIN + 3, 1));
}

#[test]
fn a_span_is_sketched_in_points_that_stay_once_they_have_ended() {
    let world = World::new(POLICY);
    for second in 1..=400 {
        world.calls("mail", if second < 100 { 2 } else { 4 });
        world.pass(1);
    }
    // Of three minutes each, by the wall clock; the last one goes on.
    let hours = world.series.sketch(Some(Span::SixHours));
    assert_eq!((hours.to_unix_s, hours.every_s), (BEGIN + 459, 180));
    assert_eq!(hours.routes["mail"], (vec![2.0, 4.0, 4.0], vec![0.0; 3]));
    let day = world.series.sketch(Some(Span::Day));
    assert_eq!((day.to_unix_s, day.every_s), (BEGIN + 639, 720));
    assert_eq!(day.routes["mail"].0, [24.0 / 7.0], "seven minutes that have ended");
    let quarter = world.series.sketch(Some(Span::Quarter));
    assert_eq!((quarter.to_unix_s, quarter.every_s), (BEGIN + 409, 10));
    assert_eq!(quarter.routes["mail"].0.len(), 41);

    for _ in 0..100 {
        world.pass(1);
    }
    let later = world.series.sketch(Some(Span::SixHours));
    assert_eq!(later.to_unix_s, BEGIN + 639);
    let calls = &later.routes["mail"].0;
    assert_eq!((calls.len(), &calls[..2]), (4, &[2.0, 4.0][..]), "{calls:?}");
    assert!(calls[2] < 4.0 && calls[3] == 0.0, "{calls:?}");
}

#[test]
fn a_function_has_its_reservation_and_what_it_refused() {
    let world = World::new(POLICY);
    world.calls("mail", 1);
    world.pass(1);
    let function = Arc::clone(&world.snapshot.read().functions()[0]);
    let permits: Vec<_> = (0..4).map(|_| function.reserve().unwrap()).collect();
    (0..3).for_each(|_| assert!(function.reserve().is_err()));
    world.pass(1);
    drop(permits);
    world.pass(1);
    let of = Of::Function("fn".into());
    assert_eq!(world.figure(&of, "in_use"), [0.0, 4.0, 0.0]);
    assert_eq!(world.figure(&of, "reserved"), [4.0; 3]);
    let throttled = world.figure(&of, "throttled");
    assert!(throttled[0].is_nan(), "what was before is not known");
    assert_eq!(throttled[1..], [3.0, 0.0]);
    assert_eq!(world.figure(&Of::Pool, "in_use"), [0.0, 4.0, 0.0]);
}

#[test]
fn a_late_sample_spreads_its_calls_over_the_seconds_it_stands_for() {
    let world = World::new(POLICY);
    world.calls("mail", 1);
    world.pass(1);
    world.calls("mail", 12);
    world.pass(4);
    world.calls("mail", 2);
    world.pass(0); // the same second again: these belong to the next
    world.pass(1);
    assert_eq!(world.figure(&of_route("mail"), "calls"), [1.0, 3.0, 3.0, 3.0, 3.0, 2.0]);
    assert_eq!(world.figure(&Of::Gateway, "calls"), [1.0, 3.0, 3.0, 3.0, 3.0, 2.0]);
}

#[test]
fn series_stay_over_a_reload_by_name() {
    let world = World::new(POLICY);
    world.calls("mail", 5);
    world.pass(1);
    world.reload(&POLICY.replace("80%", "60%"));
    world.calls("mail", 7);
    world.pass(1);
    assert_eq!(world.figure(&of_route("mail"), "calls"), [5.0, 7.0]);
    assert_eq!(world.figure(&of_route("mail"), "threshold.workers"), [0.8, 0.6]);
    // A policy without the route: its last calls are counted, its gauges are gone.
    world.reload(&POLICY.replace("mail: {", "post: {"));
    world.pass(1);
    assert_eq!(world.figure(&of_route("mail"), "calls"), [5.0, 7.0, 0.0]);
    assert!(world.figure(&of_route("mail"), "in_flight")[2].is_nan());
}

#[test]
fn hours_have_the_mean_and_the_highest_second() {
    let world = World::new(POLICY);
    // To the end of a minute, and then ten of them.
    for second in 1..=640 {
        world.calls("mail", if second % 60 == 30 { 61 } else { 1 });
        world.pass(1);
    }
    let mail = of_route("mail");
    let of = |span, figure: &str| {
        let points = world.points(&mail, span);
        let found = points.figures.iter().find(|(known, _)| *known == figure).unwrap();
        (points.count, points.to_unix_s, found.1.clone())
    };
    let (count, to, calls) = of(Span::SixHours, "calls.max");
    assert!(count >= 63 && (to + 1).is_multiple_of(10), "{count} {to}");
    assert_eq!(calls.iter().filter(|most| **most > 60.0).count(), 11, "each burst is one point");
    let (count, to, calls) = of(Span::Day, "calls");
    assert!(count >= 10 && (to + 1).is_multiple_of(60), "{count} {to}");
    assert!(calls[1..].iter().all(|mean| (mean - 2.0).abs() < 0.001), "{calls:?}");
    let (_, _, most) = of(Span::Day, "calls.max");
    assert!(most[1..].iter().all(|most| (most - 61.0).abs() < 0.001), "{most:?}");
}

#[test]
fn memory_is_what_is_documented_if_everything_moves_all_day() {
    let kib = |figures: &'static [columns::Figure]| {
        let mut table = Table::new(figures);
        let mut row = vec![0.0; figures.len()];
        for second in 0..86_400_u64 {
            row.fill((second % 977) as f32);
            let fine = super::super::window::Fine::default();
            fine.observe(second * 1_000_000);
            let mut took = super::super::window::FineSum::default();
            took.add(&fine);
            table.push(second, &row, Some(&took));
        }
        table.bytes().div_ceil(1024)
    };
    assert_eq!([columns::ROUTE, columns::UPSTREAM, columns::FUNCTION].map(kib), [459, 115, 83]);
}

#[test]
fn no_more_routes_are_kept_than_there_is_room_for() {
    let world = World::new(POLICY);
    for at in 0..=ROUTES_MAX {
        world.calls(&format!("r{at}"), 1);
    }
    world.pass(1);
    let all: Vec<_> = (0..=ROUTES_MAX)
        .map(|at| world.series.read(&of_route(&format!("r{at}")), Span::Quarter))
        .collect();
    assert_eq!(all.iter().filter(|kept| **kept == Kept::NoRoom).count(), 1);
    assert_eq!(world.figure(&Of::Gateway, "calls"), [129.0], "the gateway's are whole");
}
