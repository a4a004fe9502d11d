//! Export by OTLP: spans and metrics leave the process here, on the background runtime.
//!
//! One task drains the cores' rings and hands batches to another that sends them, in the form that
//! the receiver takes; a third sends every metric once a minute. None is ever waited for by the path,
//! nor by the traces kept here: while a receiver is slow its queue fills, and what doesn't fit is
//! counted, as is what the receiver doesn't take, whole or in part.
//!
//! Spans and metrics are written as the protocol has them, straight from what was measured: the SDK
//! would have them built twice on the way.

mod connect;
mod form;
mod json;
pub mod metrics;
mod partial;
mod protobuf;
mod send;
pub mod settings;
mod span;
mod trace;

use opentelemetry_http::hyper::HyperClient;
use sumun_policy::policy;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

pub(super) use form::Envelope;
pub(super) use partial::Rejections;
pub(super) use span::SpanEncoder;
pub(super) use trace::{Batch, Export, Flush, export};

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
}

/// Who says what is told (OTLP's instrumentation scope), and its version.
const SCOPE: &str = "sumun";
const SCOPE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// A receiver, and what an exporter needs to reach it and to be told apart there.
pub(super) struct Target<'a> {
    pub(super) receiver: &'a Receiver,
    pub(super) tls: TlsConnector,
    /// The process, see [`resource`].
    pub(super) resource: &'a [(String, String)],
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
pub(super) fn resource(settings: &OtelSettings, instance: &str) -> Vec<(String, String)> {
    let own = [
        ("service.instance.id", instance),
        ("telemetry.sdk.language", "rust"),
        ("telemetry.sdk.name", SCOPE),
        ("telemetry.sdk.version", SCOPE_VERSION),
    ];
    let mut attributes = settings.resource.clone();
    for (key, value) in own {
        // What the operator says wins.
        if !attributes.iter().any(|(known, _)| known == key) {
            attributes.push((key.to_owned(), value.to_owned()));
        }
    }
    attributes
}

#[cfg(test)]
mod tests;
