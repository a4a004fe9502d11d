//! The one place that asks the time. The engine is handed a [`Moment`]; the cache rules a wall time too.
//!
//! Limits run on the monotonic clock: a wall clock that jumps refuses nobody.

use std::time::{Duration, Instant, SystemTime};

use sumun_engine::time::Moment;

/// Monotonic time since the process began, and the wall time that belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    base: Instant,
}

impl Clock {
    /// Starts at [`Moment::from_nanos`]`(1)`: zero means "never" in records.
    pub fn start() -> Self {
        Self { base: Instant::now() }
    }

    /// Now, monotonic.
    pub fn now(&self) -> Moment {
        Moment::from_nanos(
            1 + u64::try_from(self.base.elapsed().as_nanos()).unwrap_or(u64::MAX - 1),
        )
    }

    /// Now, wall clock.
    pub fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    /// The wall time of an earlier moment, by today's wall clock.
    pub fn wall_at(&self, moment: Moment) -> SystemTime {
        let age = self.now().since(moment);
        SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH + Duration::ZERO)
    }
}
