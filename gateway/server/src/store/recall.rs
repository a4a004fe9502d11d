//! From a call to what the cache does with it.

mod further;

use std::sync::Arc;

use http::header::{AUTHORIZATION, IF_MATCH, IF_UNMODIFIED_SINCE, RANGE};
use http::{HeaderMap, Method};
use sumun_engine::freshness::{Reason, Stale, Vary, Verdict, Wishes};
use sumun_policy::policy;
use sumun_policy::units::Name;
use tokio::time::{Instant, timeout_at};
use xxhash_rust::xxh3::xxh3_128;

use self::further::Led;
use super::answer::answer;
use super::entry::{Record, Variant};
use super::errand::{Fetch, Invalidation, Question, Task};
use super::flight::{Lead, News, Part, Sketch};
use super::key::Key;
use super::status::{Bypassed, Forwarded, Status, WHILE_REVALIDATE};
use super::{Asked, Cache, Errand, FOLLOW_MAX, Now, Recalled};
use crate::telemetry::record::CacheResult;

/// Flights that one call may join one after another: the URL's, and, once the fields that select
/// among its variants are known, that of its own variant. More means that the origin's `Vary` changes
/// from answer to answer.
const FLIGHTS_MAX: usize = 4;

/// What the store says about a call.
enum Found {
    /// Serve this.
    Fresh(Arc<Variant>, u64),
    /// Serve this and ask the origin meanwhile.
    Usable(Arc<Variant>, u64),
    /// Ask the origin about this first.
    Old(Arc<Variant>, Reason),
    /// This may not serve a request with `Authorization`.
    Withheld,
    /// Nothing for these request fields, and which fields select.
    OtherVariants(Vary),
    /// Nothing for the URL.
    Nothing,
}

/// A call that the cache has to do with, and all that is known of it.
struct Call<'a> {
    asked: &'a Asked<'a>,
    rules: &'a policy::Cache,
    route: &'a Name,
    key: Key,
    wishes: Wishes,
}

impl Cache {
    /// What to do with this call, where that takes no waiting: a fresh hit, or none of the cache's
    /// business. `None`: ask [`Self::recall`].
    pub fn lookup(
        &self,
        asked: &Asked<'_>,
        rules: &policy::Cache,
        route: &Name,
        now: Now,
    ) -> Option<Recalled> {
        if let Some(errand) = self.bypass(asked, rules) {
            return Some(Recalled::Forward(errand));
        }
        let key = Key::new(asked, &rules.key);
        let call = Call { asked, rules, route, key, wishes: Wishes::read(asked.headers) };
        match self.find(&call, now) {
            Found::Fresh(variant, age_ns) => Some(call.hit(&variant, age_ns)),
            Found::Usable(variant, age_ns) => Some(self.usable(call, variant, age_ns, now)),
            _ if call.wishes.only_if_cached && self.inner.second.is_none() => {
                Some(Recalled::Unavailable)
            }
            _ => None,
        }
    }

    /// What to do with this call. Waits for the second tier, at most for the deadline of an operation,
    /// and for an identical call in flight, at most 10 s; cancel-safe.
    pub async fn recall(
        &self,
        asked: &Asked<'_>,
        rules: &policy::Cache,
        route: &Name,
        now: Now,
    ) -> Recalled {
        if let Some(errand) = self.bypass(asked, rules) {
            return Recalled::Forward(errand);
        }
        let key = Key::new(asked, &rules.key);
        let call = Call { asked, rules, route, key, wishes: Wishes::read(asked.headers) };
        let found = self.find(&call, now);
        let found = match found {
            Found::Fresh(variant, age_ns) => return call.hit(&variant, age_ns),
            Found::Usable(variant, age_ns) => return self.usable(call, variant, age_ns, now),
            found => found,
        };
        let found = match self.look_alone(&call, found, now).await {
            Ok(answer) => return answer,
            Err(found) => found,
        };
        if call.wishes.only_if_cached {
            return Recalled::Unavailable;
        }
        self.miss(call, found, now).await
    }

    /// Calls that are none of the cache's business, and unsafe ones.
    fn bypass(&self, asked: &Asked<'_>, rules: &policy::Cache) -> Option<Errand> {
        let readable = *asked.method == Method::GET || *asked.method == Method::HEAD;
        let only_origin_can_judge =
            asked.headers.contains_key(IF_MATCH) || asked.headers.contains_key(IF_UNMODIFIED_SINCE);
        let (task, why) = if !readable && asked.method.is_safe() {
            (Task::Pass, Forwarded::Method)
        } else if !readable {
            let invalidation = Invalidation {
                inner: Arc::clone(&self.inner),
                scheme: asked.scheme.into(),
                authority: asked.authority.into(),
                path_and_query: asked.path_and_query.into(),
                rules: rules.key.clone(),
            };
            (Task::Invalidate(Box::new(invalidation)), Forwarded::Method)
        } else if asked.has_body {
            (Task::Pass, Forwarded::Bypass(Bypassed::Body))
        } else if only_origin_can_judge {
            (Task::Pass, Forwarded::Bypass(Bypassed::Precondition))
        } else {
            return None;
        };
        Some(Errand::new(task, why, CacheResult::Bypass))
    }

    /// Looks for a variant: the one lookup of a hit.
    fn find(&self, call: &Call<'_>, now: Now) -> Found {
        let Some(record) = self.inner.memory.find(&call.key) else { return Found::Nothing };
        let Some(variant) = newest(&record, call) else {
            return match record.variants().iter().find(|known| known.route == *call.route) {
                Some(other) => Found::OtherVariants(other.vary.clone()),
                None => Found::Nothing,
            };
        };
        if self.inner.memory.is_purged(&call.key, variant) {
            return Found::Nothing;
        }
        let variant = &self.inner.as_of_now(&call.key, variant);
        if call.wishes.no_store {
            return Found::Withheld;
        }
        let resident_ns = now.mono_ns.saturating_sub(variant.stored_ns);
        let age_ns = variant.terms.age_ns(resident_ns);
        // An answer to nobody in particular may differ from the one to somebody, so only what the
        // origin marked as shareable between authorised callers serves them (RFC 9111 §3.5).
        if call.is_authorized() && !variant.terms.authorized {
            return Found::Withheld;
        }
        match variant.terms.judge(age_ns, &call.wishes, call.rules) {
            Verdict::Serve => Found::Fresh(Arc::clone(variant), age_ns),
            Verdict::ServeAsking => Found::Usable(Arc::clone(variant), age_ns),
            Verdict::Ask(reason) => Found::Old(Arc::clone(variant), reason),
        }
    }

    /// A stale answer, and for the first call that gets it the errand to ask for a newer one
    /// (RFC 5861 §3).
    fn usable(&self, call: Call<'_>, stored: Arc<Variant>, age_ns: u64, now: Now) -> Recalled {
        let flight_key = call.flight_key(&stored.vary);
        let lead = match self.inner.flights.board(self.seat(&call, flight_key)) {
            Part::Lead(lead) => Some(lead),
            Part::Follow(_) => None,
        };
        // The flight before this one may have landed between the look at the store and now.
        if lead.is_some()
            && let Found::Fresh(variant, age_ns) = self.find(&call, now)
        {
            return call.hit(&variant, age_ns);
        }
        let ttl = stored.terms.ttl_seconds(age_ns);
        let status = Status::Stale { ttl, detail: WHILE_REVALIDATE };
        let response = answer(&stored, call.asked.method, call.asked.headers, age_ns, status);
        let meanwhile = lead.map(|lead| {
            let question = self.question(call, flight_key, now);
            let (stored, lead) = (Some(stored), Some(lead));
            let fetch = Fetch { question, stored, lead, relays_conditions: false };
            Errand::new(Task::Fetch(Box::new(fetch)), Forwarded::Stale, CacheResult::Stale)
        });
        let outcome = status.outcome(CacheResult::Hit);
        Recalled::Answer { response, outcome, meanwhile }
    }

    /// Nothing to serve: on to the origin, alone, in the lead, or after another's answer.
    async fn miss(&self, call: Call<'_>, found: Found, now: Now) -> Recalled {
        let (mut why, mut result) = match &found {
            Found::Old(_, Reason::Stale) => (Forwarded::Stale, CacheResult::Stale),
            Found::Old(_, Reason::Request) => (Forwarded::Request, CacheResult::Stale),
            Found::Withheld => (Forwarded::Request, CacheResult::Miss),
            Found::OtherVariants(_) => (Forwarded::VaryMiss, CacheResult::Miss),
            Found::Nothing | Found::Fresh(..) | Found::Usable(..) => {
                (Forwarded::UriMiss, CacheResult::Miss)
            }
        };
        let vary = match &found {
            Found::Old(variant, _) => variant.vary.clone(),
            Found::OtherVariants(vary) => vary.clone(),
            _ => Vary::Nothing,
        };
        let withheld = matches!(found, Found::Withheld);
        let mut stored = match found {
            Found::Old(variant, _) => Some(variant),
            _ => None,
        };
        let partial = call.asked.headers.contains_key(RANGE);
        if partial && stored.is_none() {
            return Recalled::Forward(Errand::new(Task::Pass, Forwarded::Partial, result));
        }
        let flight_key = call.flight_key(&vary);
        if *call.asked.method == Method::HEAD {
            let task = Task::Head(Box::new(self.question(call, flight_key, now)), stored);
            return Recalled::Forward(Errand::new(task, why, result));
        }
        let unshareable =
            self.inner.unshareable.get(&flight_key).is_some_and(|until_ns| until_ns > now.mono_ns);
        let alone = partial || withheld || why == Forwarded::Request || call.wishes.no_store;
        let (lead, flight_key) = if unshareable || alone {
            (None, flight_key)
        } else {
            match self.join(&call, flight_key, why, now).await {
                Joined::Answer(answer) => return *answer,
                Joined::Go(lead, flight_key) => (lead, flight_key),
            }
        };
        let lead = match lead {
            None => None,
            Some(lead) => match self.lead_further(&call, lead, now).await {
                Led::Answer(answer) => return *answer,
                Led::Ask(lead, None) => Some(lead),
                Led::Ask(lead, old) => {
                    (stored, why, result) = (old, Forwarded::Stale, CacheResult::Stale);
                    Some(lead)
                }
            },
        };
        // Where the answer is not stored, or as a rule is not, the client's own conditions serve it
        // better. Where something is stored, its validators do.
        let relays_conditions =
            (unshareable || withheld || call.wishes.no_store) && stored.is_none();
        let question = self.question(call, flight_key, now);
        let fetch = Fetch { question, stored, lead, relays_conditions };
        Recalled::Forward(Errand::new(Task::Fetch(Box::new(fetch)), why, result))
    }

    /// Takes the lead of a flight, or waits in one for the answer.
    async fn join(&self, call: &Call<'_>, first: u128, why: Forwarded, now: Now) -> Joined {
        let started = Instant::now();
        let deadline = started + FOLLOW_MAX;
        let mut flight_key = first;
        for _ in 0..FLIGHTS_MAX {
            let follower = match self.inner.flights.board(self.seat(call, flight_key)) {
                Part::Lead(lead) => return self.lead(call, lead, flight_key, now),
                Part::Follow(follower) => follower,
            };
            let mut knows_sketch = false;
            flight_key = loop {
                match timeout_at(deadline, follower.news(knows_sketch)).await {
                    Ok(News::Lead(lead)) => return self.lead(call, lead, flight_key, now),
                    Ok(News::Coming(sketch)) if call.agrees_with(&sketch) => knows_sketch = true,
                    Ok(News::Coming(sketch)) => break call.flight_key(&sketch.vary),
                    Ok(News::Landed(variant)) => {
                        let waited_ns = started.elapsed().as_nanos() as u64;
                        let now_ns = now.mono_ns.saturating_add(waited_ns);
                        if self.inner.memory.is_purged(&call.key, &variant) {
                            // Purged on its way: for those who wait one asks again.
                            break flight_key;
                        }
                        let variant = self.inner.as_of_now(&call.key, &variant);
                        return match call.collapsed(&variant, now_ns, why) {
                            Some(answer) => Joined::Answer(Box::new(answer)),
                            None => Joined::Go(None, flight_key),
                        };
                    }
                    Ok(News::Failed(stale, why)) => {
                        let waited_ns = started.elapsed().as_nanos() as u64;
                        let now_ns = now.mono_ns.saturating_add(waited_ns);
                        return match call.stands_in(&stale, now_ns, why) {
                            Some(answer) => Joined::Answer(Box::new(answer)),
                            None => Joined::Go(None, flight_key),
                        };
                    }
                    // Not shareable, or not in time: on its own.
                    Ok(News::Released) | Err(_) => return Joined::Go(None, flight_key),
                }
            };
        }
        Joined::Go(None, flight_key)
    }

    /// Where calls wait for one another. A purge ends what may be waited for: a call after it must
    /// not get an answer from before.
    fn seat(&self, call: &Call<'_>, flight_key: u128) -> u128 {
        flight_key ^ u128::from(self.inner.memory.purged_epoch(&call.key))
    }

    /// The lead is this call's; a last look, because the flight before this one may have landed
    /// between the first look and now.
    fn lead(&self, call: &Call<'_>, lead: Lead, flight_key: u128, now: Now) -> Joined {
        match self.find(call, now) {
            Found::Fresh(variant, age_ns) => {
                let answered = call.hit(&variant, age_ns);
                lead.land(variant);
                Joined::Answer(Box::new(answered))
            }
            _ => Joined::Go(Some(lead), flight_key),
        }
    }

    fn question(&self, call: Call<'_>, flight_key: u128, now: Now) -> Question {
        Question {
            inner: Arc::clone(&self.inner),
            epoch: self.inner.memory.epoch(),
            mark: self.inner.mark(),
            headers: call.asked.headers.clone(),
            rules: call.rules.clone(),
            route: call.route.clone(),
            asked_ns: now.mono_ns,
            flight_key,
            key: call.key,
        }
    }
}

/// How a call's part in flights ended.
enum Joined {
    /// With an answer.
    Answer(Box<Recalled>),
    /// On to the origin, for others too or alone, under this flight's key.
    Go(Option<Lead>, u128),
}

impl Call<'_> {
    fn is_authorized(&self) -> bool {
        self.asked.headers.contains_key(AUTHORIZATION)
    }

    /// What calls have in common that may share an answer whose selection depends on `vary`.
    fn flight_key(&self, vary: &Vary) -> u128 {
        let mut common = self.key.hash.to_le_bytes().to_vec();
        common.push(u8::from(self.is_authorized()));
        common.extend_from_slice(self.route.as_str().as_bytes());
        common.push(b'\n');
        common.extend_from_slice(&vary.values(self.asked.headers));
        xxh3_128(&common)
    }

    fn agrees_with(&self, sketch: &Sketch) -> bool {
        sketch.vary.values(self.asked.headers) == sketch.values
    }

    fn hit(&self, variant: &Variant, age_ns: u64) -> Recalled {
        let status = Status::Hit { ttl: variant.terms.ttl_seconds(age_ns) };
        let response = answer(variant, self.asked.method, self.asked.headers, age_ns, status);
        let outcome = status.outcome(CacheResult::Hit);
        Recalled::Answer { response, outcome, meanwhile: None }
    }

    /// The stale answer of a call that asked the origin in vain, where it may be had.
    fn stands_in(&self, variant: &Variant, now_ns: u64, why: Stale) -> Option<Recalled> {
        let headers: &HeaderMap = self.asked.headers;
        let age_ns = variant.terms.age_ns(now_ns.saturating_sub(variant.stored_ns));
        let allowed = self.may_have(variant)
            && variant.terms.stands_in(why, age_ns, &self.wishes, self.rules);
        if !allowed {
            return None;
        }
        let ttl = variant.terms.ttl_seconds(age_ns);
        let status = Status::StandIn { ttl, failed: None, collapsed: true };
        let response = answer(variant, self.asked.method, headers, age_ns, status);
        let outcome = status.outcome(CacheResult::Collapsed);
        Some(Recalled::Answer { response, outcome, meanwhile: None })
    }

    /// Whether another call's answer is one to this call, too.
    fn may_have(&self, variant: &Variant) -> bool {
        let shareable = !self.is_authorized() || variant.terms.authorized;
        shareable && variant.selected_by(self.route, self.asked.headers)
    }

    /// The answer of the call that this one waited for, where it may be had.
    fn collapsed(&self, variant: &Variant, now_ns: u64, why: Forwarded) -> Option<Recalled> {
        let headers: &HeaderMap = self.asked.headers;
        if !self.may_have(variant) {
            return None;
        }
        let age_ns = variant.terms.age_ns(now_ns.saturating_sub(variant.stored_ns));
        if variant.terms.judge(age_ns, &self.wishes, self.rules) != Verdict::Serve {
            return None;
        }
        let status = Status::Collapsed(why);
        let response = answer(variant, self.asked.method, headers, age_ns, status);
        let outcome = status.outcome(CacheResult::Collapsed);
        Some(Recalled::Answer { response, outcome, meanwhile: None })
    }
}

/// Of the variants that a request selects, the one with the latest `Date` (RFC 9111 §4).
fn newest<'a>(record: &'a Record, call: &Call<'_>) -> Option<&'a Arc<Variant>> {
    // In storing order: of equal dates the one stored last, which max_by_key would not choose.
    record
        .variants()
        .iter()
        .rev()
        .filter(|variant| variant.selected_by(call.route, call.asked.headers))
        .max_by_key(|variant| variant.terms.date_s)
}

#[cfg(test)]
mod tests;
