//! Requests on their way to a receiver: by gRPC or by HTTP, already encoded.

use std::time::Duration;

use bytes::{Buf as _, BufMut, Bytes};
use http::header::CONTENT_TYPE;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, StatusCode};
use opentelemetry_http::HttpClient;
use opentelemetry_http::hyper::HyperClient;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;

use super::Target;
use super::connect::Connect;
use super::partial::Partial;
use super::settings::{Protocol, Receiver};

/// Size of the buffer that a gRPC message is copied into at a time.
const GRPC_BUFFER_BYTES: usize = 64 << 10;

/// Sends encoded requests of one signal to one receiver.
#[derive(Debug)]
pub(super) struct Sender {
    timeout: Duration,
    transport: Transport,
}

#[derive(Debug)]
enum Transport {
    Grpc { channel: Channel, method: PathAndQuery, metadata: MetadataMap },
    Http { client: Box<HyperClient<Connect>>, receiver: Receiver },
}

/// The receiver did not take a request.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// gRPC status.
    #[error("the receiver answered {0}")]
    Grpc(tonic::Code),
    /// HTTP status.
    #[error("the receiver answered {0}")]
    Http(StatusCode),
    /// No answer.
    #[error("the receiver did not answer")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Not in time.
    #[error("the receiver took too long")]
    Timeout,
}

// === impl Sender ===

impl Sender {
    /// Call it within the runtime it will send on. `method` is the path of the gRPC method.
    pub(super) fn new(
        target: &Target<'_>,
        method: &'static str,
    ) -> Result<Self, tonic::transport::Error> {
        let receiver = target.receiver;
        let transport = match receiver.protocol {
            Protocol::Grpc => Transport::Grpc {
                channel: super::channel(target)?,
                method: PathAndQuery::from_static(method),
                metadata: MetadataMap::from_headers(receiver.header_map()),
            },
            Protocol::HttpProtobuf | Protocol::HttpJson => {
                let client = Box::new(super::client(target));
                Transport::Http { client, receiver: receiver.clone() }
            }
        };
        Ok(Self { timeout: receiver.timeout, transport })
    }

    /// Sends a request, once, within the receiver's timeout; answers what of it was not taken.
    pub(super) async fn send(&self, body: Bytes) -> Result<Partial, SendError> {
        let sent = async {
            match &self.transport {
                Transport::Grpc { channel, method, metadata } => {
                    let mut message = tonic::Request::new(body);
                    *message.metadata_mut() = metadata.clone();
                    let mut client = tonic::client::Grpc::new(channel.clone());
                    let ready = client.ready().await;
                    ready.map_err(|error| SendError::Unreachable(error.into()))?;
                    let answer = client.unary(message, method.clone(), AsItIs).await;
                    let answer = answer.map_err(|status| SendError::Grpc(status.code()))?;
                    Ok(Partial::read(false, &answer.into_inner()))
                }
                Transport::Http { client, receiver } => post(client, receiver, body).await,
            }
        };
        tokio::time::timeout(self.timeout, sent).await.unwrap_or(Err(SendError::Timeout))
    }
}

async fn post(
    client: &HyperClient<Connect>,
    receiver: &Receiver,
    body: Bytes,
) -> Result<Partial, SendError> {
    let json = receiver.protocol == Protocol::HttpJson;
    let media = if json { "application/json" } else { "application/x-protobuf" };
    let mut message = Request::post(&receiver.endpoint)
        .body(body)
        .map_err(|error| SendError::Unreachable(error.into()))?;
    *message.headers_mut() = receiver.header_map();
    message.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    let answer = client.send_bytes(message).await.map_err(SendError::Unreachable)?;
    match answer.status() {
        status if status.is_success() => Ok(Partial::read(json, answer.body())),
        status => Err(SendError::Http(status)),
    }
}

// === impl SendError ===

impl SendError {
    /// Whether the same request may be taken a moment later (OTLP's specification, "Failures" and
    /// "Retryable response codes").
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Grpc(code) => matches!(
                code,
                tonic::Code::Cancelled
                    | tonic::Code::DeadlineExceeded
                    | tonic::Code::Aborted
                    | tonic::Code::OutOfRange
                    | tonic::Code::Unavailable
                    | tonic::Code::DataLoss
            ),
            Self::Http(status) => matches!(status.as_u16(), 429 | 502..=504),
            Self::Unreachable(_) => true,
            Self::Timeout => false,
        }
    }
}

/// gRPC messages that are bytes already.
struct AsItIs;

impl Codec for AsItIs {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for AsItIs {
    type Item = Bytes;
    type Error = tonic::Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        buffer.reserve(item.len());
        buffer.put(item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(GRPC_BUFFER_BYTES, GRPC_BUFFER_BYTES)
    }
}

impl Decoder for AsItIs {
    type Item = Bytes;
    type Error = tonic::Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, tonic::Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
