//! Waiting for a condition, with a deadline.

use std::fmt::Debug;
use std::future::Future;
use std::time::{Duration, Instant};

/// How long anything in the harness may take where a test says nothing else. Generous, because
/// the machine may be busy; a passing test never waits for it.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// Pause between two looks at a condition.
const POLL: Duration = Duration::from_millis(5);

/// Polls `probe` until it says `Ok` and returns what it says.
///
/// # Panics
/// With `what` and the last `Err` once `deadline` has passed.
pub async fn eventually<T, E: Debug>(
    what: &str,
    deadline: Duration,
    mut probe: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let started = Instant::now();
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(last) if started.elapsed() > deadline => {
                panic!("not within {deadline:?}: {what}; last seen: {last:?}")
            }
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

/// Runs `future` to its end.
///
/// # Panics
/// With `what` once `deadline` has passed.
pub async fn within<F: Future>(what: &str, deadline: Duration, future: F) -> F::Output {
    let ended = tokio::time::timeout(deadline, future).await;
    ended.unwrap_or_else(|_| panic!("not within {deadline:?}: {what}"))
}
