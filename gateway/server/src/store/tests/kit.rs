//! A cache with a clock in hand, and a caller that plays both client and origin.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use sumun_engine::freshness::http_date;
use sumun_policy::policy;
use sumun_policy::units::Name;

use super::super::{Asked, Cache, Errand, Now, Outcome, Recalled};
use crate::body::{Body, BodyError};
use crate::telemetry::record::CacheResult;

/// 2030-01-01, where the clock begins.
pub(crate) const START_S: u64 = 1_893_456_000;

pub(crate) struct Kit {
    pub(crate) cache: Cache,
    pub(crate) rules: policy::Cache,
    pub(crate) route: Name,
    pub(crate) clock_ns: Cell<u64>,
}

/// What a client got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) result: CacheResult,
    /// Why the origin was asked, and what became of its answer, in the words of the trace.
    pub(crate) told: (Option<&'static str>, Option<&'static str>),
    /// The head that the origin was asked with; `None` where it was not.
    pub(crate) asked: Option<HeaderMap>,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    pub(crate) fn cache_status(&self) -> &str {
        self.header("cache-status")
    }

    pub(crate) fn is_from_store(&self) -> bool {
        self.asked.is_none()
    }
}

pub(crate) fn rules() -> policy::Cache {
    policy::Cache {
        fresh_for: None,
        heuristic: None,
        stale_while_revalidate: None,
        stale_if_error: None,
        stale_if_shed: None,
        object_bytes_max: 1 << 20,
        key: policy::CacheKey::default(),
        store_set_cookie: false,
        require_public: false,
    }
}

pub(crate) fn route(name: &str) -> Name {
    Name::new(name).expect("valid")
}

pub(crate) fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).expect("valid"),
            HeaderValue::from_bytes(value.as_bytes()).expect("valid"),
        );
    }
    headers
}

/// An answer of the origin with a body that comes in one piece and says its length.
pub(crate) fn response(status: u16, lines: &[(&str, &str)], body: &'static str) -> Response<Body> {
    let mut response = Response::new(if body.is_empty() {
        Body::Empty
    } else {
        Body::Stream(Box::pin(Chunks::of(&[body]).with_length()))
    });
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    *response.headers_mut() = headers(lines);
    response
}

/// A date this many seconds from the start of the clock.
pub(crate) fn date(offset_s: i64) -> String {
    http_date(START_S.saturating_add_signed(offset_s)).to_str().expect("ASCII").to_owned()
}

impl Kit {
    pub(crate) fn new() -> Self {
        Self::with(rules())
    }

    pub(crate) fn with(rules: policy::Cache) -> Self {
        Self {
            cache: Cache::new(16 << 20),
            rules,
            route: route("items"),
            clock_ns: Cell::new(1_000_000_000),
        }
    }

    pub(crate) fn now(&self) -> Now {
        let ns = self.clock_ns.get();
        let wall: SystemTime = UNIX_EPOCH + Duration::from_secs(START_S) + Duration::from_nanos(ns)
            - Duration::from_secs(1);
        Now { wall, mono_ns: ns }
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock_ns.set(self.clock_ns.get() + seconds * 1_000_000_000);
    }

    pub(crate) async fn recall(&self, method: &Method, path: &str, head: &HeaderMap) -> Recalled {
        let asked = asked(method, path, head);
        self.cache.recall(&asked, &self.rules, &self.route, self.now()).await
    }

    pub(crate) async fn errand(&self, path: &str, head: &[(&str, &str)]) -> Errand {
        match self.recall(&Method::GET, path, &headers(head)).await {
            Recalled::Forward(errand) => errand,
            _ => panic!("expected to be sent to the origin"),
        }
    }

    /// One GET of `/`; the origin answers with `origin` where it is asked.
    pub(crate) async fn get(&self, head: &[(&str, &str)], origin: Response<Body>) -> Got {
        self.call(&Method::GET, "/", head, origin).await
    }

    /// One call to its end.
    pub(crate) async fn call(
        &self,
        method: &Method,
        path: &str,
        head: &[(&str, &str)],
        origin: Response<Body>,
    ) -> Got {
        let head = headers(head);
        let (response, outcome, asked) = match self.recall(method, path, &head).await {
            Recalled::Answer { response, outcome, .. } => (response, outcome, None),
            Recalled::Forward(errand) => {
                let mut forwarded = head.clone();
                errand.prepare(&mut forwarded);
                let (response, outcome) = errand.remember(origin, self.now()).await;
                (response, outcome, Some(forwarded))
            }
            Recalled::Unavailable => {
                let mut response = Response::new(Body::Empty);
                *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
                (response, Outcome { result: CacheResult::Miss, fwd: None, detail: None }, None)
            }
        };
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        let Outcome { result, fwd, detail } = outcome;
        let told = (fwd, detail);
        Got { status: parts.status, headers: parts.headers, body, result, told, asked }
    }

    /// One GET that must be answered from the store, whatever the origin would say.
    pub(crate) async fn hit(&self, head: &[(&str, &str)]) -> Got {
        let got = self.get(head, response(500, &[], "not from the store")).await;
        assert!(got.is_from_store(), "asked the origin: {got:?}");
        got
    }

    /// One GET that must go to the origin.
    pub(crate) async fn miss(&self, head: &[(&str, &str)]) -> Got {
        let got = self.get(head, response(500, &[], "from the origin")).await;
        assert!(!got.is_from_store(), "answered from the store: {got:?}");
        got
    }
}

pub(crate) fn asked<'a>(method: &'a Method, path: &'a str, headers: &'a HeaderMap) -> Asked<'a> {
    Asked {
        method,
        scheme: "http",
        authority: "items.internal",
        fronted: None,
        path_and_query: path,
        headers,
        has_body: false,
    }
}

/// A body of chunks, and what may happen at its end.
pub(crate) struct Chunks {
    frames: std::collections::VecDeque<Result<Frame<Bytes>, BodyError>>,
    length: Option<u64>,
    ends_open: bool,
}

impl Chunks {
    pub(crate) fn of(chunks: &[&'static str]) -> Self {
        let frames =
            chunks.iter().map(|chunk| Ok(Frame::data(Bytes::from_static(chunk.as_bytes()))));
        Self { frames: frames.collect(), length: None, ends_open: false }
    }

    /// Says its length beforehand.
    pub(crate) fn with_length(mut self) -> Self {
        let length = self.frames.iter().filter_map(|frame| frame.as_ref().ok()?.data_ref());
        self.length = Some(length.map(|chunk| chunk.len() as u64).sum());
        self
    }

    /// Fails after the last chunk.
    pub(crate) fn then_fails(mut self) -> Self {
        self.frames.push_back(Err(BodyError::UpstreamTimeout));
        self
    }

    /// Has trailers.
    pub(crate) fn then_trailers(mut self) -> Self {
        self.frames.push_back(Ok(Frame::trailers(headers(&[("checksum", "1")]))));
        self
    }

    /// Does not know that it has ended before it is asked.
    pub(crate) fn ends_open(mut self) -> Self {
        self.ends_open = true;
        self
    }

    pub(crate) fn body(self) -> Body {
        Body::Stream(Box::pin(self))
    }
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = self.frames.pop_front();
        if let (Some(length), Some(Ok(frame))) = (&mut self.length, &frame) {
            *length -= frame.data_ref().map_or(0, |chunk| chunk.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && !self.ends_open
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
