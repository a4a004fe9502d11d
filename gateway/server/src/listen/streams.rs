//! The streams of one HTTP/2 connection, each with a bound on how long it waits for its client.
//!
//! On HTTP/1 a client that takes no bytes stalls its connection, which the guard sees. On HTTP/2 it
//! can withhold one stream's window and go on with the others, and hyper waits for the window for
//! ever: with it waits whatever the call holds. So each stream's task looks at its own answer, and
//! ends once a piece of it has waited for longer than `limits.idle`; dropping the task resets the
//! stream (RFC 9113 §8.7).

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use super::connection::Connection;
use crate::core::Core;
use crate::deadline::{TICK, ticks};

/// Tick at which the answer handed its last piece to the client's window; 0: it is the upstream that
/// is waited for, which has its own limits.
pub type HandedTick = Rc<Cell<u64>>;

/// Spawns hyper's tasks of one connection on the worker's own runtime.
#[derive(Clone)]
pub struct Streams {
    core: Rc<Core>,
    connection: Rc<Connection>,
}

// === impl Streams ===

impl Streams {
    /// For one connection.
    pub fn new(core: &Rc<Core>, connection: &Rc<Connection>) -> Self {
        Self { core: Rc::clone(core), connection: Rc::clone(connection) }
    }
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future + 'static,
{
    fn execute(&self, stream: F) {
        let Self { core, connection } = self.clone();
        tokio::task::spawn_local(async move {
            let idle = core.shared.settings.limits.idle;
            let (deadline, limit) = (core.deadlines.after(idle), ticks(idle));
            let handed = HandedTick::default();
            let mut stream = pin!(stream);
            poll_fn(|cx| {
                connection.stream.replace(Some(Rc::clone(&handed)));
                let polled = stream.as_mut().poll(cx);
                connection.stream.replace(None);
                if polled.is_ready() {
                    return Poll::Ready(());
                }
                while deadline.poll_expired(cx).is_ready() {
                    let waited = match handed.get() {
                        0 => 0,
                        since => core.deadlines.tick() - since,
                    };
                    if waited >= limit {
                        return Poll::Ready(());
                    }
                    deadline.reset(TICK * u32::try_from(limit - waited).unwrap_or(u32::MAX));
                }
                Poll::Pending
            })
            .await;
        });
    }
}
