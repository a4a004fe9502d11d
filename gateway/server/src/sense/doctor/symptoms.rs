//! What one scrape shows: why it gave nothing, or what is wrong with what it gave.

use std::error::Error;
use std::io;

use http::StatusCode;
use sumun_engine::signals::{Reading, WORKERS_MAX};
use sumun_policy::policy::Upstream;

use crate::sense::finding::{Ailment, Signal, Symptom};
use crate::sense::scrape::{Outcome, ScrapeError};
use crate::sense::survey::Server;
use crate::sense::text::{Seen, TextError, Told};
use crate::upstream::ConnectError;

/// Every symptom of one scrape.
pub(super) fn of(upstream: &Upstream, outcome: &Outcome) -> Vec<Symptom> {
    match outcome {
        Ok(told) => of_text(upstream, told),
        Err(error) => vec![of_error(error)],
    }
}

fn of_error(error: &ScrapeError) -> Symptom {
    let ailment = match error {
        ScrapeError::Connect(error) => of_connecting(error),
        ScrapeError::Exchange(error) if error.is_parse() => Ailment::NotHttp,
        ScrapeError::Exchange(_) | ScrapeError::Text(TextError::Partial) => Ailment::AnswerCutOff,
        ScrapeError::Timeout => Ailment::AnswerTooSlow,
        ScrapeError::Status(status) => of_status(*status),
        ScrapeError::Redirect { .. } => Ailment::Redirected,
        ScrapeError::ContentType(_) => Ailment::NotMetrics,
        ScrapeError::Compressed(_) => Ailment::Compressed,
        ScrapeError::TooLarge => Ailment::AnswerTooLarge,
        ScrapeError::Path(_) => Ailment::PathUnknown,
        ScrapeError::Text(TextError::Malformed) => Ailment::TextMalformed,
    };
    Symptom::of_all(ailment, with_sources(error))
}

fn of_connecting(error: &ConnectError) -> Ailment {
    match error {
        ConnectError::Address(_) => Ailment::AddressUnusable,
        ConnectError::Tcp { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused => {
            Ailment::ConnectionRefused
        }
        ConnectError::Tls(error) => of_tls(error),
        ConnectError::Http(_) => Ailment::NotHttp,
        _ => Ailment::ConnectionFailed,
    }
}

fn of_tls(error: &io::Error) -> Ailment {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        // Its first bytes are no TLS record.
        Some(rustls::Error::InvalidMessage(_)) => Ailment::TlsOnPlainPort,
        Some(rustls::Error::InvalidCertificate(_)) => Ailment::CertificateUntrusted,
        _ => Ailment::TlsFailed,
    }
}

fn of_status(status: StatusCode) -> Ailment {
    match status.as_u16() {
        401 | 403 => Ailment::LoginNeeded,
        404 | 405 | 410 => Ailment::PathUnknown,
        // What most servers say to plain HTTP on a port of theirs that speaks TLS.
        400 => Ailment::NotHttp,
        _ => Ailment::StatusUnusable,
    }
}

/// An error with its causes in one line.
fn with_sources(error: &ScrapeError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}

fn of_text(upstream: &Upstream, told: &Told) -> Vec<Symptom> {
    let mut symptoms = of_workers(upstream, told);
    symptoms.extend(of_cpu(upstream, told));
    symptoms
}

fn of_workers(upstream: &Upstream, told: &Told) -> Vec<Symptom> {
    let signals = upstream.signals.as_ref();
    let Some(series) = signals.and_then(|signals| signals.workers.as_ref()) else {
        return Vec::new();
    };
    let workers = |ailment, seen: String| Symptom::of(ailment, Signal::Workers, seen);
    let (busy, max) = (&series.busy, &series.max);
    match (told.busy, told.max) {
        (Seen::Missing, Seen::Missing) => vec![without_workers(busy, max, told)],
        (Seen::Missing, _) => vec![missing(Signal::Workers, busy, told)],
        (_, Seen::Missing) => vec![missing(Signal::Workers, max, told)],
        (Seen::Counter, _) => vec![workers(Ailment::SeriesIsACounter, counter(busy))],
        (_, Seen::Counter) => vec![workers(Ailment::SeriesIsACounter, counter(max))],
        (Seen::Unknown(b), Seen::Unknown(m)) => {
            let seen = format!("`{busy}` is {b} and `{max}` is {m}: unknown, both");
            vec![workers(Ailment::WorkersUnreadable, seen)]
        }
        (Seen::Unknown(value), _) => {
            vec![workers(Ailment::ValueUnknown, format!("`{busy}` is {value}"))]
        }
        (_, Seen::Unknown(value)) => {
            vec![workers(Ailment::WorkersMaxUnknown, format!("`{max}` is {value}"))]
        }
        (_, Seen::Value(most)) if most <= 0.0 || most > WORKERS_MAX => {
            vec![workers(Ailment::WorkersMaxUnknown, format!("`{max}` is {most}: no bound"))]
        }
        _ => Vec::new(),
    }
}

/// Neither of the two: by what else is there one can tell why.
fn without_workers(busy: &str, max: &str, told: &Told) -> Symptom {
    let of_tomcat = busy.starts_with("tomcat_threads_");
    let server = told.found.as_ref().map(|found| found.server);
    let (ailment, why) = match server.filter(|_| of_tomcat) {
        Some(Server::Tomcat) => {
            (Ailment::TomcatMbeanregistryOff, "there are series of Tomcat, of its threads none")
        }
        Some(Server::Jetty) => {
            (Ailment::SeriesOfJetty, "there are series of Jetty, of Tomcat none")
        }
        Some(Server::Jvm) => {
            (Ailment::NoWorkerPool, "there are series of a JVM, of Tomcat or Jetty none")
        }
        _ => return missing_both(busy, max, told),
    };
    let seen = format!("`{busy}` and `{max}` are not there: {why}");
    Symptom::of(ailment, Signal::Workers, seen)
}

fn missing_both(busy: &str, max: &str, told: &Told) -> Symptom {
    let seen = format!("`{busy}` and `{max}` are not there");
    let symptom = Symptom::of(Ailment::SeriesMissing, Signal::Workers, seen);
    // The best for each is better than three for one of them.
    let best = |name| alike(name, told).into_iter().next();
    symptom.hinting([best(busy), best(max)].into_iter().flatten())
}

fn missing(signal: Signal, name: &str, told: &Told) -> Symptom {
    let seen = format!("`{name}` is not there");
    Symptom::of(Ailment::SeriesMissing, signal, seen).hinting(alike(name, told))
}

fn alike(name: &str, told: &Told) -> Vec<String> {
    let found = told.found.iter().flat_map(|found| &found.alike);
    let of_name = found.filter(|(missing, _)| missing == name);
    of_name.flat_map(|(_, names)| names.iter().cloned()).collect()
}

fn counter(name: &str) -> String {
    format!("`{name}` is a counter: it tells what has been, not what is")
}

fn of_cpu(upstream: &Upstream, told: &Told) -> Option<Symptom> {
    let name = upstream.signals.as_ref()?.cpu.as_ref()?;
    let cpu = |ailment, seen: String| Some(Symptom::of(ailment, Signal::Cpu, seen));
    match told.cpu {
        Seen::Missing => Some(missing(Signal::Cpu, name, told)),
        Seen::Counter => cpu(Ailment::SeriesIsACounter, counter(name)),
        Seen::Unknown(value) => cpu(Ailment::ValueUnknown, format!("`{name}` is {value}")),
        Seen::Value(value) if value > Reading::CPU_MAX => {
            cpu(Ailment::CpuNotAShare, format!("`{name}` is {value}: more than a share can be"))
        }
        _ => None,
    }
}
