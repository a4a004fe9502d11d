//! The memory tier: records by key in a bounded number of bytes, shared by all cores.
//!
//! moka admits and evicts by weight (`TinyLFU`); it settles its books now and then, so an insertion
//! settles them at once when what came since is more than a small share of the bound.
//!
//! A purge and a fetch can cross: what was asked for before a purge must not be stored after it.
//! So every purge bumps an epoch under the hash of what it purges, every fetch remembers the epoch
//! in which it began, and an insertion looks again after it has inserted.
//!
//! A soft purge leaves everything where it is: it notes the time, and what was asked for before that
//! is stale from then on ([`Memory::stale_since`]).
//!
//! Purges of other gateways come as slots alone ([`Memory::outdate`]): nothing is looked for then, what
//! they hit is passed over when it is found.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::notification::RemovalCause;
use moka::ops::compute::Op;
use moka::sync::Cache as Table;
use parking_lot::Mutex;
use sumun_policy::units::Name;
use xxhash_rust::xxh3::xxh3_64;

use super::entry::{Record, Variant};
use super::key::{Key, Prehashed};
use super::slots::Slots;

/// Slots of purge epochs: 512 KiB, from the first purge on. Two URLs in one slot cost a needless miss after a purge, no more;
/// with so many slots that takes 650 purges within one fetch for one answer in a hundred. Gateways
/// that share a store have the same ones: another number is another version of its entries.
pub(crate) const EPOCH_SLOTS: usize = 65_536;

/// The books are settled when what came since is over the bound divided by this: the store is then
/// never over its bound by more than 1.6 %, which [`super::Cache::new`] takes off beforehand.
pub(super) const UNSETTLED_SHARE: u64 = 64;

/// What a purge covers.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// All keys of a URL.
    Url(&'a Key),
    /// What a route stored.
    Route(&'a Name),
    /// What has this group or tag.
    Label(u64),
    /// Everything.
    All,
}

/// What is stored of one route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Stored answers.
    pub entries: u64,
    /// Their bytes, metadata included.
    pub bytes: u64,
    /// When the oldest came, monotonic ns.
    pub oldest_ns: u64,
}

/// What is stored, by route.
pub type Holdings = BTreeMap<Name, Holding>;

/// How many answers each route has lost for want of room.
type Evictions = Arc<Mutex<BTreeMap<Name, u64>>>;

/// Records by key.
pub(crate) struct Memory {
    records: Table<u128, Arc<Record>, Prehashed>,
    /// Bytes inserted since the books were settled.
    unsettled_bytes: AtomicU64,
    unsettled_bytes_max: u64,
    epoch: AtomicU64,
    /// Of the last purge of everything.
    purged_all: AtomicU64,
    /// Of the last purge that is known by its slot only.
    outdated: AtomicU64,
    /// Of the last purge of each URL, route, group and tag, by hash.
    purged: Slots,
    /// When the same were last purged softly, monotonic ns; 0: never. Behind them: everything.
    softened_ns: Slots,
    /// The latest of these.
    softened_last_ns: AtomicU64,
    evictions: Evictions,
}

impl Memory {
    /// Bounded to this many bytes, metadata included.
    pub(crate) fn new(bytes_max: u64) -> Self {
        let evictions = Evictions::default();
        let evicted = Arc::clone(&evictions);
        let records = Table::builder()
            .max_capacity(bytes_max)
            .weigher(|_, record: &Arc<Record>| record.weight())
            .eviction_listener(move |_, record: Arc<Record>, cause| {
                if cause == RemovalCause::Size {
                    count_lost(&evicted, &record);
                }
            })
            .build_with_hasher(Prehashed::default());
        Self {
            records,
            unsettled_bytes: AtomicU64::new(0),
            unsettled_bytes_max: bytes_max / UNSETTLED_SHARE,
            epoch: AtomicU64::new(0),
            purged_all: AtomicU64::new(0),
            outdated: AtomicU64::new(0),
            purged: Slots::new(EPOCH_SLOTS),
            softened_ns: Slots::new(EPOCH_SLOTS + 1),
            softened_last_ns: AtomicU64::new(0),
            evictions,
        }
    }

    /// The record of this very key.
    pub(crate) fn find(&self, key: &Key) -> Option<Arc<Record>> {
        self.records.get(&key.hash).filter(|record| record.is_of(key))
    }

    /// Whether a purge that does not know what it hits, because it names one of many keys of a URL, a
    /// group, a tag or only a slot, has hit this variant.
    pub(crate) fn is_purged(&self, key: &Key, variant: &Variant) -> bool {
        self.is_outdated(key.url_hash, key.has_headers, variant)
    }

    fn is_outdated(&self, url_hash: u64, has_headers: bool, variant: &Variant) -> bool {
        let is_later = |hash: u64| self.purged_in(hash) > variant.epoch;
        (has_headers && is_later(url_hash))
            || variant.labels.hashes().iter().any(|&label| is_later(label))
            || (self.outdated.load(Ordering::Acquire) > variant.epoch
                && self.purged_since(url_hash, &variant.route, variant.epoch))
    }

    /// Since when a variant is stale by a soft purge, monotonic ns. One load where there was none
    /// since it was asked for.
    pub(crate) fn stale_since(&self, key: &Key, variant: &Variant) -> Option<u64> {
        if self.softened_last_ns.load(Ordering::Acquire) < variant.asked_ns {
            return None;
        }
        let own = [url_slot(key.url_hash), route_slot(&variant.route), EPOCH_SLOTS as u32];
        let labels = variant.labels.hashes().iter().map(|&label| url_slot(label));
        own.into_iter()
            .chain(labels)
            .map(|slot| self.softened_ns.get(slot as usize))
            .filter(|&softened_ns| softened_ns > 0 && softened_ns >= variant.asked_ns)
            .min()
    }

    /// Notes a soft purge of a slot, or of everything ([`EPOCH_SLOTS`]). Cheap.
    pub(crate) fn soften(&self, slot: u32, now_ns: u64) {
        let now_ns = now_ns.max(1);
        if slot as usize <= EPOCH_SLOTS {
            self.softened_ns.raise(slot as usize, now_ns);
            self.softened_last_ns.fetch_max(now_ns, Ordering::AcqRel);
        }
    }

    /// Takes note of a purge that is known by its slot only. Cheap.
    pub(crate) fn outdate(&self, slot: u32) {
        let epoch = self.next_epoch();
        self.purged.raise(slot as usize, epoch);
        self.outdated.fetch_max(epoch, Ordering::AcqRel);
    }

    /// Tells apart what was asked before and after a purge, soft ones too, that may have been of this
    /// key's URL or of everything.
    pub(crate) fn purged_epoch(&self, key: &Key) -> u64 {
        let url = self.purged_in(key.url_hash);
        let softened = |slot: usize| self.softened_ns.get(slot);
        let soft_ns = softened(url_slot(key.url_hash) as usize).max(softened(EPOCH_SLOTS));
        url.max(self.purged_all.load(Ordering::Acquire)) ^ soft_ns.rotate_left(32)
    }

    /// The epoch in which a fetch begins.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Stores a variant, unless something that covers it was purged since its fetch began.
    pub(crate) fn put(&self, key: &Key, variant: &Arc<Variant>) {
        let mut weight = 0;
        self.records.entry(key.hash).and_compute_with(|known| {
            let known = known.map(moka::Entry::into_value);
            let record = Record::with(known.as_deref(), key, variant);
            weight = u64::from(record.weight());
            Op::Put(Arc::new(record))
        });
        if self.purged_since(key.url_hash, &variant.route, variant.epoch) {
            self.take(key, |stored| stored.epoch <= variant.epoch);
        }
        let unsettled = self.unsettled_bytes.fetch_add(weight, Ordering::Relaxed) + weight;
        if unsettled > self.unsettled_bytes_max {
            self.settle();
        }
    }

    /// Removes this key's variants that `gone` names.
    pub(crate) fn take(&self, key: &Key, gone: impl Fn(&Variant) -> bool) {
        self.records.entry(key.hash).and_compute_with(|known| match known {
            Some(known) if known.value().is_of(key) => match known.value().without(gone) {
                Some(left) => Op::Put(Arc::new(left)),
                None => Op::Remove,
            },
            _ => Op::Nop,
        });
    }

    /// Invalidates a URL after an unsafe method: at once, without looking for all its keys.
    pub(crate) fn invalidate(&self, url: &Key) {
        self.bump(url.url_hash);
        // Guarded by the text: a key of the same hash loses nothing.
        self.take(url, |_| true);
    }

    /// Makes everything with one of these labels as good as gone; nothing is looked for.
    pub(crate) fn invalidate_label(&self, label: u64) {
        self.bump(label);
    }

    /// Removes what a purge covers. Walks the whole table.
    pub(crate) fn purge(&self, scope: Scope<'_>) {
        match scope {
            Scope::Url(url) => self.bump(url.url_hash),
            Scope::Route(route) => self.bump(route_hash(route)),
            Scope::Label(label) => self.bump(label),
            Scope::All => return self.purge_all(),
        }
        self.sweep(|record| {
            let hit = record.variants().iter().any(|variant| scope.covers(record, variant));
            hit.then(|| record.without(|variant| scope.covers(record, variant)))
        });
    }

    /// What a purge would find, by route. Walks the whole table.
    pub(crate) fn survey(&self, scope: Scope<'_>) -> Holdings {
        let mut holdings = Holdings::new();
        for (_, record) in &self.records {
            let (url_hash, has_headers) = (record.url_hash(), record.has_headers());
            // What the record itself takes goes with its newest variant.
            let mut own = record.own_weight();
            for variant in record.variants() {
                let weight = variant.weight() + std::mem::take(&mut own);
                if !scope.covers(&record, variant)
                    || self.is_outdated(url_hash, has_headers, variant)
                {
                    continue;
                }
                let holding = holdings.entry(variant.route.clone()).or_default();
                if holding.entries == 0 || variant.stored_ns < holding.oldest_ns {
                    holding.oldest_ns = variant.stored_ns;
                }
                holding.entries += 1;
                holding.bytes += weight;
            }
        }
        holdings
    }

    /// How many answers each route has lost for want of room.
    pub(crate) fn evictions(&self) -> BTreeMap<Name, u64> {
        self.evictions.lock().clone()
    }

    /// Removes everything.
    pub(crate) fn purge_all(&self) {
        let epoch = self.next_epoch();
        self.purged_all.fetch_max(epoch, Ordering::AcqRel);
        self.records.invalidate_all();
        self.settle();
    }

    /// Keys that have something stored.
    pub(crate) fn entries(&self) -> u64 {
        self.records.entry_count()
    }

    /// Bytes in use by the store's settled books.
    pub(crate) fn bytes(&self) -> u64 {
        self.records.weighted_size()
    }

    /// The weight of all that can be found, by walking the table.
    #[cfg(test)]
    pub(crate) fn weight_walked(&self) -> u64 {
        self.records.iter().map(|(_, record)| u64::from(record.weight())).sum()
    }

    /// Brings the books up to date and evicts what is over the bound.
    pub(crate) fn settle(&self) {
        self.unsettled_bytes.store(0, Ordering::Relaxed);
        self.records.run_pending_tasks();
    }

    /// Replaces or removes each record for which `left` says what is left.
    fn sweep(&self, left: impl Fn(&Record) -> Option<Option<Record>>) {
        for (hash, _) in &self.records {
            self.records.entry(*hash).and_compute_with(|known| {
                let Some(known) = known.map(moka::Entry::into_value) else { return Op::Nop };
                let Some(left) = left(&known) else { return Op::Nop };
                left.map_or(Op::Remove, |left| Op::Put(Arc::new(left)))
            });
        }
        self.settle();
    }

    fn purged_since(&self, url_hash: u64, route: &Name, epoch: u64) -> bool {
        self.purged_all.load(Ordering::Acquire) > epoch
            || self.purged_in(url_hash) > epoch
            || self.purged_in(route_hash(route)) > epoch
    }

    fn bump(&self, hash: u64) {
        let epoch = self.next_epoch();
        self.purged.raise(url_slot(hash) as usize, epoch);
    }

    fn next_epoch(&self) -> u64 {
        self.epoch.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The epoch of the last purge in the slot of a hash.
    fn purged_in(&self, hash: u64) -> u64 {
        self.purged.get(url_slot(hash) as usize)
    }
}

impl Scope<'_> {
    /// Where its purge is noted; [`EPOCH_SLOTS`]: everything.
    pub(crate) fn slot(self) -> u32 {
        match self {
            Self::Url(url) => url_slot(url.url_hash),
            Self::Route(route) => route_slot(route),
            Self::Label(label) => url_slot(label),
            Self::All => EPOCH_SLOTS as u32,
        }
    }

    fn covers(self, record: &Record, variant: &Variant) -> bool {
        match self {
            Self::Url(url) => record.is_of_url(url),
            Self::Route(route) => variant.route == *route,
            Self::Label(label) => variant.labels.hashes().contains(&label),
            Self::All => true,
        }
    }
}

fn count_lost(evictions: &Evictions, record: &Record) {
    let mut evictions = evictions.lock();
    for variant in record.variants() {
        match evictions.get_mut(&variant.route) {
            Some(lost) => *lost += 1,
            None => _ = evictions.insert(variant.route.clone(), 1),
        }
    }
}

fn route_hash(route: &Name) -> u64 {
    xxh3_64(route.as_str().as_bytes())
}

/// The slot of a URL, by its hash.
pub(crate) fn url_slot(url_hash: u64) -> u32 {
    (url_hash % EPOCH_SLOTS as u64) as u32
}

/// The slot of a route.
pub(crate) fn route_slot(route: &Name) -> u32 {
    url_slot(route_hash(route))
}
