//! Entries on their way to Redis, off the path.
//!
//! [`Tier::offer`] never waits: an entry that finds no room in the queue, is too large, or may not be
//! written is counted and left out; it is in the first tier all the same. Begins with the first tier's
//! insertion, ends with Redis' reply or a failure; nothing is tried twice.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::redis::cmd;
use http::header::{ETAG, LAST_MODIFIED};
use sumun_engine::freshness::Vary;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::super::entry::Variant;
use super::super::key::Key;
use super::codec::{ENTRY_BYTES_MAX, Entry, Stored, encode};
use super::meters::{Op, OpResult};
use super::{Chosen, Tier, key_hash, slots};

/// Entries that wait, at most; with the bytes below whichever is reached first.
pub(crate) const JOBS_MAX: usize = 4096;

/// Bytes of entries that wait, at most: a second's worth of what one connection takes with ease.
const QUEUED_BYTES_MAX: u64 = 32 << 20;

/// Entries being written at the same time: enough to fill the way there and back.
const WRITING_MAX: usize = 16;

/// Longest time of one write. Nobody waits for it; it only ends what would never end.
const WRITE_TIME_MAX: Duration = Duration::from_secs(1);

/// For how long nothing is written after Redis has said that it is full, ns. Reads go on.
const FULL_NS: u64 = 1_000_000_000;

/// How long an entry that can be revalidated is kept beyond its freshness: an origin that answers 304
/// saves the body. Longer than the pause between two calls of a resource that is worth storing.
const VALIDATE_MS: u64 = 60_000;

/// Longest time that an entry is kept for its freshness, however long that is: what nobody asks for any
/// more, or a prefix that is no longer used, goes within a day.
const FRESH_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// Of a stale window that an origin gives this much counts, ns: a day, as of freshness. What a policy gives
/// (at most a year) counts whole: it is for outages of that length.
pub(crate) const SAID_STALE_NS_MAX: u64 = FRESH_MS_MAX * NS_PER_MS;

const NS_PER_MS: u64 = 1_000_000;

/// One entry to write.
pub(crate) struct Job {
    variant: Arc<Variant>,
    key: Box<[u8]>,
    /// Where it goes, or where its place is looked up.
    first: u128,
    /// Where several answers of one key are told apart: its own place, and by which fields.
    second: Option<(u128, Box<str>)>,
    bytes: u64,
}

impl Tier {
    /// Takes an answer that the first tier has just stored to Redis, if it may and can go there.
    pub(crate) fn offer(&self, key: &Key, variant: &Arc<Variant>) {
        if self.link.load().is_none() {
            return self.meters.count(Op::Set, OpResult::Dropped);
        }
        let slots = slots(key, &variant.route, &variant.labels);
        let bytes = variant.body.len() as u64 + key.text().len() as u64;
        if bytes > ENTRY_BYTES_MAX as u64 || !self.epochs.holds(variant.mark, &slots) {
            return self.meters.count(Op::Set, OpResult::Dropped);
        }
        let second = names(&variant.vary).map(|names| {
            let values = variant.values.to_vec();
            let chosen = Chosen { names, values };
            (key_hash(key, &variant.route, Some(&chosen)), chosen.names)
        });
        let job = Job {
            variant: Arc::clone(variant),
            key: key.text().into(),
            first: key_hash(key, &variant.route, None),
            second,
            // What it keeps alive while it waits.
            bytes: variant.weight(),
        };
        let queued = self.queued_bytes.fetch_add(job.bytes, Ordering::Relaxed) + job.bytes;
        let bytes = job.bytes;
        if queued > QUEUED_BYTES_MAX || self.jobs.try_send(job).is_err() {
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.meters.count(Op::Set, OpResult::Dropped);
        }
    }

    async fn put(&self, job: &Job) {
        let Some(link) = self.link.load_full() else {
            return self.meters.count(Op::Set, OpResult::Dropped);
        };
        let begun_ns = self.now_ns();
        if link.full_until_ns.load(Ordering::Relaxed) > begun_ns {
            return self.meters.count(Op::Set, OpResult::Full);
        }
        let (entry, kept_ms) = job.entry(begun_ns);
        let Some(bytes) = encode(&Stored::Answer(Box::new(entry))) else {
            return self.meters.count(Op::Set, OpResult::Dropped);
        };
        let set = |hash: u128, bytes: &[u8]| {
            let mut command = cmd("SET");
            command.arg(self.key_name(hash)).arg(bytes).arg("PX").arg(kept_ms);
            command
        };
        let written = async {
            if let Some((own, names)) = &job.second {
                link.write.ask::<()>(&set(*own, &bytes), WRITE_TIME_MAX).await?;
                // After what it points to.
                let Some(vary) = encode(&Stored::Vary(names.clone())) else { return Ok(()) };
                return link.write.ask::<()>(&set(job.first, &vary), WRITE_TIME_MAX).await;
            }
            link.write.ask::<()>(&set(job.first, &bytes), WRITE_TIME_MAX).await
        };
        let result = match written.await {
            Ok(()) => OpResult::Ok,
            Err(error) => {
                if error.is_full() {
                    link.full_until_ns.store(self.now_ns() + FULL_NS, Ordering::Relaxed);
                }
                self.blame::<()>(&link, &error);
                error.result()
            }
        };
        self.meters.took(Op::Set, result, self.now_ns().saturating_sub(begun_ns));
    }
}

/// Writes what is offered, until nobody can offer any more.
pub(crate) async fn write(tier: Arc<Tier>, mut offered: mpsc::Receiver<Job>) {
    let mut writing = JoinSet::new();
    while let Some(job) = offered.recv().await {
        while writing.try_join_next().is_some() {}
        if writing.len() >= WRITING_MAX {
            writing.join_next().await;
        }
        let tier = Arc::clone(&tier);
        writing.spawn(async move {
            tier.put(&job).await;
            tier.queued_bytes.fetch_sub(job.bytes, Ordering::Relaxed);
        });
    }
}

impl Job {
    /// As it stands now, and for how long it is to be kept, ms.
    fn entry(&self, now_ns: u64) -> (Entry, u64) {
        let variant = &self.variant;
        let age_ns = variant.terms.age_ns(now_ns.saturating_sub(variant.stored_ns));
        let fresh_ns = variant.terms.lifetime_ns.saturating_sub(age_ns);
        let head = variant.origin_head();
        let validated = head.contains_key(ETAG) || head.contains_key(LAST_MODIFIED);
        let kept_ms = kept_ms(fresh_ns, variant.stale_for_ns, validated);
        let entry = Entry {
            mark: variant.mark,
            age_ms: age_ns / 1_000_000,
            kept_ms,
            route: variant.route.as_str().into(),
            key: self.key.clone(),
            values: variant.values.clone(),
            status: variant.status,
            own_tag: variant.own_tag,
            head,
            body: variant.body.clone(),
        };
        (entry, kept_ms)
    }
}

/// For how long an entry is kept that is fresh for so long, may then be served stale, and can be
/// revalidated or not; ms.
fn kept_ms(fresh_ns: u64, stale_for_ns: u64, validated: bool) -> u64 {
    let fresh_ms = (fresh_ns / NS_PER_MS).min(FRESH_MS_MAX);
    // Rounded up: in the last moment of its window it may save the day.
    let stale_ms = stale_for_ns.div_ceil(NS_PER_MS);
    (fresh_ms + stale_ms.max(if validated { VALIDATE_MS } else { 0 })).max(1)
}

/// The fields that select, as a `Vary` field says them; `None` where nothing does.
fn names(vary: &Vary) -> Option<Box<str>> {
    match vary {
        Vary::Fields(fields) => {
            let names: Vec<&str> = fields.iter().map(http::HeaderName::as_str).collect();
            Some(names.join(",").into())
        }
        Vary::Nothing | Vary::Anything => None,
    }
}

#[cfg(test)]
mod tests;
