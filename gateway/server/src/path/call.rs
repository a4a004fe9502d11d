//! One call: what the stages share about it.

use std::rc::Rc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response, Version, request};
use hyper::body::Incoming;
use sumun_engine::time::Moment;

use super::settle::Settlement;
use crate::authority::Authority;
use crate::body::Body;
use crate::core::Core;
use crate::listen::connection::Connection;
use crate::listen::transport::Transport;
use crate::plan::{CorePlan, RoutePlan};
use crate::refusal::Refusal;
use crate::store::Now;
use crate::telemetry::record::CallRecord;

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
    /// Whom the client asked, as keys hold it.
    pub authority: Box<str>,
}

/// A request whose meaning is settled.
pub struct Opened {
    /// Method, version and fields; the URI is origin form.
    pub head: request::Parts,
    /// The body, untouched.
    pub body: Incoming,
    /// Whom the client asks for.
    pub authority: Authority,
    /// Why the path is doubtful, where it is: refused unless its route allows it.
    pub path_doubt: Option<&'static str>,
    /// Whether the client asks for a WebSocket.
    pub websocket: bool,
}

// === impl Call ===

impl Call {
    /// Begins: from here on, whatever happens, the settlement tells of it.
    pub fn begin(core: Rc<Core>, connection: Rc<Connection>, request: &Request<Incoming>) -> Self {
        let now = core.now();
        let plan = core.plan();
        let headers = request.headers();
        let caller = Caller {
            grpc: headers
                .get(http::header::CONTENT_TYPE)
                .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc")),
            h2: request.version() == Version::HTTP_2,
        };
        let record = CallRecord {
            route: None,
            trace: core.telemetry.begin(headers),
            started_ns: now.nanos(),
            head_ns: 0,
            ended_ns: 0,
            method: request.method().clone(),
            path: request
                .uri()
                .path_and_query()
                .cloned()
                .unwrap_or_else(|| PathAndQuery::from_static("/")),
            version: request.version(),
            peer: connection.peer.ip(),
            status: 0,
            refusal: None,
            shed: None,
            shadow: None,
            cache: None,
            attempts: [None, None],
            request_bytes: 0,
            response_bytes: 0,
            complete: false,
            revision: plan.revision(),
        };
        let settlement = Settlement::new(record, Rc::clone(&core), Rc::clone(&connection));
        Self {
            core,
            connection,
            plan,
            route: None,
            settlement,
            now,
            caller,
            tunnel: None,
            outdates: None,
        }
    }

    /// The answer to a refusal; what the call held is free from here on.
    pub fn refuse(&mut self, refusal: &Refusal) -> Response<Body> {
        // What the call held is given back before its refusal is even written.
        self.settlement.slot = None;
        self.settlement.permit = None;
        self.settlement.load = None;
        self.settlement.record.refusal = Some(refusal.code);
        refusal.response(self.caller, self.route.as_deref(), &self.settlement.record.trace)
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

    /// Whether the peer's `X-Forwarded-*` counts.
    pub fn trusts_peer(&self) -> bool {
        let peer = self.connection.peer.ip();
        self.core.shared.settings.trusted_proxies.iter().any(|network| network.contains(peer))
    }
}
