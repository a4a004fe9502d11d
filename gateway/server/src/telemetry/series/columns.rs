//! Which figures are kept, of what, and how a minute's is made from its seconds.

/// How seconds are rolled up into a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Roll {
    /// Their mean; of counts that is calls a second.
    Mean,
    /// The least: of limits, the one that hurt.
    Least,
    /// The newest.
    Last,
    /// The duration under which this share of all calls lie, ms: not a mean of quantiles, which
    /// would be none, but counted anew.
    Quantile(f64),
}

/// One figure.
#[derive(Debug)]
pub(super) struct Figure {
    /// As the API has it.
    pub name: &'static str,
    /// How it is rolled up.
    pub roll: Roll,
    /// The name under which its highest second is kept too, where that matters.
    pub peak: Option<&'static str>,
    /// Whether it is zero for most: then a list of zeros is not told.
    pub rare: bool,
}

const fn mean(name: &'static str) -> Figure {
    Figure { name, roll: Roll::Mean, peak: None, rare: false }
}

const fn peaked(name: &'static str, peak: &'static str) -> Figure {
    Figure { name, roll: Roll::Mean, peak: Some(peak), rare: false }
}

const fn rare(name: &'static str) -> Figure {
    Figure { name, roll: Roll::Mean, peak: None, rare: true }
}

const fn rolled(name: &'static str, roll: Roll) -> Figure {
    Figure { name, roll, peak: None, rare: false }
}

const CALLS: Figure = peaked("calls", "calls.max");
const ADMITTED: Figure = mean("admitted");
const REFUSED: Figure = peaked("refused", "refused.max");
const REFUSED_RPS: Figure = rare("refused.rps_over");
const REFUSED_CPU: Figure = rare("refused.cpu_over");
const REFUSED_WORKERS: Figure = rare("refused.workers_over");
const REFUSED_QUOTA: Figure = rare("refused.quota_full");
const REFUSED_OTHER: Figure = rare("refused.other");
const SHADOW: Figure = rare("shadow_refused");
const STALE: Figure = rare("stale");
const HITS: Figure = rare("cache.hits");
const MISSES: Figure = rare("cache.misses");
const IN_FLIGHT: Figure = peaked("in_flight", "in_flight.max");
const P50: Figure = rolled("latency_ms.p50", Roll::Quantile(0.50));
const P99: Figure = Figure {
    name: "latency_ms.p99",
    roll: Roll::Quantile(0.99),
    peak: Some("latency_ms.p99.max"),
    rare: false,
};
const CPU: Figure = peaked("signal.cpu", "signal.cpu.max");
const WORKERS: Figure = peaked("signal.workers", "signal.workers.max");

/// Of a route. The order is that of [`super::rows`].
pub(super) const ROUTE: &[Figure] = &[
    CALLS,
    ADMITTED,
    REFUSED,
    REFUSED_RPS,
    REFUSED_CPU,
    REFUSED_WORKERS,
    REFUSED_QUOTA,
    REFUSED_OTHER,
    SHADOW,
    STALE,
    HITS,
    MISSES,
    P50,
    P99,
    IN_FLIGHT,
    rolled("limit", Roll::Least),
    CPU,
    WORKERS,
    rolled("threshold.rps", Roll::Last),
    rolled("threshold.cpu", Roll::Last),
    rolled("threshold.workers", Roll::Last),
];

/// Of the whole gateway, calls without a route included; the CPU is its own.
pub(super) const GATEWAY: &[Figure] = &[
    CALLS,
    ADMITTED,
    REFUSED,
    REFUSED_RPS,
    REFUSED_CPU,
    REFUSED_WORKERS,
    REFUSED_QUOTA,
    REFUSED_OTHER,
    SHADOW,
    STALE,
    HITS,
    MISSES,
    P50,
    P99,
    IN_FLIGHT,
    peaked("connections", "connections.max"),
    CPU,
];

/// Of an upstream.
pub(super) const UPSTREAM: &[Figure] =
    &[IN_FLIGHT, rolled("endpoints_up", Roll::Least), CPU, WORKERS];

/// Of a function.
pub(super) const FUNCTION: &[Figure] = &[
    peaked("in_use", "in_use.max"),
    rolled("reserved", Roll::Last),
    peaked("throttled", "throttled.max"),
];

/// Of the pool that functions share.
pub(super) const POOL: &[Figure] = &[
    peaked("in_use", "in_use.max"),
    peaked("unreserved_in_use", "unreserved_in_use.max"),
    rolled("total", Roll::Last),
    rolled("unreserved", Roll::Last),
];
