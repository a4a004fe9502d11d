//! When to look at the folder: notifications, a poll, hang-ups.
//!
//! The operating system's notifications are fast but not sure (bind mounts, network file systems,
//! a folder that is replaced), so the folder is also read and hashed every [`POLL`]. Whatever goes
//! wrong here is logged once and the poll carries on.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Cause, Shared, Source};

/// Period of the poll: the most that a change may go unseen where notifications fail.
const POLL: Duration = Duration::from_secs(2);

/// How long the folder must be quiet before it is read: an editor writes in several steps.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// The longest that a folder that is never quiet puts a load off.
const DEBOUNCE_MAX: Duration = Duration::from_secs(1);

/// The task that watches; dropping it ends the watch.
pub(super) struct Watch {
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    pub(super) fn start(shared: &Arc<Shared>, hangups: mpsc::Receiver<()>) -> Self {
        // One pending notification says as much as a thousand.
        let (notices, noticed) = mpsc::channel(1);
        let watcher = match &shared.source {
            Source::Folder(folder) => watcher(folder, notices.clone()),
            Source::To(_) => None,
        };
        let shared = Arc::downgrade(shared);
        let task = tokio::spawn(run(shared, noticed, hangups, (watcher, notices)));
        Self { task }
    }
}

/// The system's notifications for a folder; `None` where it offers none.
fn watcher(folder: &Path, notices: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let notify = move |event: notify::Result<notify::Event>| {
        // Reading the folder is an event too; only changes matter. Errors do: look then.
        if !event.is_ok_and(|event| event.kind.is_access()) {
            let _ = notices.try_send(());
        }
    };
    let watcher = notify::recommended_watcher(notify).and_then(|mut watcher| {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    watcher
        .inspect_err(|error| {
            tracing::warn!(%error, "no notifications for the policy folder, it is polled");
        })
        .ok()
}

/// Runs until the task is aborted or nobody holds the `Reload` any more.
async fn run(
    shared: Weak<Shared>,
    mut noticed: mpsc::Receiver<()>,
    mut hangups: mpsc::Receiver<()>,
    // Held, because dropping the watcher ends its notifications; the sender keeps `noticed` open.
    _held: (Option<RecommendedWatcher>, mpsc::Sender<()>),
) {
    let mut poll = tokio::time::interval_at(Instant::now() + POLL, POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let cause = tokio::select! {
            () = asked(&mut hangups) => Cause::Asked,
            _ = noticed.recv() => tokio::select! {
                // Who asks has finished writing: no need to wait until it is quiet.
                () = asked(&mut hangups) => Cause::Asked,
                () = quiet(&mut noticed) => Cause::Noticed,
            },
            _ = poll.tick() => Cause::Noticed,
        };
        let Some(shared) = shared.upgrade() else { return };
        shared.revert_due().await;
        // Problems are logged and kept in the status by the load itself.
        let _ = shared.load(cause).await;
    }
}

/// Waits until somebody asks for a load; for ever where nobody can any more.
async fn asked(hangups: &mut mpsc::Receiver<()>) {
    if hangups.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}

/// Waits until no notification has come for [`DEBOUNCE`], at most [`DEBOUNCE_MAX`].
async fn quiet(noticed: &mut mpsc::Receiver<()>) {
    let last = Instant::now() + DEBOUNCE_MAX;
    while Instant::now() < last {
        match tokio::time::timeout(DEBOUNCE, noticed.recv()).await {
            Ok(Some(())) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests;
