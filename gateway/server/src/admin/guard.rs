//! Who may come in: host names, origins, who it is and in which role; and the headers that every
//! answer carries.
//!
//! The order is fixed: a foreign `Host` is refused before anything is looked at (DNS rebinding), a
//! foreign origin before the caller is known (cross-site requests), then who calls, then the role.
//! What was changed, or tried, is in the audit log before it is answered.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{OriginalUri, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use super::Desk;
use super::audit;
use super::fault::Fault;
use super::input::reason;
use super::session::Identity;
use crate::date::rfc3339;
use crate::settings::Role;

/// The one path under `/api` that those may call who are not known yet, to be known.
const LOGIN: &str = "/api/v1/session";

/// What an endpoint asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// It changes nothing, whatever the method.
    Look,
    /// Reading is for everybody who is known, changing for editors.
    Change,
    /// For administrators alone.
    Oversee,
}

impl Needs {
    /// The least role that may use this method.
    pub(super) fn least(self, method: &Method) -> Role {
        match self {
            Self::Look => Role::Viewer,
            Self::Change if method.is_safe() => Role::Viewer,
            Self::Change => Role::Editor,
            Self::Oversee => Role::Admin,
        }
    }
}

/// The caller's address, as the connection says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub IpAddr);

/// What a change was about, where the path does not say it; left in an answer's extensions for the
/// audit log.
#[derive(Clone, Debug)]
pub(super) struct Audited(pub String);

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

/// Who calls, for everything under `/api`, whether or not there is anything.
pub(super) async fn identity(
    State(desk): State<Arc<Desk>>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let is_open = (path != "/api" && !path.starts_with("/api/"))
        || (path == LOGIN && *request.method() == Method::POST);
    if is_open {
        return next.run(request).await;
    }
    let headers = request.headers();
    let identity = if headers.contains_key(header::AUTHORIZATION) {
        bearer(headers).filter(|token| desk.token.matches(token)).map(|_| Identity::of_token())
    } else {
        desk.sessions.of(headers)
    };
    match identity {
        Some(identity) => {
            request.extensions_mut().insert(identity);
            next.run(request).await
        }
        None => unauthorized().into_response(),
    }
}

/// 401, and how to be let in.
pub(super) fn unauthorized() -> Fault {
    let detail = "log in, or send the token of STATE/admin.token as `Authorization: Bearer TOKEN`";
    Fault::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
        .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"sumun\""))
}

/// The role, for one endpoint; a change goes into the audit log with what became of it.
pub(super) async fn role(
    State((desk, needs)): State<(Arc<Desk>, Needs)>,
    request: Request,
    next: Next,
) -> Response {
    let reads = request.method().is_safe();
    let changes = !reads && needs != Needs::Look;
    let least = needs.least(request.method());
    let Some(identity) = request.extensions().get::<Identity>().cloned() else {
        return next.run(request).await; // the login
    };
    let peer = request.extensions().get::<Peer>().copied();
    // The API is nested: its own part of the path is not all of it.
    let whole = request.extensions().get::<OriginalUri>().map(|OriginalUri(uri)| uri.path());
    let what = format!("{} {}", request.method(), whole.unwrap_or(request.uri().path()));
    let why = reason(request.headers());
    let response = if identity.role >= least {
        next.run(request).await
    } else {
        let (own, least) = (identity.role.as_str(), least.as_str());
        let detail = format!("this needs the role {least}; yours is {own}");
        Fault::new(StatusCode::FORBIDDEN, "role_missing", detail).into_response()
    };
    if changes {
        let status = response.status();
        let what = match response.extensions().get::<Audited>() {
            Some(Audited(more)) => format!("{what} {more}"),
            None => what,
        };
        record(&desk, &identity.name, peer, what, why, status).await;
    }
    response
}

/// Writes the audit log. An entry that can't be written is told to the process's log: what happened
/// has happened.
pub(super) async fn record(
    desk: &Arc<Desk>,
    who: &str,
    peer: Option<Peer>,
    what: String,
    why: String,
    status: StatusCode,
) {
    let entry = audit::Entry {
        at: rfc3339(std::time::SystemTime::now()),
        who: who.to_owned(),
        from: peer.map_or_else(String::new, |peer| peer.0.to_string()),
        what,
        why,
        status: status.as_u16(),
    };
    let desk = Arc::clone(desk);
    let shown = entry.clone();
    let written = tokio::task::spawn_blocking(move || desk.audit.write(entry)).await;
    if let Err(error) = written.map_err(std::io::Error::other).and_then(|written| written) {
        tracing::error!(%error, ?shown, "the audit log could not be written");
    }
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
