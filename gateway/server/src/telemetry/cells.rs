//! Counters that one core writes and anybody reads.
//!
//! Each core owns one cell of a [`PerCore`]; it adds with a plain load and store, which costs no
//! locked instruction, and readers sum over the cores. A sum is therefore never torn but may be a
//! few calls behind; it never goes back.
//!
//! Bounds: a cell is made when its core first writes, so a route without traffic costs a pointer a
//! core; a [`SeriesTable`] holds at most [`SERIES_MAX`] label sets a core, the rest share one.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A counter with one writer.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only the owning core may call this: two writers would lose counts.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Adds `n` from any thread: for counters that background tasks share.
    pub fn add_shared(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Sets it. Only the owning core may call this.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// Adds one where it stands under `limit`; whether it did. Only the owning core may call this.
    pub fn add_under(&self, limit: u64) -> bool {
        let room = self.get() < limit;
        self.add(u64::from(room));
        room
    }

    /// What it stands at.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A cell on its own pair of cache lines: the prefetcher of x86 fetches lines in pairs, so 64 bytes
/// would still make two cores share.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded<T>(T);

/// One cell for each core.
#[derive(Debug)]
pub struct PerCore<T> {
    cells: Box<[OnceLock<Box<Padded<T>>>]>,
}

impl<T: Default> PerCore<T> {
    /// Room for `cores` cells, none made yet.
    pub fn new(cores: usize) -> Self {
        Self { cells: (0..cores).map(|_| OnceLock::new()).collect() }
    }

    /// The cell of `core`, made on first use.
    ///
    /// # Panics
    /// Where `core` is not below the number given to [`PerCore::new`].
    pub fn own(&self, core: usize) -> &T {
        &self.cells[core].get_or_init(Box::default).0
    }

    /// Every cell that was made.
    pub fn made(&self) -> impl Iterator<Item = &T> + Clone {
        self.cells.iter().filter_map(|cell| cell.get().map(|cell| &cell.0))
    }

    /// The sum of one counter over the cores.
    pub fn sum(&self, counter: impl Fn(&T) -> &Counter) -> u64 {
        self.made().map(|cell| counter(cell).get()).fold(0, u64::wrapping_add)
    }
}

/// Upper bounds of the duration buckets, in ns: the ones OpenTelemetry's semantic conventions advise
/// for `http.server.request.duration`. One more bucket takes what is longer.
pub const BOUNDS_NS: [u64; 14] = [
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    75_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    750_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    7_500_000_000,
    10_000_000_000,
];

/// [`BOUNDS_NS`] in seconds, as they are exported.
pub const BOUNDS_S: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Buckets of a histogram: one per bound and one above.
pub const BUCKETS: usize = BOUNDS_NS.len() + 1;

/// Durations by bucket, written by one core.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; BUCKETS],
    sum_ns: Counter,
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&self, duration_ns: u64) {
        let bucket = BOUNDS_NS.partition_point(|&bound| bound < duration_ns);
        self.buckets[bucket].add(1);
        self.sum_ns.add(duration_ns);
    }
}

/// Durations by bucket, written by anybody: for what happens off the path.
#[derive(Debug, Default)]
pub struct SharedHistogram(Histogram);

impl SharedHistogram {
    /// Counts one duration.
    pub fn observe(&self, duration_ns: u64) {
        let bucket = BOUNDS_NS.partition_point(|&bound| bound < duration_ns);
        self.0.buckets[bucket].add_shared(1);
        self.0.sum_ns.add_shared(duration_ns);
    }

    /// What it stands at.
    pub fn read(&self) -> HistogramSum {
        let mut sum = HistogramSum::default();
        sum.add(&self.0);
        sum
    }
}

/// A histogram as read: summed over cores and, where wanted, over label sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistogramSum {
    /// Calls per bucket, not cumulative.
    pub buckets: [u64; BUCKETS],
    /// Sum of the durations.
    pub sum: Duration,
}

impl HistogramSum {
    /// Calls in all buckets.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Adds what a core counted.
    pub fn add(&mut self, histogram: &Histogram) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum += bucket.get();
        }
        self.sum += Duration::from_nanos(histogram.sum_ns.get());
    }
}

/// Label sets of one histogram family on one core. 32 is ten methods with three statuses each;
/// real routes have two to ten.
pub const SERIES_MAX: usize = 32;

/// What tells the series of a table apart; the meaning is the owner's (method, status, …).
pub type SeriesKey = u32;

/// The key of the series that takes what no longer fits.
pub const SERIES_OVERFLOW: SeriesKey = SeriesKey::MAX;

#[derive(Debug)]
struct Series {
    key: SeriesKey,
    durations: Histogram,
}

/// Histograms by key: grows by the owning core, readable by all, never shrinks.
#[derive(Debug, Default)]
pub struct SeriesTable {
    series: [OnceLock<Box<Series>>; SERIES_MAX],
}

impl SeriesTable {
    /// Counts one duration under `key`; where the table is full, under [`SERIES_OVERFLOW`].
    pub fn observe(&self, key: SeriesKey, duration_ns: u64) {
        let last = SERIES_MAX - 1;
        for (index, slot) in self.series.iter().enumerate() {
            let key = if index == last { SERIES_OVERFLOW } else { key };
            let series =
                slot.get_or_init(|| Box::new(Series { key, durations: Histogram::default() }));
            if series.key == key {
                return series.durations.observe(duration_ns);
            }
        }
    }

    /// Every series so far.
    pub fn read(&self) -> impl Iterator<Item = (SeriesKey, &Histogram)> {
        self.series
            .iter()
            .map_while(|slot| slot.get())
            .map(|series| (series.key, &series.durations))
    }
}

#[cfg(test)]
mod tests;
