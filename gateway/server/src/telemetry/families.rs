//! Every metric there is, once: `/metrics` and OTLP are two spellings of what is gathered here.

mod cache;
mod traces;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cells::{HistogramSum, SERIES_OVERFLOW, SeriesKey};
use super::gates::GateTotals;
use super::gauges::LiveState;
use super::labels::method_label;
use super::meters::{EndpointMeters, RouteMeters, split_key};
use super::process::ProcessState;
use super::traces::TraceCounts;

/// A metric with all its points.
#[derive(Clone, Debug)]
pub struct Family {
    /// Name in Prometheus' spelling, unit and `_total` included.
    pub name: &'static str,
    /// Name in OpenTelemetry's spelling.
    pub otel_name: &'static str,
    /// One line, no full stop.
    pub help: &'static str,
    /// UCUM, as OTLP wants it.
    pub unit: &'static str,
    /// How points add up.
    pub kind: Kind,
    /// Points, each label set once.
    pub points: Vec<Point>,
}

/// How points add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets of [`super::cells::BOUNDS_S`].
    Histogram,
}

/// One label set with its value.
#[derive(Clone, Debug)]
pub struct Point {
    /// Attributes in OpenTelemetry's spelling (`http.route`); Prometheus has `_` for the dots.
    pub labels: Vec<(&'static str, Label)>,
    /// What it stands at.
    pub value: Value,
}

/// The value of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// One of a fixed set.
    Word(&'static str),
    /// A name of the policy.
    Text(Arc<str>),
    /// A status code or port.
    Number(i64),
}

/// What a point stands at.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// Of a counter that counts whole things.
    Count(u64),
    /// Of a gauge, or a counter of seconds.
    Number(f64),
    /// Of a histogram.
    Durations(HistogramSum),
}

/// Counters that belong to no route.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    /// Spans that were to be exported and were not.
    pub spans_dropped: u64,
    /// Points of metrics that were to be exported and were not taken.
    pub points_dropped: u64,
    /// What became of the recent traces.
    pub traces: TraceCounts,
    /// Access log lines lost.
    pub lines_dropped: u64,
}

/// What is gathered from.
pub struct Sources<'a> {
    /// Every route known, and the calls that match none.
    pub routes: &'a [Arc<RouteMeters>],
    /// Every endpoint known.
    pub endpoints: &'a [Arc<EndpointMeters>],
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Engine state.
    pub live: &'a LiveState,
    /// The process.
    pub process: &'a ProcessState,
    /// The rest.
    pub totals: Totals,
}

/// Every family, in a fixed order; families without points are left out.
pub fn gather(sources: &Sources<'_>) -> Vec<Family> {
    let mut families = vec![server_durations(sources), client_durations(sources)];
    families.extend(route_counters(sources.routes));
    families.extend(route_gauges(sources.live));
    families.extend(signal_gauges(sources.live));
    families.extend(function_gauges(sources.live));
    families.extend(store_state(sources.live));
    families.extend(cache::state(sources.live));
    families.extend(own_state(sources));
    families.extend(traces::state(&sources.totals));
    families.extend(recording(sources.live));
    families.extend(sources.process.families());
    families.retain(|family| !family.points.is_empty());
    families
}

// === impl Family ===

impl Family {
    /// A counter without points.
    pub fn counter(
        name: &'static str,
        otel_name: &'static str,
        unit: &'static str,
        help: &'static str,
    ) -> Self {
        Self { name, otel_name, help, unit, kind: Kind::Counter, points: Vec::new() }
    }

    /// A gauge without points.
    pub fn gauge(
        name: &'static str,
        otel_name: &'static str,
        unit: &'static str,
        help: &'static str,
    ) -> Self {
        Self { kind: Kind::Gauge, ..Self::counter(name, otel_name, unit, help) }
    }

    /// With one point and no labels.
    #[must_use]
    pub fn with(mut self, value: Value) -> Self {
        self.points.push(Point { labels: Vec::new(), value });
        self
    }

    fn push(&mut self, labels: Vec<(&'static str, Label)>, value: Value) {
        self.points.push(Point { labels, value });
    }
}

impl Label {
    fn text(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// Labels kept of the semantic conventions: route, method, status, scheme. Left out, to keep series
/// few: `error.type` (the status says it; spans carry it) and the protocol version.
fn server_durations(sources: &Sources<'_>) -> Family {
    let mut family = Family {
        name: "http_server_request_duration_seconds",
        otel_name: "http.server.request.duration",
        help: "Duration of HTTP server requests, from the request head to the end of the answer",
        unit: "s",
        kind: Kind::Histogram,
        points: Vec::new(),
    };
    for route in sources.routes {
        let name = Label::text(route.name());
        for (key, sum) in route.durations() {
            let mut labels = Vec::with_capacity(4);
            if !route.name().is_empty() {
                labels.push(("http.route", name.clone()));
            }
            labels.push(("url.scheme", Label::Word(sources.scheme)));
            labels.extend(key_labels(key));
            family.push(labels, Value::Durations(sum));
        }
    }
    family
}

fn client_durations(sources: &Sources<'_>) -> Family {
    let mut family = Family {
        name: "http_client_request_duration_seconds",
        otel_name: "http.client.request.duration",
        help: "Duration of HTTP requests to upstreams, up to the response head",
        unit: "s",
        kind: Kind::Histogram,
        points: Vec::new(),
    };
    for endpoint in sources.endpoints {
        let (host, port) = split_address(&endpoint.address);
        for (key, sum) in endpoint.durations() {
            let mut labels = vec![("server.address", Label::text(host))];
            labels.extend(port.map(|port| ("server.port", Label::Number(port.into()))));
            labels.extend(key_labels(key));
            family.push(labels, Value::Durations(sum));
        }
    }
    family
}

/// `host:port`, an IPv6 host in brackets or not.
pub(super) fn split_address(address: &str) -> (&str, Option<u16>) {
    match address.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => {
            (host.trim_start_matches('[').trim_end_matches(']'), port.parse().ok())
        }
        _ => (address, None),
    }
}

fn key_labels(key: SeriesKey) -> Vec<(&'static str, Label)> {
    if key == SERIES_OVERFLOW {
        return vec![("otel.metric.overflow", Label::Word("true"))];
    }
    let (method, status, failure) = split_key(key);
    let mut labels = vec![("http.request.method", Label::Word(method_label(method)))];
    if status != 0 {
        labels.push(("http.response.status_code", Label::Number(status.into())));
    }
    labels.extend(failure.map(|failure| ("error.type", Label::Word(failure))));
    labels
}

/// The reason of a call that was let through.
const REASON_NONE: &str = "none";

fn route_counters(routes: &[Arc<RouteMeters>]) -> [Family; 4] {
    let mut admission = Family::counter(
        "sumun_admission_total",
        "sumun.admission",
        "{call}",
        "Calls by what admission and quota decided, in shadow mode what they would have decided",
    );
    let mut refused = Family::counter(
        "sumun_refused_total",
        "sumun.refused",
        "{call}",
        "Calls that the gateway answered itself, by code",
    );
    let mut cache = Family::counter(
        "sumun_cache_total",
        "sumun.cache.results",
        "{call}",
        "Calls of cached routes by how the cache took part",
    );
    let mut class_asked = Family::counter(
        "sumun_class_asked_total",
        "sumun.class_asked",
        "{call}",
        "Calls that said a class in Sumun-Class, by what came of it",
    );
    for route in routes {
        let name = Label::text(route.name());
        let totals = route.totals();
        for (code, count) in &totals.refused {
            let labels = vec![("route", name.clone()), ("code", Label::Word(code))];
            refused.push(labels, Value::Count(*count));
        }
        if route.name().is_empty() {
            continue; // Calls without a route were never up for admission.
        }
        for (result, count) in &totals.cache {
            let labels = vec![("route", name.clone()), ("result", Label::Word(result))];
            cache.push(labels, Value::Count(*count));
        }
        for (outcome, count) in &totals.class_asked {
            let labels = vec![("route", name.clone()), ("result", Label::Word(outcome))];
            class_asked.push(labels, Value::Count(*count));
        }
        decisions(route, &name, &mut admission);
    }
    [admission, refused, cache, class_asked]
}

/// What was decided of a route's calls, under the class that held for each.
fn decisions(route: &RouteMeters, name: &Label, admission: &mut Family) {
    let (facts, mut gates) = (route.facts(), route.gates());
    if !gates.iter().any(|(class, _)| *class == facts.class) {
        gates.push((facts.class, GateTotals::default())); // there before the first call
    }
    for (class, gate) in &gates {
        let mut decided = |decision, reason, mode, count| {
            let labels = vec![
                ("route", name.clone()),
                ("class", Label::Word(class.as_str())),
                ("decision", Label::Word(decision)),
                ("reason", Label::Word(reason)),
                ("mode", Label::Word(mode)),
            ];
            admission.push(labels, Value::Count(count));
        };
        decided("admit", REASON_NONE, "enforce", gate.admitted);
        if facts.shadow || gate.admitted_shadow > 0 {
            decided("admit", REASON_NONE, "shadow", gate.admitted_shadow);
        }
        gate.refused.iter().for_each(|(code, count)| decided("refuse", code, "enforce", *count));
        gate.shadow.iter().for_each(|(code, count)| decided("refuse", code, "shadow", *count));
        gate.stale.iter().for_each(|(code, count)| decided("stale", code, "enforce", *count));
    }
}

fn route_gauges(live: &LiveState) -> [Family; 3] {
    let mut in_flight =
        Family::gauge("sumun_inflight", "sumun.inflight", "{call}", "Calls in flight");
    let mut limit = Family::gauge(
        "sumun_limit",
        "sumun.limit",
        "{call}",
        "Limit on calls in flight; absent where there is none",
    );
    let mut threshold = Family::gauge(
        "sumun_threshold",
        "sumun.threshold",
        "1",
        "Value of a signal over which calls are shed (rps: per second, else a share)",
    );
    for route in &live.routes {
        let name = Label::text(route.route.as_str());
        in_flight.push(vec![("route", name.clone())], Value::Number(route.in_flight.into()));
        if let Some(most) = route.limit {
            limit.push(vec![("route", name.clone())], Value::Number(most.into()));
        }
        for (signal, enter) in &route.thresholds {
            let labels = vec![("route", name.clone()), ("signal", Label::Word(signal))];
            threshold.push(labels, Value::Number(*enter));
        }
    }
    [in_flight, limit, threshold]
}

fn signal_gauges(live: &LiveState) -> [Family; 3] {
    let mut value = Family::gauge(
        "sumun_signal",
        "sumun.signal",
        "1",
        "Load of an upstream, of its most loaded endpoint",
    );
    let mut age = Family::gauge(
        "sumun_signal_age_seconds",
        "sumun.signal_age",
        "s",
        "Time since the signal was read, of the endpoint read longest ago",
    );
    let mut worst: BTreeMap<_, (Option<f64>, Option<f64>)> = BTreeMap::new();
    for signal in &live.signals {
        let (most, oldest) = worst.entry((signal.upstream.as_str(), signal.signal)).or_default();
        *most = signal.value.into_iter().chain(*most).reduce(f64::max);
        let seconds = signal.age.map(|age| age.as_secs_f64());
        *oldest = seconds.into_iter().chain(*oldest).reduce(f64::max);
    }
    for ((upstream, signal), (most, oldest)) in worst {
        let labels = vec![("upstream", Label::text(upstream)), ("signal", Label::Word(signal))];
        if let Some(most) = most {
            value.push(labels.clone(), Value::Number(most));
        }
        if let Some(oldest) = oldest {
            age.push(labels, Value::Number(oldest));
        }
    }
    let mut findings = Family::gauge(
        "sumun_signal_findings",
        "sumun.signal_findings",
        "{finding}",
        "Things that are wrong with the signals of an upstream, over its endpoints",
    );
    for (upstream, count) in &live.findings {
        findings.push(vec![("upstream", Label::text(upstream.as_str()))], Value::Count(*count));
    }
    [value, age, findings]
}

fn function_gauges(live: &LiveState) -> [Family; 2] {
    let mut concurrency = Family::gauge(
        "sumun_function_concurrency",
        "sumun.function.concurrency",
        "{call}",
        "Slots of a function: reserved and in use",
    );
    let mut throttled = Family::counter(
        "sumun_function_throttled_total",
        "sumun.function.throttled",
        "{call}",
        "Calls refused because the function was out of slots",
    );
    for function in &live.functions {
        let name = Label::text(function.function.as_str());
        let kinds = [("reserved", function.reserved), ("in_use", Some(function.in_use))];
        for (kind, slots) in kinds {
            let labels = vec![("function", name.clone()), ("kind", Label::Word(kind))];
            if let Some(slots) = slots {
                concurrency.push(labels, Value::Number(slots.into()));
            }
        }
        throttled.push(vec![("function", name)], Value::Count(function.throttled));
    }
    [concurrency, throttled]
}

fn recording(live: &LiveState) -> [Family; 2] {
    let mut bytes = Family::gauge(
        "sumun_recording_bytes",
        "sumun.recording.bytes",
        "By",
        "Memory of recorded calls, on which drafts of the policy are tried",
    );
    let mut lost = Family::counter(
        "sumun_recording_lost_total",
        "sumun.recording.lost",
        "{call}",
        "Recorded calls forgotten before their time because the memory was full",
    );
    if let Some((held, gone)) = live.recording {
        bytes = bytes.with(Value::Number(held as f64));
        lost = lost.with(Value::Count(gone));
    }
    [bytes, lost]
}

fn store_state(live: &LiveState) -> [Family; 3] {
    let mut up = Family::gauge(
        "sumun_store_up",
        "sumun.store.up",
        "1",
        "1 where the store that gateways share is used, 0 where calls go on without it",
    );
    let mut ops = Family::counter(
        "sumun_store_ops_total",
        "sumun.store.ops",
        "{operation}",
        "Operations on the store that gateways share, by what came of them",
    );
    let mut durations = Family {
        name: "sumun_store_op_duration_seconds",
        otel_name: "sumun.store.op.duration",
        help: "Duration of operations on the store that gateways share",
        unit: "s",
        kind: Kind::Histogram,
        points: Vec::new(),
    };
    for state in &live.stores {
        let store = ("store", Label::Word(state.store));
        up.push(vec![store.clone()], Value::Number(f64::from(u8::from(state.up))));
        for &(op, result, count) in &state.ops {
            let labels =
                vec![store.clone(), ("op", Label::Word(op)), ("result", Label::Word(result))];
            ops.push(labels, Value::Count(count));
        }
        for &(op, sum) in &state.durations {
            durations.push(vec![store.clone(), ("op", Label::Word(op))], Value::Durations(sum));
        }
    }
    [up, ops, durations]
}

fn own_state(sources: &Sources<'_>) -> [Family; 4] {
    let (live, totals) = (sources.live, sources.totals);
    [
        Family::gauge(
            "sumun_policy_reload_ok",
            "sumun.policy.reload_ok",
            "1",
            "1 where the policy files as they are now were taken over, else 0",
        )
        .with(Value::Number(f64::from(u8::from(live.policy_ok)))),
        Family::gauge(
            "sumun_policy_revision",
            "sumun.policy.revision",
            "1",
            "Revision of the running policy",
        )
        .with(Value::Number(live.policy_revision as f64)),
        Family::gauge(
            "sumun_connections",
            "sumun.connections",
            "{connection}",
            "Client connections of the data listener",
        )
        .with(Value::Number(live.connections as f64)),
        Family::counter(
            "sumun_access_log_dropped_total",
            "sumun.access_log.dropped",
            "{line}",
            "Access log lines lost because the log could not be written as fast",
        )
        .with(Value::Count(totals.lines_dropped)),
    ]
}
