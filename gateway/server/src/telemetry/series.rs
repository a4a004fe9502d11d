//! What was: figures kept second by second for a quarter of an hour, in tens of seconds for six
//! hours, in minutes for a day; of the gateway, of each route, upstream and function, and of the pool.
//!
//! Taken by the once-a-second sampler from counters and gauges that are there anyhow, so the path
//! does nothing for it. Begins with the first call: a gateway or a route without one keeps nothing.
//! Kept by name, so it stays over reloads; a process that ends takes it along.
//!
//! Bounds: [`ROUTES_MAX`] routes, [`OTHERS_MAX`] upstreams and functions each. A figure takes four
//! bytes a point, and none while it has never changed (a threshold, a reason for which nobody was
//! refused). A route's 21 figures and 6 peaks are 459 KiB if all of them move for a day; a busy route
//! with a worker threshold takes about 270. An upstream has at most 115 KiB, a function 83.

mod column;
mod columns;
mod rows;
mod shelf;
mod table;
mod tier;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use serde::Deserialize;
use sumun_engine::{Moment, Snapshot};

use self::rows::Turn;
use self::shelf::Shelf;
use self::table::Table;
pub use self::tier::Points;
use super::meters::RouteMeters;
use super::step::Step;

/// Most routes with kept figures: as many as people look at, for at most 58 MiB. A route that is called
/// while there are as many takes the place of one that was not for a quarter of an hour.
pub const ROUTES_MAX: usize = 128;

/// Most upstreams, and most functions, with kept figures.
pub const OTHERS_MAX: usize = 128;

/// Seconds of a [`Sketch`] that is of no [`Span`].
pub const RECENT_S: usize = 60;

/// How far to look back, and at which resolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
pub enum Span {
    /// Seconds.
    #[default]
    #[serde(rename = "15m")]
    Quarter,
    /// Ten seconds.
    #[serde(rename = "6h")]
    SixHours,
    /// Minutes.
    #[serde(rename = "24h")]
    Day,
}

/// Of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// All calls.
    Gateway,
    /// The pool that functions share.
    Pool,
    /// A route by its name.
    Route(String),
    /// An upstream by its name.
    Upstream(String),
    /// A function by its name.
    Function(String),
}

/// What is kept of one thing.
#[derive(Clone, Debug, PartialEq)]
pub enum Kept {
    /// Something.
    Points(Points),
    /// Nothing: it was not called yet, or there is no such thing.
    Nothing,
    /// Nothing: others have all the places.
    NoRoom,
}

/// Every route in a few points: the last minute, or a whole [`Span`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketch {
    /// The last second of the newest point, since 1970; of a span it may be yet to come.
    pub to_unix_s: u64,
    /// Seconds of a point.
    pub every_s: u64,
    /// By route, the oldest point first, at most [`RECENT_S`], or twice as many and one of a span:
    /// calls and refusals a second.
    pub routes: BTreeMap<String, (Vec<f32>, Vec<f32>)>,
}

/// What the sampler sees of the gateway.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The policy that runs.
    pub snapshot: Arc<Snapshot>,
    /// On the snapshot's clock.
    pub now: Moment,
    /// The gateway's own CPU, a share.
    pub own_cpu: Option<f64>,
    /// Client connections.
    pub connections: u64,
}

/// Where the sampler looks; the gateway implements it.
pub trait Observe: Send + Sync {
    /// The gateway at this moment.
    fn observe(&self) -> Observed;
}

/// All that is kept.
#[derive(Default)]
pub struct Series {
    observe: OnceLock<Weak<dyn Observe>>,
    shelves: Mutex<Shelves>,
}

struct Shelves {
    /// The second that was sampled last.
    second: Option<u64>,
    gateway: Option<Table>,
    pool: Option<Table>,
    routes: Shelf,
    upstreams: Shelf,
    functions: Shelf,
}

/// What was called in a second, by its place in the snapshot.
struct Called {
    upstreams: Vec<bool>,
    functions: Vec<bool>,
}

// === impl Series ===

impl Series {
    /// Looks here from now on; before, and after it is gone, nothing is kept.
    pub fn begin(&self, observe: Weak<dyn Observe>) {
        // A second gateway on the same telemetry would be a second truth.
        let _ = self.observe.set(observe);
    }

    /// Takes the sample of a second (since 1970), of routes with their calls so far. Where seconds
    /// were missed, their calls are spread over them; in a second that was sampled before, it does
    /// nothing, and what was counted belongs to the next.
    pub(super) fn tick(&self, second: u64, routes: &[(Arc<RouteMeters>, u64)]) {
        let Some(observe) = self.observe.get().and_then(Weak::upgrade) else { return };
        let mut shelves = self.shelves.lock();
        let elapsed_s = shelves.second.map_or(1, |last| second.saturating_sub(last));
        if elapsed_s > 0 {
            shelves.second = Some(second);
            shelves.take(&Turn::new(second, elapsed_s, observe.observe()), routes);
        }
    }

    /// What is kept of something.
    pub fn read(&self, of: &Of, span: Span) -> Kept {
        let shelves = self.shelves.lock();
        let named = |shelf: &Shelf, name: &str| match shelf.get(name) {
            Some(table) => Kept::Points(table.points(span)),
            None if shelf.is_full() => Kept::NoRoom,
            None => Kept::Nothing,
        };
        let only = |table: &Option<Table>| {
            table.as_ref().map_or(Kept::Nothing, |table| Kept::Points(table.points(span)))
        };
        match of {
            Of::Gateway => only(&shelves.gateway),
            Of::Pool => only(&shelves.pool),
            Of::Route(name) => named(&shelves.routes, name),
            Of::Upstream(name) => named(&shelves.upstreams, name),
            Of::Function(name) => named(&shelves.functions, name),
        }
    }

    /// Every kept route in a few points: of a span, or of the last minute.
    pub fn sketch(&self, span: Option<Span>) -> Sketch {
        let shelves = self.shelves.lock();
        let routes = shelves.routes.all().map(|(name, table)| {
            let of = |figure| match span {
                Some(span) => table.sketched(figure, span),
                None => table.newest(figure, RECENT_S),
            };
            (name.as_str().to_owned(), (of("calls"), of("refused")))
        });
        let routes = routes.collect();
        let every_s = span.map_or(1, Span::sketched_every_s);
        let to_unix_s = shelves.second.map_or(0, |second| match span {
            Some(span) => span.sketched_end(second),
            None => second,
        });
        Sketch { to_unix_s, every_s, routes }
    }

    /// Memory, bytes.
    pub fn bytes(&self) -> usize {
        let shelves = self.shelves.lock();
        let shelf = |shelf: &Shelf| shelf.all().map(|(_, table)| table.bytes()).sum::<usize>();
        let only = [&shelves.gateway, &shelves.pool].into_iter().flatten();
        only.map(Table::bytes).sum::<usize>()
            + [&shelves.routes, &shelves.upstreams, &shelves.functions]
                .map(shelf)
                .iter()
                .sum::<usize>()
    }
}

// === impl Shelves ===

impl Default for Shelves {
    fn default() -> Self {
        Self {
            second: None,
            gateway: None,
            pool: None,
            routes: Shelf::new(columns::ROUTE, ROUTES_MAX),
            upstreams: Shelf::new(columns::UPSTREAM, OTHERS_MAX),
            functions: Shelf::new(columns::FUNCTION, OTHERS_MAX),
        }
    }
}

impl Shelves {
    fn take(&mut self, turn: &Turn, routes: &[(Arc<RouteMeters>, u64)]) {
        let mut called = Called::nothing(&turn.observed().snapshot);
        let mut sum = Step::default();
        for (meters, calls) in routes {
            let Some(step) = meters.step(*calls) else { continue };
            sum.add(&step);
            let Some(name) = meters.route() else { continue };
            let (route, is_called) = (turn.find(name), step.calls() > 0);
            if is_called && let Some(route) = route {
                called.note(route, &turn.observed().snapshot);
            }
            if let Some(kept) = self.routes.at(name, turn.second, is_called) {
                let row = turn.route(&step, route);
                kept.table.push(turn.second, &row, Some(&step.durations));
            }
        }
        if self.gateway.is_some() || sum.calls() > 0 {
            let table = self.gateway.get_or_insert_with(|| Table::new(columns::GATEWAY));
            table.push(turn.second, &turn.gateway(&sum), Some(&sum.durations));
        }
        self.take_others(turn, &called);
        for shelf in [&mut self.routes, &mut self.upstreams, &mut self.functions] {
            shelf.end(turn.second);
        }
    }

    fn take_others(&mut self, turn: &Turn, called: &Called) {
        let snapshot = &turn.observed().snapshot;
        for (upstream, is_called) in snapshot.upstreams().iter().zip(&called.upstreams) {
            let name = &upstream.policy.name;
            if let Some(kept) = self.upstreams.at(name, turn.second, *is_called) {
                kept.table.push(turn.second, &turn.upstream(upstream), None);
            }
        }
        for (function, is_called) in snapshot.functions().iter().zip(&called.functions) {
            let name = &function.policy.name;
            if let Some(kept) = self.functions.at(name, turn.second, *is_called) {
                let row = turn.function(&function.view(), &mut kept.counted);
                kept.table.push(turn.second, &row, None);
            }
        }
        if self.pool.is_some() || called.functions.contains(&true) {
            let table = self.pool.get_or_insert_with(|| Table::new(columns::POOL));
            table.push(turn.second, &Turn::pool(&snapshot.pool()), None);
        }
    }
}

// === impl Called ===

impl Called {
    fn nothing(snapshot: &Snapshot) -> Self {
        Self {
            upstreams: vec![false; snapshot.upstreams().len()],
            functions: vec![false; snapshot.functions().len()],
        }
    }

    fn note(&mut self, route: &sumun_engine::Route, snapshot: &Snapshot) {
        self.upstreams[route.upstream.index] = true;
        if let Some(function) = &route.function {
            let all = snapshot.functions();
            let at = all.binary_search_by(|known| known.policy.name.cmp(&function.policy.name));
            if let Ok(at) = at {
                self.functions[at] = true;
            }
        }
    }
}

#[cfg(test)]
mod tests;
