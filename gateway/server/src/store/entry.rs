//! What is stored: a [`Record`] per key with up to [`VARIANTS_MAX`] [`Variant`]s.
//!
//! A variant's heads are ready to send but for `Age` and `Cache-Status`, whose places are kept; its
//! body is apart from its head, so that a 304 copies no body. Everything it holds is its own copy:
//! a field or a chunk that came in an upstream's buffer would keep that whole buffer alive.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{
    AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_LOCATION, DATE, ETAG, EXPIRES, HeaderName,
    LAST_MODIFIED, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use sumun_engine::freshness::{Labels, Terms, Vary, http_date, storable_head, tag_fields};
use sumun_engine::validator::{Validators, tag_from_body, tag_from_modified};
use sumun_policy::units::Name;
use xxhash_rust::xxh3::xxh3_64;

use super::key::Key;
use super::redis::Mark;

/// `Cache-Status` (RFC 9211).
pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Variants of one key, at most. More means that `Vary` names something as good as unique; the one
/// stored longest ago goes first.
pub(crate) const VARIANTS_MAX: usize = 16;

/// What a variant weighs besides its bytes: its struct and the tables of its two heads.
const VARIANT_OVERHEAD_BYTES: usize = 1280;

/// What a record weighs besides its variants and its key: its struct and the table's own nodes.
///
/// Together with the variant's and the fields' overhead a little more than the resident memory that
/// 40,000 small answers took per answer (4.0 KB with eight fields).
const RECORD_OVERHEAD_BYTES: usize = 640;

/// What one field of a head weighs besides its bytes: a bucket of the header map.
const FIELD_OVERHEAD_BYTES: usize = 112;

/// One stored answer.
#[derive(Clone)]
pub(crate) struct Variant {
    /// The route that stored it: another route of the same URL may go to another upstream.
    pub(crate) route: Name,
    /// What its selection depends on.
    pub(crate) vary: Vary,
    /// The values that the storing request gave to those fields, normalised.
    pub(crate) values: Box<[u8]>,
    /// The same byte for byte: most requests that agree agree in this, which costs less to see.
    verbatim: Box<[u8]>,
    /// On what terms it may be served.
    pub(crate) terms: Terms,
    /// For how long after its freshness some rule may serve it, ns.
    pub(crate) stale_for_ns: u64,
    /// What it can be purged by besides its URL.
    pub(crate) labels: Labels,
    /// The fields that said its tags: the second tier wants them, clients don't.
    tags: Box<[(HeaderName, HeaderValue)]>,
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its head as served.
    pub(crate) head: HeaderMap,
    /// The head of a 304 in its place (RFC 9110 §15.4.5).
    pub(crate) head_not_modified: HeaderMap,
    /// Its body, complete.
    pub(crate) body: Bytes,
    /// Whether its tag was made here: such a tag is never sent to the origin.
    pub(crate) own_tag: bool,
    /// Whether the origin's own `Cache-Status` stands in the head, so that ours is appended.
    pub(crate) relays_status: bool,
    /// When it was asked for, monotonic ns: what a soft purge is compared with.
    pub(crate) asked_ns: u64,
    /// When its head came, monotonic ns.
    pub(crate) stored_ns: u64,
    /// The purge epoch when its request went out.
    pub(crate) epoch: u64,
    /// How far other gateways' purges were known then.
    pub(crate) mark: Mark,
    weight: u32,
}

/// Everything of a variant but its body.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) route: Name,
    pub(crate) vary: Vary,
    pub(crate) values: Vec<u8>,
    pub(crate) verbatim: Vec<u8>,
    pub(crate) terms: Terms,
    pub(crate) stale_for_ns: u64,
    pub(crate) labels: Labels,
    pub(crate) status: StatusCode,
    /// The answer's head as it came (or, after a 304, the merged one).
    pub(crate) head: HeaderMap,
    /// The tag that the head already carries was made here.
    pub(crate) own_tag: bool,
    pub(crate) asked_ns: u64,
    pub(crate) stored_ns: u64,
    pub(crate) epoch: u64,
    pub(crate) mark: Mark,
}

impl Draft {
    /// With its complete body. A 200 without a tag gets a weak one.
    pub(crate) fn with_body(self, body: Bytes) -> Variant {
        let mut head = storable_head(&self.head, &self.terms.withheld);
        let tags = take_tags(&mut head);
        let mut own_tag = self.own_tag;
        if self.status == StatusCode::OK && !head.contains_key(ETAG) {
            head.insert(ETAG, make_tag(&head, &body));
            own_tag = true;
        }
        if !head.contains_key(DATE) {
            head.insert(DATE, http_date(self.terms.date_s));
        }
        if !matches!(self.status, StatusCode::NO_CONTENT) {
            head.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let relays_status = head.contains_key(CACHE_STATUS);
        head.insert(AGE, HeaderValue::from_static("0"));
        if !relays_status {
            head.insert(CACHE_STATUS, HeaderValue::from_static("sumun"));
        }
        let head = compact(&head);
        let head_not_modified = not_modified_head(&head);
        let weight = VARIANT_OVERHEAD_BYTES
            + weigh(&head)
            + weigh(&head_not_modified)
            + body.len()
            + self.values.len()
            + self.verbatim.len()
            + self.terms.withheld.len() * size_of::<HeaderName>()
            + size_of_val(self.labels.hashes())
            + tags.iter().map(|(_, value)| FIELD_OVERHEAD_BYTES + value.len()).sum::<usize>();
        Variant {
            route: self.route,
            vary: self.vary,
            values: self.values.into(),
            verbatim: self.verbatim.into(),
            terms: self.terms,
            stale_for_ns: self.stale_for_ns,
            labels: self.labels,
            tags,
            status: self.status,
            head,
            head_not_modified,
            body,
            own_tag,
            relays_status,
            asked_ns: self.asked_ns,
            stored_ns: self.stored_ns,
            epoch: self.epoch,
            mark: self.mark,
            weight: u32::try_from(weight).unwrap_or(u32::MAX),
        }
    }
}

impl Variant {
    /// Whether it answers requests of this route with these headers.
    pub(crate) fn selected_by(&self, route: &Name, request: &HeaderMap) -> bool {
        self.route == *route && self.varies_like(request)
    }

    fn varies_like(&self, request: &HeaderMap) -> bool {
        match &self.vary {
            Vary::Nothing => true,
            Vary::Anything => false,
            Vary::Fields(_) => {
                self.vary.is_verbatim(request, &self.verbatim)
                    || *self.vary.values(request) == *self.values
            }
        }
    }

    /// Whether `other` is this very answer, or the same as [`Self::stale_since`] gave it.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.stored_ns == other.stored_ns && self.replaced_by(other)
    }

    /// The same answer, its freshness over at this moment (monotonic ns) at the latest.
    pub(crate) fn stale_since(&self, since_ns: u64) -> Self {
        let mut stale = self.clone();
        let age_ns = self.terms.age_ns(since_ns.saturating_sub(self.stored_ns));
        stale.terms.lifetime_ns = self.terms.lifetime_ns.min(age_ns);
        stale
    }

    /// Whether storing `other` makes this one superfluous.
    fn replaced_by(&self, other: &Self) -> bool {
        self.route == other.route && self.vary == other.vary && self.values == other.values
    }

    /// What conditions compare with.
    pub(crate) fn validators(&self) -> Validators<'_> {
        Validators::of(&self.head, self.terms.date_s)
    }

    /// The origin's own tag, for a revalidation.
    pub(crate) fn origin_tag(&self) -> Option<&HeaderValue> {
        self.head.get(ETAG).filter(|_| !self.own_tag)
    }

    /// The origin's `Last-Modified`, for a revalidation.
    pub(crate) fn origin_modified(&self) -> Option<&HeaderValue> {
        self.head.get(LAST_MODIFIED)
    }

    /// Bytes that it takes.
    pub(crate) fn weight(&self) -> u64 {
        self.weight.into()
    }

    /// The head that a later 304 merges into: without what was put there for serving.
    pub(crate) fn origin_head(&self) -> HeaderMap {
        let mut head = self.head.clone();
        head.remove(AGE);
        if !self.relays_status {
            head.remove(CACHE_STATUS);
        }
        for (name, value) in &self.tags {
            head.append(name.clone(), value.clone());
        }
        head
    }
}

/// Takes the fields that carry tags out of a head; copies, as everything that is kept.
fn take_tags(head: &mut HeaderMap) -> Box<[(HeaderName, HeaderValue)]> {
    let mut tags = Vec::new();
    for name in tag_fields() {
        for value in head.get_all(name) {
            // The bytes are those of a valid value.
            let copy = HeaderValue::from_bytes(value.as_bytes());
            tags.extend(copy.ok().map(|copy| (name.clone(), copy)));
        }
        head.remove(name);
    }
    tags.into()
}

/// All stored answers of one key, the newest first.
pub(crate) struct Record {
    /// The key's text.
    key: Box<[u8]>,
    url_len: usize,
    variants: Box<[Arc<Variant>]>,
}

impl Record {
    /// With one variant more; the one that it replaces and those over the bound are left out.
    pub(crate) fn with(older: Option<&Self>, key: &Key, variant: &Arc<Variant>) -> Self {
        let older = older.filter(|older| older.is_of(key));
        let kept = older
            .iter()
            .flat_map(|older| older.variants.iter())
            .filter(|known| !known.replaced_by(variant))
            .take(VARIANTS_MAX - 1)
            .cloned();
        let variants = std::iter::once(Arc::clone(variant)).chain(kept).collect();
        Self { key: key.text().into(), url_len: key.url_len, variants }
    }

    /// Without these; `None` where nothing is left.
    pub(crate) fn without(&self, gone: impl Fn(&Variant) -> bool) -> Option<Self> {
        let variants: Box<[_]> =
            self.variants.iter().filter(|variant| !gone(variant)).cloned().collect();
        (!variants.is_empty()).then(|| Self {
            key: self.key.clone(),
            url_len: self.url_len,
            variants,
        })
    }

    /// Whether it was stored under this very key, not only under its hash.
    pub(crate) fn is_of(&self, key: &Key) -> bool {
        *self.key == *key.text()
    }

    /// Whether it was stored under this URL, whatever headers belong to the key.
    pub(crate) fn is_of_url(&self, url: &Key) -> bool {
        self.key[..self.url_len] == url.text()[..url.url_len]
    }

    /// The hash of the URL, as its key has it.
    pub(crate) fn url_hash(&self) -> u64 {
        xxh3_64(&self.key[..self.url_len])
    }

    /// Whether header values belong to the key.
    pub(crate) fn has_headers(&self) -> bool {
        self.key.len() > self.url_len
    }

    pub(crate) fn variants(&self) -> &[Arc<Variant>] {
        &self.variants
    }

    /// Bytes that it takes without its variants.
    pub(crate) fn own_weight(&self) -> u64 {
        (RECORD_OVERHEAD_BYTES + self.key.len()) as u64
    }

    /// Bytes that it takes, metadata included.
    pub(crate) fn weight(&self) -> u32 {
        let own = self.own_weight() as u32;
        self.variants.iter().fold(own, |sum, variant| sum.saturating_add(variant.weight))
    }
}

/// A weak tag for a complete body without one (RFC 9110 §8.8.1).
pub(crate) fn make_tag(head: &HeaderMap, body: &Bytes) -> HeaderValue {
    match Validators::of(head, 0).last_modified_s {
        Some(modified_s) => tag_from_modified(modified_s, body.len() as u64),
        None => tag_from_body(body),
    }
}

/// The fields that a 304 has to repeat, and `Last-Modified` for callers that compare by it.
fn not_modified_head(head: &HeaderMap) -> HeaderMap {
    const REPEATED: [HeaderName; 9] = [
        AGE,
        CACHE_CONTROL,
        CACHE_STATUS,
        CONTENT_LOCATION,
        DATE,
        ETAG,
        EXPIRES,
        LAST_MODIFIED,
        VARY,
    ];
    let mut repeated = HeaderMap::with_capacity(REPEATED.len());
    for (name, value) in head {
        if REPEATED.contains(name) {
            repeated.append(name.clone(), value.clone());
        }
    }
    repeated
}

/// The same head with all its values in one allocation of exactly their size.
fn compact(head: &HeaderMap) -> HeaderMap {
    let mut values = BytesMut::with_capacity(head.values().map(HeaderValue::len).sum());
    let mut compacted = HeaderMap::with_capacity(head.len());
    for value in head.values() {
        values.extend_from_slice(value.as_bytes());
    }
    let values = values.freeze();
    let mut at = 0;
    for (name, value) in head {
        let slice = values.slice(at..at + value.len());
        at += value.len();
        // The bytes are those of a valid value: the copy can't fail, and if it did the original serves.
        let copy = HeaderValue::from_maybe_shared(slice).unwrap_or_else(|_| value.clone());
        compacted.append(name.clone(), copy);
    }
    compacted
}

fn weigh(head: &HeaderMap) -> usize {
    head.iter().map(|(name, value)| FIELD_OVERHEAD_BYTES + name.as_str().len() + value.len()).sum()
}
