//! An upstream: its endpoints, its time limits, and where its load is read.

use std::time::Duration;

use crate::policy::{Endpoint, Protocol, Signals, Source, Timeout, Upstream, WorkerSeries};
use crate::problem::quoted;
use crate::raw::{Fields, Located, Place};
use crate::units::Name;

pub(super) fn draft(name: Name, place: &Place, fields: &Fields<'_>) -> Option<Upstream> {
    let endpoints = endpoints(fields);
    let protocol = match fields.choice("protocol").map(|word| word.value) {
        Some("http1") => Protocol::Http1,
        Some("http2") => Protocol::Http2,
        _ => Protocol::Auto,
    };
    let timeout = fields.form("timeout").map_or_else(Timeout::default, |fields| timeout(&fields));
    let signals = fields.form("signals").and_then(|fields| signals(&fields));
    let workers_max = fields.whole("workers_max").map(|number| number.value);
    let origin = place.origin();
    let endpoints = endpoints.filter(|endpoints| !endpoints.is_empty())?;
    Some(Upstream { name, origin, endpoints, protocol, timeout, signals, workers_max })
}

fn endpoints(fields: &Fields<'_>) -> Option<Vec<Endpoint>> {
    let mut seen: Vec<(Endpoint, Place)> = Vec::new();
    for url in fields.texts("endpoints")? {
        let endpoint = match Endpoint::parse(url.value) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                fields.findings.add(&url.place, error.message, error.help);
                continue;
            }
        };
        // At most 256 endpoints: comparing each with each is cheap.
        match seen.iter().find(|(other, _)| *other == endpoint) {
            Some((_, first)) => {
                let message = format!("{endpoint} is listed twice; the first is at {first}");
                fields.findings.add(&url.place, message, "remove one of the two");
            }
            None => seen.push((endpoint, url.place)),
        }
    }
    Some(seen.into_iter().map(|(endpoint, _)| endpoint).collect())
}

fn timeout(fields: &Fields<'_>) -> Timeout {
    let default = Timeout::default();
    let duration = |name, default: Duration| fields.duration(name).map_or(default, |l| l.value);
    Timeout {
        connect: duration("connect", default.connect),
        response: duration("response", default.response),
    }
}

fn signals(fields: &Fields<'_>) -> Option<Signals> {
    let source = fields.choice("source");
    let source_bad = source.is_none() && fields.place_of("source").is_some();
    let path = fields.text("path").and_then(|path| scrape_path(fields, &path));
    let every = fields.duration("every").map_or(Duration::from_secs(1), |every| every.value);
    let workers = fields.form("workers").and_then(|fields| worker_series(&fields));
    let cpu = fields.text("cpu").and_then(|name| series(fields, &name));
    match source.map_or("none", |word| word.value) {
        "actuator" => Some(Signals {
            source: Source::Actuator,
            path: path.unwrap_or_else(|| "/actuator/prometheus".to_owned()),
            every,
            workers: workers.or_else(|| {
                Some(WorkerSeries {
                    busy: "tomcat_threads_busy_threads".to_owned(),
                    max: "tomcat_threads_config_max_threads".to_owned(),
                })
            }),
            cpu: cpu.or_else(|| Some("system_cpu_usage".to_owned())),
        }),
        "prometheus" => {
            refuse_incomplete(fields);
            Some(Signals { source: Source::Prometheus, path: path?, every, workers, cpu })
        }
        "orca" => {
            refuse_unused(fields, "orca", "response headers are all that `orca` reads");
            let path = String::new();
            Some(Signals { source: Source::Orca, path, every, workers: None, cpu: None })
        }
        _ if source_bad => None, // a problem already
        _ => {
            refuse_unused(fields, "none", "set `source: actuator` or `source: prometheus`");
            None
        }
    }
}

/// Prometheus knows no names of its own: its path and at least one series have to be written.
fn refuse_incomplete(fields: &Fields<'_>) {
    if fields.place_of("path").is_none() {
        let help = "add the path of the exposition, often `path: /metrics`";
        fields.findings.add(&fields.place, "the source `prometheus` needs a `path`", help);
    }
    if fields.place_of("workers").is_none() && fields.place_of("cpu").is_none() {
        let help = "add `workers: { busy: …, max: … }`, `cpu: …`, or both";
        fields.findings.add(&fields.place, "the source `prometheus` reads no series", help);
    }
}

fn refuse_unused(fields: &Fields<'_>, source: &str, help: &str) {
    for key in ["path", "every", "workers", "cpu"] {
        if let Some(place) = fields.place_of(key) {
            let message = format!("`{key}` has no effect with the source `{source}`");
            fields.findings.add(&place, message, format!("remove it; {help}"));
        }
    }
}

fn worker_series(fields: &Fields<'_>) -> Option<WorkerSeries> {
    let busy = fields.text("busy").and_then(|name| series(fields, &name));
    let max = fields.text("max").and_then(|name| series(fields, &name));
    Some(WorkerSeries { busy: busy?, max: max? })
}

fn scrape_path(fields: &Fields<'_>, path: &Located<&str>) -> Option<String> {
    let valid = path.value.starts_with('/')
        && path.value.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    if !valid {
        let message = format!("{} is no path", quoted(path.value));
        let help = "write a path that begins with `/`, for example `/actuator/prometheus`";
        fields.findings.add(&path.place, message, help);
    }
    valid.then(|| path.value.to_owned())
}

/// A metric's name as in the Prometheus data model.
fn series(fields: &Fields<'_>, name: &Located<&str>) -> Option<String> {
    let mut bytes = name.value.bytes();
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_' || b == b':';
    let valid = bytes.next().is_some_and(letter) && bytes.all(|b| letter(b) || b.is_ascii_digit());
    if !valid {
        let message = format!("{} is no name of a series", quoted(name.value));
        let help = "write the metric's name without labels: letters, digits, `_` and `:`";
        fields.findings.add(&name.place, message, help);
    }
    valid.then(|| name.value.to_owned())
}
