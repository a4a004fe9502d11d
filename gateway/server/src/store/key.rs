//! The cache key: scheme, authority, path and query as forwarded, and the policy's header values.
//!
//! Parameters that the policy drops are in neither: what is not keyed must not decide what is stored, so
//! a call whose answer may be stored asks its origin without them ([`without_dropped`]).
//!
//! Where a trusted proxy tells what its client asked, scheme and authority are those, and the rest of
//! what the origin sees of it follows: the authority that the call itself names where that is another,
//! `X-Forwarded-Port` and `X-Forwarded-Prefix`. Like the policy's headers these are not part of the URL,
//! so a purge of the URL covers whatever they are.
//!
//! Built on the stack for a hit, hashed once (xxh3-128), and kept whole in the entry so that two
//! keys of one hash never share an answer.

use std::hash::{BuildHasher, Hasher};

use http::{HeaderMap, HeaderName};
use sumun_policy::policy::CacheKey;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::Asked;
use crate::forwarded::{X_FORWARDED_PORT, X_FORWARDED_PREFIX};

/// Keys up to this many bytes need no allocation. Most URLs of internal services are shorter.
const INLINE_BYTES: usize = 256;

/// The resource that a call names, without default port, authority in lower case.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Host and port, lower case, the scheme's default port removed.
    pub authority: &'a str,
    /// Path and query as asked for.
    pub path_and_query: &'a str,
}

/// One cache key.
pub(crate) struct Key {
    /// Of the whole text.
    pub(crate) hash: u128,
    /// Of the URL alone: what a purge by URL finds.
    pub(crate) url_hash: u64,
    /// Length of the URL within the text.
    pub(crate) url_len: usize,
    /// Whether header values follow the URL, so that one URL has many keys.
    pub(crate) has_headers: bool,
    text: Text,
}

impl Key {
    /// The key of a call.
    pub(crate) fn new(asked: &Asked<'_>, rules: &CacheKey) -> Self {
        let mut text = Text::default();
        write_url(asked.resource(), rules, &mut text);
        let url_len = text.as_bytes().len();
        for name in &rules.headers {
            write_field(name, asked.headers, &mut text);
        }
        if let Some(named) = asked.fronted {
            write_front(asked, named, &mut text);
        }
        Self::hashed(text, url_len)
    }

    /// The key of a URL where no header belongs to it.
    pub(crate) fn of_url(resource: Resource<'_>, rules: &CacheKey) -> Self {
        let mut text = Text::default();
        write_url(resource, rules, &mut text);
        let url_len = text.as_bytes().len();
        Self::hashed(text, url_len)
    }

    fn hashed(text: Text, url_len: usize) -> Self {
        let bytes = text.as_bytes();
        Self {
            hash: xxh3_128(bytes),
            url_hash: xxh3_64(&bytes[..url_len]),
            url_len,
            has_headers: bytes.len() > url_len,
            text,
        }
    }

    /// Scheme and authority: what cache groups belong to (RFC 9875 §2.1).
    pub(crate) fn origin(&self) -> &[u8] {
        let text = self.text();
        let ends = text.iter().enumerate().filter(|&(_, &b)| b == b'\n').map(|(at, _)| at);
        &text[..ends.take(2).last().unwrap_or_default()]
    }

    /// Everything that was hashed.
    pub(crate) fn text(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

fn write_url(resource: Resource<'_>, rules: &CacheKey, into: &mut Text) {
    into.push(resource.scheme.as_bytes());
    into.push(b"\n");
    into.push(resource.authority.as_bytes());
    into.push(b"\n");
    match resource.path_and_query.split_once('?') {
        Some((path, query)) if rules.query_sort || !rules.query_drop.is_empty() => {
            into.push(path.as_bytes());
            write_query(query, rules, into);
        }
        _ => into.push(resource.path_and_query.as_bytes()),
    }
    into.push(b"\n");
}

/// One line: the field's name and all its values.
fn write_field(name: &HeaderName, headers: &HeaderMap, into: &mut Text) {
    into.push(name.as_str().as_bytes());
    for value in headers.get_all(name) {
        // Neither byte can stand in a field's name or value: no two requests write the same.
        into.push(b"\0");
        into.push(value.as_bytes());
    }
    into.push(b"\n");
}

/// What the origin sees of a trusted proxy's word besides scheme and authority; nothing where that is
/// all, so that such calls share what is stored whether or not a proxy was between.
fn write_front(asked: &Asked<'_>, named: &str, into: &mut Text) {
    if named != asked.authority {
        // No field has an empty name.
        into.push(b"\0");
        into.push(named.as_bytes());
        into.push(b"\n");
    }
    for name in [X_FORWARDED_PORT, X_FORWARDED_PREFIX] {
        if asked.headers.contains_key(&name) {
            write_field(&name, asked.headers, into);
        }
    }
}

/// The parameters that the policy keeps, in its order; values of one name keep theirs.
fn write_query(query: &str, rules: &CacheKey, into: &mut Text) {
    let mut kept: Vec<&str> = kept(query, rules).collect();
    if rules.query_sort {
        kept.sort_by_key(|parameter| name_of(parameter));
    }
    for (at, parameter) in kept.into_iter().enumerate() {
        into.push(if at == 0 { b"?" } else { b"&" });
        into.push(parameter.as_bytes());
    }
}

/// Path and query without the parameters that the policy drops; the others byte for byte and in their
/// own order. `None`: there are none of them.
///
/// A name is compared as it is written, here as in the key: by another spelling a parameter is both
/// keyed and forwarded.
pub fn without_dropped(path_and_query: &str, rules: &CacheKey) -> Option<String> {
    if rules.query_drop.is_empty() {
        return None;
    }
    let (path, query) = path_and_query.split_once('?')?;
    if !query.split('&').any(|parameter| is_dropped(parameter, rules)) {
        return None;
    }
    let mut left = String::with_capacity(path_and_query.len());
    left.push_str(path);
    for (at, parameter) in kept(query, rules).enumerate() {
        left.push(if at == 0 { '?' } else { '&' });
        left.push_str(parameter);
    }
    Some(left)
}

fn kept<'a>(query: &'a str, rules: &CacheKey) -> impl Iterator<Item = &'a str> {
    query.split('&').filter(|parameter| !is_dropped(parameter, rules))
}

fn is_dropped(parameter: &str, rules: &CacheKey) -> bool {
    rules.query_drop.iter().any(|dropped| **dropped == *name_of(parameter))
}

fn name_of(parameter: &str) -> &str {
    &parameter[..parameter.find('=').unwrap_or(parameter.len())]
}

/// Bytes on the stack while they are few.
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the usual one, and is not to allocate"
)]
enum Text {
    Inline([u8; INLINE_BYTES], usize),
    Heap(Vec<u8>),
}

impl Default for Text {
    fn default() -> Self {
        Self::Inline([0; INLINE_BYTES], 0)
    }
}

impl Text {
    fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Inline(buffer, len) if *len + bytes.len() <= INLINE_BYTES => {
                buffer[*len..*len + bytes.len()].copy_from_slice(bytes);
                *len += bytes.len();
            }
            Self::Inline(buffer, len) => {
                let mut heap = Vec::with_capacity(2 * INLINE_BYTES + bytes.len());
                heap.extend_from_slice(&buffer[..*len]);
                heap.extend_from_slice(bytes);
                *self = Self::Heap(heap);
            }
            Self::Heap(heap) => heap.extend_from_slice(bytes),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Inline(buffer, len) => &buffer[..*len],
            Self::Heap(heap) => heap,
        }
    }
}

/// Hands a key that already is a hash through to a table.
#[derive(Clone, Copy, Default)]
pub(crate) struct Prehashed(u64);

impl BuildHasher for Prehashed {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl Hasher for Prehashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= xxh3_64(bytes);
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = (hash as u64) ^ ((hash >> 64) as u64);
    }
}

#[cfg(test)]
mod tests;
