//! A finding: what is wrong with a signal, what that means for admission, and what to set.
//!
//! The ids are part of the admin API and of `sumun check --live`; each is one [`Ailment`].

use serde::Serialize;
use sumun_policy::policy::{Endpoint, Upstream};

mod remedy;

/// One thing that is wrong with an endpoint's signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// Which kind, for example `tomcat-mbeanregistry-off`.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The endpoint as a URL.
    pub endpoint: String,
    /// `workers` or `cpu`; `None`: all that is read there.
    pub signal: Option<&'static str>,
    /// What was seen.
    pub seen: String,
    /// Why it matters: what admission does meanwhile.
    pub meanwhile: String,
    /// What to do: the exact property or line, where there is one.
    pub remedy: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; admission works as meant.
    Info,
    /// Admission works with a signal that may mean something else.
    Warning,
    /// Admission works without the signal.
    Error,
}

/// What can be wrong. The order is that of the way of a scrape: address, connection, answer, text,
/// values, their course.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ailment {
    /// The name has no address, or a forbidden one.
    AddressUnusable,
    /// Nobody listens on the port.
    ConnectionRefused,
    /// No connection for another reason.
    ConnectionFailed,
    /// `https` is written and the port speaks no TLS.
    TlsOnPlainPort,
    /// Its certificate is not trusted.
    CertificateUntrusted,
    /// The TLS handshake failed otherwise.
    TlsFailed,
    /// What came is not HTTP/1: perhaps TLS, perhaps HTTP/2 alone.
    NotHttp,
    /// The answer ended before its end.
    AnswerCutOff,
    /// Not in time.
    AnswerTooSlow,
    /// 401 or 403.
    LoginNeeded,
    /// 404, 405 or 410.
    PathUnknown,
    /// 3xx.
    Redirected,
    /// Another status.
    StatusUnusable,
    /// Another kind of content.
    NotMetrics,
    /// Compressed without being asked for.
    Compressed,
    /// Over the bound.
    AnswerTooLarge,
    /// A wanted line can't be read.
    TextMalformed,
    /// Tomcat, without its thread pool.
    TomcatMbeanregistryOff,
    /// Tomcat's names are wanted of Jetty.
    SeriesOfJetty,
    /// Tomcat's names are wanted of a server that tells no workers.
    NoWorkerPool,
    /// A name that is not there.
    SeriesMissing,
    /// Busy is told, the most is not.
    WorkersMaxUnknown,
    /// Neither: as with virtual threads.
    WorkersUnreadable,
    /// A value that means nothing.
    ValueUnknown,
    /// More than a share can be: perhaps a percentage.
    CpuNotAShare,
    /// It only grows.
    SeriesIsACounter,
    /// The machine is busy, the process is not.
    CpuOfTheHost,
    /// It stands still while calls come and go.
    SignalFrozen,
    /// The policy says another number of workers.
    WorkersMaxDiffers,
    /// No response carried a report.
    OrcaNeverSeen,
}

/// The signal of an upstream that an ailment is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// Busy and most workers.
    Workers,
    /// CPU.
    Cpu,
}

/// What one look at an endpoint shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symptom {
    /// Of what.
    pub ailment: Ailment,
    /// Where; `None`: all that is read.
    pub signal: Option<Signal>,
    /// In words.
    pub seen: String,
    /// What the remedy names: series that look alike, or a number.
    pub hints: Vec<String>,
}

// === impl Finding ===

impl Finding {
    /// What a symptom of an endpoint means.
    pub fn of(symptom: &Symptom, upstream: &Upstream, endpoint: &Endpoint) -> Self {
        Self {
            id: symptom.ailment.id(),
            severity: symptom.ailment.severity(),
            endpoint: endpoint.to_string(),
            signal: symptom.signal.map(Signal::as_str),
            seen: symptom.seen.clone(),
            meanwhile: remedy::meanwhile(symptom, upstream),
            remedy: remedy::remedy(symptom, upstream, endpoint),
        }
    }
}

// === impl Ailment ===

impl Ailment {
    /// As in the admin API.
    pub const fn id(self) -> &'static str {
        match self {
            Self::AddressUnusable => "address-unusable",
            Self::ConnectionRefused => "connection-refused",
            Self::ConnectionFailed => "connection-failed",
            Self::TlsOnPlainPort => "tls-on-plain-port",
            Self::CertificateUntrusted => "certificate-untrusted",
            Self::TlsFailed => "tls-failed",
            Self::NotHttp => "not-http",
            Self::AnswerCutOff => "answer-cut-off",
            Self::AnswerTooSlow => "answer-too-slow",
            Self::LoginNeeded => "login-needed",
            Self::PathUnknown => "path-unknown",
            Self::Redirected => "redirected",
            Self::StatusUnusable => "status-unusable",
            Self::NotMetrics => "not-metrics",
            Self::Compressed => "compressed",
            Self::AnswerTooLarge => "answer-too-large",
            Self::TextMalformed => "text-malformed",
            Self::TomcatMbeanregistryOff => "tomcat-mbeanregistry-off",
            Self::SeriesOfJetty => "series-of-jetty",
            Self::NoWorkerPool => "no-worker-pool",
            Self::SeriesMissing => "series-missing",
            Self::WorkersMaxUnknown => "workers-max-unknown",
            Self::WorkersUnreadable => "workers-unreadable",
            Self::ValueUnknown => "value-unknown",
            Self::CpuNotAShare => "cpu-not-a-share",
            Self::SeriesIsACounter => "series-is-a-counter",
            Self::CpuOfTheHost => "cpu-of-the-host",
            Self::SignalFrozen => "signal-frozen",
            Self::WorkersMaxDiffers => "workers-max-differs",
            Self::OrcaNeverSeen => "orca-never-seen",
        }
    }

    /// How bad it is.
    pub const fn severity(self) -> Severity {
        match self {
            Self::WorkersMaxDiffers => Severity::Info,
            Self::CpuOfTheHost | Self::SignalFrozen => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

// === impl Signal ===

impl Signal {
    /// As in the admin API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Workers => "workers",
            Self::Cpu => "cpu",
        }
    }
}

// === impl Symptom ===

impl Symptom {
    /// Of all that is read at the endpoint.
    pub fn of_all(ailment: Ailment, seen: impl Into<String>) -> Self {
        Self { ailment, signal: None, seen: seen.into(), hints: Vec::new() }
    }

    /// Of one signal.
    pub fn of(ailment: Ailment, signal: Signal, seen: impl Into<String>) -> Self {
        Self { signal: Some(signal), ..Self::of_all(ailment, seen) }
    }

    /// With what the remedy shall name.
    #[must_use]
    pub fn hinting(mut self, hints: impl IntoIterator<Item = String>) -> Self {
        self.hints.extend(hints);
        self
    }

    /// Whether both are the same complaint, whatever the numbers.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.ailment, self.signal) == (other.ailment, other.signal)
    }
}
