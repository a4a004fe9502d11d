//! The look into the tier that gateways share, for what the first one lacks.

use std::sync::Arc;

use http::header::RANGE;
use http::{HeaderMap, Method};
use sumun_engine::freshness::{Labels, Reason, Received, Vary, Verdict, assess, seconds_of};

use super::super::answer::answer;
use super::super::entry::{Draft, Variant};
use super::super::flight::Lead;
use super::super::redis::{Found as Shared, SAID_STALE_NS_MAX};
use super::super::status::Status;
use super::super::{Cache, Now, Recalled};
use super::{Call, Found};
use crate::telemetry::record::CacheResult;

/// What the second tier has for a call.
enum Further {
    /// Serve this; its age in ns.
    Fresh(Arc<Variant>, u64),
    /// Ask the origin about this first.
    Old(Arc<Variant>),
}

/// How a look in the lead of a flight ended.
pub(super) enum Led {
    /// With an answer, also for those who wait.
    Answer(Box<Recalled>),
    /// On to the origin, perhaps with something to revalidate.
    Ask(Lead, Option<Arc<Variant>>),
}

impl Cache {
    /// What is not coalesced looks in the second tier by itself, the rest in the lead of a flight.
    pub(super) async fn look_alone(
        &self,
        call: &Call<'_>,
        found: Found,
        now: Now,
    ) -> Result<Recalled, Found> {
        let alone = call.wishes.only_if_cached
            || *call.asked.method == Method::HEAD
            || call.asked.headers.contains_key(RANGE);
        if !alone || !call.may_look_further(&found) {
            return Err(found);
        }
        match self.look_further(call, now).await {
            Some(Further::Fresh(variant, age_ns)) => Ok(call.shared_hit(&variant, age_ns)),
            Some(Further::Old(variant)) => Err(Found::Old(variant, Reason::Stale)),
            None => Err(found),
        }
    }

    /// A look in the lead of a flight; what is found fresh is also for those who wait.
    pub(super) async fn lead_further(&self, call: &Call<'_>, lead: Lead, now: Now) -> Led {
        match self.look_further(call, now).await {
            Some(Further::Fresh(variant, age_ns)) => {
                let answered = call.shared_hit(&variant, age_ns);
                lead.land(variant);
                Led::Answer(Box::new(answered))
            }
            Some(Further::Old(variant)) => Led::Ask(lead, Some(variant)),
            None => Led::Ask(lead, None),
        }
    }

    /// Looks in the second tier, where there is one; what is found there is kept in the first.
    async fn look_further(&self, call: &Call<'_>, now: Now) -> Option<Further> {
        let second = self.inner.second.as_ref()?;
        // From before the look: a purge that comes during it hits what it finds.
        let epoch = self.inner.memory.epoch();
        let found = second.find(&call.key, call.route, call.asked.headers).await?;
        let variant = call.variant(found, epoch, now)?;
        let variant = Arc::new(variant);
        self.inner.memory.put(&call.key, &variant);
        let age_ns = variant.terms.initial_age_ns;
        match variant.terms.judge(age_ns, &call.wishes, call.rules) {
            Verdict::Serve => Some(Further::Fresh(variant, age_ns)),
            // Who leads is about to ask anyway; the next call finds it in the first tier.
            Verdict::ServeAsking | Verdict::Ask(_) => Some(Further::Old(variant)),
        }
    }
}

impl Call<'_> {
    /// Whether the second tier may have something better than what the first one has.
    fn may_look_further(&self, found: &Found) -> bool {
        !self.wishes.no_store && !matches!(found, Found::Withheld | Found::Old(_, Reason::Request))
    }

    fn shared_hit(&self, variant: &Variant, age_ns: u64) -> Recalled {
        let status = Status::SharedHit { ttl: variant.terms.ttl_seconds(age_ns) };
        let response = answer(variant, self.asked.method, self.asked.headers, age_ns, status);
        let outcome = status.outcome(CacheResult::Hit);
        Recalled::Answer { response, outcome, meanwhile: None }
    }

    /// An entry as if its answer had come just now with the age that it has.
    ///
    /// The terms are made anew, by this gateway's policy: what it would not store it does not serve.
    fn variant(&self, found: Shared, epoch: u64, now: Now) -> Option<Variant> {
        let Shared { entry, age_ns, softened } = found;
        let received = Received { wall_s: seconds_of(now.wall), delay_ns: 0 };
        let head = &entry.head;
        let request: &HeaderMap = self.asked.headers;
        let mut terms = assess(request, entry.status, head, self.rules, received).ok()?;
        terms.initial_age_ns = terms.initial_age_ns.max(age_ns);
        if softened {
            terms.lifetime_ns = terms.lifetime_ns.min(terms.initial_age_ns);
        }
        let vary = Vary::read(head);
        let draft = Draft {
            route: self.route.clone(),
            values: entry.values.into_vec(),
            verbatim: vary.verbatim(request),
            vary,
            stale_for_ns: terms.stale_for_ns(self.rules, SAID_STALE_NS_MAX),
            terms,
            labels: Labels::read(&entry.head, self.key.origin()),
            status: entry.status,
            own_tag: entry.own_tag,
            asked_ns: now.mono_ns,
            stored_ns: now.mono_ns,
            epoch,
            mark: entry.mark,
            head: entry.head,
        };
        Some(draft.with_body(entry.body))
    }
}
