//! From a stored variant to the response that one request gets: 200, 206, 304, 416 or what is stored.

use bytes::Bytes;
use http::header::{
    AGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, IF_MODIFIED_SINCE, IF_NONE_MATCH, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use sumun_engine::freshness::{Delta, SECOND_NS};
use sumun_engine::validator::{Span, not_modified, range_applies, requested_span};

use super::entry::{CACHE_STATUS, Variant};
use super::status::Status;
use crate::body::Body;

/// The response to a GET or HEAD with these headers. The body is shared, never copied.
pub(crate) fn answer(
    variant: &Variant,
    method: &Method,
    request: &HeaderMap,
    age_ns: u64,
    status: Status,
) -> Response<Body> {
    let mut response = select(variant, method, request);
    let head = response.headers_mut();
    head.insert(AGE, HeaderValue::from((age_ns / SECOND_NS).min(Delta::MAX.seconds())));
    if variant.relays_status {
        head.append(CACHE_STATUS, status.value());
    } else {
        head.insert(CACHE_STATUS, status.value());
    }
    response
}

/// Whether a request says under which condition it wants a body.
pub(crate) fn is_conditional(request: &HeaderMap) -> bool {
    request.contains_key(IF_NONE_MATCH) || request.contains_key(IF_MODIFIED_SINCE)
}

fn select(variant: &Variant, method: &Method, request: &HeaderMap) -> Response<Body> {
    if variant.status == StatusCode::OK {
        if is_conditional(request) && not_modified(request, variant.validators()) {
            return with(StatusCode::NOT_MODIFIED, variant.head_not_modified.clone(), Body::Empty);
        }
        if *method == Method::GET
            && request.contains_key(RANGE)
            && range_applies(request, variant.validators())
        {
            match requested_span(request, variant.body.len() as u64) {
                Span::Whole => {}
                Span::Part { first, last } => return part(variant, first, last),
                Span::Unsatisfiable => return unsatisfiable(variant),
            }
        }
    }
    let body = if *method == Method::HEAD { Body::Empty } else { full(variant.body.clone()) };
    with(variant.status, variant.head.clone(), body)
}

/// 206 (RFC 9110 §15.3.7): every field of the 200, and where the part lies.
fn part(variant: &Variant, first: u64, last: u64) -> Response<Body> {
    let mut head = variant.head.clone();
    let range = format!("bytes {first}-{last}/{}", variant.body.len());
    head.insert(CONTENT_RANGE, number_field(range));
    head.insert(CONTENT_LENGTH, HeaderValue::from(last - first + 1));
    let body = variant.body.slice(first as usize..=last as usize);
    with(StatusCode::PARTIAL_CONTENT, head, full(body))
}

/// 416 (RFC 9110 §15.5.17), which says how long the whole is.
fn unsatisfiable(variant: &Variant) -> Response<Body> {
    let mut head = variant.head_not_modified.clone();
    head.insert(CONTENT_RANGE, number_field(format!("bytes */{}", variant.body.len())));
    head.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    head.remove(CONTENT_TYPE);
    with(StatusCode::RANGE_NOT_SATISFIABLE, head, Body::Empty)
}

fn number_field(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("digits, '-', '/' and letters are valid in a field value")
}

fn full(bytes: Bytes) -> Body {
    if bytes.is_empty() { Body::Empty } else { Body::Full(bytes) }
}

fn with(status: StatusCode, head: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = head;
    response
}
