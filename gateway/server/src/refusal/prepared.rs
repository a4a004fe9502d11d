//! What the refusals of one route have in common, kept for the next one.
//!
//! A route that sheds refuses call after call for the same reason: the answers differ in their trace
//! id, in what was observed, and from time to time in when to come back. So a worker keeps the fields
//! and the fixed parts of the problem of each route's last 429, and a refusal under load is a copy
//! with some numbers written into it. Begins with a route's first 429, follows its code and limit,
//! ends with the policy revision. Bound: one a route and worker, about a kilobyte.

use std::cell::RefCell;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};

use super::pattern::{Pattern, Told};
use super::text::Text;
use super::{Code, Over, RATE_LIMIT, RATE_LIMIT_POLICY, Refusal, whole_seconds};
use crate::hex;
use crate::plan::RoutePlan;
use crate::telemetry::record::Trace;

/// Room for the figures of a problem: three numbers and their names.
const ENDING_BYTES: usize = 128;

/// The last 429 of a route, where there was one.
#[derive(Default)]
pub struct Prepared(RefCell<Option<Box<Common>>>);

/// What a 429 shares with the next one of the same code and limit.
struct Common {
    code: Code,
    limit: u32,
    after_s: u64,
    partition: Option<u64>,
    fields: HeaderMap,
    /// The problem up to its trace id, and from there to its figures.
    opening: Bytes,
    middle: Bytes,
    /// Where the figures are put together.
    ending: Text,
    /// The last one that was written as it is.
    pattern: Option<Pattern>,
}

// === impl Prepared ===

impl Prepared {
    /// Fields and problem of a 429 on the route this belongs to.
    pub(super) fn answer(
        &self,
        refusal: &Refusal,
        over: &Over,
        plan: &RoutePlan,
        trace: &Trace,
    ) -> (HeaderMap, Bytes) {
        let mut last = self.0.borrow_mut();
        let common = Common::of(&mut last, refusal, over, plan);
        common.follow(over);
        (common.fields.clone(), common.problem(over, trace))
    }

    /// Writes a 429 on the route this belongs to as HTTP/1.1, with this `Date`; the same as
    /// [`Self::answer`], without a map of its fields. Tells how many bytes its problem has.
    pub(super) fn write(
        &self,
        refusal: &Refusal,
        over: &Over,
        plan: &RoutePlan,
        trace: &Trace,
        date: &[u8],
        text: &mut Vec<u8>,
    ) -> usize {
        let mut last = self.0.borrow_mut();
        Common::of(&mut last, refusal, over, plan).write(over, trace, date, text)
    }
}

// === impl Common ===

impl Common {
    /// What is kept, where it fits this refusal.
    fn of<'a>(
        last: &'a mut Option<Box<Self>>,
        refusal: &Refusal,
        over: &Over,
        plan: &RoutePlan,
    ) -> &'a mut Self {
        if last.as_ref().is_some_and(|it| it.code != refusal.code || it.limit != over.limit) {
            *last = None;
        }
        last.get_or_insert_with(|| Box::new(Self::new(refusal, over, plan)))
    }

    fn new(refusal: &Refusal, over: &Over, plan: &RoutePlan) -> Self {
        let row = refusal.code.row();
        Self {
            code: refusal.code,
            limit: over.limit,
            after_s: whole_seconds(over.after),
            partition: over.partition,
            fields: refusal.fields(&row, Some(over)),
            opening: refusal.opening(&row, Some(plan)).into_bytes(),
            middle: over.middle(Text::with_capacity(ENDING_BYTES), Some(plan)).into_bytes(),
            ending: Text::with_capacity(ENDING_BYTES),
            pattern: None,
        }
    }

    fn write(&mut self, over: &Over, trace: &Trace, date: &[u8], text: &mut Vec<u8>) -> usize {
        let (mut seconds, mut millis) = (itoa::Buffer::new(), itoa::Buffer::new());
        let told = Told {
            seconds: seconds.format(whole_seconds(over.after)).as_bytes(),
            millis: millis.format(super::millis(over.after)).as_bytes(),
            date,
            trace_id: &hex::of_u128(trace.trace_id),
        };
        if self.pattern.as_ref().is_some_and(|last| !last.fits(over, &told)) {
            self.pattern = None;
        }
        let problem = [&self.opening[..], &self.middle];
        let fresh = || Pattern::new(&self.code.row(), over, problem, &told);
        self.pattern.get_or_insert_with(fresh).write(&told, text)
    }

    /// Makes the fields those of this refusal: when to come back, and whose limit it is.
    fn follow(&mut self, over: &Over) {
        let after_s = whole_seconds(over.after);
        if self.partition != over.partition {
            self.fields.insert(RATE_LIMIT_POLICY, over.rate_limit_policy());
        }
        if (self.after_s, self.partition) != (after_s, over.partition) {
            (self.after_s, self.partition) = (after_s, over.partition);
            self.fields.insert(RETRY_AFTER, HeaderValue::from(after_s));
            self.fields.insert(RATE_LIMIT, over.rate_limit());
        }
    }

    fn problem(&mut self, over: &Over, trace: &Trace) -> Bytes {
        self.ending = over.ending(std::mem::take(&mut self.ending).cleared());
        let id = hex::of_u128(trace.trace_id);
        let parts = [&self.opening[..], &id, &self.middle, self.ending.as_bytes()];
        // As large as it gets: bytes with room to spare would be kept by a second allocation.
        let mut problem = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            problem.extend_from_slice(part);
        }
        problem.into()
    }
}

#[cfg(test)]
mod tests;
