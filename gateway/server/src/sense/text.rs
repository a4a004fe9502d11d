//! Prometheus text, read for a handful of series and nothing else.
//!
//! Incremental: a scrape of megabytes goes by in chunks, only a line that is not yet whole is kept.
//! Understood are the text format 0.0.4 and `OpenMetrics` 1.0: labels, timestamps, exemplars and
//! comments are skipped. Bounds: [`LINE_BYTES_MAX`] kept.
//!
//! Several series of one name (Tomcat has one per connector): workers are **summed**, busy and most
//! alike, since any connector can take the load; of CPU shares the **highest** counts. A worker count
//! that says "unknown" (−1, NaN, infinite) makes its sum unknown too; an unknown CPU is passed over.
//! Only gauges tell a load: what its `# TYPE` or its name (`…_total`) calls a counter is not used, so
//! that CPU seconds since the start are never taken for a share.
//!
//! What each wanted series said is kept beside the reading ([`Told`]), for the doctor.

use memchr::memchr;
use sumun_engine::Reading;
use sumun_policy::policy::Signals;

use super::survey::{Found, Survey};

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
}

/// What a whole text told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// Its usable values.
    pub reading: Reading,
    /// Of the busy workers.
    pub busy: Seen,
    /// Of the most workers.
    pub max: Seen,
    /// Of the CPU share.
    pub cpu: Seen,
    /// CPU share of the process alone, where `system_cpu_usage` is the wanted CPU.
    pub process_cpu: Option<f64>,
    /// What else is in the text, where it was surveyed.
    pub found: Option<Found>,
}

/// What a text said of one wanted series.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Seen {
    /// Not wanted.
    #[default]
    Unasked,
    /// Not a line of it.
    Missing,
    /// It is a counter: it only grows, whatever the load.
    Counter,
    /// A number that means "unknown", or nothing: negative, NaN, infinite.
    Unknown(f64),
    /// This: the sum of workers, the highest of CPU shares.
    Value(f64),
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
    process_cpu: Tally,
    survey: Option<Survey<'a>>,
}

/// What was seen of one name.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    counter: bool,
    /// The last that meant nothing.
    unknown: Option<f64>,
    /// The sum.
    value: Option<f64>,
    highest: f64,
}

/// The machine's CPU share as Micrometer names it, and the process's own beside it.
const SYSTEM_CPU: &str = "system_cpu_usage";
const PROCESS_CPU: &[u8] = b"process_cpu_usage";

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

    /// Every wanted name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [&self.busy, &self.max, &self.cpu].into_iter().flatten().map(String::as_str)
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
            process_cpu: tally,
            survey: None,
        }
    }

    /// As [`Reader::new`], and looks at what other series there are: for a text that is known to
    /// lack what is wanted. Costs some microseconds a series.
    pub fn surveying(wanted: &'a Wanted) -> Self {
        Self { survey: Some(Survey::new(wanted)), ..Self::new(wanted) }
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
                if self.wanted.names().any(|name| self.rest.starts_with(name.as_bytes())) {
                    return Err(TextError::Malformed);
                }
                self.skipping = true;
                self.rest.clear();
            }
        }
        Ok(())
    }

    /// What the whole text said.
    pub fn finish(self, format: Format) -> Result<Told, TextError> {
        let cut = self.skipping || !self.rest.is_empty();
        // OpenMetrics allows its last line to end without a newline: it is `# EOF`, after all.
        let ended = self.ended || (!self.skipping && self.rest.trim_ascii() == b"# EOF");
        match format {
            Format::OpenMetrics if !ended => return Err(TextError::Partial),
            Format::Prometheus if cut => return Err(TextError::Partial),
            _ => {}
        }
        let busy = self.busy.sum(self.wanted.busy.as_deref());
        let max = self.max.sum(self.wanted.max.as_deref());
        let cpu = self.cpu.highest(self.wanted.cpu.as_deref());
        Ok(Told {
            reading: Reading {
                busy: busy.value(),
                max: max.value(),
                cpu: cpu.value(),
                own_in_flight: None,
            },
            busy,
            max,
            cpu,
            process_cpu: self.process_cpu.value.map(|_| self.process_cpu.highest),
            found: self.survey.map(Survey::finish),
        })
    }

    fn line(&mut self, line: &[u8]) -> Result<(), TextError> {
        let line = line.trim_ascii();
        if self.ended && !line.is_empty() {
            return Err(TextError::Malformed);
        }
        if let [b'#', ..] = line {
            self.ended |= line == b"# EOF";
            self.comment(line);
            return Ok(());
        }
        let name_end = line.iter().position(|b| matches!(b, b'{' | b' ' | b'\t'));
        let (name, rest) = line.split_at(name_end.unwrap_or(line.len()));
        if let Some(survey) = &mut self.survey {
            survey.note(name);
        }
        let wanted = self.wanted;
        // One series may be wanted twice: a policy is free to say so.
        let tallies = [
            (is(wanted.busy.as_ref(), name), &mut self.busy),
            (is(wanted.max.as_ref(), name), &mut self.max),
            (is(wanted.cpu.as_ref(), name), &mut self.cpu),
            (
                name == PROCESS_CPU && wanted.cpu.as_deref() == Some(SYSTEM_CPU),
                &mut self.process_cpu,
            ),
        ];
        for (_, tally) in tallies.into_iter().filter(|(is, _)| *is) {
            tally.add(value(rest).ok_or(TextError::Malformed)?);
        }
        Ok(())
    }

    /// `# TYPE name counter`.
    fn comment(&mut self, line: &[u8]) {
        let Some(named) = line.strip_prefix(b"# TYPE ") else { return };
        let mut words = named.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (Some(name), Some(b"counter")) = (words.next(), words.next()) else { return };
        let wanted = self.wanted;
        self.busy.counter |= is(wanted.busy.as_ref(), name);
        self.max.counter |= is(wanted.max.as_ref(), name);
        self.cpu.counter |= is(wanted.cpu.as_ref(), name);
    }
}

fn is(wanted: Option<&String>, name: &[u8]) -> bool {
    wanted.is_some_and(|wanted| wanted.as_bytes() == name)
}

// === impl Told ===

impl Told {
    /// Whether every wanted series told a value.
    pub fn is_whole(&self) -> bool {
        let whole = |seen: &Seen| matches!(seen, Seen::Unasked | Seen::Value(_));
        [self.busy, self.max, self.cpu].iter().all(whole)
    }
}

// === impl Seen ===

impl Seen {
    /// The value, where there is one.
    pub fn value(self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }
}

// === impl Tally ===

impl Tally {
    fn add(&mut self, value: f64) {
        if !value.is_finite() || value < 0.0 {
            self.unknown = Some(value);
        } else {
            self.value = Some(self.value.unwrap_or(0.0) + value);
            self.highest = self.highest.max(value);
        }
    }

    /// An unknown part makes the sum unknown.
    fn sum(self, wanted: Option<&str>) -> Seen {
        match self.unknown {
            Some(unknown) if !self.is_counter(wanted) => Seen::Unknown(unknown),
            _ => self.seen(wanted, self.value),
        }
    }

    /// An unknown part is passed over.
    fn highest(self, wanted: Option<&str>) -> Seen {
        self.seen(wanted, self.value.map(|_| self.highest))
    }

    fn seen(self, wanted: Option<&str>, value: Option<f64>) -> Seen {
        match (value, self.unknown) {
            _ if wanted.is_none() => Seen::Unasked,
            (None, None) => Seen::Missing,
            _ if self.is_counter(wanted) => Seen::Counter,
            (Some(value), _) => Seen::Value(value),
            (None, Some(unknown)) => Seen::Unknown(unknown),
        }
    }

    fn is_counter(self, wanted: Option<&str>) -> bool {
        self.counter || wanted.is_some_and(|name| name.ends_with("_total"))
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
