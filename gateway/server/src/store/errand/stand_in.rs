//! A stale answer in place of one that can't be had (RFC 9111 §4.2.4, RFC 5861 §4).

use std::sync::Arc;

use http::{Method, StatusCode};
use sumun_engine::freshness::{Stale, Wishes};

use super::super::answer::answer;
use super::super::entry::Variant;
use super::super::status::{IF_SHED, Status};
use super::super::{Now, StandIn};
use super::{Errand, Question, Task};
use crate::telemetry::record::CacheResult;

impl Errand {
    /// What may be served where the origin can't be reached or the call would be shed, if anything.
    /// Where the origin failed, those who wait for the same get it too.
    pub fn stand_in(self, why: Stale, now: Now) -> Option<StandIn> {
        let (stand_in, lead) = match self.task {
            Task::Fetch(fetch) => {
                let stored = fetch.stored.as_ref()?;
                let stand_in = fetch.question.stale(stored, &Method::GET, why, now, None)?;
                (stand_in, fetch.lead.map(|lead| (lead, Arc::clone(stored))))
            }
            Task::Head(question, stored) => {
                (question.stale(stored?.as_ref(), &Method::HEAD, why, now, None)?, None)
            }
            Task::Pass | Task::Invalidate(_) => return None,
        };
        if let Some((lead, stored)) = lead
            && why != Stale::Shed
        {
            lead.fail(stored, why);
        }
        Some(stand_in)
    }
}

impl Question {
    /// The stored answer, where it may stand in for one that can't be had.
    pub(super) fn stale(
        &self,
        stored: &Variant,
        method: &Method,
        why: Stale,
        now: Now,
        failed: Option<StatusCode>,
    ) -> Option<StandIn> {
        let age_ns = stored.terms.age_ns(now.mono_ns.saturating_sub(stored.stored_ns));
        let wishes = Wishes::read(&self.headers);
        if !stored.terms.stands_in(why, age_ns, &wishes, &self.rules) {
            return None;
        }
        let ttl = stored.terms.ttl_seconds(age_ns);
        let status = match why {
            Stale::Shed => Status::Stale { ttl, detail: IF_SHED },
            Stale::Unreachable | Stale::Failed => Status::StandIn { ttl, failed, collapsed: false },
        };
        let response = answer(stored, method, &self.headers, age_ns, status);
        Some(StandIn { response, outcome: status.outcome(CacheResult::Stale) })
    }
}

/// Whether a status is an error that a stale answer may stand in for (RFC 5861 §4).
pub(super) fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}
