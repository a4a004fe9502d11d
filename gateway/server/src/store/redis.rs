//! The second tier: Redis, which several gateways share.
//!
//! A hit in the first tier never comes here. What the first tier lacks is looked for here, within a
//! deadline, before the origin is asked; what is stored there is offered here, off the path. A purge
//! holds at once where it is made, and on every gateway as soon as its message is there or, where a
//! message is lost, within a second ([`epochs`]).
//!
//! Begins with [`Tier::start`], whether Redis is there or not; ends with the runtime that it was
//! started on. While there is no [`Link`] nothing is tried and nothing waits: calls go on with the
//! first tier and the upstream, purges are kept until they can be told, and a new link is tried for
//! each second ([`keeper`]).
//!
//! Bounds: the deadline of an operation (setting `redis.timeout`); reads in flight and failures in a
//! row by [`link`]; bytes and number of queued writes by [`write`]; the size of an entry by [`codec`].

mod codec;
mod epochs;
mod keeper;
mod link;
mod meters;
mod purges;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::redis::pipe;
use arc_swap::ArcSwapOption;
use http::header::VARY;
use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;
use sumun_engine::freshness::{Labels, Vary};
use sumun_policy::units::Name;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use xxhash_rust::xxh3::xxh3_128;

pub(crate) use self::codec::Entry;
pub(crate) use self::epochs::{Mark, soft};
pub use self::meters::OpFigures;
pub(crate) use self::write::SAID_STALE_NS_MAX;

use self::codec::{ENTRY_BYTES_MAX, Stored, VERSION, decode};
use self::epochs::{EVERYTHING, Epochs};
use self::link::{Link, LinkError};
use self::meters::{Meters, Op, OpResult};
use self::write::{JOBS_MAX, Job};
use super::key::Key;
use super::memory::{Memory, route_slot, url_slot};
use crate::clock::Clock;
use crate::settings::SharedStoreSettings;

/// Redis as this gateway sees it.
pub(crate) struct Tier {
    settings: SharedStoreSettings,
    clock: Clock,
    memory: Arc<Memory>,
    epochs: Epochs,
    /// None while Redis is not to be asked.
    link: ArcSwapOption<Link>,
    health: Mutex<Health>,
    meters: Meters,
    /// A purge waits to be told.
    to_tell: Notify,
    jobs: mpsc::Sender<Job>,
    queued_bytes: AtomicU64,
}

/// Whether there is a link, since when, and why not.
struct Health {
    up: bool,
    since_ns: u64,
    reason: Option<Box<str>>,
}

/// The second tier, for status and metrics.
#[derive(Clone, Debug)]
pub struct TierView {
    /// Whether it is used.
    pub up: bool,
    /// For how long that has been so.
    pub since: Duration,
    /// Why it is not used.
    pub reason: Option<String>,
    /// Purges that it does not know of yet.
    pub purges_pending: usize,
    /// Bytes of entries that wait to be written.
    pub queued_bytes: u64,
    /// What operations came to.
    pub ops: OpFigures,
}

/// What was found: an entry for this very request, and how old it is now.
pub(crate) struct Found {
    pub(crate) entry: Entry,
    pub(crate) age_ns: u64,
    /// Whether a soft purge has made it stale.
    pub(crate) softened: bool,
}

/// What stands under one key.
enum Look {
    Nothing,
    /// An answer, and its age in ns.
    Answer(Box<Entry>, u64),
    /// Which fields select among the answers.
    Vary(Box<str>),
    /// Something that can't be read.
    Unusable,
}

// === impl Tier ===

impl Tier {
    /// Starts to look for Redis on this runtime; returns at once.
    pub(crate) fn start(
        settings: SharedStoreSettings,
        memory: Arc<Memory>,
        clock: Clock,
        runtime: &Handle,
    ) -> Arc<Self> {
        let (jobs, offered) = mpsc::channel(JOBS_MAX);
        let tier = Arc::new(Self {
            settings,
            clock,
            memory,
            epochs: Epochs::new(),
            link: ArcSwapOption::empty(),
            health: Mutex::new(Health { up: false, since_ns: 0, reason: None }),
            meters: Meters::default(),
            to_tell: Notify::new(),
            jobs,
            queued_bytes: AtomicU64::new(0),
        });
        runtime.spawn(keeper::keep(Arc::clone(&tier)));
        runtime.spawn(write::write(Arc::clone(&tier), offered));
        tier
    }

    /// How far purges are known now: what is asked for from now on carries this.
    pub(crate) fn mark(&self) -> Mark {
        self.epochs.mark()
    }

    /// Makes a purge of this slot known to every gateway. The first tier has had it already.
    pub(crate) fn purge(&self, slot: u32) {
        self.epochs.purge(slot);
        self.to_tell.notify_one();
    }

    /// Looks for an answer to this request; waits for the deadline of an operation at most.
    /// Cancel-safe.
    pub(crate) async fn find(&self, key: &Key, route: &Name, request: &HeaderMap) -> Option<Found> {
        let link = self.link.load_full()?;
        let Some(_slot) = link.begin_read() else {
            self.meters.count(Op::Get, OpResult::Dropped);
            return None;
        };
        let begun_ns = self.now_ns();
        let found = tokio::time::timeout(self.settings.timeout, async {
            match self.read(&link, key_hash(key, route, None)).await? {
                Look::Vary(names) => {
                    let chosen = Chosen::of(&names, request);
                    self.read(&link, key_hash(key, route, Some(&chosen))).await
                }
                other => Ok(other),
            }
        });
        let found = found.await.unwrap_or(Err(LinkError::Timeout(self.settings.timeout)));
        let took_ns = self.now_ns().saturating_sub(begun_ns);
        let (result, found) = match found {
            Ok(Look::Nothing) => (OpResult::Miss, None),
            Ok(Look::Answer(entry, age_ns)) if self.fits(&entry, key, route, request) => {
                let age_ns = age_ns.saturating_add(took_ns);
                let softened = self.epochs.softens(entry.mark, &entry_slots(&entry, key, route));
                (OpResult::Ok, Some(Found { entry: *entry, age_ns, softened }))
            }
            Ok(_) => (OpResult::Unusable, None),
            Err(error) => (error.result(), self.blame(&link, &error)),
        };
        if !matches!(result, OpResult::Timeout | OpResult::Error) {
            link.succeeded();
        }
        self.meters.took(Op::Get, result, took_ns);
        found
    }

    /// What stands under one key.
    async fn read(&self, link: &Link, hash: u128) -> Result<Look, LinkError> {
        let name = self.key_name(hash);
        let mut commands = pipe();
        // Not more than an entry can have, whatever somebody else put there.
        commands.cmd("GETRANGE").arg(&name).arg(0).arg(ENTRY_BYTES_MAX);
        commands.cmd("PTTL").arg(&name);
        let asked = link.read.ask_all(&commands, self.settings.timeout);
        let (bytes, left_ms): (Vec<u8>, i64) = asked.await?;
        if bytes.is_empty() {
            return Ok(Look::Nothing);
        }
        Ok(match decode(&bytes) {
            Some(Stored::Answer(entry)) => match age_ns(&entry, left_ms) {
                Some(age_ns) => Look::Answer(entry, age_ns),
                // Kept longer than it was written for, or for ever: not by us.
                None => Look::Unusable,
            },
            Some(Stored::Vary(names)) => Look::Vary(names),
            None => Look::Unusable,
        })
    }

    /// Whether an entry is what its key says, for this request, and not purged.
    fn fits(&self, entry: &Entry, key: &Key, route: &Name, request: &HeaderMap) -> bool {
        let slots = entry_slots(entry, key, route);
        *entry.route == *route.as_str()
            && *entry.key == *key.text()
            && *Vary::read(&entry.head).values(request) == *entry.values
            && self.epochs.holds(entry.mark, &slots)
    }

    /// An operation failed: perhaps the link goes by that.
    fn blame<T>(&self, link: &Arc<Link>, error: &LinkError) -> Option<T> {
        if error.is_full() {
            return None;
        }
        let given_up = if error.is_final() { link.give_up() } else { link.failed() };
        if given_up {
            self.down(error);
        }
        None
    }

    /// There is a link.
    fn up(&self, link: Arc<Link>) {
        self.link.store(Some(link));
        let mut health = self.health.lock();
        let waited = Duration::from_nanos(self.now_ns().saturating_sub(health.since_ns));
        *health = Health { up: true, since_ns: self.now_ns(), reason: None };
        drop(health);
        tracing::info!(redis = %self.settings.address, after = ?waited, "redis is used");
    }

    /// There is none (any more). Said once, until there is one again.
    fn down(&self, error: &LinkError) {
        self.link.store(None);
        let reason = reason(error);
        let mut health = self.health.lock();
        let first = health.up || health.reason.is_none();
        let since_ns = if first { self.now_ns() } else { health.since_ns };
        *health = Health { up: false, since_ns, reason: Some(reason.as_str().into()) };
        drop(health);
        if first {
            let redis = &self.settings.address;
            tracing::warn!(%redis, reason, "redis is not used; its calls go on without it");
        }
    }

    /// For status and metrics.
    pub(crate) fn view(&self) -> TierView {
        let health = self.health.lock();
        TierView {
            up: health.up,
            since: Duration::from_nanos(self.now_ns().saturating_sub(health.since_ns)),
            reason: health.reason.as_deref().map(str::to_owned),
            purges_pending: self.epochs.pending(),
            queued_bytes: self.queued_bytes.load(Ordering::Relaxed),
            ops: self.meters.figures(),
        }
    }

    fn key_name(&self, hash: u128) -> String {
        format!("{}{VERSION}:{hash:032x}", self.settings.prefix)
    }

    fn now_ns(&self) -> u64 {
        self.clock.now().nanos()
    }
}

/// How old an entry is that has this long left, by Redis' own clock: the gateways' need not agree.
fn age_ns(entry: &Entry, left_ms: i64) -> Option<u64> {
    let passed_ms = entry.kept_ms.checked_sub(u64::try_from(left_ms).ok()?)?;
    entry.age_ms.checked_add(passed_ms)?.checked_mul(1_000_000)
}

/// The error and what it came from, in one line.
fn reason(error: &LinkError) -> String {
    let mut text = error.to_string();
    if let LinkError::Ca { source, .. } = error {
        text = format!("{text}: {source}");
    }
    text
}

/// What selects among the answers of one key.
struct Chosen {
    names: Box<str>,
    values: Vec<u8>,
}

impl Chosen {
    fn of(names: &str, request: &HeaderMap) -> Self {
        let mut head = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(names) {
            head.insert(VARY, value);
        }
        Self { names: names.into(), values: Vary::read(&head).values(request) }
    }
}

/// The hash of a key as one route has it, and of what selects among its answers.
fn key_hash(key: &Key, route: &Name, chosen: Option<&Chosen>) -> u128 {
    let mut text = Vec::with_capacity(key.text().len() + 64);
    text.extend_from_slice(route.as_str().as_bytes());
    text.push(b'\n');
    text.extend_from_slice(key.text());
    if let Some(chosen) = chosen {
        text.push(b'\0');
        text.extend_from_slice(chosen.names.as_bytes());
        text.push(b'\0');
        text.extend_from_slice(&chosen.values);
    }
    xxh3_128(&text)
}

fn entry_slots(entry: &Entry, key: &Key, route: &Name) -> Vec<u32> {
    slots(key, route, &Labels::read(&entry.head, key.origin()))
}

/// Of all purges that cover an answer: of its URL, its route, its groups and tags.
fn slots(key: &Key, route: &Name, labels: &Labels) -> Vec<u32> {
    let own = [url_slot(key.url_hash), route_slot(route)];
    own.into_iter().chain(labels.hashes().iter().map(|&label| url_slot(label))).collect()
}
