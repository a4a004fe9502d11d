//! One endpoint, scraped again and again over its own kept connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue,
    USER_AGENT,
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use sumun_engine::Reading;
use sumun_policy::policy::{Endpoint, Protocol, Signals};
use sumun_policy::units::Name;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::Readings;
use super::text::{Format, Reader, TextError, Wanted};
use crate::upstream::{ConnectError, connect};

/// Largest answer; a big Spring service writes some hundred KiB.
pub const BODY_BYTES_MAX: u64 = 4 << 20;

/// Longest scrape, however long the period: a load that took longer to tell is no longer the load,
/// and a service that can't answer this question within a second is under pressure.
pub const SCRAPE_TIME_MAX: Duration = Duration::from_secs(1);

/// Memory of the client's read buffer; the body goes through it in pieces.
const READ_BUFFER_BYTES: usize = 64 << 10;

/// Fields of the answer's head, at most.
const HEADERS_MAX: usize = 64;

/// Why a scrape gave no reading.
#[derive(Debug, thiserror::Error)]
pub enum ScrapeError {
    /// No connection.
    #[error("cannot connect")]
    Connect(#[source] ConnectError),
    /// The path is no path.
    #[error("the path of the signals is not a valid path")]
    Path(#[source] http::Error),
    /// The connection failed, or what came was not HTTP, or it was cut off.
    #[error("the exchange failed")]
    Exchange(#[source] hyper::Error),
    /// Not within the deadline.
    #[error("no answer in time")]
    Timeout,
    /// Not 200. 401 and 403: the path needs a login; 404: it is elsewhere.
    #[error("the answer has status {}", .0.as_u16())]
    Status(StatusCode),
    /// Neither Prometheus' text format nor `OpenMetrics`, or it is compressed.
    #[error("the answer is not Prometheus text")]
    ContentType,
    /// Over [`BODY_BYTES_MAX`].
    #[error("the answer is larger than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    /// The text.
    #[error(transparent)]
    Text(#[from] TextError),
}

type Sender = SendRequest<Empty<Bytes>>;

/// What a scrape needs.
pub(super) struct Scrape {
    pub(super) upstream: Name,
    pub(super) endpoint: Endpoint,
    pub(super) signals: Signals,
    pub(super) connector: TlsConnector,
    pub(super) own: Arc<[SocketAddr]>,
    pub(super) readings: Arc<dyn Readings>,
}

// === impl Scrape ===

impl Scrape {
    /// Scrapes until its task is stopped.
    pub(super) async fn run(self) {
        let wanted = Wanted::of(&self.signals);
        let every = self.signals.every;
        let mut connection = None;
        let mut due = Instant::now();
        // Many endpoints begin with one policy: they should not be asked in step.
        due += every.mul_f64(0.1 * fastrand::f64());
        loop {
            tokio::time::sleep_until(due).await;
            due = Instant::now() + every.mul_f64(0.9 + 0.2 * fastrand::f64());
            let own_in_flight = self.readings.in_flight(&self.upstream, &self.endpoint);
            let outcome = self.once(&mut connection, &wanted).await;
            let outcome = outcome.map(|reading| Reading { own_in_flight, ..reading });
            if outcome.is_err() {
                // What is left of the answer must not be taken for the next one.
                connection = None;
            }
            self.readings.reading(&self.upstream, &self.endpoint, outcome);
        }
    }

    async fn once(
        &self,
        connection: &mut Option<Sender>,
        wanted: &Wanted,
    ) -> Result<Reading, ScrapeError> {
        let deadline = self.signals.every.min(SCRAPE_TIME_MAX);
        let reading = async { read(self.ask(connection).await?, wanted).await };
        tokio::time::timeout(deadline, reading).await.unwrap_or(Err(ScrapeError::Timeout))
    }

    /// The answer's head. A kept connection may have been closed meanwhile: then once more, anew.
    async fn ask(
        &self,
        connection: &mut Option<Sender>,
    ) -> Result<Response<Incoming>, ScrapeError> {
        if let Some(mut sender) = connection.take()
            && sender.ready().await.is_ok()
            && let Ok(answer) = sender.send_request(self.request()?).await
        {
            *connection = Some(sender);
            return Ok(answer);
        }
        let mut sender = self.connect().await?;
        let answer = sender.send_request(self.request()?).await.map_err(ScrapeError::Exchange)?;
        *connection = Some(sender);
        Ok(answer)
    }

    async fn connect(&self) -> Result<Sender, ScrapeError> {
        let (transport, _) = connect(&self.endpoint, Protocol::Http1, &self.connector, &self.own)
            .await
            .map_err(ScrapeError::Connect)?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(READ_BUFFER_BYTES)
            .max_headers(HEADERS_MAX)
            .handshake(TokioIo::new(transport))
            .await
            .map_err(ScrapeError::Exchange)?;
        // It ends with its sender, so with the scrape's task.
        tokio::spawn(async move {
            let _ = connection.await; // The sender is told the same error.
        });
        Ok(sender)
    }

    fn request(&self) -> Result<Request<Empty<Bytes>>, ScrapeError> {
        let endpoint = self.endpoint.to_string();
        let authority = endpoint.split_once("//").map_or(endpoint.as_str(), |(_, rest)| rest);
        Request::get(&self.signals.path)
            .header(HOST, authority)
            .header(
                ACCEPT,
                "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5",
            )
            .header(ACCEPT_ENCODING, "identity")
            .header(USER_AGENT, concat!("sumun/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(ScrapeError::Path)
    }
}

/// Reads an answer to its end.
async fn read(answer: Response<Incoming>, wanted: &Wanted) -> Result<Reading, ScrapeError> {
    let (head, mut body) = answer.into_parts();
    if head.status != StatusCode::OK {
        return Err(ScrapeError::Status(head.status));
    }
    let format = format(&head.headers).ok_or(ScrapeError::ContentType)?;
    let length = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|n| n > BODY_BYTES_MAX) {
        return Err(ScrapeError::TooLarge);
    }
    let mut reader = Reader::new(wanted);
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(ScrapeError::Exchange)?.into_data() else { continue };
        bytes += data.len() as u64;
        if bytes > BODY_BYTES_MAX {
            return Err(ScrapeError::TooLarge);
        }
        reader.feed(&data)?;
    }
    Ok(reader.finish(format)?)
}

fn format(headers: &HeaderMap) -> Option<Format> {
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return None;
    }
    let media = headers.get(CONTENT_TYPE).map(HeaderValue::to_str)?.ok()?;
    match media.split(';').next()?.trim().to_ascii_lowercase().as_str() {
        "text/plain" => Some(Format::Prometheus),
        "application/openmetrics-text" => Some(Format::OpenMetrics),
        _ => None,
    }
}
