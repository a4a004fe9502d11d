//! Coalescing: of identical misses in flight one goes to the origin, the others wait for its answer.
//!
//! A flight begins with the first miss of a key and ends when its answer is stored ([`Lead::land`])
//! or turns out not to be shareable ([`Lead::release`]), which the followers learn as soon as the
//! answer's head is here. A [`Lead`] that is dropped before, because its call was refused, failed or
//! given up by its client, hands the lead to one follower; the others go on waiting. Nothing polls
//! and nobody is served after another: all followers of an ended flight go on at once.
//!
//! Bounds: one flight per call in flight at most, and followers only as many as calls in flight;
//! both are bounded by the listener. Locks are held for a few instructions and never across a wait.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;
use sumun_engine::freshness::{Stale, Vary};
use tokio::sync::Notify;

use super::entry::Variant;
use super::key::Prehashed;

/// Shards of the table of flights; two cores rarely want the same one.
const SHARDS: usize = 64;

type Shard = Mutex<HashMap<u128, Arc<Flight>, Prehashed>>;

/// All flights, by the hash of what they have in common.
pub(crate) struct Flights {
    shards: Box<[Shard]>,
}

struct Flight {
    key: u128,
    state: Mutex<State>,
    wake: Notify,
}

struct State {
    stage: Stage,
    followers: usize,
}

/// How far a flight is.
enum Stage {
    /// The origin has been asked.
    Asking,
    /// Its answer is being stored.
    Filling(Arc<Sketch>),
    /// Its answer is stored.
    Landed(Arc<Variant>),
    /// The origin failed; this is stored, and stale.
    Failed(Arc<Variant>, Stale),
    /// Its answer can't be shared.
    Released,
    /// The leader is gone; a follower has been woken to take its place.
    Vacant,
}

/// What is known of an answer from its head: for whom it will do.
#[derive(Debug)]
pub(crate) struct Sketch {
    /// Which request fields select it.
    pub(crate) vary: Vary,
    /// What the leader's request gave to them.
    pub(crate) values: Vec<u8>,
}

/// A call's part in a flight.
pub(crate) enum Part {
    /// Goes to the origin.
    Lead(Lead),
    /// Waits.
    Follow(Follower),
}

/// What a follower hears.
pub(crate) enum News {
    /// The leader is gone: this call goes to the origin now, for those who still wait.
    Lead(Lead),
    /// An answer is on its way, for requests like this.
    Coming(Arc<Sketch>),
    /// Here it is.
    Landed(Arc<Variant>),
    /// The origin failed in this way; this is stored, and stale.
    Failed(Arc<Variant>, Stale),
    /// It can't be shared.
    Released,
}

impl Flights {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect() }
    }

    /// Joins the flight of this key, or begins it.
    pub(crate) fn board(self: &Arc<Self>, key: u128) -> Part {
        let mut shard = self.shard(key).lock();
        match shard.entry(key) {
            Entry::Vacant(place) => {
                let state = State { stage: Stage::Asking, followers: 0 };
                let flight = Flight { key, state: Mutex::new(state), wake: Notify::new() };
                let flight = Arc::clone(place.insert(Arc::new(flight)));
                Part::Lead(Lead { flights: Arc::clone(self), flight, ended: false })
            }
            Entry::Occupied(place) => {
                let flight = Arc::clone(place.get());
                flight.state.lock().followers += 1;
                Part::Follow(Follower { flights: Arc::clone(self), flight })
            }
        }
    }

    /// Flights under way, and calls that wait in them.
    #[cfg(test)]
    pub(crate) fn count(&self) -> (usize, usize) {
        let flights = |shard: &Shard| -> Vec<usize> {
            shard.lock().values().map(|flight| flight.state.lock().followers).collect()
        };
        let followers: Vec<usize> = self.shards.iter().flat_map(flights).collect();
        (followers.len(), followers.iter().sum())
    }

    fn shard(&self, key: u128) -> &Shard {
        &self.shards[(key >> 96) as usize % SHARDS]
    }

    /// Takes a flight off the table, so that the next call of its key begins another.
    fn remove(&self, flight: &Arc<Flight>) {
        let mut shard = self.shard(flight.key).lock();
        if shard.get(&flight.key).is_some_and(|known| Arc::ptr_eq(known, flight)) {
            shard.remove(&flight.key);
        }
    }

    /// Marks a flight as without leader and calls a follower; without followers it ends.
    fn vacate(&self, flight: &Arc<Flight>) {
        let mut shard = self.shard(flight.key).lock();
        let mut state = flight.state.lock();
        state.stage = Stage::Vacant;
        if state.followers > 0 {
            drop(state);
            flight.wake.notify_one();
        } else if shard.get(&flight.key).is_some_and(|known| Arc::ptr_eq(known, flight)) {
            shard.remove(&flight.key);
        }
    }
}

/// The call that goes to the origin. Dropped before [`Lead::land`] or [`Lead::release`], it hands
/// the lead to a follower.
pub(crate) struct Lead {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    ended: bool,
}

impl Lead {
    /// Says for whom the answer will do; those for whom it won't stop waiting.
    pub(crate) fn coming(&self, sketch: Sketch) {
        // Where it does for everybody, nobody has to be woken to learn that they still wait.
        let selective = sketch.vary != Vary::Nothing;
        self.flight.state.lock().stage = Stage::Filling(Arc::new(sketch));
        if selective {
            self.flight.wake.notify_waiters();
        }
    }

    /// The answer is stored: everybody gets it.
    pub(crate) fn land(self, variant: Arc<Variant>) {
        self.end(Stage::Landed(variant));
    }

    /// The origin failed: everybody who may gets this stale answer, the others go on alone.
    pub(crate) fn fail(self, stale: Arc<Variant>, why: Stale) {
        self.end(Stage::Failed(stale, why));
    }

    /// The answer can't be shared: everybody goes on alone, at once.
    pub(crate) fn release(self) {
        self.end(Stage::Released);
    }

    fn end(mut self, stage: Stage) {
        self.ended = true;
        self.flights.remove(&self.flight);
        self.flight.state.lock().stage = stage;
        self.flight.wake.notify_waiters();
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if !self.ended {
            self.flights.vacate(&self.flight);
        }
    }
}

/// A call that waits for another's answer. Dropped, it waits no more; cancel-safe.
pub(crate) struct Follower {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
}

impl Follower {
    /// The next news. `knows_sketch`: what is coming has been heard already.
    pub(crate) async fn news(&self, knows_sketch: bool) -> News {
        loop {
            let mut woken = std::pin::pin!(self.flight.wake.notified());
            // Registered before the look at the stage: no news can fall between the two.
            woken.as_mut().enable();
            if let Some(news) = self.look(knows_sketch) {
                return news;
            }
            woken.await;
        }
    }

    fn look(&self, knows_sketch: bool) -> Option<News> {
        let mut state = self.flight.state.lock();
        match &state.stage {
            Stage::Asking => None,
            Stage::Filling(_) if knows_sketch => None,
            Stage::Filling(sketch) => Some(News::Coming(Arc::clone(sketch))),
            Stage::Landed(variant) => Some(News::Landed(Arc::clone(variant))),
            Stage::Failed(stale, why) => Some(News::Failed(Arc::clone(stale), *why)),
            Stage::Released => Some(News::Released),
            Stage::Vacant => {
                state.stage = Stage::Asking;
                Some(News::Lead(Lead {
                    flights: Arc::clone(&self.flights),
                    flight: Arc::clone(&self.flight),
                    ended: false,
                }))
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut shard = self.flights.shard(self.flight.key).lock();
        let mut state = self.flight.state.lock();
        state.followers -= 1;
        // Where this was the one that had been called to lead, `Notified` passes the call on.
        if matches!(state.stage, Stage::Vacant)
            && state.followers == 0
            && shard.get(&self.flight.key).is_some_and(|known| Arc::ptr_eq(known, &self.flight))
        {
            shard.remove(&self.flight.key);
        }
    }
}
