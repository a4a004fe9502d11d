//! What the process is told by signals.
//!
//! SIGHUP is heard from the very start: what rotates logs must not end a gateway that is only being
//! started. SIGTERM and SIGINT are heard once there is something to drain; before that they end the
//! process at once, as they do any other.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Heard signals; those that the system does not give are never told.
pub struct Signals {
    hangup: Option<Signal>,
    term: Option<Signal>,
    interrupt: Option<Signal>,
}

/// What a signal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Drain and end.
    End,
    /// Look at the files again.
    Hangup,
}

// === impl Signals ===

impl Signals {
    /// SIGHUP alone. Call it within a runtime.
    pub fn of_a_start() -> Self {
        Self { hangup: signal(SignalKind::hangup()).ok(), term: None, interrupt: None }
    }

    /// And what ends the process. Call it within a runtime.
    pub fn serving(&mut self) {
        self.term = signal(SignalKind::terminate()).ok();
        self.interrupt = signal(SignalKind::interrupt()).ok();
    }

    /// The next one that was heard, also if that was a while ago.
    pub async fn next(&mut self) -> Told {
        async fn of(signal: &mut Option<Signal>) {
            match signal {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        }
        tokio::select! {
            () = of(&mut self.term) => Told::End,
            () = of(&mut self.interrupt) => Told::End,
            () = of(&mut self.hangup) => Told::Hangup,
        }
    }
}
