//! What Spring Boot Actuator writes at `/actuator/prometheus`, for the series a gateway reads.
//!
//! Names, types, help texts and label order are Micrometer's; a series without a description has
//! an empty help text there, and so here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Content type of the text.
pub(super) const CONTENT_TYPE: &str = "text/plain;version=0.0.4;charset=utf-8";

/// Name of Tomcat's connector, as it labels its thread pool.
const CONNECTOR: &str = "http-nio-8080";

/// One reading of an instance.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    /// Busy worker threads.
    pub(super) busy: u32,
    /// Most worker threads.
    pub(super) max: u32,
    /// CPU share of the whole machine, 0 to 1.
    pub(super) system_cpu: f64,
    /// CPU share of the process, 0 to 1.
    pub(super) process_cpu: f64,
}

/// What was served so far, by method, URI template and status. All three come from the program,
/// never from a request, so the map has at most as many entries as the service has outcomes.
#[derive(Clone, Debug, Default)]
pub(super) struct Served(BTreeMap<(&'static str, &'static str, u16), Times>);

#[derive(Clone, Copy, Debug, Default)]
struct Times {
    count: u64,
    sum: Duration,
    max: Duration,
}

// === impl Served ===

impl Served {
    /// Counts one answer.
    pub(super) fn record(
        &mut self,
        method: &'static str,
        uri: &'static str,
        status: u16,
        took: Duration,
    ) {
        let times = self.0.entry((method, uri, status)).or_default();
        times.count += 1;
        times.sum += took;
        times.max = times.max.max(took);
    }
}

/// The text of a reading and of what was served.
pub(super) fn text(reading: &Reading, served: &Served) -> String {
    let mut text = String::with_capacity(4096);
    let connector = format!("{{name=\"{CONNECTOR}\"}}");
    let (busy, max) = (f64::from(reading.busy), f64::from(reading.max));
    family(&mut text, "http_server_requests_seconds", "", "summary");
    for (key, times) in &served.0 {
        let labels = labels(*key);
        let _ = writeln!(text, "http_server_requests_seconds_count{labels} {}", times.count);
        let sum = times.sum.as_secs_f64();
        let _ = writeln!(text, "http_server_requests_seconds_sum{labels} {sum:?}");
    }
    family(&mut text, "http_server_requests_seconds_max", "", "gauge");
    for (key, times) in &served.0 {
        let (labels, max) = (labels(*key), times.max.as_secs_f64());
        let _ = writeln!(text, "http_server_requests_seconds_max{labels} {max:?}");
    }
    let help = "The \"recent cpu usage\" for the Java Virtual Machine process";
    gauge(&mut text, "process_cpu_usage", help, "", reading.process_cpu);
    let help = "The \"recent cpu usage\" of the system the application is running in";
    gauge(&mut text, "system_cpu_usage", help, "", reading.system_cpu);
    gauge(&mut text, "tomcat_threads_busy_threads", "", &connector, busy);
    gauge(&mut text, "tomcat_threads_config_max_threads", "", &connector, max);
    gauge(&mut text, "tomcat_threads_current_threads", "", &connector, max);
    text
}

fn gauge(text: &mut String, name: &str, help: &str, labels: &str, value: f64) {
    family(text, name, help, "gauge");
    let _ = writeln!(text, "{name}{labels} {value:?}");
}

fn family(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn labels((method, uri, status): (&str, &str, u16)) -> String {
    let outcome = match status {
        100..=199 => "INFORMATIONAL",
        200..=299 => "SUCCESS",
        300..=399 => "REDIRECTION",
        400..=499 => "CLIENT_ERROR",
        _ => "SERVER_ERROR",
    };
    format!(
        "{{error=\"none\",exception=\"none\",method=\"{method}\",outcome=\"{outcome}\",\
         status=\"{status}\",uri=\"{uri}\"}}"
    )
}

#[cfg(test)]
mod tests;
