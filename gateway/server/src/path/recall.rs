//! **recall**: does the shared cache hold the answer? A hit costs the upstream nothing, so this comes
//! before admission and a hit is never shed.

use std::rc::Rc;

use http::{Method, Response};
use sumun_engine::freshness::Stale;

use super::call::{Call, Opened, Outdates};
use crate::authority::keyed;
use crate::body::Body;
use crate::forwarded::Front;
use crate::plan::RoutePlan;
use crate::refusal::{Code, Refusal};
use crate::store::{Asked, Errand, Recalled};

/// What the cache makes of a call.
pub enum Recall {
    /// It holds the answer.
    Answer(Response<Body>),
    /// It holds a stale one that will do, and the upstream is to be asked meanwhile.
    Meanwhile(Response<Body>, Errand),
    /// The upstream is to be asked; the errand, on routes with a cache, takes its answer.
    Forward(Option<Errand>),
}

/// Asks the cache what it can say at once. `None`: an identical call may be in flight, [`wait`] tells.
pub fn recall(
    call: &mut Call,
    plan: &RoutePlan,
    opened: &mut Opened,
) -> Result<Option<Recall>, Refusal> {
    let Some(rules) = &plan.route.policy.cache else {
        call.outdates = outdates(call, opened);
        return Ok(Some(Recall::Forward(None)));
    };
    let front = front(call, opened);
    let asked = asked(call, opened, front.as_ref());
    let cache = &call.core.shared.cache;
    let recalled = cache.lookup(&asked, rules, &plan.route.policy.name, call.cache_begun());
    if !matches!(recalled, Some(Recalled::Answer { meanwhile: None, .. })) {
        opened.front = front.map(Box::new);
    }
    recalled.map(|recalled| settle(call, opened, recalled)).transpose()
}

/// Asks the cache, and waits for an identical call in flight if there is one; never for the store.
pub async fn wait(
    call: &mut Call,
    plan: &RoutePlan,
    opened: &mut Opened,
) -> Result<Recall, Refusal> {
    let Some(rules) = &plan.route.policy.cache else { return Ok(Recall::Forward(None)) };
    let asked = asked(call, opened, opened.front.as_deref());
    let cache = &call.core.shared.cache;
    let recalled = cache.recall(&asked, rules, &plan.route.policy.name, call.cache_now()).await;
    settle(call, opened, recalled)
}

/// What a trusted proxy says of the call; strangers say nothing that counts.
fn front(call: &Call, opened: &Opened) -> Option<Front> {
    call.trusts_peer().then(|| Front::read(&opened.head.headers, call.connection.tls)).flatten()
}

fn asked<'a>(call: &Call, opened: &'a Opened, front: Option<&'a Front>) -> Asked<'a> {
    let target = opened.head.uri.path_and_query();
    let (scheme, authority) = origin(call, opened, front);
    Asked {
        method: &opened.head.method,
        scheme,
        authority,
        fronted: front.map(|front| keyed(front.tls, opened.authority.text())),
        path_and_query: target.map_or("/", http::uri::PathAndQuery::as_str),
        headers: &opened.head.headers,
        has_body: opened.body.is_some(),
    }
}

/// Scheme and authority by which the client knows the service, as keys hold them.
fn origin<'a>(
    call: &Call,
    opened: &'a Opened,
    front: Option<&'a Front>,
) -> (&'static str, &'a str) {
    let tls = front.map_or(call.connection.tls, |front| front.tls);
    let authority = match front.and_then(|front| front.authority.as_ref()) {
        Some(authority) => authority.text(),
        None => keyed(tls, opened.authority.text()),
    };
    (if tls { "https" } else { "http" }, authority)
}

fn settle(call: &mut Call, opened: &mut Opened, recalled: Recalled) -> Result<Recall, Refusal> {
    match recalled {
        Recalled::Answer { response, outcome, meanwhile } => {
            call.note(outcome);
            Ok(match meanwhile {
                Some(errand) => Recall::Meanwhile(response, errand),
                None => Recall::Answer(response),
            })
        }
        Recalled::Forward(errand) => {
            call.note(errand.outcome());
            prepare(opened, &errand);
            Ok(Recall::Forward(Some(errand)))
        }
        Recalled::Unavailable => {
            Err(Refusal::new(Code::NotCached, "only-if-cached, and nothing usable is stored"))
        }
    }
}

/// Makes the call ask what the errand wants to know.
pub fn prepare(opened: &mut Opened, errand: &Errand) {
    errand.prepare(&mut opened.head.headers);
    opened.storable = errand.may_store();
}

/// A stale stored answer instead of this refusal, where there is one and the rules allow it: for a
/// call that admission or a quota turned away, and for one whose upstream can't be reached.
pub fn stand_in(
    call: &mut Call,
    errand: Option<Errand>,
    refusal: &Refusal,
) -> Option<Response<Body>> {
    let why = match refusal.code {
        Code::RpsOver | Code::CpuOver | Code::WorkersOver | Code::QuotaFull => Stale::Shed,
        Code::UpstreamUnreachable
        | Code::UpstreamReset
        | Code::UpstreamTimeout
        | Code::NoEndpoint => Stale::Unreachable,
        _ => return None,
    };
    let stand_in = errand?.stand_in(why, call.cache_now())?;
    let core = &call.core;
    call.settlement.free(|| core.now());
    call.note(stand_in.outcome);
    let record = &mut call.settlement.record;
    if record.shed.is_none() {
        record.shed = refusal.quota_record();
    }
    Some(stand_in.response)
}

/// An unsafe call on a route without cache: what it changes may be stored under the route that
/// serves a GET of the same target (RFC 9111 §4.4).
fn outdates(call: &Call, opened: &Opened) -> Option<Outdates> {
    if opened.head.method.is_safe() {
        return None;
    }
    let (host, path) = (opened.authority.host(), opened.head.uri.path());
    let plan = call.plan.find(&Method::GET, host, path, &opened.head.headers)?;
    plan.route.policy.cache.as_ref()?;
    let front = front(call, opened);
    let (scheme, authority) = origin(call, opened, front.as_ref());
    Some(Outdates { plan: Rc::clone(plan), scheme, authority: authority.into() })
}
