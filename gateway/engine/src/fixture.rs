//! Policies by hand, for tests.
#![allow(clippy::unwrap_used)] // a fixture that is wrong should stop its test here

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use sumun_policy::Policy;
use sumun_policy::policy::{
    Admission, Class, Cpu, CpuOf, Endpoint, Function, HostPattern, Hysteresis, Match, Mode,
    OnStale, Origin, PathPattern, Per, Protocol, Route, Rps, Segment, Signals, Source, Target,
    Timeout, Upstream, WorkerSeries, Workers,
};
use sumun_policy::units::{Name, Percent};

use crate::time::Moment;

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn at_ms(ms: u64) -> Moment {
    Moment::from_nanos(ms * 1_000_000)
}

pub(crate) fn percent(percent: u32) -> Percent {
    Percent::from_ratio(f64::from(percent) / 100.0).unwrap()
}

pub(crate) fn bounds(enter: u32, exit: u32) -> Hysteresis {
    Hysteresis { enter: percent(enter), exit: percent(exit) }
}

/// A threshold on workers; who waits, waits as long as anybody may.
pub(crate) fn threshold(enter: u32, exit: u32, full: u32) -> Workers {
    let wait = Some(Duration::from_millis(250));
    Workers { bounds: bounds(enter, exit), full: percent(full), wait }
}

pub(crate) fn address(port: u16) -> Endpoint {
    Endpoint { tls: false, host: "127.0.0.1".into(), port }
}

/// An upstream without signals.
pub(crate) fn upstream(text: &str, ports: &[u16]) -> Upstream {
    Upstream {
        name: name(text),
        origin: origin(),
        endpoints: ports.iter().copied().map(address).collect(),
        protocol: Protocol::Auto,
        timeout: Timeout::default(),
        signals: None,
        workers_max: None,
    }
}

/// Actuator, each second.
pub(crate) fn actuator() -> Signals {
    Signals {
        source: Source::Actuator,
        path: "/actuator/prometheus".into(),
        every: Duration::from_secs(1),
        workers: Some(WorkerSeries { busy: "busy".into(), max: "max".into() }),
        cpu: Some("cpu".into()),
    }
}

/// A route of a class to an upstream, without thresholds.
pub(crate) fn route(text: &str, path: &str, class: Class, to: &str) -> Route {
    Route {
        name: name(text),
        origin: origin(),
        matcher: Match {
            methods: Vec::new(),
            path: pattern(path),
            host: None,
            headers: Vec::new(),
        },
        target: Target::Upstream(name(to)),
        class,
        admission: None,
        cache: None,
        websocket: false,
        strict_path: true,
    }
}

/// Enforced, without thresholds.
pub(crate) fn admission() -> Admission {
    Admission {
        mode: Mode::Enforce,
        rps: None,
        cpu: None,
        workers: None,
        on_stale: OnStale::Proven,
    }
}

/// With a ramp from `enter` to the last worker.
pub(crate) fn workers(enter: u32, exit: u32) -> Admission {
    Admission { workers: Some(threshold(enter, exit, 100)), ..admission() }
}

pub(crate) fn cpu(enter: u32, exit: u32) -> Admission {
    let cpu = Cpu { of: CpuOf::Upstream, bounds: bounds(enter, exit) };
    Admission { cpu: Some(cpu), ..admission() }
}

pub(crate) fn rps(limit: f64, burst: u32) -> Admission {
    Admission { rps: Some(Rps { limit, burst, per: Per::Route }), ..admission() }
}

pub(crate) fn function(text: &str, to: &str, reserved: Option<u32>) -> Function {
    Function { name: name(text), origin: origin(), upstream: name(to), reserved }
}

pub(crate) fn policy(
    upstreams: impl IntoIterator<Item = Upstream>,
    routes: impl IntoIterator<Item = Route>,
) -> Policy {
    Policy {
        upstreams: upstreams.into_iter().map(|u| (u.name.clone(), u)).collect(),
        routes: routes.into_iter().map(|r| (r.name.clone(), r)).collect(),
        ..Policy::default()
    }
}

/// `*.suffix` or an exact host.
pub(crate) fn host(text: &str) -> HostPattern {
    match text.strip_prefix('*') {
        Some(suffix) => HostPattern::Suffix(suffix.into()),
        None => HostPattern::Exact(text.into()),
    }
}

pub(crate) fn header(name: &str, value: &str) -> (HeaderName, HeaderValue) {
    (name.parse().unwrap(), value.parse().unwrap())
}

pub(crate) fn method(text: &str) -> Method {
    text.parse().unwrap()
}

pub(crate) fn pattern(path: &str) -> PathPattern {
    let rest = path.ends_with("/**");
    let path = path.strip_suffix("/**").unwrap_or(path).trim_start_matches('/');
    let segment = |text: &str| match text {
        "*" => Segment::Any,
        text => Segment::Literal(text.into()),
    };
    let segments = path.split('/').filter(|text| !text.is_empty()).map(segment).collect();
    PathPattern { segments, rest }
}

fn origin() -> Origin {
    Origin { file: Arc::from("test.yaml"), line: 1 }
}
