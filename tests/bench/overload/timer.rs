//! A timer that wakes within some ten microseconds: tokio's own counts whole milliseconds, which
//! is a twentieth of a call here.
//!
//! One kernel timer (`timerfd`) for each [`Timer`]; it is meant to be kept by one task.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// Shorter waits than this are not worth a system call.
const WORTHWHILE: Duration = Duration::from_micros(5);

/// Waits for moments, one after another.
pub struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    /// A timer of its own.
    pub fn new() -> Self {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags).expect("a kernel timer");
        // SAFETY: an `OwnedFd` keeps its descriptor open, and the same, for as long as it lives.
        Self(unsafe { AsyncFd::register(fd) }.expect("a runtime with IO"))
    }

    /// Waits until `at`; answers how much later it is.
    pub async fn until(&self, at: Instant) -> Duration {
        loop {
            let now = Instant::now();
            let left = at.saturating_duration_since(now);
            if left < WORTHWHILE {
                return now.saturating_duration_since(at);
            }
            let value = Timespec {
                tv_sec: left.as_secs().cast_signed(),
                tv_nsec: i64::from(left.subsec_nanos()),
            };
            let once = Itimerspec { it_interval: Timespec::default(), it_value: value };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once).expect("set");
            self.0.readable().await.expect("a timer is readable").clear_ready();
        }
    }
}
