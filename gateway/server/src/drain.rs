//! The end of the process, in three steps: announce, stop accepting, cut.
//!
//! **Announce**: readiness says 503 and every answer asks its client to reconnect elsewhere, while
//! connections are still accepted; load balancers need this time to notice. **Stop**: listening
//! sockets close, idle connections close, calls in flight go on. **Cut**: what is left after
//! `drain.limit` is dropped; on HTTP/1 a call without an answer is told so first (503 `draining`).

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// Where the process is between running and gone. Every step is taken at most once, in order.
#[derive(Debug, Default)]
pub struct Drain {
    draining: AtomicBool,
    stopping: AtomicBool,
    begun: CancellationToken,
    stopped: CancellationToken,
    cut: CancellationToken,
}

impl Drain {
    /// First step.
    pub fn announce(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.begun.cancel();
    }

    /// Second step.
    pub fn stop_accepting(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.stopped.cancel();
    }

    /// Third step.
    pub fn cut_all(&self) {
        self.cut.cancel();
    }

    /// Whether the first step has been taken.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether the second step has been taken.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Returns at the first step.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// Returns at the second step: no connection is accepted, those without a call close.
    pub async fn stopped(&self) {
        self.stopped.cancelled().await;
    }

    /// Returns at the third step.
    pub async fn cut(&self) {
        self.cut.cancelled().await;
    }
}

#[cfg(test)]
mod tests;
