//! What systemd is told (`Type=notify`); nothing where `NOTIFY_SOCKET` is not set.

use sd_notify::NotifyState;

/// The gateway serves.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The gateway drains.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "can't notify the service manager");
    }
}
