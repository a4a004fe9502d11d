//! One call: what the stages share about it.

use std::rc::Rc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Response, Version, request};
use sumun_engine::time::Moment;

use super::settle::Settlement;
use crate::authority::Authority;
use crate::body::Body;
use crate::callers::{Identity, Signs};
use crate::core::Core;
use crate::forwarded::Front;
use crate::headers::Present;
use crate::listen::connection::Connection;
use crate::listen::transport::Transport;
use crate::listen::upload::Upload;
use crate::plan::{CorePlan, RoutePlan};
use crate::refusal::Refusal;
use crate::store::{Now, Outcome};
use crate::telemetry::record::{CallRecord, Trace};
use crate::telemetry::traceparent::Parent;

/// One call on its way through the stages.
pub struct Call {
    /// The worker.
    pub core: Rc<Core>,
    /// The client's connection.
    pub connection: Rc<Connection>,
    /// The policy that decides about this call, from its start to its end.
    pub plan: Rc<CorePlan>,
    /// Its route, once found.
    pub route: Option<Rc<RoutePlan>>,
    /// What it must give back.
    pub settlement: Box<Settlement>,
    /// When the head was complete, or a wait for a slot was over.
    pub now: Moment,
    /// How a refusal must look.
    pub caller: Caller,
    /// Which of the fields that mean something to a gateway it came with.
    pub present: Present,
    /// With an accepted upgrade: the upstream's side.
    pub tunnel: Option<(Transport, Bytes)>,
    /// With an unsafe method: what its success makes outdated in the cache.
    pub outdates: Option<Outdates>,
}

/// What a refusal must know of its caller.
#[derive(Clone, Copy)]
pub struct Caller {
    /// gRPC gets its status in trailers.
    pub grpc: bool,
    /// HTTP/2 has no `Connection` header.
    pub h2: bool,
}

/// What the success of an unsafe call makes outdated.
pub struct Outdates {
    /// The route that serves a GET of the same target, which has a cache.
    pub plan: Rc<RoutePlan>,
    /// By which scheme the client asked.
    pub scheme: &'static str,
    /// Whom the client asked, as keys hold it.
    pub authority: Box<str>,
}

/// A request whose meaning is settled.
pub struct Opened {
    /// Method, version and fields; the URI is origin form.
    pub head: request::Parts,
    /// The body, untouched; `None`: it has none.
    pub body: Option<Upload>,
    /// Whom the client asks for.
    pub authority: Rc<Authority>,
    /// Why the path is doubtful, where it is: refused unless its route allows it.
    pub path_doubt: Option<&'static str>,
    /// Whether the client asks for a WebSocket.
    pub websocket: bool,
    /// Where the cache has to do with the call: what a trusted proxy says of it.
    pub front: Option<Box<Front>>,
    /// Whether the answer may be stored: then the upstream is told nothing of the call's way here
    /// that the answer's key does not hold.
    pub storable: bool,
}

// === impl Call ===

impl Call {
    /// Begins: from here on, whatever happens, the settlement tells of it.
    pub fn begin<B>(core: Rc<Core>, connection: Rc<Connection>, request: &Request<B>) -> Self {
        let now = core.now();
        let plan = core.plan();
        let headers = request.headers();
        let present = Present::of(headers);
        let parent = if present.has(Present::TRACEPARENT) { Parent::of(headers) } else { None };
        let caller = Caller {
            grpc: present.has(Present::CONTENT_TYPE)
                && headers
                    .get(http::header::CONTENT_TYPE)
                    .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc")),
            h2: request.version() == Version::HTTP_2,
        };
        let path = request.uri().path_and_query().cloned();
        let record = CallRecord::begin(
            core.telemetry.begin_in(parent),
            now.nanos(),
            request.method().clone(),
            path.unwrap_or_else(|| PathAndQuery::from_static("/")),
            request.version(),
            connection.peer.ip(),
            plan.revision(),
        );
        let settlement = Settlement::new(record, Rc::clone(&core), Rc::clone(&connection));
        Self {
            core,
            connection,
            plan,
            route: None,
            settlement,
            now,
            caller,
            present,
            tunnel: None,
            outdates: None,
        }
    }

    /// A call of the gateway's own on behalf of this one, which does not wait for it. It has a
    /// connection of its own: the client's may close, or serve the next call.
    pub fn meanwhile(&self) -> Self {
        let core = Rc::clone(&self.core);
        let tick = core.deadlines.tick();
        // Nothing is written to it, so no window may hold its answer back: that is HTTP/2's way.
        let connection = Connection::new(self.connection.peer, self.connection.tls, true, tick);
        let connection = Rc::new(connection);
        let so_far = self.settlement.record.clone();
        let trace = Trace { span_id: core.telemetry.span_id(), ..so_far.trace };
        let record = CallRecord { trace, method: Method::GET, background: true, ..so_far };
        Self {
            settlement: Settlement::new(record, Rc::clone(&core), Rc::clone(&connection)),
            core,
            connection,
            plan: Rc::clone(&self.plan),
            route: self.route.clone(),
            now: self.now,
            caller: self.caller,
            present: self.present,
            tunnel: None,
            outdates: None,
        }
    }

    /// The answer to a refusal; what the call held is free from here on.
    pub fn refuse(&mut self, refusal: &Refusal) -> Response<Body> {
        self.note_refusal(refusal);
        refusal.response(self.caller, self.route.as_deref(), &self.settlement.record.trace)
    }

    /// Ends in a refusal: what the call held is free from here on, before its refusal is even written.
    pub fn note_refusal(&mut self, refusal: &Refusal) {
        let core = &self.core;
        self.settlement.free(|| core.now());
        let record = &mut self.settlement.record;
        record.refusal = Some(refusal.code);
        record.retry_after_ms = refusal.retry_after_ms();
        if record.shed.is_none() {
            record.shed = refusal.quota_record();
        }
    }

    /// How the cache took part, for the record.
    pub fn note(&mut self, outcome: Outcome) {
        let record = &mut self.settlement.record;
        record.cache = Some(outcome.result);
        record.cache_fwd = outcome.fwd;
        record.cache_detail = outcome.detail;
    }

    /// When the call began, as the cache rules want it: for a hit no time has passed since.
    pub fn cache_begun(&self) -> Now {
        Now { wall: self.core.shared.clock.wall(), mono_ns: self.now.nanos() }
    }

    /// Now, as the cache rules want it.
    pub fn cache_now(&self) -> Now {
        let clock = &self.core.shared.clock;
        Now { wall: clock.wall(), mono_ns: clock.now().nanos() }
    }

    /// Who calls; looked for when asked, so ask where something depends on it.
    pub fn identify(&self, headers: &HeaderMap) -> Option<Identity> {
        let core = &self.core;
        core.shared.callers.identify(&Signs {
            headers,
            certificate: self.connection.certificate.as_ref(),
            address: &self.connection.forwarded_for,
            proxied: self.trusts_peer(),
            tokens: &core.tokens,
            clock: &core.shared.clock,
        })
    }

    /// Whether the peer's `X-Forwarded-*` counts.
    pub fn trusts_peer(&self) -> bool {
        let peer = self.connection.peer.ip();
        self.core.shared.settings.trusted_proxies.iter().any(|network| network.contains(peer))
    }
}
