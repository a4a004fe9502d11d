//! Descriptors that the admin listener keeps back, so that it answers when the process has none.
//!
//! Begins filled, with the listener. Where accepting fails for want of descriptors, one is given up
//! and accepting is tried again at once; when that connection ends, its descriptor becomes a spare
//! again before the data path, which waits between two tries, can take it.

use std::fs::File;
use std::io;

use parking_lot::Mutex;
use rustix::io::Errno;

/// Most spare descriptors: a health check, a scraper and a page's six connections at once.
pub(super) const SPARES_MAX: usize = 8;

/// What a spare descriptor is open on: always there, and costs nothing.
const NOTHING: &str = "/dev/null";

/// Open descriptors that nobody uses.
pub(super) struct Spares {
    held: Mutex<Vec<File>>,
}

// === impl Spares ===

impl Spares {
    /// As many as there are descriptors for, at most [`SPARES_MAX`].
    pub(super) fn filled() -> Self {
        let spares = Self { held: Mutex::new(Vec::with_capacity(SPARES_MAX)) };
        spares.fill();
        spares
    }

    /// Takes back what was given up, as far as there are descriptors again.
    pub(super) fn fill(&self) {
        let mut held = self.held.lock();
        while held.len() < SPARES_MAX {
            match File::open(NOTHING) {
                Ok(spare) => held.push(spare),
                Err(_) => return,
            }
        }
    }

    /// Gives one up for the descriptor that an accept just failed to get. False where the accept
    /// failed for another reason, or where none is left.
    pub(super) fn give_up_for(&self, error: &io::Error) -> bool {
        // accept(2): the process's limit, and the system's.
        let wanting = matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE));
        wanting && self.held.lock().pop().is_some()
    }
}

#[cfg(test)]
mod tests;
