//! One worker: a thread, its runtime and its listening socket, from start to drained.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use crate::core::{Core, Shared};
use crate::deadline::TICK;
use crate::listen;
use crate::telemetry::CoreTelemetry;

/// Ticks between two looks at idle connections: about a second.
const PRUNE_TICKS: u64 = 32;

/// Starts a worker. It drops `starting` once it runs or has failed. Its thread ends when the drain
/// has, or when it could not go on; `ended` is told in any case.
pub fn start(
    id: usize,
    shared: Arc<Shared>,
    telemetry: impl FnOnce() -> CoreTelemetry + Send + 'static,
    listener: TcpListener,
    starting: SyncSender<Infallible>,
    ended: Arc<Notify>,
) -> io::Result<JoinHandle<io::Result<()>>> {
    std::thread::Builder::new().name(format!("sumun-worker-{id}")).spawn(move || {
        let _told = Told(ended);
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
        runtime.block_on(async move {
            let core = Rc::new(Core::new(shared, telemetry()));
            drop(starting);
            let turnstile = Rc::clone(&core.turnstile);
            let usher = tokio::task::spawn_local(async move { turnstile.usher().await });
            // A worker without time or without an usher would hold everybody up for ever, so a panic
            // of one of them is the end of it.
            tokio::select! {
                served = serve(&core, listener) => served,
                never = tick(&core) => match never {},
                ended = usher => Err(io::Error::other(ended.err().map_or_else(
                    || "the usher has left".to_owned(),
                    |error| error.to_string(),
                ))),
            }
        })
    })
}

/// How long connections may live on when the drain has ended: as long as it takes to write a refusal.
const CUT_GRACE: Duration = Duration::from_millis(300);

/// Accepts until the drain, then waits for what is under way.
async fn serve(core: &Rc<Core>, listener: TcpListener) -> io::Result<()> {
    listen::accept(Rc::clone(core), listener).await?;
    core.connections.close();
    tokio::select! {
        () = core.connections.wait() => return Ok(()),
        () = core.shared.drain.cut() => core.cut.set(true),
    }
    // Whoever is told so now gets the time to hear it; all else is cut.
    let _ = tokio::time::timeout(CUT_GRACE, core.connections.wait()).await;
    Ok(())
}

/// Tells that a worker's thread has ended, also where it panicked.
struct Told(Arc<Notify>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// Moves the worker's coarse time on.
async fn tick(core: &Core) -> Infallible {
    let mut interval = tokio::time::interval(TICK);
    // Late ticks are caught up: deadlines are counted in ticks.
    interval.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        interval.tick().await;
        core.deadlines.advance();
        if core.deadlines.tick().is_multiple_of(PRUNE_TICKS) {
            core.pools.prune(core.deadlines.tick());
        }
    }
}
