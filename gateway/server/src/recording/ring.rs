//! One worker's ring of entries: one thread writes, any other reads beside it.
//!
//! Memory comes in chunks when they are first reached. An entry never crosses the end of a chunk, and
//! none is told against one in another chunk, so that reading can begin at any of them. A reader copies, then looks how far the writer has come
//! meanwhile, and throws away what may have been written over.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use sumun_engine::Moment;
use sumun_engine::replay::{Asked, Joined, Left};

use super::NAMES_MAX;
use super::entry::{Entry, Pen, Shorthand, WORDS_MAX};
use crate::callers::CallerName;

/// Words of eight bytes in a chunk: 8 KiB, some 450 calls. Each begins by telling again who calls.
const CHUNK_WORDS: u64 = 1024;

const CHUNK_BYTES: usize = CHUNK_WORDS as usize * 8;

/// Least chunks of a ring: below, too much of it is always being written over.
const CHUNKS_MIN: usize = 8;

/// A chunk begins with the time of its first entry, what else that is told against, and the number of
/// calls in it.
const HEAD_WORDS: u64 = 3;
const TIME: usize = 0;
const BEGUN: usize = 1;
const CALLS: usize = 2;

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
    /// Which chunk is being written; which second calls are counted in, and where.
    place: Cell<usize>,
    second: Cell<(u64, usize)>,
    shorthand: RefCell<Shorthand>,
    names: Arc<Mutex<HashMap<u64, CallerName>>>,
    /// Callers whose names were handed over lately, so that few calls look for it.
    named: Box<[Cell<u64>]>,
}

// === impl Ring ===

impl Ring {
    /// A ring of at most this many bytes, but of [`CHUNKS_MIN`] chunks at least.
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
        let mut shorthand = Shorthand::new();
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
                read.complete_from = Some(Moment::from_nanos(words[TIME]));
            }
            shorthand.resume(Moment::from_nanos(words[TIME]), words[BEGUN]);
            let told = words.get(HEAD_WORDS as usize..written).unwrap_or_default();
            let mut told = told.iter().copied();
            read.entries.extend(std::iter::from_fn(|| shorthand.read(&mut told)));
        }
        read
    }

    /// Where the chunk is that a word belongs to.
    fn place(&self, word: u64) -> usize {
        (word / CHUNK_WORDS % self.chunks.len() as u64) as usize
    }

    fn chunk(&self, place: usize) -> &Chunk {
        self.chunks[place].get_or_init(|| (0..CHUNK_WORDS).map(|_| AtomicU64::new(0)).collect())
    }
}

fn second(at: Moment) -> u64 {
    at.nanos() / 1_000_000_000
}

// === impl CoreRecorder ===

impl CoreRecorder {
    pub(super) fn new(ring: Arc<Ring>, names: Arc<Mutex<HashMap<u64, CallerName>>>) -> Self {
        let named = std::iter::repeat_with(Cell::default).take(NAMED_PLACES).collect();
        let shorthand = RefCell::new(Shorthand::new());
        let (head, place, second) = (Cell::new(0), Cell::new(0), Cell::new((0, 0)));
        Self { ring, head, place, second, shorthand, names, named }
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
        self.push(joined.at, joined.order, |shorthand, pen, _| shorthand.joined(joined, pen))
    }

    /// A call was decided, with the number that it has if it has waited; returns the number that its
    /// end is told with.
    pub fn asked(&self, number: Option<u32>, asked: &Asked) -> u32 {
        self.count(second(asked.at));
        self.push(asked.at, asked.order, |shorthand, pen, calls| {
            calls.store(calls.load(Relaxed) + 1, Relaxed);
            shorthand.asked(number, asked, pen)
        })
    }

    fn count(&self, now: u64) {
        let (mut counted, mut slot) = self.second.get();
        if counted != now {
            slot = (now % self.ring.seconds.len() as u64) as usize;
            counted = now;
            self.second.set((counted, slot));
        }
        let slot = &self.ring.seconds[slot];
        let word = slot.load(Relaxed);
        slot.store(if word >> 32 == now { word + 1 } else { now << 32 | 1 }, Relaxed);
    }

    /// A call that ran has ended, or has left the line without a decision.
    pub fn left(&self, number: u32, left: &Left) {
        self.push(left.at, left.order, |shorthand, pen, _| shorthand.left(number, left, pen));
    }

    /// Writes an entry, which is handed where to, and the number of calls in the chunk.
    fn push<T>(
        &self,
        at: Moment,
        turn: u32,
        write: impl FnOnce(&mut Shorthand, &mut Pen<'_>, &AtomicU64) -> T,
    ) -> T {
        let shorthand = &mut *self.shorthand.borrow_mut();
        let mut head = self.head.get();
        let offset = head % CHUNK_WORDS;
        if offset == 0 || offset + WORDS_MAX as u64 > CHUNK_WORDS {
            head = self.turn_over(head, at);
            self.place.set(self.ring.place(head));
            self.ring.chunk(self.place.get())[BEGUN].store(shorthand.begin(at, turn), Relaxed);
        }
        let chunk = self.ring.chunk(self.place.get());
        let mut pen = Pen::new(&chunk[(head % CHUNK_WORDS) as usize..]);
        let written = write(shorthand, &mut pen, &chunk[CALLS]);
        head += pen.written() as u64;
        self.head.set(head);
        self.ring.head.store(head, Release);
        written
    }

    /// Ends the chunk being written and begins the next.
    fn turn_over(&self, head: u64, at: Moment) -> u64 {
        let begins = head.next_multiple_of(CHUNK_WORDS);
        if head < begins {
            // What an older entry left here must not be read as one.
            let chunk = self.ring.chunk(self.ring.place(head));
            chunk[(head % CHUNK_WORDS) as usize..].iter().for_each(|word| word.store(0, Relaxed));
        }
        // Readers learn that it is being written over before it is.
        self.ring.head.store(begins, Relaxed);
        fence(Release);
        let chunk = self.ring.chunk(self.ring.place(begins));
        let (began, calls) = (chunk[TIME].load(Relaxed), chunk[CALLS].load(Relaxed));
        if calls > 0 && at.since(Moment::from_nanos(began)) < self.ring.keep {
            self.ring.lost.fetch_add(calls, Relaxed);
        }
        chunk[TIME].store(at.nanos(), Relaxed);
        chunk[CALLS].store(0, Relaxed);
        begins + HEAD_WORDS
    }
}
