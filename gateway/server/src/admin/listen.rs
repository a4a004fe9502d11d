//! The admin listener's own thread, runtime and connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::api::preview::PREVIEWS_MAX;
use super::audit::Audit;
use super::events::{Cut, Events};
use super::guard::Peer;
use super::login::Login;
use super::session::Sessions;
use super::spares::Spares;
use super::token::{Token, TokenError};
use super::{Desk, Opening, router};

/// Most connections. A page holds six, a scraper one; the data path keeps its descriptors.
pub(super) const CONNECTIONS_MAX: usize = 256;

/// Longest time for a request head to arrive, and for a connection to be quiet between two.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// Longest life of a connection: a reader that never reads can't hold one for ever.
const CONNECTION_TIME_MAX: Duration = Duration::from_mins(10);

/// Buffer of a connection, bytes; the head must fit.
const BUFFER_BYTES: usize = 64 * 1024;

/// Pause after a failed accept (out of descriptors, also of spare ones): no spinning.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The running admin listener; dropping it ends it.
pub struct Admin {
    /// Where it listens.
    pub address: SocketAddr,
    /// The login link, where the token was made just now: to be shown once.
    pub login: Option<String>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

/// Why the admin listener does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Only loopback until there is TLS.
    #[error("admin.listen must be a loopback address until admin TLS is supported, not {0}")]
    Exposed(SocketAddr),
    /// The address can't be used.
    #[error("the admin listener cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// No token, no admin.
    #[error("there is no admin token")]
    Token(#[from] TokenError),
    /// No thread or runtime.
    #[error("the admin listener has no thread")]
    Thread(#[source] io::Error),
}

impl Admin {
    /// Takes the address; nobody is answered yet.
    pub fn bind(wanted: SocketAddr) -> Result<TcpListener, StartError> {
        if !wanted.ip().is_loopback() {
            return Err(StartError::Exposed(wanted));
        }
        let failed = |error| StartError::Listen(wanted, error);
        let listener = TcpListener::bind(wanted).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(listener)
    }

    /// Answers from now on.
    pub fn start(opening: Opening<'_>) -> Result<Self, StartError> {
        let listener = opening.listener;
        let address = listener
            .local_addr()
            .map_err(|error| StartError::Listen(opening.settings.listen, error))?;
        let (token, created) = Token::open(opening.state)?;
        let login = created.then(|| token.login_link(address));
        let desk = Desk {
            login: Login::new(opening.settings.users.clone()),
            sessions: Sessions::default(),
            audit: Audit::new(opening.state),
            watch: opening.watch,
            reload: opening.reload,
            token,
            read_only: opening.settings.read_only,
            events: Arc::new(Events::default()),
            previews: Arc::new(Semaphore::new(PREVIEWS_MAX)),
            address,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("sumun-admin".to_owned())
            .spawn(move || {
                runtime.block_on(serve(listener, router(Arc::new(desk)), stopped));
                // What still answers is cut: the process is on its way out.
                runtime.shutdown_background();
            })
            .map_err(StartError::Thread)?;
        Ok(Self { address, login, stop, thread: Some(thread) })
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been reported by its own hook.
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the admin listener does not run");
            return;
        }
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let spares = Arc::new(Spares::filled());
    loop {
        let next = async {
            // A place first: who finds none waits in the system's queue.
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let (accepted, place) = tokio::select! {
            () = stop.cancelled() => return,
            next = next => match next {
                Some(next) => next,
                None => return,
            },
        };
        match accepted {
            Ok((stream, peer)) => {
                let (router, spares) = (router.clone(), Arc::clone(&spares));
                tokio::spawn(async move {
                    connection(stream, Peer(peer.ip()), router).await;
                    spares.fill();
                    drop(place);
                });
            }
            Err(error) if spares.give_up_for(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "an admin connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: Peer, router: Router) {
    // Small answers should leave at once; without it they only come later.
    let _ = stream.set_nodelay(true);
    let cut = Cut::default();
    let of_calls = cut.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(of_calls.clone());
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let connection = tokio::time::timeout(CONNECTION_TIME_MAX, connection);
    let ended = tokio::select! {
        ended = connection => ended,
        () = cut.0.cancelled() => {
            tracing::debug!("an admin connection was cut: its stream was not read");
            return;
        }
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an admin connection ended early"),
        Err(_) => tracing::debug!("an admin connection was cut at its longest life"),
    }
}
