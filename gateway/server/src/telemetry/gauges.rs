//! What telemetry reads of the engine when somebody asks: the state of this moment.

use std::time::Duration;

use sumun_policy::units::Name;

use super::cells::HistogramSum;

/// Where the state of this moment is read; the gateway implements it over its snapshot.
pub trait Gauges: Send + Sync {
    /// Everything at once, so that numbers of one answer belong together.
    fn read(&self) -> LiveState;
}

/// The state of this moment. Each list is bounded by the policy.
#[derive(Clone, Debug, Default)]
pub struct LiveState {
    /// Routes of the running policy.
    pub routes: Vec<RouteState>,
    /// Signals, also several of one upstream (one an endpoint): the highest value and age count.
    pub signals: Vec<SignalState>,
    /// Findings of the doctor, of each upstream whose signals are watched.
    pub findings: Vec<(Name, u64)>,
    /// Functions of the running policy.
    pub functions: Vec<FunctionState>,
    /// What the shared cache holds.
    pub cache: CacheState,
    /// Whether the policy files as they are now were taken over.
    pub policy_ok: bool,
    /// Revision of the running policy.
    pub policy_revision: u64,
    /// Client connections of the data listener.
    pub connections: u64,
    /// Bytes of recorded calls, and calls lost for want of room; `None`: nothing is recorded.
    pub recording: Option<(u64, u64)>,
    /// Stores outside this process; none where everything is kept in it.
    pub stores: Vec<StoreState>,
}

/// What the shared cache holds in this process.
#[derive(Clone, Debug, Default)]
pub struct CacheState {
    /// Bytes, metadata included.
    pub bytes: u64,
    /// Keys with something stored.
    pub entries: u64,
    /// Routes that cache, and how many of their answers went for want of room.
    pub evictions: Vec<(Name, u64)>,
}

/// A store outside this process.
#[derive(Clone, Debug)]
pub struct StoreState {
    /// Its kind: `redis`.
    pub store: &'static str,
    /// Whether it is used now.
    pub up: bool,
    /// Operation, result, how many.
    pub ops: Vec<(&'static str, &'static str, u64)>,
    /// Operation, how long it took.
    pub durations: Vec<(&'static str, HistogramSum)>,
}

/// A route at this moment.
#[derive(Clone, Debug)]
pub struct RouteState {
    /// Its name.
    pub route: Name,
    /// Calls in flight.
    pub in_flight: u32,
    /// The limit on them; `None`: unlimited.
    pub limit: Option<u32>,
    /// Each signal with the bound over which calls are shed.
    pub thresholds: Vec<(&'static str, f64)>,
}

/// A signal of one endpoint at this moment.
#[derive(Clone, Debug)]
pub struct SignalState {
    /// The upstream.
    pub upstream: Name,
    /// `cpu`, `workers` or `rps`.
    pub signal: &'static str,
    /// Its value; `None`: never seen.
    pub value: Option<f64>,
    /// Time since it was read; `None`: never.
    pub age: Option<Duration>,
}

/// A function at this moment.
#[derive(Clone, Debug)]
pub struct FunctionState {
    /// Its name.
    pub function: Name,
    /// Its own slots; `None`: it shares the unreserved pool.
    pub reserved: Option<u32>,
    /// Slots in use.
    pub in_use: u32,
    /// Calls refused for want of a slot, since the start.
    pub throttled: u64,
}
