//! A call on its way to the origin, and what its answer means for the store.
//!
//! Begins when [`super::Cache::recall`] finds nothing to serve; ends with [`Errand::remember`]. One
//! that is dropped without an answer hands its place to a call that waits for the same.

mod collect;
mod invalidate;
mod remember;
mod stand_in;

pub(super) use self::invalidate::invalidate_after;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName};
use sumun_engine::freshness::NotStored;
use sumun_policy::policy;
use sumun_policy::units::Name;

use super::entry::{Draft, Variant};
use super::flight::Lead;
use super::key::Key;
use super::redis::Mark;
use super::status::{Forwarded, Status};
use super::unkeyed::drop_unkeyed;
use super::{Inner, Outcome, UNSHAREABLE_ERROR_NS, UNSHAREABLE_NS};
use crate::telemetry::record::CacheResult;

/// Travels with a call to the origin. Dropped without [`Errand::remember`], it hands the lead on.
#[must_use = "an errand that is dropped makes another call go to the origin"]
pub struct Errand {
    pub(super) task: Task,
    pub(super) why: Forwarded,
    pub(super) result: CacheResult,
}

/// What the answer is for.
pub(super) enum Task {
    /// Nothing: it is only passed on.
    Pass,
    /// Invalidation after an unsafe method (RFC 9111 §4.4).
    Invalidate(Box<Invalidation>),
    /// An answer to HEAD, which may freshen or invalidate a stored GET (RFC 9111 §4.3.5).
    Head(Box<Question>, Option<Arc<Variant>>),
    /// An answer to GET.
    Fetch(Box<Fetch>),
}

/// What an unsafe method invalidates.
pub(super) struct Invalidation {
    pub(super) inner: Arc<Inner>,
    pub(super) scheme: Box<str>,
    pub(super) authority: Box<str>,
    pub(super) path_and_query: Box<str>,
    pub(super) rules: policy::CacheKey,
}

/// A GET or HEAD as it was asked.
pub(super) struct Question {
    pub(super) inner: Arc<Inner>,
    pub(super) key: Key,
    pub(super) headers: HeaderMap,
    pub(super) rules: policy::Cache,
    pub(super) route: Name,
    /// When it was asked, monotonic ns.
    pub(super) asked_ns: u64,
    /// The purge epoch then.
    pub(super) epoch: u64,
    /// How far other gateways' purges were known then.
    pub(super) mark: Mark,
    /// Hash of what it has in common with identical calls.
    pub(super) flight_key: u128,
}

/// A GET whose answer may be stored.
pub(super) struct Fetch {
    pub(super) question: Question,
    /// What is stored and too old, where the origin gave something to revalidate it with.
    pub(super) stored: Option<Arc<Variant>>,
    /// Whether others wait for the answer.
    pub(super) lead: Option<Lead>,
    /// Whether the client's own conditions go to the origin: where its answers can't be stored.
    pub(super) relays_conditions: bool,
}

impl Errand {
    pub(super) fn new(task: Task, why: Forwarded, result: CacheResult) -> Self {
        Self { task, why, result }
    }

    /// How the cache takes part, as far as is known before the answer.
    pub fn outcome(&self) -> Outcome {
        Status::Forwarded(self.why).outcome(self.result)
    }

    /// Whether the answer, or what it says of a stored one, may be stored for others.
    pub fn may_store(&self) -> bool {
        matches!(self.task, Task::Fetch(_) | Task::Head(..))
    }

    /// Makes the forwarded head ask what the store needs to know: the stored answer's validators
    /// for a revalidation, and no conditions of the client where the whole answer is to be stored.
    ///
    /// Fields that would make the origin answer something else than the key says are removed from
    /// every call of a cached route.
    pub fn prepare(&self, headers: &mut HeaderMap) {
        drop_unkeyed(headers, self.task.keyed());
        let Task::Fetch(fetch) = &self.task else { return };
        if fetch.relays_conditions {
            return;
        }
        headers.remove(IF_NONE_MATCH);
        headers.remove(IF_MODIFIED_SINCE);
        let Some(stored) = &fetch.stored else { return };
        if let Some(tag) = stored.origin_tag() {
            headers.insert(IF_NONE_MATCH, tag.clone());
        }
        if let Some(modified) = stored.origin_modified() {
            headers.insert(IF_MODIFIED_SINCE, modified.clone());
        }
    }
}

impl Task {
    /// The header fields that belong to the key.
    fn keyed(&self) -> &[HeaderName] {
        match self {
            // Neither stored nor served from the store.
            Self::Pass => &[],
            Self::Invalidate(invalidation) => &invalidation.rules.headers,
            Self::Head(question, _) => &question.rules.key.headers,
            Self::Fetch(fetch) => &fetch.question.rules.key.headers,
        }
    }
}

/// The right to store one answer: everything but its body.
///
/// Dropped, it stores nothing and hands the lead on.
pub(crate) struct Deposit {
    pub(super) inner: Arc<Inner>,
    pub(super) key: Key,
    pub(super) flight_key: u128,
    pub(super) draft: Draft,
    pub(super) lead: Option<Lead>,
    /// When the answer's head came, monotonic ns.
    pub(super) now_ns: u64,
}

impl Deposit {
    /// Stores the answer with its complete body and gives it to those who wait.
    pub(crate) fn store(self, body: Bytes) {
        let variant = Arc::new(self.draft.with_body(body));
        self.inner.put(&self.key, &variant);
        self.inner.unshareable.invalidate(&self.flight_key);
        if let Some(lead) = self.lead {
            lead.land(variant);
        }
    }

    /// Stores nothing; those who wait go on alone, and for a while nobody waits for this again.
    pub(crate) fn give_up(self, why: NotStored) {
        tracing::debug!(reason = why.as_str(), "answer not stored");
        if let Some(lead) = self.lead {
            let remembered_ns =
                if why == NotStored::Busy { UNSHAREABLE_ERROR_NS } else { UNSHAREABLE_NS };
            self.inner.unshareable.insert(self.flight_key, self.now_ns + remembered_ns);
            lead.release();
        }
    }
}
