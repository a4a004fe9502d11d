//! **forward**: pick an endpoint, send the request, take the head of its answer. 502, 503 or 504.
//!
//! At most one retry, elsewhere if there is an elsewhere, and only where the upstream can't have
//! acted: nothing of the request was written, or the method is idempotent and has no body.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Response, Uri, Version, request};
use sumun_engine::{Endpoint, Moment};
use sumun_policy::policy::CacheKey;

use super::call::{Call, Opened};
use crate::body::Body;
use crate::callers::class::{self, SUMUN_CLASS};
use crate::core::Core;
use crate::forwarded::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, keep_keyed};
use crate::headers::{self, Present};
use crate::listen::connection::Tunnel;
use crate::plan::RoutePlan;
use crate::refusal::{Code, Refusal};
use crate::sense::orca;
use crate::store::without_dropped;
use crate::telemetry::record::{ATTEMPTS_MAX, Attempt};
use crate::upstream::{Answer, Exchange, Failed, Progress, RequestBody};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Sends the request to its upstream and returns the answer, its body under way.
pub async fn forward(
    call: &mut Call,
    plan: &Rc<RoutePlan>,
    request: &mut Option<Request<RequestBody>>,
) -> Result<Response<Body>, Refusal> {
    let mut avoid: Option<Arc<Endpoint>> = None;
    let mut now = call.now;
    let core = Rc::clone(&call.core);
    for attempt in 1..=ATTEMPTS_MAX {
        let endpoint = plan.route.upstream.pick(fastrand::u64(..), avoid.as_ref(), now);
        let endpoint = endpoint.ok_or_else(|| {
            Refusal::new(Code::NoEndpoint, "no endpoint of the upstream is usable")
        })?;
        let last = attempt == ATTEMPTS_MAX;
        let began = Attempted { now, fresh: attempt > 1, keep: !last };
        let tried = unless_cut(&core, try_once(call, plan, &endpoint, request, began)).await;
        let failed = match tried? {
            Ok(answer) if answer.upgraded.is_some() => {
                return Box::pin(upgrade(call, plan, answer)).await;
            }
            Ok(answer) => return Ok(finish(call, plan, &endpoint, answer)),
            Err(failed) => failed,
        };
        if last || request.is_none() || !failed.retry_is_safe() {
            return Err(Refusal::upstream(failed.code, failed.error));
        }
        now = call.core.now();
        if !failed.reused {
            avoid = Some(endpoint);
        }
    }
    // The loop's last turn returns.
    Err(Refusal::upstream(Code::UpstreamUnreachable, "destination_unavailable"))
}

/// What becomes of an attempt, unless the drain ends first: what is then not answered never will be.
async fn unless_cut<T>(core: &Core, attempt: impl Future<Output = T>) -> Result<T, Refusal> {
    let mut attempt = pin!(attempt);
    poll_fn(|cx| {
        if core.cut.get() {
            let detail = "the gateway is ending, and the upstream had not answered";
            return Poll::Ready(Err(Refusal::new(Code::Draining, detail)));
        }
        attempt.as_mut().poll(cx).map(Ok)
    })
    .await
}

/// The request as the upstream gets it.
pub fn outbound(call: &mut Call, plan: &RoutePlan, opened: Opened) -> Request<RequestBody> {
    let sent = &Rc::new(Progress::default());
    call.settlement.sent = Some(Rc::clone(sent));
    let Opened { mut head, body, mut authority, websocket, front, storable, .. } = opened;
    let limits = &call.core.shared.settings.limits;
    let body = RequestBody::new(
        body,
        &call.core.deadlines,
        limits.body_bytes_max,
        limits.body_rate_min,
        sent,
    );
    let keyed = plan.route.policy.cache.as_ref().filter(|_| storable).map(|rules| &rules.key);
    if let Some(keyed) = keyed {
        leave_dropped(&mut head, keyed);
        Rc::make_mut(&mut authority)
            .normalise(front.as_ref().map_or(call.connection.tls, |front| front.tls));
        if call.trusts_peer() {
            keep_keyed(&mut head.headers, front.as_deref(), &keyed.headers);
        }
    }
    forwarded_family(call, &mut head, authority.value());
    head.headers.insert(SUMUN_CLASS, class::told(call.settlement.record.class));
    let [old, usual, h2] = &call.core.via;
    let via = match head.version {
        Version::HTTP_10 => old,
        Version::HTTP_2 => h2,
        _ => usual,
    };
    head.headers.append(header::VIA, via.clone());
    head.headers.insert(header::HOST, authority.value().clone());
    if call.present.has(Present::TRACESTATE) && call.settlement.record.trace.parent_id.is_none() {
        // Without a valid traceparent it belongs to nothing (W3C Trace Context §3.3).
        head.headers.remove(TRACESTATE);
    }
    if websocket && plan.route.policy.websocket {
        head.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    // What concerns one connection is made anew for the next one (RFC 9110 §10.1.4).
    if call.present.has(Present::HOP_BY_HOP) && head.headers.contains_key(header::TE) {
        head.headers.append(header::CONNECTION, HeaderValue::from_static("te"));
    }
    head.extensions.clear();
    Request::from_parts(head, body)
}

/// A parameter outside the key must not decide what is stored under it.
fn leave_dropped(head: &mut request::Parts, keyed: &CacheKey) {
    let asked = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    if let Some(left) = without_dropped(asked, keyed) {
        let left =
            PathAndQuery::try_from(left).expect("a valid target without some parameters is one");
        head.uri = Uri::from(left);
    }
}

/// `X-Forwarded-*` made anew as a whole; what came in counts only from trusted proxies.
fn forwarded_family(call: &Call, head: &mut request::Parts, host: &HeaderValue) {
    let fields = &mut head.headers;
    let trusted = call.trusts_peer();
    if trusted {
        fields.append(X_FORWARDED_FOR, call.connection.forwarded_for.clone());
    } else {
        headers::strip_forwarded(fields);
        fields.insert(X_FORWARDED_FOR, call.connection.forwarded_for.clone());
    }
    // Each by itself: a proxy that terminates TLS often says the scheme and leaves the host.
    let proto = if call.connection.tls { "https" } else { "http" };
    fields.entry(X_FORWARDED_PROTO).or_insert_with(|| HeaderValue::from_static(proto));
    fields.entry(X_FORWARDED_HOST).or_insert_with(|| host.clone());
}

impl Failed {
    /// Whether the request may be sent again: a timeout is not, as the upstream may still be at it.
    fn retry_is_safe(&self) -> bool {
        matches!(self.code, Code::UpstreamUnreachable | Code::UpstreamReset)
    }
}

/// How an attempt begins.
#[derive(Clone, Copy)]
struct Attempted {
    now: Moment,
    /// Whether a reused connection is out of the question.
    fresh: bool,
    /// Whether another attempt may follow.
    keep: bool,
}

async fn try_once(
    call: &mut Call,
    plan: &RoutePlan,
    endpoint: &Arc<Endpoint>,
    request: &mut Option<Request<RequestBody>>,
    began: Attempted,
) -> Result<Answer, Failed> {
    let (Some(pool), Some(sent)) = (plan.pool(endpoint), call.settlement.sent.clone()) else {
        // A snapshot's upstream and its plan's pools are made together.
        return Err(Failed {
            code: Code::NoEndpoint,
            error: "proxy_internal_error",
            reused: false,
        });
    };
    call.settlement.load = Some(endpoint.begin());
    let span_id = call.core.telemetry.span_id();
    if let Some(request) = request {
        let trace = call.settlement.record.trace;
        request.headers_mut().insert(TRACEPARENT, trace.to_header_of(span_id));
    }
    let slot = call.settlement.record.attempts.iter_mut().find(|attempt| attempt.is_none());
    let attempt = slot.map(|slot| {
        slot.insert(Attempt {
            span_id,
            endpoint: Arc::clone(&endpoint.label),
            started_ns: began.now.nanos(),
            head_ns: 0,
            status: 0,
            failed: None,
        })
    });
    let exchange = Exchange {
        core: &call.core,
        pool,
        timeout: plan.route.upstream.policy.timeout,
        fresh: began.fresh,
        keep: began.keep,
        sent: &sent,
    };
    let tried = exchange.run(request).await;
    let now = call.core.now();
    call.settlement.record.head_ns = now.nanos();
    if let Some(attempt) = attempt {
        attempt.head_ns = now.nanos();
        match &tried {
            Ok(answer) => attempt.status = answer.response.status().as_u16(),
            Err(failed) => attempt.failed = Some(failed.code),
        }
    }
    match &tried {
        Ok(_) => endpoint.succeeded(now),
        Err(failed) if failed.retry_is_safe() && !failed.reused => endpoint.failed(now),
        Err(_) => {}
    }
    tried
}

/// The answer as the client gets it.
fn finish(call: &Call, plan: &RoutePlan, endpoint: &Endpoint, answer: Answer) -> Response<Body> {
    let (mut head, body) = answer.response.into_parts();
    if let Some(reading) = orca::take(&mut head.headers) {
        plan.route.upstream.observe(endpoint, &reading, call.core.now());
    }
    head.extensions.clear();
    // The upstream's version is its own affair; the client is answered in the client's.
    head.version = Version::HTTP_11;
    headers::strip_hop_by_hop(&mut head.headers);
    Response::from_parts(head, body)
}

/// A 101 as the client gets it, once hyper has let go of the upstream's connection.
async fn upgrade(
    call: &mut Call,
    plan: &RoutePlan,
    answer: Answer,
) -> Result<Response<Body>, Refusal> {
    let failed = || Refusal::upstream(Code::UpstreamReset, "http_upgrade_failed");
    let upgraded = answer.upgraded.ok_or_else(failed)?;
    let limit = plan.route.upstream.policy.timeout.response;
    let Some(Ok(tunnel)) = call.core.deadlines.within(limit, upgraded).await else {
        return Err(failed());
    };
    call.tunnel = Some(tunnel);
    let (mut head, _) = answer.response.into_parts();
    head.extensions.clear();
    head.version = Version::HTTP_11;
    keep_upgrade(&mut head.headers);
    Ok(Response::from_parts(head, Body::Empty))
}

/// Of a 101's hop-by-hop fields only the upgrade itself is passed on.
fn keep_upgrade(fields: &mut HeaderMap) {
    headers::strip_hop_by_hop(fields);
    fields.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    fields.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// Ties an accepted upgrade to its connection: the tunnel begins when hyper lets go of it.
pub fn into_tunnel(call: Call) {
    let Call { connection, settlement, tunnel, .. } = call;
    if let Some((upstream, early)) = tunnel {
        *connection.tunnel.borrow_mut() = Some(Tunnel { upstream, early, settlement });
    }
}
