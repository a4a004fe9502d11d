//! The wall time of monotonic moments, as logs and traces show them.

use std::time::SystemTime;

use crate::clock::Clock;

/// A difference of fewer seconds is no clock that was set.
const SLEW_S_MAX: u64 = 2;

/// The two clocks side by side, read once at the start.
///
/// They drift apart where the wall clock is set while the process runs; times in logs and traces
/// then stay consistent with one another rather than jump.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wall {
    /// Wall time of the clock's zero, ns since 1970.
    zero_unix_ns: u64,
}

// === impl Wall ===

impl Wall {
    pub(super) fn of(clock: &Clock) -> Self {
        let now_ns = clock.now().nanos();
        let unix = clock.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // Nanoseconds since 1970 fit until 2554.
        Self { zero_unix_ns: (unix.as_nanos() as u64).saturating_sub(now_ns) }
    }

    /// As if the clock had begun at `zero_unix_ns`.
    #[cfg(test)]
    pub(super) fn from_zero(zero_unix_ns: u64) -> Self {
        Self { zero_unix_ns }
    }

    /// ns since 1970.
    pub(super) fn unix_ns(self, moment_ns: u64) -> u64 {
        self.zero_unix_ns.saturating_add(moment_ns)
    }

    /// A second of this wall as the wall clock has it now: another only where that was set since the
    /// start. Where it was merely slewed, seconds stay what they are, as does 0, which is none.
    pub(super) fn now_s(self, unix_s: u64, clock: &Clock) -> u64 {
        let now = clock.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let here_s = self.unix_ns(clock.now().nanos()) / 1_000_000_000;
        match now.as_secs() {
            there_s if unix_s == 0 || here_s.abs_diff(there_s) < SLEW_S_MAX => unix_s,
            there_s => (unix_s + there_s).saturating_sub(here_s),
        }
    }
}
