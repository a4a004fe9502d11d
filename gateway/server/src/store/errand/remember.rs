//! What an answer of the origin means: stored, refreshed, invalidated or passed on.

use std::sync::Arc;

use http::header::{CONTENT_LENGTH, DATE, ETAG, LAST_MODIFIED, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body::Body as _;
use sumun_engine::freshness::{
    Labels, NotStored, Received, Stale, Terms, Vary, assess, http_date, refresh, seconds_of,
    tag_fields,
};
use sumun_engine::validator::EntityTag;

use super::super::answer::{answer, is_conditional};
use super::super::entry::{CACHE_STATUS, Draft, Variant};
use super::super::filling::Collected;
use super::super::flight::Sketch;
use super::super::redis::SAID_STALE_NS_MAX;
use super::super::status::{Forwarded, OTHER_TAG, Status};
use super::super::{Now, Outcome, StandIn, UNSHAREABLE_ERROR_NS, UNSHAREABLE_NS};
use super::collect::{Storing, collect, conditional};
use super::stand_in::is_failure;
use super::{Deposit, Errand, Fetch, Question, Task};
use crate::body::Body;
use crate::telemetry::record::CacheResult;

impl Errand {
    /// The origin's answer becomes the client's, without the fields that carry tags, and how the cache
    /// took part becomes final.
    ///
    /// `now` is when the answer's head came. The answer's body streams on at once, with two
    /// exceptions: a revalidated answer comes from the store; and where a storable 200 has neither
    /// `ETag` nor `Last-Modified`, its tag is made from the body, so a body of known length up to
    /// 64 KiB is read before its head is passed on. (A larger one, or one of unknown length, goes
    /// without a tag this time; hits have it.) Cancel-safe: dropped, the lead goes to a follower.
    pub async fn remember(self, response: Response<Body>, now: Now) -> (Response<Body>, Outcome) {
        let (mut response, outcome) = self.taken(response, now).await;
        for name in tag_fields() {
            response.headers_mut().remove(name);
        }
        (response, outcome)
    }

    async fn taken(self, response: Response<Body>, now: Now) -> (Response<Body>, Outcome) {
        let (why, result) = (self.why, self.result);
        let marked = |mut response: Response<Body>, status: Status| {
            status.append_to(response.headers_mut());
            (response, status.outcome(result))
        };
        match self.task {
            Task::Pass => marked(response, Status::Forwarded(why)),
            Task::Invalidate(invalidation) => {
                invalidation.apply(response.status(), response.headers());
                marked(response, Status::Forwarded(why))
            }
            Task::Head(question, stored) => {
                if let Some(stored) = stored {
                    if let Some(stale) = question.spared(&stored, &Method::HEAD, &response, now) {
                        return (stale.response, stale.outcome);
                    }
                    question.freshen(&stored, &response, now);
                }
                marked(response, Status::Head(why))
            }
            Task::Fetch(mut fetch) => {
                if let Some(stored) = fetch.stored.as_ref()
                    && let Some(stale) = fetch.question.spared(stored, &Method::GET, &response, now)
                {
                    if let Some(lead) = fetch.lead.take() {
                        lead.fail(Arc::clone(stored), Stale::Failed);
                    }
                    return (stale.response, stale.outcome);
                }
                let validated = response.status() == StatusCode::NOT_MODIFIED;
                let stored = fetch.stored.clone();
                if let Some(stored) = stored.filter(|_| validated && !fetch.relays_conditions) {
                    let (response, status) = fetch.validated(&stored, &response, now, why);
                    return (response, status.outcome(CacheResult::Revalidated));
                }
                let (response, status) = fetch.answered(response, now, why).await;
                (response, status.outcome(result))
            }
        }
    }
}

impl Question {
    fn received(&self, now: Now) -> Received {
        let delay_ns = now.mono_ns.saturating_sub(self.asked_ns);
        Received { wall_s: seconds_of(now.wall), delay_ns }
    }

    fn draft(&self, terms: Terms, status: StatusCode, head: HeaderMap, now: Now) -> Draft {
        let vary = Vary::read(&head);
        Draft {
            route: self.route.clone(),
            values: vary.values(&self.headers),
            verbatim: vary.verbatim(&self.headers),
            vary,
            stale_for_ns: terms.stale_for_ns(&self.rules, SAID_STALE_NS_MAX),
            terms,
            labels: Labels::read(&head, self.key.origin()),
            status,
            head,
            own_tag: false,
            asked_ns: self.asked_ns,
            stored_ns: now.mono_ns,
            epoch: self.epoch,
            mark: self.mark,
        }
    }

    /// The stale answer that spares the client an error of the origin, if one may (RFC 5861 §4).
    fn spared(
        &self,
        stored: &Variant,
        method: &Method,
        response: &Response<Body>,
        now: Now,
    ) -> Option<StandIn> {
        let status = response.status();
        is_failure(status).then(|| self.stale(stored, method, Stale::Failed, now, Some(status)))?
    }

    /// A stored answer with the head of a later answer about the same bytes (RFC 9111 §4.3.4), and
    /// why it may not stay stored, where it may not.
    fn refreshed(
        &self,
        stored: &Variant,
        later: &HeaderMap,
        now: Now,
    ) -> (Variant, Option<NotStored>) {
        let mut head = refresh(&stored.origin_head(), later);
        if !later.contains_key(DATE) {
            head.insert(DATE, http_date(seconds_of(now.wall)));
        }
        let assessed = assess(&self.headers, stored.status, &head, &self.rules, self.received(now));
        let refused = assessed.as_ref().err().copied();
        let terms = assessed.unwrap_or_else(|_| stored.terms.clone());
        let own_tag = stored.own_tag && !later.contains_key(ETAG);
        let draft = Draft { own_tag, ..self.draft(terms, stored.status, head, now) };
        (draft.with_body(stored.body.clone()), refused)
    }

    /// HEAD over a stored GET: freshens it where it is about the same bytes, else invalidates it
    /// (RFC 9111 §4.3.5).
    fn freshen(&self, stored: &Arc<Variant>, response: &Response<Body>, now: Now) {
        if response.status() != StatusCode::OK || stored.status != StatusCode::OK {
            return;
        }
        let head = response.headers();
        if !is_same(stored, head) {
            self.inner.remove(&self.key, stored);
            return;
        }
        let (variant, refused) = self.refreshed(stored, head, now);
        if refused.is_none() {
            self.inner.put(&self.key, &Arc::new(variant));
        }
    }
}

impl Fetch {
    /// 304: the stored answer is as good as new (RFC 9111 §4.3.3, §4.3.4).
    fn validated(
        mut self: Box<Self>,
        stored: &Arc<Variant>,
        response: &Response<Body>,
        now: Now,
        why: Forwarded,
    ) -> (Response<Body>, Status) {
        let question = &self.question;
        let inner = &question.inner;
        let (variant, refused) = if names_another(stored, response.headers()) {
            // §4.3.4: such a 304 must not change what is stored; it still says that it holds.
            (Arc::clone(stored), Some(OTHER_TAG))
        } else {
            let (variant, refused) = question.refreshed(stored, response.headers(), now);
            let variant = Arc::new(variant);
            if refused.is_none() {
                inner.put(&question.key, &variant);
            } else {
                inner.remove(&question.key, stored);
            }
            (variant, refused.map(NotStored::as_str))
        };
        if refused.is_none() && variant.terms.is_fresh(variant.terms.initial_age_ns) {
            question.inner.unshareable.invalidate(&question.flight_key);
            if let Some(lead) = self.lead.take() {
                lead.land(Arc::clone(&variant));
            }
        } else {
            self.release(now, UNSHAREABLE_NS);
        }
        let question = &self.question;
        let age_ns = variant.terms.age_ns(now.mono_ns.saturating_sub(variant.stored_ns));
        let status = Status::Validated(why, refused);
        let mut answered = answer(&variant, &Method::GET, &question.headers, age_ns, status);
        for cookie in response.headers().get_all(SET_COOKIE) {
            answered.headers_mut().append(SET_COOKIE, cookie.clone());
        }
        (answered, status)
    }

    /// Any other answer: stored if it may be, passed on in any case.
    async fn answered(
        mut self: Box<Self>,
        response: Response<Body>,
        now: Now,
        why: Forwarded,
    ) -> (Response<Body>, Status) {
        let question = &self.question;
        let received = question.received(now);
        let (status, head) = (response.status(), response.headers());
        let room = assess(&question.headers, status, head, &question.rules, received)
            .and_then(|terms| Ok((terms, self.room(response.headers(), response.body())?)));
        let conditions = (!self.relays_conditions && status == StatusCode::OK)
            .then(|| question.headers.clone())
            .filter(is_conditional);
        let (mut response, status) = match room {
            Ok((terms, collected)) => {
                let draft = question.draft(terms, status, head.clone(), now);
                self.announce(&draft, now);
                let deposit = self.deposit(draft, now);
                let (response, storing) = collect(response, collected, deposit).await;
                let status = match storing {
                    Storing::Sure => Status::Stored(why),
                    Storing::Open => Status::Storing(why),
                    Storing::GivenUp(refused) => Status::NotStored(why, refused),
                };
                (response, status)
            }
            Err(not_stored) => {
                self.refuse(status, not_stored, now);
                (response, Status::NotStored(why, not_stored))
            }
        };
        let mut value = status.value();
        if let Some(request) = conditions {
            response = conditional(response, &request, now).await;
            if response.status() == StatusCode::NOT_MODIFIED {
                value = status.value_after(StatusCode::OK);
            }
        }
        response.headers_mut().append(CACHE_STATUS, value);
        (response, status)
    }

    /// Room for the body.
    fn room(&self, head: &HeaderMap, body: &Body) -> Result<Collected, NotStored> {
        let question = &self.question;
        let promised = head
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok())
            .or_else(|| body.size_hint().exact());
        Collected::new(&question.inner.filling, promised, question.rules.object_bytes_max)
    }

    /// Tells those who wait for whom the answer will do, or that it won't.
    fn announce(&mut self, draft: &Draft, now: Now) {
        if draft.terms.is_fresh(draft.terms.initial_age_ns) {
            if let Some(lead) = &self.lead {
                lead.coming(Sketch { vary: draft.vary.clone(), values: draft.values.clone() });
            }
        } else {
            self.release(now, UNSHAREABLE_NS);
        }
    }

    /// Nobody waits any longer, nor for so long from now on.
    fn release(&mut self, now: Now, remembered_ns: u64) {
        // Only who leads speaks for others: one call's own wishes say nothing about the key.
        if let Some(lead) = self.lead.take() {
            let question = &self.question;
            question.inner.unshareable.insert(question.flight_key, now.mono_ns + remembered_ns);
            lead.release();
        }
    }

    fn deposit(self, draft: Draft, now: Now) -> Deposit {
        Deposit {
            inner: self.question.inner,
            key: self.question.key,
            flight_key: self.question.flight_key,
            draft,
            lead: self.lead,
            now_ns: now.mono_ns,
        }
    }

    /// Not stored: nobody waits any longer, and what the answer supersedes goes.
    fn refuse(&mut self, status: StatusCode, why: NotStored, now: Now) {
        let passing = is_passing(status);
        let remembered_ns =
            if passing || why == NotStored::Busy { UNSHAREABLE_ERROR_NS } else { UNSHAREABLE_NS };
        self.release(now, remembered_ns);
        if let Some(stored) = &self.stored
            && !passing
        {
            self.question.inner.remove(&self.question.key, stored);
        }
    }
}

/// Whether a status says more about the moment than about the resource.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
}

/// Whether a HEAD's answer is about the bytes that are stored.
fn is_same(stored: &Variant, head: &HeaderMap) -> bool {
    let same_length = head
        .get(CONTENT_LENGTH)
        .is_none_or(|length| length.as_bytes() == stored.body.len().to_string().as_bytes());
    let tag = |value: &HeaderValue| Some(value.clone());
    let same_tag = match (head.get(ETAG).and_then(tag), stored.origin_tag()) {
        (Some(theirs), Some(ours)) => {
            match (EntityTag::parse(theirs.as_bytes()), EntityTag::parse(ours.as_bytes())) {
                (Some(theirs), Some(ours)) => theirs.weak_eq(ours),
                _ => false,
            }
        }
        (Some(_), None) => false,
        (None, _) => true,
    };
    let same_date =
        head.get(LAST_MODIFIED).is_none_or(|date| stored.origin_modified() == Some(date));
    same_length && same_tag && same_date
}

/// Whether a 304 carries a strong tag that is not the stored answer's (RFC 9111 §4.3.4).
fn names_another(stored: &Variant, not_modified: &HeaderMap) -> bool {
    let theirs = not_modified.get(ETAG).and_then(|tag| EntityTag::parse(tag.as_bytes()));
    let ours = stored.origin_tag().and_then(|tag| EntityTag::parse(tag.as_bytes()));
    matches!((theirs, ours), (Some(theirs), Some(ours)) if !theirs.weak && !theirs.weak_eq(ours))
}
