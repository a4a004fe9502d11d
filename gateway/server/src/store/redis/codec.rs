//! Entries as bytes, version 1: what one gateway writes and another, perhaps of another release, reads.
//!
//! Numbers are little-endian; every length is checked before it is used; the last eight bytes are the
//! xxh3-64 of all before. What can't be read (another version, cut off, damaged, not ours) is
//! [`decode`]d to `None`: a miss, never an error. No field is a moment of the writing gateway's clocks:
//! the age is what it was at the moment of writing, and Redis' own clock tells how long ago that was.
//!
//! ```text
//! "SMN" version:1 kind:1
//! answer: flags:1 status:2 id:8 seq:8 age_ms:8 kept_ms:8
//!         route:2+n key:4+n values:4+n fields:2 × (name:2+n value:4+n) body:4+n sum:8
//! vary:   names:2+n sum:8
//! ```

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use xxhash_rust::xxh3::xxh3_64;

use super::epochs::Mark;

/// The version written here; also part of each key, so that releases with different ones do not
/// overwrite each other's entries.
pub(crate) const VERSION: u8 = 1;

/// Largest entry, bytes. A larger one stays in the first tier: it would keep the connection busy for
/// longer than most origins take, and the deadline of an operation would not be met.
pub(crate) const ENTRY_BYTES_MAX: usize = 512 * 1024;

const MAGIC: &[u8; 3] = b"SMN";
const KIND_ANSWER: u8 = 1;
const KIND_VARY: u8 = 2;
const SUM_BYTES: usize = 8;
const FLAG_OWN_TAG: u8 = 1;

/// Most fields of a head: what the upstream connection takes, with room.
const FIELDS_MAX: usize = 256;

/// What stands under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// An answer.
    Answer(Box<Entry>),
    /// Which request fields select the answer: names separated by commas.
    Vary(Box<str>),
}

/// One answer as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// How far purges were known when it was asked for.
    pub(crate) mark: Mark,
    /// Its age when it was written, ms.
    pub(crate) age_ms: u64,
    /// For how long it was to be kept from then on, ms.
    pub(crate) kept_ms: u64,
    /// The route that stored it.
    pub(crate) route: Box<str>,
    /// The key's whole text.
    pub(crate) key: Box<[u8]>,
    /// What the storing request gave to the fields that select, normalised.
    pub(crate) values: Box<[u8]>,
    /// Its status.
    pub(crate) status: StatusCode,
    /// Whether its tag was made by a gateway.
    pub(crate) own_tag: bool,
    /// Its head, without what a gateway puts there for serving.
    pub(crate) head: HeaderMap,
    /// Its body, complete.
    pub(crate) body: Bytes,
}

/// As bytes; `None` where it is over [`ENTRY_BYTES_MAX`] or [`FIELDS_MAX`].
pub(crate) fn encode(stored: &Stored) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(match stored {
        Stored::Answer(entry) => (entry.body.len() + 1024).min(ENTRY_BYTES_MAX),
        Stored::Vary(names) => names.len() + 16,
    });
    out.extend_from_slice(MAGIC);
    out.push(VERSION);
    match stored {
        Stored::Answer(entry) => write_answer(entry, &mut out)?,
        Stored::Vary(names) => {
            out.push(KIND_VARY);
            put_short(names.as_bytes(), &mut out)?;
        }
    }
    let sum = xxh3_64(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    (out.len() <= ENTRY_BYTES_MAX).then_some(out)
}

fn write_answer(entry: &Entry, out: &mut Vec<u8>) -> Option<()> {
    out.push(KIND_ANSWER);
    out.push(if entry.own_tag { FLAG_OWN_TAG } else { 0 });
    out.extend_from_slice(&entry.status.as_u16().to_le_bytes());
    for number in [entry.mark.id, entry.mark.seq, entry.age_ms, entry.kept_ms] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    put_short(entry.route.as_bytes(), out)?;
    put_long(&entry.key, out)?;
    put_long(&entry.values, out)?;
    let fields = u16::try_from(entry.head.len()).ok().filter(|&n| usize::from(n) <= FIELDS_MAX)?;
    out.extend_from_slice(&fields.to_le_bytes());
    for (name, value) in &entry.head {
        put_short(name.as_str().as_bytes(), out)?;
        put_long(value.as_bytes(), out)?;
    }
    put_long(&entry.body, out)
}

fn put_short(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(&u16::try_from(bytes.len()).ok()?.to_le_bytes());
    out.extend_from_slice(bytes);
    Some(())
}

fn put_long(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(&u32::try_from(bytes.len()).ok()?.to_le_bytes());
    out.extend_from_slice(bytes);
    Some(())
}

/// What the bytes say; `None` where they are not a whole entry of this version.
pub(crate) fn decode(bytes: &[u8]) -> Option<Stored> {
    if bytes.len() > ENTRY_BYTES_MAX {
        return None;
    }
    let (signed, sum) = bytes.split_at_checked(bytes.len().checked_sub(SUM_BYTES)?)?;
    if !signed.starts_with(MAGIC) || xxh3_64(signed).to_le_bytes() != *sum {
        return None;
    }
    let mut reader = Reader(&signed[MAGIC.len()..]);
    if reader.byte()? != VERSION {
        return None;
    }
    let stored = match reader.byte()? {
        KIND_ANSWER => Stored::Answer(Box::new(reader.answer()?)),
        KIND_VARY => Stored::Vary(std::str::from_utf8(reader.short()?).ok()?.into()),
        _ => return None,
    };
    reader.0.is_empty().then_some(stored)
}

/// The bytes that are left.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.0.split_at_checked(count)?;
        self.0 = left;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn short(&mut self) -> Option<&'a [u8]> {
        let len = u16::from_le_bytes(self.array()?);
        self.take(usize::from(len))
    }

    fn long(&mut self) -> Option<&'a [u8]> {
        let len = u32::from_le_bytes(self.array()?);
        self.take(len as usize)
    }

    fn answer(&mut self) -> Option<Entry> {
        let flags = self.byte()?;
        let status = StatusCode::from_u16(u16::from_le_bytes(self.array()?)).ok()?;
        let mark = Mark { id: self.number()?, seq: self.number()? };
        let (age_ms, kept_ms) = (self.number()?, self.number()?);
        let route = std::str::from_utf8(self.short()?).ok()?.into();
        let (key, values) = (self.long()?.into(), self.long()?.into());
        let fields = usize::from(u16::from_le_bytes(self.array()?));
        if fields > FIELDS_MAX {
            return None;
        }
        let mut head = HeaderMap::with_capacity(fields);
        for _ in 0..fields {
            let name = HeaderName::from_bytes(self.short()?).ok()?;
            head.append(name, HeaderValue::from_bytes(self.long()?).ok()?);
        }
        let body = Bytes::copy_from_slice(self.long()?);
        let own_tag = flags & FLAG_OWN_TAG != 0;
        Some(Entry { mark, age_ms, kept_ms, route, key, values, status, own_tag, head, body })
    }
}

#[cfg(test)]
mod tests;
