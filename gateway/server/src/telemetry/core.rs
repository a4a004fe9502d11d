//! A core's end of telemetry: begins traces, settles calls.
//!
//! One [`CoreTelemetry`] belongs to one thread of the data path (it can't be sent to another) and is
//! the only writer of that core's cells. Nothing here makes a system call or waits.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderMap;

use super::Telemetry;
use super::access::CoreLog;
use super::labels::method_index;
use super::meters::EndpointMeters;
use super::record::{CallRecord, Trace};
use super::sampling::Sampler;
use super::spans::SpanRing;
use super::traceparent::Parent;
use crate::refusal::Code;

/// Endpoints whose meters a core keeps at hand; over this it forgets all and asks anew. Twice the
/// number that a large policy has.
const ENDPOINTS_AT_HAND_MAX: usize = 4096;

/// A core's end of telemetry.
pub struct CoreTelemetry {
    core: usize,
    telemetry: Arc<Telemetry>,
    sampler: Sampler,
    random: RefCell<fastrand::Rng>,
    endpoints: RefCell<HashMap<Arc<str>, Arc<EndpointMeters>>>,
    spans: SpanRing,
    log: Option<CoreLog>,
    // Two threads that add to one cell would lose counts.
    _one_thread: std::marker::PhantomData<*const Cell<()>>,
}

// === impl CoreTelemetry ===

impl CoreTelemetry {
    pub(super) fn new(
        telemetry: &Arc<Telemetry>,
        core: usize,
        spans: SpanRing,
        log: Option<CoreLog>,
    ) -> Self {
        Self {
            core,
            sampler: telemetry.sampler(),
            telemetry: Arc::clone(telemetry),
            random: RefCell::new(fastrand::Rng::new()),
            endpoints: RefCell::default(),
            spans,
            log,
            _one_thread: std::marker::PhantomData,
        }
    }

    /// The trace of a call: the caller's where it sends a valid `traceparent`, else a new one. Where
    /// `parent_id` is `None`, the caller's `tracestate` must be dropped too.
    pub fn begin(&self, headers: &HeaderMap) -> Trace {
        self.begin_in(Parent::of(headers))
    }

    /// The trace of a call that says to be in `parent`.
    pub fn begin_in(&self, parent: Option<Parent>) -> Trace {
        let mut random = self.random.borrow_mut();
        let trace_id = parent.map_or_else(|| random.u128(1..), |parent| parent.trace_id);
        Trace {
            trace_id,
            span_id: random.u64(1..),
            parent_id: parent.map(|parent| parent.span_id),
            sampled: self.sampler.keeps(trace_id, parent.as_ref()),
        }
    }

    /// An id for a CLIENT span, never zero.
    pub fn span_id(&self) -> u64 {
        self.random.borrow_mut().u64(1..)
    }

    /// Counts, logs and keeps a finished call. Call it exactly once for each.
    pub fn settle(&self, record: &CallRecord) {
        let route = record.route.as_ref().map(|route| &route.meters);
        let meters = route.unwrap_or(self.telemetry.unrouted());
        meters.count(self.core, record);
        let method = method_index(&record.method);
        for attempt in record.attempts.iter().flatten() {
            self.with_endpoint(&attempt.endpoint, |endpoint| {
                endpoint.count(self.core, method, attempt, record.ended_ns);
            });
        }
        if record.background {
            return;
        }
        if let Some(log) = &self.log {
            log.write(record);
        }
        self.spans.offer(record);
    }

    /// Counts a call that was refused before anything of it was read.
    pub fn refuse_unread(&self, code: Code) {
        self.telemetry.unrouted().count_unread(self.core, code);
    }

    fn with_endpoint(&self, address: &Arc<str>, count: impl FnOnce(&EndpointMeters)) {
        let mut at_hand = self.endpoints.borrow_mut();
        if let Some(meters) = at_hand.get(address).filter(|meters| !meters.is_retired()) {
            return count(meters);
        }
        if at_hand.len() >= ENDPOINTS_AT_HAND_MAX {
            at_hand.clear();
        }
        let meters = self.telemetry.endpoint(address);
        count(&meters);
        at_hand.insert(Arc::clone(address), meters);
    }
}
