//! Who is logged in, logging in and out, and who did what.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::admin::Desk;
use crate::admin::audit::Entry;
use crate::admin::fault::Fault;
use crate::admin::guard::{self, Peer};
use crate::admin::input;
use crate::admin::login::{Credentials, Rejected};
use crate::admin::session::Identity;
use crate::settings::Role;

/// Who is logged in.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Session {
    /// The user's name; `token` for whoever has the admin token.
    user: String,
    role: Role,
    /// Whether changes are refused whatever the role.
    read_only: bool,
}

/// `{token}` or `{user, password}`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Credentials"))]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    token: Option<String>,
    user: Option<String>,
    password: Option<String>,
}

/// How many entries of the audit log.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Most {
    /// How many: 100 where it is not said, 1000 at most.
    limit: Option<usize>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct AuditLog {
    /// Newest first.
    entries: Vec<Entry>,
}

/// Entries of the audit log in one answer, where the caller does not say and at most.
const ENTRIES: usize = 100;
const ENTRIES_MAX: usize = 1_000;

/// `GET /api/v1/session`.
pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Extension(identity): Extension<Identity>,
) -> Json<Session> {
    Json(Session::of(&identity, &desk))
}

/// `POST /api/v1/session`: logs in.
pub(super) async fn begin(
    State(desk): State<Arc<Desk>>,
    request: Request,
) -> Result<Response, Fault> {
    let peer = request.extensions().get::<Peer>().copied();
    let credentials = match input::json::<Shown>(request).await? {
        Shown { token: Some(token), user: None, password: None } => Credentials::Token(token),
        Shown { token: None, user: Some(user), password: Some(password) } => {
            Credentials::Password { user, password }
        }
        _ => return Err(Fault::malformed("send `token`, or `user` and `password`")),
    };
    let who = credentials.name().to_owned();
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
    let entered = match desk.login.enter(credentials, &desk.token, address).await {
        Ok(identity) => {
            let cookie = desk.sessions.begin(identity.clone()).map_err(|error| {
                tracing::error!(%error, "no session");
                Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string())
            })?;
            Ok(set(cookie, Json(Session::of(&identity, &desk))))
        }
        Err(Rejected::Unknown) => {
            let detail = "the token is not this gateway's, or user and password do not fit";
            Err(Fault::new(StatusCode::UNAUTHORIZED, "login_failed", detail))
        }
        Err(Rejected::TooMany(wait)) => {
            let wait_s = wait.as_secs() + 1;
            let detail = format!("too many attempts; try again in {wait_s} s");
            Err(Fault::new(StatusCode::TOO_MANY_REQUESTS, "login_attempts", detail)
                .with(header::RETRY_AFTER, HeaderValue::from(wait_s)))
        }
    };
    let response = entered.into_response();
    let status = response.status();
    guard::record(&desk, &who, peer, "login".to_owned(), String::new(), status).await;
    Ok(response)
}

/// `DELETE /api/v1/session`: logs out.
pub(super) async fn end(
    State(desk): State<Arc<Desk>>,
    Extension(identity): Extension<Identity>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Response {
    let cookie = desk.sessions.end(&headers);
    let peer = peer.map(|Extension(peer)| peer);
    let (what, status) = ("logout".to_owned(), StatusCode::NO_CONTENT);
    guard::record(&desk, &identity.name, peer, what, String::new(), status).await;
    set(cookie, status)
}

/// `GET /api/v1/audit?limit=N`.
pub(super) async fn audit(
    State(desk): State<Arc<Desk>>,
    most: Result<Query<Most>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<AuditLog>, Fault> {
    let Query(most) = most.map_err(|e| Fault::malformed(e.body_text()))?;
    let limit = most.limit.unwrap_or(ENTRIES).min(ENTRIES_MAX);
    let read = tokio::task::spawn_blocking(move || desk.audit.newest(limit)).await;
    let entries = read.map_err(std::io::Error::other).and_then(|read| read).map_err(|error| {
        tracing::error!(%error, "the audit log could not be read");
        let detail = "the audit log could not be read; the gateway's log says more";
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "audit_unreadable", detail)
    })?;
    Ok(Json(AuditLog { entries }))
}

fn set(cookie: HeaderValue, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

impl Session {
    fn of(identity: &Identity, desk: &Desk) -> Self {
        let read_only = desk.read_only || desk.reload.folder().is_none();
        Self { user: identity.name.to_string(), role: identity.role, read_only }
    }
}
