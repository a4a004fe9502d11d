//! The text of a 429 as HTTP/1.1, and the next one made of it.
//!
//! Two 429s of one route, limit and caller that have seen the same differ in five places: in how many
//! seconds to come back (twice) and in how many milliseconds, the date, and the trace id. Where these
//! are as wide as they were, the next answer is the last one with them written over.

use std::ops::Range;

use super::text::Text;
use super::{Over, Row};

/// Room for a whole 429; most take 600 to 800 bytes.
const TEXT_BYTES: usize = 1024;

/// A 429 as it was written.
pub(super) struct Pattern {
    text: Vec<u8>,
    /// Where in it stands what differs.
    seconds: [Range<usize>; 2],
    millis: Range<usize>,
    date: Range<usize>,
    trace_id: Range<usize>,
    /// Bytes of its problem.
    problem_bytes: usize,
    /// What it tells besides.
    observed: f64,
    threshold: f64,
    partition: Option<u64>,
}

/// What differs from one 429 to the next.
pub(super) struct Told<'a> {
    /// When to come back, whole seconds.
    pub(super) seconds: &'a [u8],
    /// The same in milliseconds.
    pub(super) millis: &'a [u8],
    /// `Date`.
    pub(super) date: &'a [u8],
    /// The trace, 32 digits.
    pub(super) trace_id: &'a [u8; 32],
}

// === impl Pattern ===

impl Pattern {
    /// The answer to a call that is over its limit; `problem`: up to the trace id, and from there to
    /// the figures.
    pub(super) fn new(row: &Row, over: &Over, problem: [&[u8]; 2], told: &Told<'_>) -> Self {
        let [opening, middle] = problem;
        let figures = over.figures(Text::default());
        let parts = [opening, told.trace_id, middle, figures.as_bytes(), told.millis, b"}"];
        let problem_bytes = parts.iter().map(|part| part.len()).sum();
        let key = over.partition.map_or_else(Text::default, |key| Text::default().partition(key));
        let length = Text::default().number(problem_bytes as u64);
        let mut text = Vec::with_capacity(TEXT_BYTES);
        let mut put = |part: &[u8]| {
            text.extend_from_slice(part);
            text.len() - part.len()..text.len()
        };
        put(b"HTTP/1.1 ");
        put(row.status.as_str().as_bytes());
        put(b" ");
        put(row.status.canonical_reason().unwrap_or_default().as_bytes());
        put(b"\r\ncontent-type: application/problem+json\r\nproxy-status: ");
        put(row.proxy_status.as_bytes());
        put(b"\r\nretry-after: ");
        let retry_after = put(told.seconds);
        put(b"\r\nratelimit-policy: ");
        put(over.rate_limit_policy().as_bytes());
        put(b"\r\nratelimit: \"");
        put(over.policy.as_bytes());
        put(b"\";r=0;t=");
        let reset = put(told.seconds);
        put(key.as_bytes());
        put(b"\r\ncontent-length: ");
        put(length.as_bytes());
        put(b"\r\ndate: ");
        let date = put(told.date);
        put(b"\r\n\r\n");
        let [_, trace_id, _, _, millis, _] = parts.map(put);
        Self {
            text,
            seconds: [retry_after, reset],
            millis,
            date,
            trace_id,
            problem_bytes,
            observed: over.observed,
            threshold: over.threshold,
            partition: over.partition,
        }
    }

    /// Whether this may be written over for another answer of the same code and limit.
    pub(super) fn fits(&self, over: &Over, told: &Told<'_>) -> bool {
        let figures = [self.observed, self.threshold].map(f64::to_bits);
        figures == [over.observed, over.threshold].map(f64::to_bits)
            && self.partition == over.partition
            && self.seconds[0].len() == told.seconds.len()
            && self.millis.len() == told.millis.len()
            && self.date.len() == told.date.len()
    }

    /// Appends the answer that tells this, to which it must fit; how many bytes its problem has.
    pub(super) fn write(&mut self, told: &Told<'_>, text: &mut Vec<u8>) -> usize {
        let [retry_after, reset] = self.seconds.clone();
        for (place, part) in [
            (retry_after, told.seconds),
            (reset, told.seconds),
            (self.millis.clone(), told.millis),
            (self.date.clone(), told.date),
            (self.trace_id.clone(), told.trace_id.as_slice()),
        ] {
            self.text[place].copy_from_slice(part);
        }
        text.extend_from_slice(&self.text);
        self.problem_bytes
    }
}
