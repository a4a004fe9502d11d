//! One worker: a thread, its runtime and its listening socket, from start to drained.

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, LocalOptions};
use tokio::time::MissedTickBehavior;

use crate::core::{Core, Shared};
use crate::deadline::TICK;
use crate::listen;
use crate::telemetry::CoreTelemetry;

/// Ticks between two looks at idle connections: about a second.
const PRUNE_TICKS: u64 = 32;

/// Starts a worker. Its thread ends when the drain has, or when it could not begin.
pub fn start(
    id: usize,
    shared: Arc<Shared>,
    telemetry: impl FnOnce() -> CoreTelemetry + Send + 'static,
    listener: TcpListener,
) -> io::Result<JoinHandle<io::Result<()>>> {
    std::thread::Builder::new().name(format!("sumun-worker-{id}")).spawn(move || {
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
        runtime.block_on(async move {
            let core = Rc::new(Core::new(shared, telemetry()));
            tokio::task::spawn_local(tick(Rc::clone(&core)));
            listen::accept(Rc::clone(&core), listener).await?;
            core.connections.close();
            tokio::select! {
                () = core.connections.wait() => {}
                () = core.shared.drain.cut() => {}
            }
            Ok(())
        })
    })
}

/// Moves the worker's coarse time on.
async fn tick(core: Rc<Core>) {
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
