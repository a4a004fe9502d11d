//! What a receiver took only in part: OTLP's "partial success", which comes with a 200.
//!
//! A receiver may take a request and still refuse some of what is in it (over a quota, malformed to its
//! eyes), or take all of it and have something to say. Neither is an error, and nothing is sent again;
//! what was refused is lost and counted, and said at most once in [`SAID_EVERY`].

use std::time::Duration;

use prost::Message as _;
use tokio::time::Instant;

/// Pause between two lines in the log: a receiver that refuses says so with every batch.
const SAID_EVERY: Duration = Duration::from_mins(1);

/// Most characters that are kept of what a receiver says.
const TEXT_CHARS_MAX: usize = 300;

/// What a receiver says of a request that it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partial {
    /// Spans or points that it did not take.
    pub rejected: u64,
    /// Why, or what else should be known; may be empty.
    pub text: String,
}

/// What was refused, from the first batch on.
#[derive(Debug, Default)]
pub(in super::super) struct Rejections {
    /// Refused since the last line in the log.
    unsaid: u64,
    said: Option<Instant>,
}

/// `Export…ServiceResponse`: the same fields for every signal.
#[derive(Clone, PartialEq, prost::Message)]
struct Response {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

/// `Export…PartialSuccess`.
#[derive(Clone, PartialEq, prost::Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

// === impl Partial ===

impl Partial {
    /// Reads the body of an answer. What can't be read says nothing: the request was taken.
    pub(super) fn read(json: bool, body: &[u8]) -> Self {
        let (rejected, text) = if json { of_json(body) } else { of_protobuf(body) };
        let shown = |c: char| if c.is_control() { ' ' } else { c };
        let text = text.trim().chars().take(TEXT_CHARS_MAX).map(shown).collect();
        Self { rejected: u64::try_from(rejected).unwrap_or(0), text }
    }

    fn is_whole(&self) -> bool {
        self.rejected == 0 && self.text.is_empty()
    }
}

fn of_protobuf(body: &[u8]) -> (i64, String) {
    let partial = Response::decode(body).ok().and_then(|response| response.partial_success);
    let PartialSuccess { rejected, error_message } = partial.unwrap_or_default();
    (rejected, error_message)
}

/// In JSON a 64-bit number is a text (protobuf's mapping); not every receiver knows.
fn of_json(body: &[u8]) -> (i64, String) {
    let response: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let partial = &response["partialSuccess"];
    let count = [&partial["rejectedSpans"], &partial["rejectedDataPoints"]];
    let number =
        |value: &serde_json::Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
    let count = count.into_iter().find_map(number);
    let text = partial["errorMessage"].as_str().unwrap_or_default();
    (count.unwrap_or(0), text.to_owned())
}

// === impl Rejections ===

impl Rejections {
    /// Notes what a receiver says; `Some`: it is time to say how much was refused since the last time.
    pub(in super::super) fn note(&mut self, partial: &Partial, now: Instant) -> Option<u64> {
        if partial.is_whole() {
            return None;
        }
        self.unsaid += partial.rejected;
        if self.said.is_some_and(|said| now.duration_since(said) < SAID_EVERY) {
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests;
