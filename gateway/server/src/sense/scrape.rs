//! One endpoint, scraped again and again over its own kept connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName,
    HeaderValue, LOCATION, USER_AGENT,
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use sumun_policy::policy::{Endpoint, Protocol, Signals};
use sumun_policy::units::Name;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::Readings;
use super::text::{Format, Reader, TextError, Told, Wanted};
use crate::upstream::{ConnectError, connect};

/// Largest answer; a big Spring service writes some hundred KiB.
pub const BODY_BYTES_MAX: u64 = 4 << 20;

/// Longest scrape, however long the period: a load that took longer to tell is no longer the load,
/// and a service that can't answer this question within a second is under pressure.
pub const SCRAPE_TIME_MAX: Duration = Duration::from_secs(1);

/// Share of the period that a scrape may take: it ends before the next begins, jitter included.
const SCRAPE_TIME_SHARE: f64 = 0.8;

/// From one scrape to the next it takes this share of the period, and at random up to
/// [`JITTER_SHARE`] more, so that endpoints are not asked in step. A little less than a period: where
/// one scrape is lost, the next must answer before the reading is two periods old and called stale.
const NEXT_SHARE: f64 = 0.85;
const JITTER_SHARE: f64 = 0.1;

/// Before an endpoint's first scrape at most: many endpoints begin with one policy and should not all
/// be asked in one moment, but a start waits for what they tell.
const FIRST_JITTER_MAX: Duration = Duration::from_millis(20);

/// Memory of the client's read buffer; the body goes through it in pieces.
const READ_BUFFER_BYTES: usize = 64 << 10;

/// Fields of the answer's head, at most.
const HEADERS_MAX: usize = 64;

/// Of a header's value that an error shows, at most.
const SHOWN_CHARS_MAX: usize = 128;

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
    /// It is elsewhere, or behind a login page; redirects are not followed.
    #[error("the answer is a redirect ({}) to `{location}`", .status.as_u16())]
    Redirect {
        /// 3xx.
        status: StatusCode,
        /// Where to; cropped, printable.
        location: String,
    },
    /// Neither Prometheus' text format nor `OpenMetrics`: what it says it is, cropped, printable.
    #[error("the answer is `{0}` and not Prometheus text")]
    ContentType(String),
    /// It is compressed although that was not asked for: how, cropped, printable.
    #[error("the answer is compressed (`{0}`)")]
    Compressed(String),
    /// Over [`BODY_BYTES_MAX`].
    #[error("the answer is larger than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    /// The text.
    #[error(transparent)]
    Text(#[from] TextError),
}

/// What a scrape gave.
pub type Outcome = Result<Told, ScrapeError>;

type Sender = SendRequest<Empty<Bytes>>;

/// What one scrape leaves to the next.
pub(super) struct Line {
    connection: Option<Sender>,
    /// Whether the last text lacked something, so that the next is looked through for what it has.
    lacking: bool,
}

impl Default for Line {
    /// The first text is looked through: a `check --live` has no second one to wait for.
    fn default() -> Self {
        Self { connection: None, lacking: true }
    }
}

/// One endpoint and how it is asked.
pub(super) struct Scrape {
    pub(super) endpoint: Endpoint,
    pub(super) signals: Signals,
    pub(super) connector: TlsConnector,
    pub(super) own: Arc<[SocketAddr]>,
}

// === impl ScrapeError ===

impl ScrapeError {
    /// Whether it may be load that kept the service from answering. What it answered wrongly, it
    /// answered.
    pub fn is_pressure(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Exchange(_) | Self::Timeout => true,
            Self::Status(status) => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            _ => false,
        }
    }
}

// === impl Scrape ===

impl Scrape {
    /// Scrapes until its task is stopped: one at a time, so no two ever overlap. `asked` is told once
    /// the first outcome is.
    pub(super) async fn run(
        self,
        upstream: Name,
        readings: Arc<dyn Readings>,
        asked: watch::Sender<bool>,
    ) {
        let wanted = Wanted::of(&self.signals);
        let every = self.signals.every;
        let mut line = Line::default();
        let mut due = Instant::now() + FIRST_JITTER_MAX.mul_f64(fastrand::f64());
        loop {
            tokio::time::sleep_until(due).await;
            due = Instant::now() + every.mul_f64(fastrand::f64().mul_add(JITTER_SHARE, NEXT_SHARE));
            let own_in_flight = readings.in_flight(&upstream, &self.endpoint);
            let mut outcome = self.once(&mut line, &wanted).await;
            if let Ok(told) = &mut outcome {
                told.reading.own_in_flight = own_in_flight;
            }
            readings.outcome(&upstream, &self.endpoint, outcome);
            asked.send_replace(true);
        }
    }

    /// One scrape, over the kept connection where there is one.
    pub(super) async fn once(&self, line: &mut Line, wanted: &Wanted) -> Outcome {
        let deadline = self.signals.every.mul_f64(SCRAPE_TIME_SHARE).min(SCRAPE_TIME_MAX);
        let survey = line.lacking;
        let told = async {
            let answer = self.ask(&mut line.connection).await?;
            let reader = if survey { Reader::surveying(wanted) } else { Reader::new(wanted) };
            read(answer, reader).await
        };
        let told = tokio::time::timeout(deadline, told).await;
        let told = told.unwrap_or(Err(ScrapeError::Timeout));
        match &told {
            Ok(told) => line.lacking = !told.is_whole(),
            // What is left of the answer must not be taken for the next one.
            Err(_) => line.connection = None,
        }
        told
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
async fn read(answer: Response<Incoming>, mut reader: Reader<'_>) -> Outcome {
    let (head, mut body) = answer.into_parts();
    if head.status.is_redirection() {
        let location = shown(&head.headers, &LOCATION);
        return Err(ScrapeError::Redirect { status: head.status, location });
    }
    if head.status != StatusCode::OK {
        return Err(ScrapeError::Status(head.status));
    }
    let format = format(&head.headers)?;
    let length = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|n| n > BODY_BYTES_MAX) {
        return Err(ScrapeError::TooLarge);
    }
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

fn format(headers: &HeaderMap) -> Result<Format, ScrapeError> {
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(ScrapeError::Compressed(shown(headers, &CONTENT_ENCODING)));
    }
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media.as_str() {
        "text/plain" => Ok(Format::Prometheus),
        "application/openmetrics-text" => Ok(Format::OpenMetrics),
        _ => Err(ScrapeError::ContentType(shown(headers, &CONTENT_TYPE))),
    }
}

/// A header as an error shows it; empty where there is none.
fn shown(headers: &HeaderMap, name: &HeaderName) -> String {
    let value = headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
    let printable = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    String::from_utf8_lossy(value).chars().take(SHOWN_CHARS_MAX).map(printable).collect()
}
