//! Live events: what goes on now, told once a second to everybody who listens.
//!
//! A stream begins with `GET /api/v1/live` and ends when its session does, when the gateway drains,
//! when its reader takes nothing for [`UNTAKEN_MAX_S`] seconds, or with its connection. The figures
//! are computed once a second for all streams, and only while there are any. Nothing queues up: a
//! stream is handed the newest tick when its reader is ready for it, and never sees those it missed.
//! Bound: [`STREAMS_MAX`] streams; one tick is kept.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Most streams at once: a page opens one, and there are fewer people than that.
pub(super) const STREAMS_MAX: usize = 64;

/// How often the figures are told.
const EVERY: Duration = Duration::from_secs(1);

/// Without a tick for so long, a comment says that the stream lives.
const QUIET_MAX: Duration = Duration::from_secs(10);

/// A reader that takes nothing for so many seconds is cut; it may come again.
pub(super) const UNTAKEN_MAX_S: u64 = 30;

/// What a browser waits before it comes again.
const RETRY_MS: u32 = 2_000;

/// A comment: readers of events pass over it.
const HEARTBEAT: Bytes = Bytes::from_static(b": here\n\n");

/// Ends the connection that a call came on.
#[derive(Clone, Debug, Default)]
pub(super) struct Cut(pub CancellationToken);

/// What is told in one second.
pub(super) struct Told {
    /// JSON, on one line.
    pub json: Vec<u8>,
    /// Whether it is the last: the gateway drains.
    pub is_last: bool,
}

/// The ticker and its streams.
pub struct Events {
    newest: watch::Sender<Option<Tick>>,
    streams: Mutex<Streams>,
}

#[derive(Default)]
struct Streams {
    all: Vec<Weak<Reader>>,
    ticks: bool,
}

/// An event as it goes over the wire.
#[derive(Clone)]
struct Tick {
    text: Bytes,
    is_last: bool,
}

/// Somebody who listens.
struct Reader {
    /// Seconds without a tick taken.
    untaken_s: AtomicU64,
    cut: CancellationToken,
}

/// All places are taken.
#[derive(Debug)]
pub(super) struct Full;

// === impl Events ===

impl Default for Events {
    fn default() -> Self {
        Self { newest: watch::Sender::new(None), streams: Mutex::default() }
    }
}

impl Events {
    /// One more stream, as the body of an answer. `tell` computes a tick, `lives` says whether the
    /// reader's session still does; `cut` ends its connection.
    pub(super) fn listen(
        self: &Arc<Self>,
        tell: impl Fn() -> Told + Send + 'static,
        lives: impl Fn() -> bool + Send + 'static,
        cut: Cut,
    ) -> Result<impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static, Full> {
        let mut streams = self.streams.lock();
        streams.all.retain(|reader| reader.strong_count() > 0);
        if streams.all.len() >= STREAMS_MAX {
            return Err(Full);
        }
        let reader = Arc::new(Reader { untaken_s: AtomicU64::new(0), cut: cut.0 });
        streams.all.push(Arc::downgrade(&reader));
        let mut newest = self.newest.subscribe();
        // What was told before one came is news to him.
        newest.mark_changed();
        if !std::mem::replace(&mut streams.ticks, true) {
            tokio::spawn(tick(Arc::downgrade(self), tell));
        }
        drop(streams);
        let open = Open { newest, reader, lives, began: false };
        Ok(unfold(Some(open), |open| async { open?.next().await }))
    }

    /// Ends ticking where nobody listens any more; cuts who takes nothing. The second that begins is
    /// counted against each.
    fn prune(&self) -> bool {
        let mut streams = self.streams.lock();
        streams.all.retain(|reader| {
            let Some(reader) = reader.upgrade() else { return false };
            let untaken_s = reader.untaken_s.fetch_add(1, Ordering::Relaxed);
            if untaken_s >= UNTAKEN_MAX_S {
                reader.cut.cancel();
            }
            // Its place is free only when its connection is gone.
            true
        });
        streams.ticks = !streams.all.is_empty();
        if !streams.ticks {
            // The next one to come must not be told what is long past.
            self.newest.send_replace(None);
        }
        streams.ticks
    }
}

/// A ticker that panics is not taken for one that runs: the next who comes starts another.
struct Ticking(Weak<Events>);

impl Drop for Ticking {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(events) = self.0.upgrade()
        {
            events.streams.lock().ticks = false;
        }
    }
}

/// Tells once a second while somebody listens.
async fn tick(events: Weak<Events>, tell: impl Fn() -> Told) {
    let _ticking = Ticking(Weak::clone(&events));
    let mut seconds = interval(EVERY);
    // After a pause the next tick is the newest, not one of many to catch up with.
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut id = 0_u64;
    loop {
        seconds.tick().await;
        let Some(events) = events.upgrade() else { return };
        if !events.prune() {
            return;
        }
        id += 1;
        let Told { json, is_last } = tell();
        let mut text = format!("id: {id}\nevent: tick\ndata: ").into_bytes();
        text.extend_from_slice(&json);
        text.extend_from_slice(b"\n\n");
        events.newest.send_replace(Some(Tick { text: text.into(), is_last }));
    }
}

/// A stream's state between two of its events.
struct Open<L> {
    newest: watch::Receiver<Option<Tick>>,
    reader: Arc<Reader>,
    lives: L,
    began: bool,
}

impl<L: Fn() -> bool> Open<L> {
    /// What is sent next, and what is left of the stream after it.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Option<Self>)> {
        if !std::mem::replace(&mut self.began, true) {
            let text = format!("retry: {RETRY_MS}\n\n");
            return Some((Ok(text.into()), Some(self)));
        }
        let quiet = Instant::now() + QUIET_MAX;
        loop {
            tokio::select! {
                changed = self.newest.changed() => changed.ok()?,
                () = tokio::time::sleep_until(quiet) => return Some((Ok(HEARTBEAT), Some(self))),
            }
            if !(self.lives)() {
                return None;
            }
            let Some(tick) = self.newest.borrow_and_update().clone() else { continue };
            self.reader.untaken_s.store(0, Ordering::Relaxed);
            let rest = (!tick.is_last).then_some(self);
            return Some((Ok(tick.text), rest));
        }
    }
}

#[cfg(test)]
mod tests;
