//! What comes in with a call: bodies within their bounds, and path segments.

use std::time::Duration;

use axum::extract::{FromRequestParts, Path, Request};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::fault::Fault;
use super::guard::{self, Peer};
use super::session::Identity;
use crate::reload::history::Author;

/// Largest body, bytes: four policy files of the largest size.
pub(super) const BODY_BYTES_MAX: usize = 4 << 20;

/// Longest time for a body to arrive.
pub(super) const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// The one variable segment of a path.
pub(super) struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(segment)) => Ok(Self(segment)),
            Err(_) => Err(Fault::malformed("the path is not valid")),
        }
    }
}

/// Who calls and why, as the history keeps it.
pub(super) struct By(pub Author);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Fault> {
        let identity = parts.extensions.get::<Identity>().ok_or_else(guard::unauthorized)?;
        let peer = parts.extensions.get::<Peer>();
        Ok(Self(Author {
            name: identity.name.to_string(),
            from: peer.map_or_else(String::new, |peer| peer.0.to_string()),
            reason: reason(&parts.headers),
        }))
    }
}

/// Longest reason that is kept, characters.
const REASON_CHARS_MAX: usize = 500;

/// Why somebody changes something, in his own words.
pub(super) fn reason(headers: &HeaderMap) -> String {
    let value =
        headers.get("x-change-reason").map(|value| String::from_utf8_lossy(value.as_bytes()));
    value.unwrap_or_default().chars().take(REASON_CHARS_MAX).collect()
}

/// A JSON body.
pub(super) async fn json<T: DeserializeOwned>(request: Request) -> Result<T, Fault> {
    expect(&request, &["application/json"])?;
    let bytes = bytes(request).await?;
    serde_json::from_slice(&bytes).map_err(|e| Fault::malformed(format!("the body: {e}")))
}

/// A YAML body, as bytes: whether it is text is a question for the check.
pub(super) async fn yaml(request: Request) -> Result<Bytes, Fault> {
    expect(&request, &["application/yaml", "application/x-yaml", "text/yaml"])?;
    bytes(request).await
}

/// 415 for another media type: a form of a foreign site can't send ours without asking first.
fn expect(request: &Request, types: &[&str]) -> Result<(), Fault> {
    let written = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let essence = written.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if types.iter().any(|known| essence.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    let detail = format!("send `content-type: {}`", types[0]);
    Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type_unknown", detail))
}

async fn bytes(request: Request) -> Result<Bytes, Fault> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX);
    match tokio::time::timeout(BODY_TIME_MAX, body.collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("a body has at most {BODY_BYTES_MAX} bytes");
            Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail))
        }
        Ok(Err(_)) => Err(Fault::malformed("the body broke off")),
        Err(_) => {
            let detail = "the body took too long";
            Err(Fault::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail))
        }
    }
}
