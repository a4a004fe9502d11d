//! A bounded pool of workers behind a bounded accept queue, as Tomcat's connector has it.
//!
//! A request takes a worker with [`Workers::take`] and frees it by dropping the [`Worker`]. At most
//! `workers` run, at most `queue` wait in order of arrival, everything beyond is refused at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The pool.
#[derive(Debug)]
pub(super) struct Workers {
    max: u32,
    free: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// A running worker; dropping it hands it to whoever waits longest.
#[derive(Debug)]
pub(super) struct Worker {
    _permit: OwnedSemaphorePermit,
}

/// All workers run and the queue is full.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct QueueFull;

// === impl Workers ===

impl Workers {
    /// A pool of `workers` with room for `queue` waiting requests.
    pub(super) fn new(workers: u32, queue: u32) -> Self {
        Self {
            max: workers,
            free: Arc::new(Semaphore::new(workers as usize)),
            places: Arc::new(Semaphore::new(queue as usize)),
        }
    }

    /// A worker, after waiting in the queue where all are busy.
    ///
    /// # Errors
    /// [`QueueFull`] at once, where nobody else may wait. Dropping the future leaves the queue.
    pub(super) async fn take(&self) -> Result<Worker, QueueFull> {
        if let Ok(permit) = self.free.clone().try_acquire_owned() {
            return Ok(Worker { _permit: permit });
        }
        let _place = self.places.try_acquire().map_err(|_| QueueFull)?;
        match self.free.clone().acquire_owned().await {
            Ok(permit) => Ok(Worker { _permit: permit }),
            Err(_) => Err(QueueFull),
        }
    }

    /// Workers that run now; never over [`Workers::max`].
    pub(super) fn busy(&self) -> u32 {
        self.max - self.free.available_permits() as u32
    }

    /// Workers there are.
    pub(super) fn max(&self) -> u32 {
        self.max
    }

    /// Busy workers as a share of all, 0 to 1.
    pub(super) fn load(&self) -> f64 {
        f64::from(self.busy()) / f64::from(self.max)
    }
}

#[cfg(test)]
mod tests;
