//! One clock for the whole process: monotonic for durations, and the wall clock it stands for.

use std::time::{Duration, Instant, SystemTime};

/// Counts nanoseconds from its making, never back; knows the wall time of that moment.
///
/// The two clocks drift apart where the wall clock is set while the process runs; times in logs and
/// traces then stay consistent with one another rather than jump.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    started_wall: SystemTime,
}

impl Clock {
    /// A clock that begins at 1 ns: in records 0 means "unknown".
    pub fn start() -> Self {
        Self { started: Instant::now() - Duration::from_nanos(1), started_wall: SystemTime::now() }
    }

    /// Monotonic ns since the start.
    pub fn now_ns(&self) -> u64 {
        // 584 years of nanoseconds fit.
        self.started.elapsed().as_nanos() as u64
    }

    /// The wall time of a moment of this clock.
    pub fn wall(&self, moment_ns: u64) -> SystemTime {
        self.started_wall + Duration::from_nanos(moment_ns)
    }

    /// Wall time as ns since 1970 (0 where the wall clock stands before that).
    pub fn unix_ns(&self, moment_ns: u64) -> u64 {
        let wall = self.wall(moment_ns).duration_since(SystemTime::UNIX_EPOCH);
        wall.map_or(0, |since| since.as_nanos() as u64)
    }
}
