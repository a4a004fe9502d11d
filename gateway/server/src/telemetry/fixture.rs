//! Routes and calls for the tests of this module.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;

use http::{Method, Version};
use sumun_policy::policy::{
    Admission, Class, Match, Mode, OnStale, Origin, PathPattern, Route, Target,
};
use sumun_policy::units::Name;

use super::meters::RouteMeters;
use super::record::{Attempt, CallRecord, CalledRoute, ShedRecord, Trace};
use crate::refusal::Code;

pub(super) const MS: u64 = 1_000_000;

pub(super) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A batch route through function `fn-NAME`.
pub(super) fn route(text: &str, mode: Mode) -> Route {
    let admission =
        Admission { mode, rps: None, cpu: None, workers: None, on_stale: OnStale::Proven };
    Route {
        name: name(text),
        origin: Origin { file: "test.yaml".into(), line: 1 },
        matcher: Match {
            methods: Vec::new(),
            path: PathPattern { segments: Vec::new(), rest: true },
            host: None,
            headers: Vec::new(),
        },
        target: Target::Function {
            function: name(&format!("fn-{text}")),
            upstream: name("mailbox"),
        },
        class: Class::Batch,
        admission: Some(admission),
        cache: None,
        websocket: false,
        strict_path: true,
    }
}

/// What a call has of a route that [`route`] made.
pub(super) fn called(meters: &Arc<RouteMeters>) -> Rc<CalledRoute> {
    let policy = route(meters.name(), Mode::Enforce);
    Rc::new(CalledRoute::new(&policy, Arc::clone(meters)))
}

/// A GET that was answered 200 after 12 ms.
pub(super) fn call(route: Option<&Arc<RouteMeters>>) -> CallRecord {
    let trace = Trace {
        trace_id: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
        span_id: 0x00f0_67aa_0ba9_02b7,
        parent_id: None,
        sampled: false,
    };
    let path = "/mail/list/7?page=2".parse().unwrap();
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let attempt = Attempt {
        span_id: 0xabc,
        endpoint: "127.0.0.1:9101".into(),
        started_ns: 1001 * MS,
        head_ns: 1010 * MS,
        status: 200,
        failed: None,
    };
    CallRecord {
        route: route.map(called),
        head_ns: 1011 * MS,
        ended_ns: 1012 * MS,
        status: 200,
        class: Class::Batch,
        attempts: [Some(attempt), None],
        response_bytes: 1024,
        complete: true,
        ..CallRecord::begin(trace, 1000 * MS, Method::GET, path, Version::HTTP_11, peer, 7)
    }
}

pub(super) fn shed(code: Code) -> ShedRecord {
    ShedRecord { code, signal: "workers", observed: 0.91, threshold: 0.85 }
}

/// A call that the gateway refused.
pub(super) fn refused(route: Option<&Arc<RouteMeters>>, code: Code) -> CallRecord {
    CallRecord {
        status: code.status().as_u16(),
        refusal: Some(code),
        shed: (code == Code::WorkersOver).then(|| shed(code)),
        attempts: [None, None],
        ended_ns: 1000 * MS + 20_000,
        ..call(route)
    }
}
