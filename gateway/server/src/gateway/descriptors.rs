//! File descriptors: as many as allowed, and never all of them for connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors kept for everything but connections: listeners, admin, scrapes, logs, files.
const RESERVED: u64 = 64;

/// Descriptors one client connection may need: its own and one towards an upstream.
const PER_CONNECTION: u64 = 2;

/// Raises the soft limit to the hard one; returns how many connections that carries, at most
/// `wanted`. So accepting can't run out of descriptors.
pub fn connections_max(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let Some(allowed) = allowed else { return wanted };
    let carried = allowed.saturating_sub(RESERVED) / PER_CONNECTION;
    let carried = usize::try_from(carried).unwrap_or(usize::MAX).max(1);
    if carried < wanted {
        tracing::warn!(
            wanted,
            carried,
            "limits.connections is lowered to what RLIMIT_NOFILE carries"
        );
    }
    wanted.min(carried)
}
