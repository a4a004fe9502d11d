//! What goes on now: the process, routes, upstreams, functions.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use sumun_engine::admission::ThresholdView;
use sumun_engine::quota::{Function, PoolView};
use sumun_engine::route::Route;
use sumun_engine::signals::{SignalState, SignalView};
use sumun_engine::snapshot::Snapshot;
use sumun_engine::time::Moment;
use sumun_engine::upstream::Upstream;
use sumun_policy::policy::{CpuOf, Mode};

use crate::admin::Desk;
use crate::admin::fault::Fault;
use crate::admin::input::Segment;
use crate::admin::watch::{Counts, Quantiles, Readiness, RecordingFigures, Watch};
use crate::sense::finding::Finding;

type Answer<T> = Result<Json<T>, Fault>;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Status {
    version: &'static str,
    uptime_s: u64,
    ready: bool,
    reason: Option<String>,
    revision: u64,
    policy: PolicyState,
    /// What is wrong with `callers.jwt_keys` and `callers.api_keys`: where something is, the older keys
    /// are used.
    key_problems: Vec<String>,
    stores: Stores,
    workers: usize,
    limits: Limits,
    /// What is kept of calls for previews; null: nothing is.
    recording: Option<RecordingFigures>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct PolicyState {
    ok: bool,
    problems: usize,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Stores {
    /// `memory`, or `redis` with memory as its first tier.
    cache: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<Redis>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Redis {
    /// Whether it is used; where not, calls go on without it.
    up: bool,
    since_s: u64,
    reason: Option<String>,
    purges_pending: usize,
    queued_bytes: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Limits {
    connections: usize,
    connections_max: usize,
}

/// `GET /api/v1/status`.
pub(super) async fn status(State(desk): State<Arc<Desk>>) -> Json<Status> {
    Json(Status::of(&desk))
}

impl Status {
    pub(super) fn of(desk: &Desk) -> Self {
        let reason = match desk.watch.readiness() {
            Readiness::Ready => None,
            Readiness::NotReady(reason) => Some(reason.into_owned()),
        };
        let policy = desk.reload.status();
        let bounds = desk.watch.bounds();
        let redis = desk.watch.shared_store().map(|store| Redis {
            up: store.up,
            since_s: store.since.as_secs(),
            reason: store.reason,
            purges_pending: store.purges_pending,
            queued_bytes: store.queued_bytes,
        });
        let cache = if redis.is_some() { "redis" } else { "memory" };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            uptime_s: desk.watch.uptime().as_secs(),
            ready: reason.is_none(),
            reason,
            revision: policy.revision,
            policy: PolicyState { ok: policy.ok, problems: policy.problems.len() },
            key_problems: desk.watch.key_problems(),
            stores: Stores { cache, redis },
            workers: bounds.workers,
            limits: Limits {
                connections: desk.watch.connections(),
                connections_max: bounds.connections_max,
            },
            recording: desk.watch.recording(),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Routes {
    routes: Vec<RouteState>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Route"))]
pub(super) struct RouteState {
    name: String,
    class: &'static str,
    /// `enforce`, `shadow` or `off`; null where the route has no thresholds.
    mode: Option<&'static str>,
    upstream: String,
    function: Option<String>,
    rate: f64,
    in_flight: u32,
    limit: Option<u32>,
    admitted: u64,
    refused: Counts,
    shadow_refused: Counts,
    cache: Counts,
    latency_ms: Option<Quantiles>,
    signals: Vec<Signal>,
}

/// A threshold and what is compared with it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Signal {
    #[serde(rename = "signal")]
    name: &'static str,
    value: Option<f64>,
    age_ms: Option<u64>,
    state: &'static str,
    threshold: Threshold,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Threshold {
    enter: f64,
    exit: f64,
}

/// `GET /api/v1/routes`.
pub(super) async fn routes(State(desk): State<Arc<Desk>>) -> Answer<Routes> {
    let routes = desk.look(|snapshot| RouteState::all(snapshot, &*desk.watch))?;
    Ok(Json(Routes { routes }))
}

/// `GET /api/v1/routes/{name}`.
pub(super) async fn route(
    State(desk): State<Arc<Desk>>,
    Segment(name): Segment,
) -> Answer<RouteState> {
    let find = |snapshot: &Snapshot| {
        let route = snapshot.routes().iter().find(|route| route.policy.name.as_str() == name);
        route.map(|route| RouteState::of(route, &*desk.watch))
    };
    desk.look(find)?.map(Json).ok_or_else(|| Fault::unknown(format!("there is no route `{name}`")))
}

impl RouteState {
    /// Every route of a policy.
    pub(super) fn all(snapshot: &Snapshot, watch: &dyn Watch) -> Vec<Self> {
        snapshot.routes().iter().map(|route| Self::of(route, watch)).collect()
    }

    fn of(route: &Route, watch: &dyn Watch) -> Self {
        let policy = &route.policy;
        let figures = watch.route(policy.name.as_str()).unwrap_or_default();
        let signals = route.upstream.signals(watch.now());
        let own_cpu = match policy.admission.as_ref().and_then(|a| a.cpu) {
            Some(cpu) if cpu.of == CpuOf::Gateway => Some(watch.own_cpu()),
            _ => None,
        };
        let signal = |threshold: ThresholdView| match (threshold.signal, own_cpu) {
            ("rps", _) => Signal::now(threshold, Some(figures.rate)),
            ("cpu", Some(own)) => Signal::now(threshold, own),
            _ => Signal::of_upstream(threshold, &signals),
        };
        Self {
            name: policy.name.to_string(),
            class: policy.class.as_str(),
            mode: policy.admission.as_ref().map(|admission| match admission.mode {
                Mode::Enforce => "enforce",
                Mode::Shadow => "shadow",
                Mode::Off => "off",
            }),
            upstream: policy.target.upstream().to_string(),
            function: policy.target.function().map(ToString::to_string),
            rate: figures.rate,
            in_flight: route.in_flight(),
            limit: route.limit(),
            admitted: figures.admitted,
            signals: route.thresholds().into_iter().map(signal).collect(),
            refused: figures.refused,
            shadow_refused: figures.shadow_refused,
            cache: figures.cache,
            latency_ms: figures.latency_ms,
        }
    }
}

impl Signal {
    /// Something that the gateway itself counts: never old.
    fn now(threshold: ThresholdView, value: Option<f64>) -> Self {
        let state = if value.is_some() { SignalState::Fresh } else { SignalState::Absent };
        Self::new(threshold, value, value.map(|_| 0), state)
    }

    /// Of an upstream's endpoints the most loaded one with the freshest kind of reading.
    fn of_upstream(threshold: ThresholdView, signals: &[SignalView]) -> Self {
        match SignalView::worst(signals, threshold.signal) {
            Some(view) => Self::new(threshold, view.value, view.age.map(age_ms), view.state),
            None => Self::new(threshold, None, None, SignalState::Absent),
        }
    }

    fn new(
        threshold: ThresholdView,
        value: Option<f64>,
        age_ms: Option<u64>,
        state: SignalState,
    ) -> Self {
        Self {
            name: threshold.signal,
            value,
            age_ms,
            state: state.as_str(),
            threshold: Threshold { enter: threshold.enter, exit: threshold.exit },
        }
    }
}

fn age_ms(age: std::time::Duration) -> u64 {
    u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Upstreams {
    upstreams: Vec<UpstreamState>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Upstream"))]
struct UpstreamState {
    name: String,
    in_flight: u32,
    endpoints: Vec<EndpointState>,
    signals: Vec<EndpointSignal>,
    /// What is wrong with the signals, in words.
    findings: Vec<Finding>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Endpoint"))]
struct EndpointState {
    address: String,
    state: &'static str,
    in_flight: u32,
    failures: u32,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct EndpointSignal {
    endpoint: String,
    signal: &'static str,
    value: Option<f64>,
    age_ms: Option<u64>,
    state: &'static str,
}

/// `GET /api/v1/upstreams`.
pub(super) async fn upstreams(State(desk): State<Arc<Desk>>) -> Answer<Upstreams> {
    let now = desk.watch.now();
    let upstreams = desk.look(|snapshot| {
        let of = |upstream: &Arc<Upstream>| UpstreamState::of(upstream, &*desk.watch, now);
        snapshot.upstreams().iter().map(of).collect()
    })?;
    Ok(Json(Upstreams { upstreams }))
}

impl UpstreamState {
    fn of(upstream: &Upstream, watch: &dyn Watch, now: Moment) -> Self {
        let endpoints = upstream.endpoints().iter().map(|endpoint| {
            let view = endpoint.view(now);
            EndpointState {
                address: view.address,
                state: view.state,
                in_flight: view.in_flight,
                failures: view.failures,
            }
        });
        let signals = upstream.signals(now).into_iter().map(|view| EndpointSignal {
            endpoint: view.endpoint,
            signal: view.signal,
            value: view.value,
            age_ms: view.age.map(age_ms),
            state: view.state.as_str(),
        });
        Self {
            name: upstream.policy.name.to_string(),
            in_flight: upstream.in_flight(),
            endpoints: endpoints.collect(),
            signals: signals.collect(),
            findings: watch.findings(upstream.policy.name.as_str()),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Functions {
    pool: PoolState,
    functions: Vec<FunctionState>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Pool"))]
struct PoolState {
    total: u32,
    unreserved: u32,
    unreserved_in_use: u32,
    in_use: u32,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Function"))]
pub(super) struct FunctionState {
    name: String,
    upstream: String,
    reserved: Option<u32>,
    in_use: u32,
    peak: u32,
    throttled: u64,
}

/// `GET /api/v1/functions`.
pub(super) async fn functions(State(desk): State<Arc<Desk>>) -> Answer<Functions> {
    desk.look(Functions::of).map(Json)
}

impl Functions {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let PoolView { total, unreserved, unreserved_in_use, in_use } = snapshot.pool();
        Self {
            pool: PoolState { total, unreserved, unreserved_in_use, in_use },
            functions: snapshot.functions().iter().map(|f| FunctionState::of(f)).collect(),
        }
    }
}

/// `GET /api/v1/functions/{name}`.
pub(super) async fn function(
    State(desk): State<Arc<Desk>>,
    Segment(name): Segment,
) -> Answer<FunctionState> {
    let find = |snapshot: &Snapshot| {
        let function = snapshot.functions().iter().find(|f| f.policy.name.as_str() == name);
        function.map(|function| FunctionState::of(function))
    };
    desk.look(find)?
        .map(Json)
        .ok_or_else(|| Fault::unknown(format!("there is no function `{name}`")))
}

impl FunctionState {
    fn of(function: &Function) -> Self {
        let view = function.view();
        Self {
            name: view.name.to_string(),
            upstream: function.policy.upstream.to_string(),
            reserved: view.reserved,
            in_use: view.in_use,
            peak: view.peak,
            throttled: view.throttled,
        }
    }
}
