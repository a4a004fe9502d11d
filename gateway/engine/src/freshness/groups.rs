//! What a stored answer can be called besides by its URL: its groups (RFC 9875) and its tags.
//!
//! Both become hashes once, when the answer is stored. Groups belong to an origin, tags to the whole
//! gateway. Two names of one hash cost a needless miss, no more.
//!
//! Bounds: at most [`LABELS_MAX`] of an answer; what is over them is left out with the rest of its
//! field, which RFC 9875 allows beyond 32 groups.

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{BareItem, List, ListEntry, Parser};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Groups and tags of one answer, each kind. Four times what RFC 9875 §2 demands.
const LABELS_MAX: usize = 128;

static CACHE_GROUPS: HeaderName = HeaderName::from_static("cache-groups");
static CACHE_GROUP_INVALIDATION: HeaderName = HeaderName::from_static("cache-group-invalidation");
static SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
static CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");

/// The fields that carry tags: between the origin and this cache, and nobody else's business.
pub fn tag_fields() -> [&'static HeaderName; 2] {
    [&SURROGATE_KEY, &CACHE_TAG]
}

/// Tags are the same whatever origin they come from.
const TAG_SEED: u64 = 0;

/// Hashes of the groups and tags of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Box<[u64]>);

impl Labels {
    /// Of an answer of this origin (scheme, host and port in any fixed form): `Cache-Groups`,
    /// `Surrogate-Key` (separated by spaces) and `Cache-Tag` (separated by commas).
    pub fn read(response: &HeaderMap, origin: &[u8]) -> Self {
        let mut labels = groups(response, &CACHE_GROUPS, origin);
        let spaced = words(response, &SURROGATE_KEY, |b| b.is_ascii_whitespace());
        let listed = words(response, &CACHE_TAG, |b| b == b',');
        labels.extend(spaced.chain(listed).map(Self::of_tag).take(LABELS_MAX));
        Self(labels.into())
    }

    /// The hash of one tag.
    pub fn of_tag(tag: &[u8]) -> u64 {
        xxh3_64_with_seed(tag, TAG_SEED)
    }

    /// The hash of one group of an origin, given as to [`Self::read`].
    pub fn of_group(group: &[u8], origin: &[u8]) -> u64 {
        xxh3_64_with_seed(group, group_seed(origin))
    }

    /// All of them.
    pub fn hashes(&self) -> &[u64] {
        &self.0
    }
}

/// Hashes of the groups that a successful answer to an unsafe method invalidates on its origin
/// (`Cache-Group-Invalidation`, RFC 9875 §3), comparable with those of [`Labels`].
pub fn invalidated_groups(response: &HeaderMap, origin: &[u8]) -> Vec<u64> {
    groups(response, &CACHE_GROUP_INVALIDATION, origin)
}

/// The strings of a list (RFC 9651 §3.1); a field that is none is ignored.
fn groups(response: &HeaderMap, name: &HeaderName, origin: &[u8]) -> Vec<u64> {
    if !response.contains_key(name) {
        return Vec::new();
    }
    let lines: Vec<&[u8]> = response.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    let Ok(members) = Parser::new(&lines.join(&b", "[..])).parse::<List>() else {
        return Vec::new();
    };
    let seed = group_seed(origin);
    let strings = members.iter().filter_map(|member| match member {
        ListEntry::Item(item) => match &item.bare_item {
            BareItem::String(group) => Some(group.as_str().as_bytes()),
            _ => None,
        },
        ListEntry::InnerList(_) => None,
    });
    strings.map(|group| xxh3_64_with_seed(group, seed)).take(LABELS_MAX).collect()
}

/// Never the seed of tags: a group must not be purged by a tag of the same name.
fn group_seed(origin: &[u8]) -> u64 {
    xxh3_64_with_seed(origin, TAG_SEED) | 1
}

fn words<'a>(
    response: &'a HeaderMap,
    name: &'a HeaderName,
    separates: impl Fn(u8) -> bool + Copy + 'a,
) -> impl Iterator<Item = &'a [u8]> {
    response
        .get_all(name)
        .iter()
        .flat_map(move |line| line.as_bytes().split(move |&b| separates(b)))
        .map(<[u8]>::trim_ascii)
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests;
