//! Export by OTLP: spans and metrics leave the process here, on the background runtime.
//!
//! One task drains the cores' rings once a second (or when one is half full) and sends what it finds
//! in batches; another sends every metric once a minute. Neither is ever waited for by the path: while
//! a receiver is slow the rings fill, and what doesn't fit is counted. A batch that the receiver
//! doesn't take after the exporter's retries is dropped and counted too.

pub mod metrics;
pub mod settings;
mod span;
mod trace;

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

pub(super) use trace::{Flush, TaskEnds, TraceTask};

use settings::OtelSettings;

/// An exporter could not be made from its settings.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// Of spans.
    #[error("cannot set up the export of traces")]
    Traces(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Of metrics.
    #[error("cannot set up the export of metrics")]
    Metrics(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The process as telemetry names it. `instance` tells gateways of one service apart.
fn resource(settings: &OtelSettings, instance: &str) -> Resource {
    let attributes =
        settings.resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let own = [
        KeyValue::new("service.instance.id", instance.to_owned()),
        KeyValue::new("telemetry.sdk.language", "rust"),
        KeyValue::new("telemetry.sdk.name", "opentelemetry"),
    ];
    // The operator's attributes come last: they win.
    Resource::builder_empty().with_attributes(own).with_attributes(attributes).build()
}

#[cfg(test)]
mod tests;
