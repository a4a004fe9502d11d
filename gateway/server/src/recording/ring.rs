//! One worker's ring of entries: one thread writes, any other reads beside it.
//!
//! Memory comes in chunks when they are first reached. An entry never crosses the end of a chunk, so
//! that reading can begin at any of them. A reader copies, then looks how far the writer has come
//! meanwhile, and throws away what may have been written over.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use sumun_engine::Moment;
use sumun_engine::replay::{Asked, Joined, Left};

use super::NAMES_MAX;
use super::entry::{self, Entry};
use crate::callers::CallerName;

/// Words of eight bytes in a chunk: 16 KiB, some 300 calls.
const CHUNK_WORDS: u64 = 2048;

const CHUNK_BYTES: usize = CHUNK_WORDS as usize * 8;

/// Least chunks of a ring: below, too much of it is always being written over.
const CHUNKS_MIN: usize = 4;

/// A chunk begins with the time of its first entry and the number of calls in it.
const HEAD_WORDS: u64 = 2;

/// Places of callers whose names were handed over lately.
const NAMED_PLACES: usize = 256;

type Chunk = Box<[AtomicU64]>;

/// The entries of one worker.
pub(super) struct Ring {
    chunks: Box<[OnceLock<Chunk>]>,
    /// Words ever written.
    head: AtomicU64,
    /// Calls in each second of the time to keep: the second in the upper half.
    seconds: Box<[AtomicU64]>,
    keep: Duration,
    lost: AtomicU64,
}

/// What a reader found.
#[derive(Debug)]
pub(super) struct Read {
    pub entries: Vec<Entry>,
    /// Older ones are missing; `None`: none is.
    pub complete_from: Option<Moment>,
}

/// A worker's end of the recording. Its only writer.
pub struct CoreRecorder {
    ring: Arc<Ring>,
    head: Cell<u64>,
    next: Cell<u32>,
    names: Arc<Mutex<HashMap<u64, CallerName>>>,
    /// Callers whose names were handed over lately, so that few calls look for it.
    named: Box<[Cell<u64>]>,
}

// === impl Ring ===

impl Ring {
    /// A ring of at most this many bytes, but of four chunks at least.
    pub(super) fn new(bytes: usize, keep: Duration) -> Self {
        let seconds = keep.as_secs() as usize + 2;
        let chunks = (bytes.saturating_sub(seconds * 8) / CHUNK_BYTES).max(CHUNKS_MIN);
        Self {
            chunks: std::iter::repeat_with(OnceLock::new).take(chunks).collect(),
            head: AtomicU64::new(0),
            seconds: std::iter::repeat_with(AtomicU64::default).take(seconds).collect(),
            keep,
            lost: AtomicU64::new(0),
        }
    }

    /// Memory that it takes now.
    pub(super) fn bytes(&self) -> u64 {
        let chunks = self.chunks.iter().filter(|chunk| chunk.get().is_some()).count();
        (chunks * CHUNK_BYTES + self.seconds.len() * 8) as u64
    }

    /// Calls written over although they were younger than the time to keep.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// Calls written within the time to keep.
    pub(super) fn seen(&self, now: Moment) -> u64 {
        let newest = second(now);
        let oldest = newest.saturating_sub(self.keep.as_secs());
        let counts = self.seconds.iter().map(|slot| slot.load(Relaxed));
        let kept = counts.filter(|word| (oldest..=newest).contains(&(word >> 32)));
        kept.map(|word| word & u64::from(u32::MAX)).sum()
    }

    /// Everything that is there.
    pub(super) fn read(&self) -> Read {
        let count = self.chunks.len() as u64;
        let head = self.head.load(Acquire);
        let newest = head / CHUNK_WORDS;
        // The chunk behind the newest may be written over at any moment.
        let oldest = newest.saturating_sub(count - 2);
        let mut read = Read { entries: Vec::new(), complete_from: None };
        for number in oldest..=newest {
            let Some(chunk) = self.chunks[(number % count) as usize].get() else { break };
            let words: Vec<u64> = chunk.iter().map(|word| word.load(Relaxed)).collect();
            fence(Acquire);
            if self.head.load(Relaxed) / CHUNK_WORDS + 1 >= number + count {
                read.entries.clear();
                continue;
            }
            let written = head.saturating_sub(number * CHUNK_WORDS).min(CHUNK_WORDS) as usize;
            if read.entries.is_empty() && number > 0 {
                read.complete_from = Some(Moment::from_nanos(words[0]));
            }
            let mut rest = words.get(HEAD_WORDS as usize..written).unwrap_or_default();
            while let Some((entry, length)) = entry::read(rest) {
                read.entries.push(entry);
                rest = &rest[length..];
            }
        }
        read
    }

    fn chunk(&self, number: u64) -> &Chunk {
        let place = &self.chunks[(number % self.chunks.len() as u64) as usize];
        place.get_or_init(|| (0..CHUNK_WORDS).map(|_| AtomicU64::new(0)).collect())
    }
}

fn second(at: Moment) -> u64 {
    at.nanos() / 1_000_000_000
}

// === impl CoreRecorder ===

impl CoreRecorder {
    pub(super) fn new(ring: Arc<Ring>, names: Arc<Mutex<HashMap<u64, CallerName>>>) -> Self {
        let named = std::iter::repeat_with(Cell::default).take(NAMED_PLACES).collect();
        Self { ring, head: Cell::new(0), next: Cell::new(0), names, named }
    }

    /// Tells a caller's name; hardly anything where that was done lately.
    pub fn name(&self, caller: u64, name: &CallerName) {
        if self.named[caller as usize % NAMED_PLACES].replace(caller) == caller {
            return;
        }
        let mut names = self.names.lock();
        if names.len() < NAMES_MAX {
            names.entry(caller).or_insert_with(|| name.clone());
        }
    }

    /// A call waits for a slot; returns the number that its decision is told with.
    pub fn joined(&self, joined: &Joined) -> u32 {
        let number = self.number();
        self.push(&entry::joined(number, joined), joined.at, false);
        number
    }

    fn number(&self) -> u32 {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        number
    }

    /// A call was decided, with the number that it has if it has waited; returns the number that its
    /// end is told with.
    pub fn asked(&self, number: Option<u32>, asked: &Asked) -> u32 {
        let number = number.unwrap_or_else(|| self.number());
        self.push(&entry::asked(number, asked), asked.at, true);
        let slot = (second(asked.at) % self.ring.seconds.len() as u64) as usize;
        let (slot, now) = (&self.ring.seconds[slot], second(asked.at) << 32);
        let word = slot.load(Relaxed);
        let same = word >> 32 == now >> 32;
        slot.store(if same { word + 1 } else { now | 1 }, Relaxed);
        number
    }

    /// A call that ran has ended, or has left the line without a decision.
    pub fn left(&self, number: u32, left: &Left) {
        self.push(&entry::left(number, left), left.at, false);
    }

    fn push(&self, words: &[u64], at: Moment, call: bool) {
        let mut head = self.head.get();
        let mut offset = head % CHUNK_WORDS;
        let length = words.len() as u64;
        if offset == 0 || offset + length > CHUNK_WORDS {
            head = self.turn_over(head, offset, at);
            offset = HEAD_WORDS;
        }
        let chunk = self.ring.chunk(head / CHUNK_WORDS);
        for (place, word) in std::iter::zip(&chunk[offset as usize..], words) {
            place.store(*word, Relaxed);
        }
        if call {
            chunk[1].store(chunk[1].load(Relaxed) + 1, Relaxed);
        }
        self.head.set(head + length);
        self.ring.head.store(head + length, Release);
    }

    /// Ends the chunk being written and begins the next.
    fn turn_over(&self, head: u64, offset: u64, at: Moment) -> u64 {
        let number = head.div_ceil(CHUNK_WORDS);
        if offset > 0 {
            let chunk = self.ring.chunk(head / CHUNK_WORDS);
            // What an older entry left here must not be read as one.
            chunk[offset as usize..].iter().for_each(|word| word.store(0, Relaxed));
        }
        // Readers learn that it is being written over before it is.
        self.ring.head.store(number * CHUNK_WORDS, Relaxed);
        fence(Release);
        let chunk = self.ring.chunk(number);
        let (began, calls) = (chunk[0].load(Relaxed), chunk[1].load(Relaxed));
        if calls > 0 && at.since(Moment::from_nanos(began)) < self.ring.keep {
            self.ring.lost.fetch_add(calls, Relaxed);
        }
        chunk[0].store(at.nanos(), Relaxed);
        chunk[1].store(0, Relaxed);
        number * CHUNK_WORDS + HEAD_WORDS
    }
}
