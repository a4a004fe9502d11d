//! Bodies on their way into the store: collected within a bound that all of them share.
//!
//! A collection begins with an answer's head and ends when its body is complete, too large, or
//! finds no room. Then only the storing ends; the client's answer goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use sumun_engine::freshness::NotStored;

/// First allocation of a body of unknown length, bytes.
const FIRST_BYTES: u64 = 4096;

/// Room for all bodies that are being collected.
#[derive(Debug)]
pub(crate) struct Filling {
    used_bytes: AtomicU64,
    bytes_max: u64,
}

impl Filling {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { used_bytes: AtomicU64::new(0), bytes_max }
    }

    /// Bytes taken by bodies that are being collected.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: u64) -> Result<(), NotStored> {
        let room = |used: u64| Some(used + bytes).filter(|&sum| sum <= self.bytes_max);
        self.used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room)
            .map(|_| ())
            .map_err(|_| NotStored::Busy)
    }
}

/// One body being collected. Its room is given back on Drop.
pub(crate) struct Collected {
    filling: Arc<Filling>,
    bytes: Vec<u8>,
    /// What was taken from the room: the vector's capacity.
    taken_bytes: u64,
    /// `Content-Length`, where the answer has one.
    expected_bytes: Option<u64>,
    bytes_max: u64,
}

impl Collected {
    /// For a body of this length, or of any up to `bytes_max`.
    pub(crate) fn new(
        filling: &Arc<Filling>,
        expected_bytes: Option<u64>,
        bytes_max: u64,
    ) -> Result<Self, NotStored> {
        if expected_bytes.is_some_and(|expected| expected > bytes_max) {
            return Err(NotStored::TooLarge);
        }
        Ok(Self {
            filling: Arc::clone(filling),
            bytes: Vec::new(),
            taken_bytes: 0,
            expected_bytes,
            bytes_max,
        })
    }

    /// Adds a chunk.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<(), NotStored> {
        let needed = (self.bytes.len() + chunk.len()) as u64;
        if needed > self.expected_bytes.unwrap_or(self.bytes_max) {
            return Err(NotStored::TooLarge);
        }
        if needed > self.taken_bytes {
            // Doubling up to what may come: a header that promises much takes nothing in advance.
            let most = self.expected_bytes.unwrap_or(self.bytes_max);
            let capacity = (self.taken_bytes * 2).max(FIRST_BYTES).max(needed).min(most);
            self.filling.take(capacity - self.taken_bytes)?;
            self.taken_bytes = capacity;
            self.bytes.reserve_exact(capacity as usize - self.bytes.len());
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// Whether `Content-Length` or the framing promised a length.
    pub(crate) fn has_promise(&self) -> bool {
        self.expected_bytes.is_some()
    }

    /// Whether everything that `Content-Length` promised is here; without one only the end tells.
    pub(crate) fn is_as_promised(&self) -> bool {
        self.expected_bytes == Some(self.bytes.len() as u64)
    }

    /// The whole body in an allocation of exactly its size; `None` where it is not as promised.
    pub(crate) fn complete(mut self) -> Option<Bytes> {
        let whole = self.expected_bytes.is_none() || self.is_as_promised();
        whole.then(|| Bytes::from(std::mem::take(&mut self.bytes).into_boxed_slice()))
    }
}

impl Drop for Collected {
    fn drop(&mut self) {
        self.filling.used_bytes.fetch_sub(self.taken_bytes, Ordering::Relaxed);
    }
}
