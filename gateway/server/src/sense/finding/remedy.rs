//! What a finding means meanwhile, and what to do about it, in words.

use sumun_engine::signals::{EXPIRED_PERIODS, FRESH_PERIODS};
use sumun_policy::policy::{Endpoint, Source, Upstream};

use super::{Ailment, Signal, Symptom};
use crate::sense::{BODY_BYTES_MAX, SCRAPE_TIME_MAX};

/// What admission does while it lasts.
pub(super) fn meanwhile(symptom: &Symptom, upstream: &Upstream) -> String {
    match (symptom.ailment, symptom.signal) {
        (Ailment::WorkersMaxDiffers, _) => {
            "the reported number is used; `workers_max` counts only where nothing is reported"
                .into()
        }
        (Ailment::CpuOfTheHost, _) => {
            "calls are shed for load that is not the service's own".into()
        }
        (Ailment::SignalFrozen, _) => "limits follow a value that may be old".into(),
        (_, Some(Signal::Cpu)) => {
            format!("CPU thresholds work without it: {}", without_a_signal())
        }
        (_, signal) => match (upstream.workers_max, signal) {
            (Some(most), _) => format!(
                "as long as no workers were reported, own calls in flight count as busy, of \
                 {most} per endpoint (`workers_max`); for the rest {}",
                without_a_signal()
            ),
            (None, Some(_)) => {
                format!("worker thresholds work without it: {}", without_a_signal())
            }
            (None, None) => without_a_signal(),
        },
    }
}

fn without_a_signal() -> String {
    format!(
        "the last reading holds for {FRESH_PERIODS} periods, then drifts to the proven limit; \
         after {EXPIRED_PERIODS} `on_stale` of each route decides"
    )
}

/// What to do.
pub(super) fn remedy(symptom: &Symptom, upstream: &Upstream, endpoint: &Endpoint) -> String {
    if symptom.ailment < Ailment::AnswerCutOff {
        of_connection(symptom.ailment, endpoint).into()
    } else if symptom.ailment < Ailment::TomcatMbeanregistryOff {
        of_answer(symptom.ailment, upstream)
    } else {
        of_values(symptom, upstream)
    }
}

fn of_connection(ailment: Ailment, endpoint: &Endpoint) -> &'static str {
    match ailment {
        Ailment::AddressUnusable => {
            "correct the host under `endpoints`; link-local addresses and the gateway's own are \
             never called"
        }
        Ailment::ConnectionRefused => {
            "start the service, or correct the port under `endpoints`; signals are read on the port \
             that calls go to, so `management.server.port` must be unset or the same"
        }
        Ailment::TlsOnPlainPort => {
            "write `http://` under `endpoints`, or turn TLS on at the service"
        }
        Ailment::CertificateUntrusted => {
            "have the certificate signed by an authority that this machine trusts, for this host name"
        }
        Ailment::TlsFailed => "let the service offer TLS 1.2 or 1.3 with ALPN `http/1.1` or none",
        Ailment::NotHttp if !endpoint.tls => {
            "if the port speaks TLS, write `https://` under `endpoints`; signals are read over \
             HTTP/1.1, so a port that speaks HTTP/2 alone has to speak that too"
        }
        Ailment::NotHttp => "let the service answer the signals' path over HTTP/1.1",
        _ => "see that the endpoint can be reached from this machine",
    }
}

fn of_answer(ailment: Ailment, upstream: &Upstream) -> String {
    let path = upstream.signals.as_ref().map_or("", |signals| signals.path.as_str());
    let actuator = upstream.signals.as_ref().is_some_and(|s| s.source == Source::Actuator);
    match ailment {
        Ailment::LoginNeeded if actuator => format!(
            "let `{path}` be read without a login, in Spring Security: \
             `.requestMatchers(EndpointRequest.to(\"prometheus\")).permitAll()`; the gateway sends no \
             credentials"
        ),
        Ailment::LoginNeeded => {
            format!("let `{path}` be read without a login; the gateway sends no credentials")
        }
        Ailment::PathUnknown if actuator => format!(
            "set `management.endpoints.web.exposure.include=health,prometheus` and have \
             `io.micrometer:micrometer-registry-prometheus` among the dependencies; if \
             `management.endpoints.web.base-path` or `server.servlet.context-path` is set, write the \
             whole path under `signals`, now `path: {path}`; `management.server.port` must be unset"
        ),
        Ailment::PathUnknown => {
            format!("correct `path` under `signals`, now `{path}`; often it is `/metrics`")
        }
        Ailment::Redirected => format!(
            "write the final path under `signals`, now `path: {path}`, and `https://` under \
             `endpoints` if it leads there; a login page has to be taken off it"
        ),
        Ailment::NotMetrics => format!(
            "let `path: {path}` lead to Prometheus text (`text/plain` or \
             `application/openmetrics-text`) and not to a page, a login or JSON"
        ),
        Ailment::Compressed => {
            "let the service compress only for clients that ask; the gateway doesn't".into()
        }
        Ailment::AnswerTooLarge => format!(
            "let the service tell fewer series there, at most {} MiB: {}",
            BODY_BYTES_MAX >> 20,
            if actuator {
                "`management.metrics.enable.…=false`"
            } else {
                "or give it a path for them"
            }
        ),
        Ailment::AnswerTooSlow => format!(
            "an answer has to come within 0.8 periods and {} s: let the service answer faster, or \
             write a longer `every` under `signals`",
            SCRAPE_TIME_MAX.as_secs()
        ),
        Ailment::AnswerCutOff => {
            "see why the service, or a proxy before it, ends the answer early".into()
        }
        Ailment::TextMalformed => {
            "let the service write Prometheus text 0.0.4 or OpenMetrics 1.0".into()
        }
        _ => "see the service's own log for this answer".into(),
    }
}

fn of_values(symptom: &Symptom, upstream: &Upstream) -> String {
    let hint = || symptom.hints.first().map_or("…", String::as_str);
    let by_count = "give `workers_max: N` to the upstream and leave `workers` out";
    match (symptom.ailment, symptom.signal) {
        (Ailment::TomcatMbeanregistryOff, _) => {
            "set `server.tomcat.mbeanregistry.enabled=true` in the service (off by default since \
             Spring Boot 2.2)"
                .into()
        }
        (Ailment::SeriesOfJetty, _) => {
            "write `workers: { busy: jetty_threads_busy, max: jetty_threads_config_max }` under \
             `signals`"
                .into()
        }
        (Ailment::NoWorkerPool, _) => format!(
            "Undertow and Netty tell nothing of their workers: {by_count}, or let the service send \
             ORCA headers (`source: orca`)"
        ),
        (Ailment::SeriesMissing, signal) => missing(signal, &symptom.hints),
        (Ailment::WorkersMaxUnknown, _) => "if it is Spring Boot 3.3.0, update to 3.3.1 or later; else write \
             `workers_max: N` at the upstream: the pool's size"
            .into(),
        (Ailment::WorkersUnreadable, _) => format!(
            "with `spring.threads.virtual.enabled=true` Tomcat has no worker count: write \
             `workers_max: N` at the upstream, the calls that it shall take at once, or let it send ORCA \
             headers{}",
            if upstream.workers_max.is_some() { " (`workers_max` is written)" } else { "" }
        ),
        (Ailment::ValueUnknown, Some(Signal::Cpu)) => {
            "the JVM can't tell it here: write `cpu: process_cpu_usage`, or leave CPU thresholds out"
                .into()
        }
        (Ailment::ValueUnknown, _) => format!("see why the service doesn't know it, or {by_count}"),
        (Ailment::CpuNotAShare, _) => {
            "name a gauge from 0 to 1 under `cpu`, for example `system_cpu_usage`".into()
        }
        (Ailment::SeriesIsACounter, Some(Signal::Cpu)) => {
            "name a gauge from 0 to 1 under `cpu`, not CPU seconds since the start".into()
        }
        (Ailment::SeriesIsACounter, _) => "name a gauge: what is busy now".into(),
        (Ailment::CpuOfTheHost, _) => {
            "give the service's container a CPU quota, so that the JVM counts only that; or write \
             `cpu: process_cpu_usage` under `signals`"
                .into()
        }
        (Ailment::SignalFrozen, _) => "see whether the path answers from a cache, or names a pool that \
             these calls don't run on"
            .into(),
        (Ailment::WorkersMaxDiffers, _) => format!("write `workers_max: {}`", hint()),
        _ => "let the service send the header `endpoint-load-metrics` (gRFC A51), for example \
              `TEXT cpu_utilization=0.3, named_metrics.workers=17`"
            .into(),
    }
}

fn missing(signal: Option<Signal>, alike: &[String]) -> String {
    let key = if signal == Some(Signal::Cpu) { "cpu" } else { "workers" };
    if alike.is_empty() {
        return format!("name a series that is there under `{key}`, without labels");
    }
    let names: Vec<String> = alike.iter().map(|name| format!("`{name}`")).collect();
    format!("did you mean {}? Write it under `{key}`, without labels", names.join(" or "))
}
