//! The shared cache: RFC 9111 over a memory store that all cores share and, where it is told so, a
//! second one behind it that gateways share ([`redis`]).
//!
//! [`Cache::recall`] answers from the store or says what to do with the origin's answer;
//! [`Errand::remember`] does it. Both take the time from their caller. The rules themselves are the
//! engine's (`freshness`, `validator`); here is what holds the bytes, lets identical misses share one
//! call ([`flight`]) and writes `Age` and `Cache-Status`.
//!
//! Bounds: bytes of stored answers and of bodies being stored together by [`Cache::new`]; the size of
//! one answer by its route's policy; variants of a key, waiting time, and remembered uncacheable keys
//! by the constants here and in [`entry`]. Where a bound is hit, storing is given up, never the call.

mod answer;
mod entry;
mod errand;
mod filling;
mod flight;
mod key;
mod memory;
mod purge;
mod recall;
mod redis;
mod replay;
mod slots;
mod status;
mod target;
mod tee;
mod unkeyed;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, Response, StatusCode};
use moka::sync::Cache as Table;
use sumun_policy::policy::CacheKey;
use tokio::runtime::Handle;

pub use self::errand::Errand;
pub use self::key::{Resource, without_dropped};
pub use self::memory::{Holding, Holdings};
pub use self::purge::{Manner, What};
pub use self::redis::{OpFigures, TierView};

use self::entry::Variant;
use self::filling::Filling;
use self::flight::Flights;
use self::key::{Key, Prehashed};
use self::memory::{Memory, UNSETTLED_SHARE, url_slot};
use self::redis::{Mark, Tier};
use crate::body::Body;
use crate::clock::Clock;
use crate::settings::SharedStoreSettings;
use crate::telemetry::record::CacheResult;

/// Of the cache's memory, this share (a quarter) is kept for bodies on their way into the store.
const FILLING_SHARE: u64 = 4;

/// How long a call waits for an identical one, then it goes on its own. Longer than most calls take,
/// shorter than callers' usual timeout of 30 s.
const FOLLOW_MAX: Duration = Duration::from_secs(10);

/// For how long a key whose answer could not be shared is not waited for: one herd in this time at
/// most waits in vain, and only until the head of its answer.
const UNSHAREABLE_NS: u64 = 60 * 1_000_000_000;

/// The same after an error that passes (5xx, 408, 429) or for want of room.
const UNSHAREABLE_ERROR_NS: u64 = 1_000_000_000;

/// Keys remembered as not shareable, at most (about 6 MiB); the least used are forgotten first.
const UNSHAREABLE_MAX: u64 = 65_536;

/// Bodies of a known length up to this are read whole before their head is sent, where that is what
/// it takes to know the head: a tag made from the body, or a 304.
const SMALL_BODY_BYTES_MAX: u64 = 64 * 1024;

/// The cache of the whole gateway; clones share one store.
#[derive(Clone)]
pub struct Cache {
    inner: Arc<Inner>,
}

struct Inner {
    memory: Arc<Memory>,
    /// What several gateways share.
    second: Option<Arc<Tier>>,
    flights: Arc<Flights>,
    filling: Arc<Filling>,
    /// Until when (monotonic ns) identical calls do not wait for one another.
    unshareable: Table<u128, u64, Prehashed>,
    bytes_max: u64,
}

/// One call, as the cache sees it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a Method,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Host and port, lower case, the scheme's default port removed.
    pub authority: &'a str,
    /// Where scheme and authority are those that a trusted proxy told: the authority that the call
    /// itself names, in the same form. It and what else the proxy tells belong to the key.
    pub fronted: Option<&'a str>,
    /// Path and query as the client asked.
    pub path_and_query: &'a str,
    /// Its headers as the client sent them.
    pub headers: &'a HeaderMap,
    /// Whether it has a body: a GET with one has nothing to do with the cache.
    pub has_body: bool,
}

impl<'a> Asked<'a> {
    fn resource(&self) -> Resource<'a> {
        Resource {
            scheme: self.scheme,
            authority: self.authority,
            path_and_query: self.path_and_query,
        }
    }
}

/// The time, read once by the caller.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For `Date` arithmetic.
    pub wall: SystemTime,
    /// For everything that lasts, ns.
    pub mono_ns: u64,
}

/// What to do with a call.
pub enum Recalled {
    /// Answer it with this.
    Answer {
        /// The response, complete but for hop-by-hop fields.
        response: Response<Body>,
        /// How the cache took part.
        outcome: Outcome,
        /// The response is stale, and this is to be asked meanwhile (RFC 5861 §3): at most one call
        /// at a time gets it for the same question. Dropped, nobody asks until the next call.
        meanwhile: Option<Errand>,
    },
    /// Ask the origin, after [`Errand::prepare`]; then [`Errand::remember`].
    Forward(Errand),
    /// `only-if-cached` and nothing to serve: 504 (RFC 9111 §5.2.1.7).
    Unavailable,
}

/// A stale answer in place of one that can't be had.
pub struct StandIn {
    /// The response, complete but for hop-by-hop fields.
    pub response: Response<Body>,
    /// How the cache took part.
    pub outcome: Outcome,
}

/// How the cache took part in a call, for telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it came to.
    pub result: CacheResult,
    /// The word of `Cache-Status` for why the origin was asked. `None`: it was not.
    pub fwd: Option<&'static str>,
    /// Its `detail`: why the answer is not stored, or by which rule it was served; `stored` where it
    /// says that. `None`: a plain hit, another call's answer, or nothing that could be stored.
    pub detail: Option<&'static str>,
}

/// What the store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheView {
    /// Keys with something stored; one may have several answers.
    pub entries: u64,
    /// Bytes in use, metadata and bodies on their way in included.
    pub bytes: u64,
    /// Bound on them.
    pub bytes_max: u64,
}

// === impl Cache ===

impl Cache {
    /// A cache of at most this many bytes.
    ///
    /// A quarter is kept for bodies on their way in, the rest, less what moka's late bookkeeping may
    /// overdraw, is for stored answers with their metadata. Fixed besides: 1 MiB of purge epochs
    /// and at most about 6 MiB of remembered uncacheable keys.
    pub fn new(memory_bytes: u64) -> Self {
        Self::build(memory_bytes, |_| None)
    }

    /// The same with Redis as its second tier, which this runtime looks for; returns at once.
    pub fn with_redis(
        memory_bytes: u64,
        settings: SharedStoreSettings,
        clock: Clock,
        runtime: &Handle,
    ) -> Self {
        let start =
            |memory: &Arc<Memory>| Some(Tier::start(settings, Arc::clone(memory), clock, runtime));
        Self::build(memory_bytes, start)
    }

    fn build(memory_bytes: u64, second: impl FnOnce(&Arc<Memory>) -> Option<Arc<Tier>>) -> Self {
        let filling_bytes = memory_bytes / FILLING_SHARE;
        let stored_bytes = memory_bytes - filling_bytes;
        let unshareable =
            Table::builder().max_capacity(UNSHAREABLE_MAX).build_with_hasher(Prehashed::default());
        let memory = Arc::new(Memory::new(stored_bytes - stored_bytes / UNSETTLED_SHARE));
        let inner = Inner {
            second: second(&memory),
            memory,
            flights: Arc::new(Flights::new()),
            filling: Arc::new(Filling::new(filling_bytes)),
            unshareable,
            bytes_max: memory_bytes,
        };
        Self { inner: Arc::new(inner) }
    }

    /// What the store holds now. Settles its books first: not for the request path.
    pub fn view(&self) -> CacheView {
        self.inner.memory.settle();
        CacheView {
            entries: self.inner.memory.entries(),
            bytes: self.inner.memory.bytes() + self.inner.filling.used_bytes(),
            bytes_max: self.inner.bytes_max,
        }
    }

    /// The second tier; `None` where there is none.
    pub fn second_tier(&self) -> Option<TierView> {
        self.inner.second.as_ref().map(|second| second.view())
    }

    /// Invalidates what an unsafe call on a route *without* cache has changed (RFC 9111 §4.4): its
    /// target and, on the same origin, what its answer's `Location` and `Content-Location` name.
    /// `key`: the rules of the route that serves a GET of the target. Cheap; safe methods do nothing.
    pub fn invalidate(
        &self,
        asked: &Asked<'_>,
        key: &CacheKey,
        status: StatusCode,
        response: &HeaderMap,
    ) {
        if !asked.method.is_safe() {
            errand::invalidate_after(&self.inner, asked.resource(), status, response, key);
        }
    }
}

// === impl Inner ===

impl Inner {
    /// How far other gateways' purges are known.
    fn mark(&self) -> Mark {
        self.second.as_ref().map_or(Mark::NONE, |second| second.mark())
    }

    /// Stores a variant in the first tier, and offers it to the second.
    fn put(&self, key: &Key, variant: &Arc<Variant>) {
        self.memory.put(key, variant);
        if let Some(second) = &self.second {
            second.offer(key, variant);
        }
    }

    /// Removes what turned out to be superseded by nothing that may be stored.
    fn remove(&self, key: &Key, stored: &Arc<Variant>) {
        self.memory.take(key, |known| known.is(stored));
        // By URL: in the second tier it would be found again.
        self.tell(url_slot(key.url_hash));
    }

    /// Invalidates a URL after an unsafe method, on every gateway.
    fn invalidate(&self, url: &Key) {
        self.memory.invalidate(url);
        self.tell(url_slot(url.url_hash));
    }

    /// Makes everything with this group or tag as good as gone, on every gateway.
    fn invalidate_label(&self, label: u64) {
        self.memory.invalidate_label(label);
        self.tell(url_slot(label));
    }

    /// Since when a soft purge has made a variant stale: then it as it is now, else itself.
    fn as_of_now(&self, key: &Key, variant: &Arc<Variant>) -> Arc<Variant> {
        match self.memory.stale_since(key, variant) {
            None => Arc::clone(variant),
            Some(since_ns) => Arc::new(variant.stale_since(since_ns)),
        }
    }

    /// Tells other gateways of a purge that the first tier has had.
    fn tell(&self, slot: u32) {
        if let Some(second) = &self.second {
            second.purge(slot);
        }
    }
}

#[cfg(test)]
mod tests;
