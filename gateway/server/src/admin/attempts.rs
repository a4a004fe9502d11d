//! Login attempts: a few at once, then a few a minute, for each address and each name.
//!
//! A guesser with one address is stopped by the address, one with many by the name. An attempt that
//! succeeds gives its name's attempts back, so that nobody is locked out by his own typing; whoever
//! has the token is never counted by name. Bound: [`KEYS_MAX`] addresses and names, those longest
//! unused are forgotten first.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Attempts at once.
const BURST: u32 = 10;

/// Time that gives one attempt back.
const EVERY: Duration = Duration::from_secs(6);

/// Addresses and names remembered.
const KEYS_MAX: usize = 10_000;

/// Who tries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// An address; of IPv6 its /64, which one host may fill alone.
    Address(IpAddr),
    /// A user's name, whether or not there is such a user.
    Name(Box<str>),
}

/// Counts attempts by the generic cell rate algorithm: for each key the moment when its bucket will
/// be full again.
#[derive(Default)]
pub(super) struct Attempts(Mutex<HashMap<Key, Instant>>);

impl Key {
    pub(super) fn of(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

impl Attempts {
    /// Counts one attempt for all keys, or for none and answers when the next may be made.
    pub(super) fn count(&self, keys: &[Key]) -> Result<(), Duration> {
        let now = Instant::now();
        let mut full_at = self.0.lock();
        let wait = keys.iter().filter_map(|key| {
            let next = (*full_at.get(key)?).max(now) + EVERY;
            next.checked_duration_since(now + EVERY * BURST).filter(|wait| !wait.is_zero())
        });
        if let Some(wait) = wait.max() {
            return Err(wait);
        }
        for key in keys {
            if full_at.len() >= KEYS_MAX && !full_at.contains_key(key) {
                forget(&mut full_at, now);
            }
            let at = full_at.entry(key.clone()).or_insert(now);
            *at = (*at).max(now) + EVERY;
        }
        Ok(())
    }

    /// Gives all attempts of a key back.
    pub(super) fn forgive(&self, key: &Key) {
        self.0.lock().remove(key);
    }
}

/// Drops the keys whose bucket is full, else the one that is fullest.
fn forget(full_at: &mut HashMap<Key, Instant>, now: Instant) {
    full_at.retain(|_, at| *at > now);
    if full_at.len() >= KEYS_MAX
        && let Some(fullest) = full_at.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone())
    {
        full_at.remove(&fullest);
    }
}

#[cfg(test)]
mod tests;
