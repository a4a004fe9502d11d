//! Export by OTLP: spans and metrics leave the process here, on the background runtime.
//!
//! One task drains the cores' rings once a second (or when one is half full) and sends what it finds
//! in batches; another sends every metric once a minute. Neither is ever waited for by the path: while
//! a receiver is slow the rings fill, and what doesn't fit is counted. A batch that the receiver
//! doesn't take after the exporter's retries is dropped and counted too.

mod connect;
pub mod metrics;
pub mod settings;
mod span;
mod trace;

use opentelemetry::KeyValue;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_sdk::Resource;
use sumun_policy::policy;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

pub(super) use trace::{Flush, TaskEnds, TraceTask};

use connect::Connect;
use settings::{OtelSettings, Receiver};

/// An exporter could not be made from its settings.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// Of spans.
    #[error("cannot set up the export of traces")]
    Traces(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Of metrics.
    #[error("cannot set up the export of metrics")]
    Metrics(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The system's certificate authorities.
    #[error("cannot set up TLS for the export of telemetry")]
    Tls(#[source] rustls::Error),
}

/// A receiver, and what an exporter needs to reach it and to be told apart there.
pub(super) struct Target<'a> {
    pub(super) settings: &'a OtelSettings,
    pub(super) receiver: &'a Receiver,
    pub(super) tls: TlsConnector,
    pub(super) instance: &'a str,
}

/// A channel for gRPC; it connects when it is first used. Call it within the runtime.
fn channel(target: &Target<'_>) -> Result<Channel, tonic::transport::Error> {
    let receiver = target.receiver;
    let connect = Connect::new(policy::Protocol::Http2, target.tls.clone());
    let endpoint = Endpoint::from_shared(receiver.endpoint.clone())?.timeout(receiver.timeout);
    Ok(endpoint.connect_with_connector_lazy(connect))
}

/// A client for OTLP over HTTP.
fn client(target: &Target<'_>) -> HyperClient<Connect> {
    let connect = Connect::new(policy::Protocol::Http1, target.tls.clone());
    HyperClient::new(connect, target.receiver.timeout, None)
}

/// OTLP knows signed integers only; a count over 2⁶³ − 1 would take centuries.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The process as telemetry names it. `instance` tells gateways of one service apart.
fn resource(target: &Target<'_>) -> Resource {
    let attributes = target
        .settings
        .resource
        .iter()
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let own = [
        KeyValue::new("service.instance.id", target.instance.to_owned()),
        KeyValue::new("telemetry.sdk.language", "rust"),
        KeyValue::new("telemetry.sdk.name", "opentelemetry"),
    ];
    // The operator's attributes come last: they win.
    Resource::builder_empty().with_attributes(own).with_attributes(attributes).build()
}

#[cfg(test)]
mod tests;
