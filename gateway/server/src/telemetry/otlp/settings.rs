//! The standard `OTEL_*` variables, read once at start.
//!
//! Source: OpenTelemetry's "SDK environment variables" and "OTLP exporter configuration". Export of a
//! signal is off where no endpoint is named for it: the specification's default of
//! `http://localhost:4318` would make every gateway knock at a door that mostly isn't there.
//! Not read: the variables for compression (batches go out as they are) and for certificates (the
//! system's authorities are trusted).

use std::collections::HashMap;
use std::time::Duration;

use super::super::sampling::{Sampler, SamplerError};

/// The receiver's time to answer where nothing is said.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// Period of metrics export where nothing is said.
const INTERVAL_DEFAULT: Duration = Duration::from_mins(1);

/// What is exported, and where.
#[derive(Clone, Debug)]
pub struct OtelSettings {
    /// Where spans go; `None`: nowhere.
    pub traces: Option<Receiver>,
    /// Where metrics go; `None`: nowhere.
    pub metrics: Option<Receiver>,
    /// Period of metrics export.
    pub metrics_every: Duration,
    /// Which traces are kept.
    pub sampler: Sampler,
    /// Which traces the admin page gets where none is exported, beside the callers' own.
    pub unexported: Sampler,
    /// Attributes of this process: `service.name` and what `OTEL_RESOURCE_ATTRIBUTES` adds.
    pub resource: Vec<(String, String)>,
}

/// An OTLP receiver.
#[derive(Clone, PartialEq)]
pub struct Receiver {
    /// Full URL: with the path for HTTP, without for gRPC.
    pub endpoint: String,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Sent with every export; may hold secrets.
    pub headers: HashMap<String, String>,
    /// For one export, retries included.
    pub timeout: Duration,
}

impl std::fmt::Debug for Receiver {
    /// Without the headers: they may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("endpoint", &self.endpoint)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// How a receiver is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `grpc`
    Grpc,
    /// `http/protobuf`, the default.
    HttpProtobuf,
    /// `http/json`
    HttpJson,
}

/// A variable makes no sense.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum OtelSettingsError {
    /// Of the sampler.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
    /// Not a protocol.
    #[error("{variable} is `{value}`; known are grpc, http/protobuf, http/json")]
    Protocol {
        /// Which.
        variable: String,
        /// Its value.
        value: String,
    },
    /// Not a number of milliseconds.
    #[error("{variable} is `{value}`; it must be a whole number of milliseconds above 0")]
    Milliseconds {
        /// Which.
        variable: String,
        /// Its value.
        value: String,
    },
    /// Not a URL that can be used.
    #[error("{variable} is `{value}`; it must be a URL that begins with http:// or https://")]
    Endpoint {
        /// Which.
        variable: String,
        /// Its value.
        value: String,
    },
    /// Not a list of `key=value`.
    #[error("{variable} must be a list of key=value, separated by commas")]
    Pairs {
        /// Which.
        variable: String,
    },
    /// An exporter this process doesn't have.
    #[error("{variable} is `{value}`; known are otlp and none, and for metrics prometheus")]
    Exporter {
        /// Which.
        variable: String,
        /// Its value.
        value: String,
    },
}

/// Reads a variable; empty ones count as absent (the specification says so).
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

// === impl Receiver ===

impl Receiver {
    /// The headers as HTTP has them; those that can't be one are left out.
    pub(super) fn header_map(&self) -> http::HeaderMap {
        let valid = |(name, value): (&String, &String)| {
            Some((name.parse::<http::HeaderName>().ok()?, value.parse().ok()?))
        };
        self.headers.iter().filter_map(valid).collect()
    }
}

// === impl OtelSettings ===

impl OtelSettings {
    /// From this process' environment.
    pub fn from_env() -> Result<Self, OtelSettingsError> {
        Self::read(&|name| std::env::var(name).ok())
    }

    /// Nothing is exported; a caller's sampling decision is passed on.
    pub fn off() -> Self {
        Self {
            traces: None,
            metrics: None,
            metrics_every: INTERVAL_DEFAULT,
            sampler: Sampler::pass_on(),
            unexported: Sampler::usual(),
            resource: process(),
        }
    }

    /// From `lookup`.
    pub fn read(lookup: Lookup<'_>) -> Result<Self, OtelSettingsError> {
        let get = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let disabled = get("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"));
        if disabled {
            return Ok(Self::off());
        }
        let traces = receiver(&get, "TRACES", "v1/traces")?;
        let sampler = Sampler::new(
            get("OTEL_TRACES_SAMPLER").as_deref(),
            get("OTEL_TRACES_SAMPLER_ARG").as_deref(),
        )?;
        Ok(Self {
            metrics: receiver(&get, "METRICS", "v1/metrics")?,
            metrics_every: milliseconds(&get, &["OTEL_METRIC_EXPORT_INTERVAL"])?
                .unwrap_or(INTERVAL_DEFAULT),
            sampler: if traces.is_some() { sampler } else { Sampler::pass_on() },
            unexported: sampler,
            traces,
            resource: resource(&get)?,
        })
    }
}

fn receiver(
    get: Lookup<'_>,
    signal: &str,
    path: &str,
) -> Result<Option<Receiver>, OtelSettingsError> {
    if !is_exported(get, signal)? {
        return Ok(None);
    }
    // The variable for one signal beats the one for all.
    let names = |suffix: &str| {
        [format!("OTEL_EXPORTER_OTLP_{signal}_{suffix}"), format!("OTEL_EXPORTER_OTLP_{suffix}")]
    };
    let first = |suffix: &str| names(suffix).into_iter().find_map(|n| get(&n).map(|v| (n, v)));
    let Some((variable, endpoint)) = first("ENDPOINT") else { return Ok(None) };
    let protocol = match first("PROTOCOL") {
        None => Protocol::HttpProtobuf,
        Some((variable, value)) => match value.trim() {
            "grpc" => Protocol::Grpc,
            "http/protobuf" => Protocol::HttpProtobuf,
            "http/json" => Protocol::HttpJson,
            _ => return Err(OtelSettingsError::Protocol { variable, value }),
        },
    };
    let usable = |url: &str| {
        url.parse::<http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some()
        })
    };
    if !usable(endpoint.trim()) {
        return Err(OtelSettingsError::Endpoint { variable, value: endpoint });
    }
    // Only the URL for all signals gets the signal's path, and only over HTTP.
    let whole = variable.contains(signal) || protocol == Protocol::Grpc;
    let endpoint = endpoint.trim().trim_end_matches('/');
    let endpoint = if whole { endpoint.to_owned() } else { format!("{endpoint}/{path}") };

    let headers = match first("HEADERS") {
        None => HashMap::new(),
        Some((variable, value)) => {
            pairs(&value).ok_or(OtelSettingsError::Pairs { variable })?.into_iter().collect()
        }
    };
    let names = names("TIMEOUT");
    let timeout = milliseconds(get, &[&names[0], &names[1]])?.unwrap_or(TIMEOUT_DEFAULT);
    Ok(Some(Receiver { endpoint, protocol, headers, timeout }))
}

/// Whether a signal goes out by OTLP. Several exporters may be named, separated by commas; `prometheus`
/// is `/metrics`, which is there in any case.
fn is_exported(get: Lookup<'_>, signal: &str) -> Result<bool, OtelSettingsError> {
    let variable = format!("OTEL_{signal}_EXPORTER");
    let Some(written) = get(&variable) else { return Ok(true) };
    let mut by_otlp = false;
    for name in written.split(',').map(str::trim) {
        match name {
            "otlp" => by_otlp = true,
            "none" | "" => {}
            "prometheus" if signal == "METRICS" => {}
            _ => return Err(OtelSettingsError::Exporter { variable, value: written }),
        }
    }
    Ok(by_otlp)
}

fn milliseconds(get: Lookup<'_>, names: &[&str]) -> Result<Option<Duration>, OtelSettingsError> {
    let Some((name, value)) = names.iter().find_map(|name| get(name).map(|v| (*name, v))) else {
        return Ok(None);
    };
    match value.trim().parse::<u64>() {
        Ok(ms @ 1..) => Ok(Some(Duration::from_millis(ms))),
        _ => Err(OtelSettingsError::Milliseconds { variable: name.to_owned(), value }),
    }
}

fn resource(get: Lookup<'_>) -> Result<Vec<(String, String)>, OtelSettingsError> {
    let variable = "OTEL_RESOURCE_ATTRIBUTES";
    let mut attributes = match get(variable) {
        None => Vec::new(),
        Some(text) => {
            pairs(&text).ok_or(OtelSettingsError::Pairs { variable: variable.to_owned() })?
        }
    };
    if let Some(name) = get("OTEL_SERVICE_NAME") {
        attributes.retain(|(key, _)| key != "service.name");
        attributes.push(("service.name".to_owned(), name));
    }
    for (key, value) in process() {
        if !attributes.iter().any(|(known, _)| *known == key) {
            attributes.push((key, value));
        }
    }
    Ok(attributes)
}

/// What this process is where nobody says otherwise.
fn process() -> Vec<(String, String)> {
    [("service.name", "sumun"), ("service.version", env!("CARGO_PKG_VERSION"))]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// `key=value,key=value`; values are percent-decoded (W3C Baggage's form).
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    text.split(',')
        .filter(|pair| !pair.trim().is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=')?;
            let key = key.trim();
            (!key.is_empty()).then(|| (key.to_owned(), percent_decoded(value.trim())))
        })
        .collect()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
