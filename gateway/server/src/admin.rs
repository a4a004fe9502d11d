//! The admin listener: health, metrics, the API and the page.
//!
//! An [`Admin`] begins with the process and ends last, after the drain. It has a thread and a
//! runtime of its own, so that neither it nor the data path can starve the other. Open to everybody
//! who reaches it are `/livez`, `/readyz`, `/metrics` and the page's files; all else needs the admin
//! token or a session, which a login with the token or a password begins.
//!
//! Bounds: [`listen::CONNECTIONS_MAX`] connections, [`input::BODY_BYTES_MAX`] a body,
//! [`input::BODY_TIME_MAX`] for it to arrive, [`events::STREAMS_MAX`] streams of live events,
//! [`spares::SPARES_MAX`] descriptors kept back.

mod api;
mod attempts;
mod audit;
mod events;
mod fault;
mod guard;
mod input;
mod listen;
mod login;
mod page;
mod secret;
mod session;
mod spares;
mod token;
pub mod watch;
mod write_back;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get};
use http::{HeaderValue, StatusCode, header};
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};

pub use audit::Audit;
pub use events::Events;
pub use listen::{Admin, StartError};
pub use login::Login;
pub use secret::NoRandom;
pub use session::Sessions;
pub use token::{FILE as TOKEN_FILE, Token, TokenError};

use crate::reload::Reload;
use fault::Fault;
use watch::{Readiness, Watch};

/// What the API works with.
pub struct Desk {
    /// The running gateway.
    pub watch: Arc<dyn Watch>,
    /// The policy folder.
    pub reload: Reload,
    /// Opens everything.
    pub token: Token,
    /// Where users come in.
    pub login: Login,
    /// Who has come in.
    pub sessions: Sessions,
    /// Who did what.
    pub audit: Audit,
    /// Whether changes are refused.
    pub read_only: bool,
    /// Who listens to live events.
    pub events: Arc<Events>,
    /// Previews that may run.
    pub previews: Arc<Semaphore>,
    /// The listener's own address: what `Host` may say.
    pub address: SocketAddr,
}

/// What [`Admin::start`] needs.
pub struct Opening<'a> {
    /// What [`Admin::bind`] took.
    pub listener: TcpListener,
    /// Address and mode.
    pub settings: &'a crate::settings::AdminSettings,
    /// Folder of local state.
    pub state: &'a Path,
    /// The running gateway.
    pub watch: Arc<dyn Watch>,
    /// The policy folder.
    pub reload: Reload,
}

/// Everything that the admin listener answers.
pub fn router(desk: Arc<Desk>) -> Router {
    let api = api::endpoints()
        .into_iter()
        .fold(Router::new(), |router, (path, needs, methods)| {
            let role = from_fn_with_state((Arc::clone(&desk), needs), guard::role);
            router.route(path, methods.route_layer(role))
        })
        .fallback(unknown)
        .method_not_allowed_fallback(method_not_allowed);
    open()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .route("/api/", any(unknown))
        .nest("/api", api)
        .fallback(page::serve)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&desk), guard::identity))
        // A policy file's strong tag stands for its bytes on the wire: it stays as it is.
        .layer(
            CompressionLayer::new().compress_when(
                DefaultPredicate::new().and(NotForContentType::new("application/yaml")),
            ),
        )
        .layer(from_fn_with_state(Arc::clone(&desk), guard::surroundings))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(desk)
}

/// What is open without a token.
fn open() -> [(&'static str, MethodRouter<Arc<Desk>>); 3] {
    [("/livez", get(livez)), ("/readyz", get(readyz)), ("/metrics", get(metrics))]
}

/// `GET /livez`: this very answer says that the process lives.
async fn livez() -> &'static str {
    "live\n"
}

/// `GET /readyz`: 200, or 503 with the reason.
async fn readyz(State(desk): State<Arc<Desk>>) -> Response {
    match desk.watch.readiness() {
        Readiness::Ready => "ready\n".into_response(),
        Readiness::NotReady(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response()
        }
    }
}

/// `GET /metrics`.
async fn metrics(State(desk): State<Arc<Desk>>) -> Response {
    let metrics = desk.watch.metrics();
    let media = HeaderValue::from_static(metrics.content_type);
    ([(header::CONTENT_TYPE, media)], metrics.text).into_response()
}

async fn unknown() -> Fault {
    Fault::unknown("there is nothing here")
}

async fn method_not_allowed(request: Request) -> Fault {
    let detail = format!("{} is not allowed here", request.method());
    Fault::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// A defect of ours: the caller learns that, the log learns what.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over by value")]
fn panicked(reason: Box<dyn std::any::Any + Send>) -> Response {
    let text = reason.downcast_ref::<&str>().copied();
    let text = text.or_else(|| reason.downcast_ref::<String>().map(String::as_str));
    tracing::error!(reason = text.unwrap_or("unknown"), "an admin call panicked");
    let detail = "a defect of the gateway; its log says more";
    Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
}

#[cfg(test)]
mod tests;
