//! Who may come in: host names, origins, the token; and the headers that every answer carries.
//!
//! The order is fixed: a foreign `Host` is refused before anything is looked at (DNS rebinding), a
//! foreign origin before the token (cross-site requests), then the token.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use super::Desk;
use super::fault::Fault;

/// What the page may load: itself, and nothing from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; \
     manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Host and origin checks, and the headers of every answer.
pub(super) async fn surroundings(
    State(desk): State<Arc<Desk>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response =
        match known_host(&request, desk.address).and_then(|host| own_origin(&request, &host)) {
            Ok(()) => next.run(request).await,
            Err(fault) => fault.into_response(),
        };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// The token, for everything under `/api`, whether or not there is anything.
pub(super) async fn token(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_open = path != "/api" && !path.starts_with("/api/");
    if is_open || bearer(request.headers()).is_some_and(|token| desk.token.matches(token)) {
        return next.run(request).await;
    }
    let detail = "send the token of STATE/admin.token as `Authorization: Bearer TOKEN`";
    Fault::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
        .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"sumun\""))
        .into_response()
}

/// The token that came with a call (RFC 6750 section 2.1); `None` where there is not exactly one.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.as_bytes();
    if values.next().is_some() || value.len() < 7 {
        return None;
    }
    let (scheme, token) = value.split_at(7);
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// The host that the caller means, where it is one of ours.
fn known_host(request: &Request, own: SocketAddr) -> Result<String, Fault> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let written = match (request.uri().authority(), hosts.next(), hosts.next()) {
        (Some(authority), _, None) => Some(authority.as_str()),
        (None, Some(host), None) => host.to_str().ok(),
        _ => None,
    };
    let written = written.unwrap_or_default();
    let authority = written.parse::<http::uri::Authority>().ok().filter(|_| !written.contains('@'));
    match authority {
        Some(authority) if is_known(authority.host(), own.ip()) => Ok(written.to_owned()),
        _ => {
            let detail = "call the admin listener by its address or as localhost";
            Err(Fault::new(StatusCode::FORBIDDEN, "host_unknown", detail))
        }
    }
}

fn is_known(host: &str, own: IpAddr) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => address == own || address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

/// A browser says where a request comes from; on a change it must be our own page. Other programs
/// say nothing, and the token speaks for them.
fn own_origin(request: &Request, host: &str) -> Result<(), Fault> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let foreign = || {
        let detail = "changes are taken from the admin page itself or from programs, \
                      not from other sites";
        Fault::new(StatusCode::FORBIDDEN, "origin_foreign", detail)
    };
    let headers = request.headers();
    if let Some(site) = headers.get("sec-fetch-site")
        && site != "same-origin"
        && site != "none"
    {
        return Err(foreign());
    }
    for origin in headers.get_all(header::ORIGIN) {
        let origin = origin.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
        let own = origin.is_some_and(|origin| {
            let same = origin.authority().is_some_and(|a| a.as_str().eq_ignore_ascii_case(host));
            same && origin.scheme_str() == Some("http")
        });
        if !own {
            return Err(foreign());
        }
    }
    Ok(())
}
