//! The access log: one line a call, written by a thread of its own.
//!
//! A core formats a line straight into its own buffer; the writer thread takes the buffers four
//! times a second, or when one is half full, by swapping in an empty one. The lock around a buffer
//! is held for that swap only, and no other core ever wants it. Bounds: [`BUFFER_BYTES`] a core, twice
//! while the writer writes; a line that finds no room is dropped and counted, calls never wait.

mod line;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::cells::Counter;
use super::record::CallRecord;
use super::wall::Wall;
use crate::settings::{AccessLogFormat, AccessLogSettings};

use line::LineWriter;

/// Bytes waiting on one core: about 1,000 lines.
const BUFFER_BYTES: usize = 256 << 10;

/// Longest wait of a line for the writer.
const EVERY: Duration = Duration::from_millis(250);

/// The log of one process.
#[derive(Debug)]
pub(super) struct AccessLog {
    format: AccessLogFormat,
    wall: Wall,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    buffers: Box<[CoreBuffer]>,
    /// Lines lost with a buffer that could not be written.
    lost: Counter,
    work: Mutex<Work>,
    wake: Condvar,
    written: Condvar,
    reopen: AtomicBool,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct CoreBuffer {
    lines: Mutex<Vec<u8>>,
    dropped: Counter,
}

#[derive(Debug, Default)]
struct Work {
    asked: bool,
    stop: bool,
    /// Rounds that the writer has finished.
    rounds: u64,
}

/// A core's end of the log.
#[derive(Debug)]
pub(super) struct CoreLog {
    core: usize,
    format: AccessLogFormat,
    shared: Arc<Shared>,
    lines: std::cell::RefCell<LineWriter>,
}

// === impl AccessLog ===

impl AccessLog {
    /// Opens the file and starts the writer; `None` where the log is off.
    pub(super) fn start(
        settings: &AccessLogSettings,
        cores: usize,
        wall: Wall,
    ) -> io::Result<Option<Self>> {
        if settings.format == AccessLogFormat::Off {
            return Ok(None);
        }
        let sink = Sink::open(settings.to.clone())?;
        let shared = Arc::new(Shared {
            buffers: (0..cores).map(|_| CoreBuffer::default()).collect(),
            lost: Counter::default(),
            work: Mutex::default(),
            wake: Condvar::new(),
            written: Condvar::new(),
            reopen: AtomicBool::new(false),
        });
        let writer = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("sumun-access-log".to_owned())
            .spawn(move || writer.run(sink))?;
        Ok(Some(Self { format: settings.format, wall, shared }))
    }

    /// The end of `core`; each core's may be taken once.
    pub(super) fn core(&self, core: usize) -> CoreLog {
        CoreLog {
            core,
            format: self.format,
            shared: Arc::clone(&self.shared),
            lines: LineWriter::new(self.wall).into(),
        }
    }

    /// Closes the file and opens it anew before the next line: after a rotation.
    pub(super) fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
        self.shared.ask();
    }

    /// Lines lost so far.
    pub(super) fn dropped(&self) -> u64 {
        let full: u64 = self.shared.buffers.iter().map(|buffer| buffer.dropped.get()).sum();
        full + self.shared.lost.get()
    }

    /// Waits until all lines so far are written, at most `limit`; blocks its thread.
    pub(super) fn flush(&self, limit: Duration) {
        let until = Instant::now() + limit;
        let mut work = self.shared.work.lock();
        // The round under way may have passed a buffer already: wait for the one after it.
        let target = work.rounds + 2;
        while work.rounds < target {
            work.asked = true;
            self.shared.wake.notify_one();
            if self.shared.written.wait_until(&mut work, until).timed_out() {
                return;
            }
        }
    }
}

impl Drop for AccessLog {
    /// The writer writes what there is and ends.
    fn drop(&mut self) {
        self.shared.work.lock().stop = true;
        self.shared.wake.notify_one();
    }
}

// === impl CoreLog ===

impl CoreLog {
    /// Writes the call's line into the core's buffer.
    pub(super) fn write(&self, record: &CallRecord) {
        let buffer = &self.shared.buffers[self.core];
        let mut writer = self.lines.borrow_mut();
        let mut lines = buffer.lines.lock();
        let before = lines.len();
        match self.format {
            AccessLogFormat::Json => writer.json(&mut lines, record),
            AccessLogFormat::Common => writer.common(&mut lines, record),
            AccessLogFormat::Off => {}
        }
        let after = lines.len();
        if after > BUFFER_BYTES {
            lines.truncate(before);
            buffer.dropped.add(1);
        }
        drop(lines);
        if before < BUFFER_BYTES / 2 && after >= BUFFER_BYTES / 2 {
            self.shared.ask();
        }
    }
}

// === impl Shared ===

impl Shared {
    fn ask(&self) {
        self.work.lock().asked = true;
        self.wake.notify_one();
    }

    /// The writer's thread.
    fn run(&self, mut sink: Sink) {
        let mut lines = Vec::new();
        let mut failing = false;
        loop {
            let mut work = self.work.lock();
            if !work.asked && !work.stop {
                self.wake.wait_for(&mut work, EVERY);
            }
            work.asked = false;
            let stop = work.stop;
            drop(work);
            if self.reopen.swap(false, Ordering::Acquire)
                && let Err(error) = sink.reopen()
            {
                tracing::warn!(%error, "cannot reopen the access log, the old file goes on");
            }
            for buffer in &self.buffers {
                lines.clear();
                std::mem::swap(&mut lines, &mut *buffer.lines.lock());
                if lines.is_empty() {
                    continue;
                }
                let outcome = sink.write(&lines);
                if let Err(error) = &outcome {
                    self.lost.add_shared(memchr::memchr_iter(b'\n', &lines).count() as u64);
                    if !failing {
                        tracing::warn!(%error, "cannot write the access log");
                    }
                }
                failing = outcome.is_err();
            }
            self.work.lock().rounds += 1;
            self.written.notify_all();
            if stop {
                return;
            }
        }
    }
}

/// Where lines go.
enum Sink {
    Stdout,
    File { path: PathBuf, file: File },
}

// === impl Sink ===

impl Sink {
    fn open(to: Option<PathBuf>) -> io::Result<Self> {
        let Some(path) = to else { return Ok(Self::Stdout) };
        let file = Self::append_to(&path)?;
        Ok(Self::File { path, file })
    }

    fn append_to(path: &std::path::Path) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).open(path)
    }

    fn reopen(&mut self) -> io::Result<()> {
        if let Self::File { path, file } = self {
            *file = Self::append_to(path)?;
        }
        Ok(())
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(lines)?;
                out.flush()
            }
            Self::File { file, .. } => file.write_all(lines),
        }
    }
}

#[cfg(test)]
mod tests;
