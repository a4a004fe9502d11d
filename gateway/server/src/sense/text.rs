//! Prometheus text, read for a handful of series and nothing else.
//!
//! Incremental: a scrape of megabytes goes by in chunks, only a line that is not yet whole is kept.
//! Understood are the text format 0.0.4 and `OpenMetrics` 1.0: labels, timestamps, exemplars and
//! comments are skipped. Bounds: [`LINE_BYTES_MAX`] kept.
//!
//! Several series of one name (Tomcat has one per connector): workers are **summed**, busy and most
//! alike, since any connector can take the load; of CPU shares the **highest** counts. A worker count
//! that says "unknown" (−1, NaN, infinite) makes its sum unknown too; an unknown CPU is passed over.

use memchr::memchr;
use sumun_engine::Reading;
use sumun_policy::policy::Signals;

/// Longest line that a wanted series may have.
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// The names of the wanted series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Gauge of the busy workers.
    pub busy: Option<String>,
    /// Gauge of the most workers.
    pub max: Option<String>,
    /// Gauge of the CPU share.
    pub cpu: Option<String>,
}

/// Why a text can't be used. None of its values counts then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The end is missing: the last line has no newline, or the `# EOF` of `OpenMetrics` is absent.
    #[error("the text is cut off")]
    Partial,
    /// A wanted series' line can't be read.
    #[error("the line of a wanted series is malformed")]
    Malformed,
    /// None of the wanted series is in it.
    #[error("none of the wanted series is there")]
    Missing,
}

/// Which format the content type names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `text/plain`: Prometheus' own, 0.0.4.
    Prometheus,
    /// `application/openmetrics-text`: ends with `# EOF`.
    OpenMetrics,
}

/// Reads one text.
#[derive(Debug)]
pub struct Reader<'a> {
    wanted: &'a Wanted,
    /// A line that is not yet whole.
    rest: Vec<u8>,
    /// Whether the current line is too long to be kept and not wanted.
    skipping: bool,
    ended: bool,
    busy: Tally,
    max: Tally,
    cpu: Tally,
}

/// What was seen of one name.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    seen: bool,
    unknown: bool,
    value: Option<f64>,
}

// === impl Wanted ===

impl Wanted {
    /// Of an upstream's signals.
    pub fn of(signals: &Signals) -> Self {
        let workers = signals.workers.as_ref();
        Self {
            busy: workers.map(|workers| workers.busy.clone()),
            max: workers.map(|workers| workers.max.clone()),
            cpu: signals.cpu.clone(),
        }
    }

    fn names(&self) -> impl Iterator<Item = &[u8]> {
        [&self.busy, &self.max, &self.cpu].into_iter().flatten().map(String::as_bytes)
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// Of a text that is yet to come.
    pub fn new(wanted: &'a Wanted) -> Self {
        let tally = Tally::default();
        Self {
            wanted,
            rest: Vec::new(),
            skipping: false,
            ended: false,
            busy: tally,
            max: tally,
            cpu: tally,
        }
    }

    /// Reads the next bytes.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), TextError> {
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, after) = (&bytes[..end], &bytes[end + 1..]);
            if self.skipping {
                self.skipping = false;
            } else if self.rest.is_empty() {
                self.line(line)?;
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                self.line(&whole)?;
                whole.clear();
                self.rest = whole; // Its memory serves the next.
            }
            bytes = after;
        }
        if !self.skipping {
            self.rest.extend_from_slice(bytes);
            if self.rest.len() > LINE_BYTES_MAX {
                if self.wanted.names().any(|name| self.rest.starts_with(name)) {
                    return Err(TextError::Malformed);
                }
                self.skipping = true;
                self.rest.clear();
            }
        }
        Ok(())
    }

    /// What the whole text said.
    pub fn finish(self, format: Format) -> Result<Reading, TextError> {
        let cut = self.skipping || !self.rest.is_empty();
        // OpenMetrics allows its last line to end without a newline: it is `# EOF`, after all.
        let ended = self.ended || (!self.skipping && self.rest.trim_ascii() == b"# EOF");
        match format {
            Format::OpenMetrics if !ended => return Err(TextError::Partial),
            Format::Prometheus if cut => return Err(TextError::Partial),
            _ => {}
        }
        if !(self.busy.seen || self.max.seen || self.cpu.seen) {
            return Err(TextError::Missing);
        }
        Ok(Reading {
            busy: self.busy.sum(),
            max: self.max.sum(),
            cpu: self.cpu.value,
            own_in_flight: None,
        })
    }

    fn line(&mut self, line: &[u8]) -> Result<(), TextError> {
        let line = line.trim_ascii();
        if self.ended && !line.is_empty() {
            return Err(TextError::Malformed);
        }
        if let [b'#', ..] = line {
            self.ended |= line == b"# EOF";
            return Ok(());
        }
        let name_end = line.iter().position(|b| matches!(b, b'{' | b' ' | b'\t'));
        let (name, rest) = line.split_at(name_end.unwrap_or(line.len()));
        let is = |wanted: &Option<String>| wanted.as_ref().is_some_and(|w| w.as_bytes() == name);
        let (busy, max, cpu) = (is(&self.wanted.busy), is(&self.wanted.max), is(&self.wanted.cpu));
        if busy || max || cpu {
            let value = value(rest).ok_or(TextError::Malformed)?;
            // One series may be wanted twice: a policy is free to say so.
            for (wanted, tally) in
                [(busy, &mut self.busy), (max, &mut self.max), (cpu, &mut self.cpu)]
            {
                if wanted {
                    tally.add(value, cpu);
                }
            }
        }
        Ok(())
    }
}

// === impl Tally ===

impl Tally {
    fn add(&mut self, value: f64, highest: bool) {
        self.seen = true;
        if !value.is_finite() || value < 0.0 {
            self.unknown = true;
        } else if highest {
            self.value = self.value.into_iter().chain([value]).reduce(f64::max);
        } else {
            self.value = Some(self.value.unwrap_or(0.0) + value);
        }
    }

    fn sum(self) -> Option<f64> {
        self.value.filter(|_| !self.unknown)
    }
}

/// The value after a series' name: labels, blanks, the value, then anything (timestamp, exemplar).
fn value(rest: &[u8]) -> Option<f64> {
    let rest = rest.trim_ascii_start();
    let rest = if let [b'{', labels @ ..] = rest { after_labels(labels)? } else { rest };
    let token = rest.split(u8::is_ascii_whitespace).find(|token| !token.is_empty())?;
    std::str::from_utf8(token).ok()?.parse().ok()
}

/// What follows the closing brace; braces within quotes don't count, a backslash escapes.
fn after_labels(labels: &[u8]) -> Option<&[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    for (index, byte) in labels.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'}' if !quoted => return Some(&labels[index + 1..]),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
