//! The request path.
//!
//! Each stage is one file with one verb, and this is their only caller: `decide` and `ask` below are
//! the order of a call. A stage returns `Result<_, Refusal>`.
//! The stages up to a call's admission never wait, so that what is refused or answered from the cache
//! costs no future.

mod call;

mod admit;
mod forward;
mod open;
mod order;
mod recall;
mod remember;
mod reserve;
mod revalidate;
mod route;
pub mod settle;

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use sumun_engine::admission::Ask;

pub use self::call::Caller;
use self::call::{Call, Opened};
pub(crate) use self::open::{path_doubt, without_dot_segments};
use self::order::InLine;
use self::recall::Recall;
use self::settle::Settled;
use crate::body::Body;
use crate::core::Core;
use crate::listen::connection::Connection;
use crate::listen::early;
use crate::listen::upload::Upload;
use crate::plan::RoutePlan;
use crate::refusal::Refusal;
use crate::store::Errand;
use crate::upstream::RequestBody;

/// What becomes the answer of a call that waits.
pub type Later = Pin<Box<dyn Future<Output = Response<Settled>>>>;

/// A call under way.
pub enum Serving {
    /// Decided without waiting: a refusal or a hit costs no future of its own.
    Now(Option<Response<Settled>>),
    /// Refused without waiting; the answer is not written yet.
    Refused(Option<Refused>),
    /// On its way to an upstream, or waiting for an identical call.
    Later(Later),
}

/// A refused call, to be answered in the way that its connection likes best.
pub struct Refused {
    call: Call,
    refusal: Refusal,
}

/// What a call is found to be without waiting.
enum Decided {
    /// Answered.
    Answer(Response<Body>),
    /// Admitted: the upstream is to be asked.
    Forward(Rc<RoutePlan>, Option<Errand>, Request<RequestBody>),
    /// An identical call may be in flight; nothing has been asked for admission yet.
    Wait(Rc<RoutePlan>, Opened),
    /// All slots of the upstream are taken; one may be free in a moment.
    Queue(Rc<RoutePlan>, Option<Errand>, Box<Queued>),
}

/// A call in the line for a slot.
struct Queued {
    opened: Opened,
    ask: Ask,
    in_line: InLine,
}

/// What admission made of a call.
#[expect(clippy::large_enum_variant, reason = "the rule is to go on, and that must not allocate")]
enum Admitted {
    /// On to the upstream.
    Forward(Request<RequestBody>),
    /// Into the line.
    Queue(Box<Queued>),
}

/// Serves one call; a body of `None` is none at all.
pub fn serve(
    core: Rc<Core>,
    connection: Rc<Connection>,
    request: Request<Option<Upload>>,
) -> Serving {
    let mut call = Call::begin(core, connection, &request);
    match decide(&mut call, request) {
        Ok(Decided::Answer(answer)) => Serving::Now(Some(conclude(call, answer))),
        Ok(Decided::Forward(route, errand, request)) => {
            Serving::Later(Box::pin(ask(call, route, errand, Some(request))))
        }
        Ok(Decided::Wait(route, opened)) => Serving::Later(Box::pin(wait(call, route, opened))),
        Ok(Decided::Queue(route, errand, queued)) => {
            Serving::Later(Box::pin(queue(call, route, errand, queued)))
        }
        Err(refusal) => Serving::Refused(Some(Refused { call, refusal })),
    }
}

/// The stages that never wait.
fn decide(call: &mut Call, request: Request<Option<Upload>>) -> Result<Decided, Refusal> {
    let mut opened = open::open(call, request)?; //           400: ambiguous, malformed; 508
    let route = route::route(call, &opened)?; //              404: nobody's call
    let errand = match recall::recall(call, &route, &mut opened)? {
        Some(Recall::Answer(answer)) => {
            call.core.keep_fields(std::mem::take(&mut opened.head.headers));
            return Ok(Decided::Answer(answer)); //               no upstream
        }
        Some(Recall::Meanwhile(answer, errand)) => {
            revalidate::revalidate(call, &route, opened, errand);
            return Ok(Decided::Answer(answer));
        }
        Some(Recall::Forward(errand)) => errand,
        None => return Ok(Decided::Wait(route, opened)),
    };
    match admit(call, &route, opened) {
        Ok(Admitted::Forward(request)) => Ok(Decided::Forward(route, errand, request)),
        Ok(Admitted::Queue(queued)) => Ok(Decided::Queue(route, errand, queued)),
        Err(refusal) => instead(call, errand, refusal).map(Decided::Answer),
    }
}

/// A stale answer instead of a refusal, or the refusal.
fn instead(
    call: &mut Call,
    errand: Option<Errand>,
    refusal: Refusal,
) -> Result<Response<Body>, Refusal> {
    recall::stand_in(call, errand, &refusal).ok_or(refusal)
}

fn admit(call: &mut Call, route: &Rc<RoutePlan>, mut opened: Opened) -> Result<Admitted, Refusal> {
    let ask = admit::ask(call, route, &opened.head.headers);
    let in_line = order::in_turn(call, route, ask, |call| {
        let waiting = admit::admit(call, route, ask)?; //     429 by threshold
        if waiting.is_none() {
            reserve::reserve(call, route)?; //                429 by quota
        }
        Ok(waiting)
    });
    match in_line {
        Ok(None) => Ok(Admitted::Forward(forward::outbound(call, route, opened))),
        Ok(Some(in_line)) => Ok(Admitted::Queue(Box::new(Queued { opened, ask, in_line }))),
        Err(refusal) => {
            call.core.keep_fields(std::mem::take(&mut opened.head.headers));
            Err(refusal)
        }
    }
}

/// First a slot of the upstream, then the rest of the path.
async fn queue(
    mut call: Call,
    route: Rc<RoutePlan>,
    errand: Option<Errand>,
    queued: Box<Queued>,
) -> Response<Settled> {
    let Queued { opened, ask: asked, in_line } = *queued;
    admit::wait(&mut call, &route, &opened, &in_line).await;
    let decided = order::end_wait(&mut call, &route, asked, in_line, |call, waiting| {
        admit::finish(call, &route, asked, waiting)?;
        reserve::reserve(call, &route)
    });
    match decided {
        Ok(()) => {
            let request = forward::outbound(&mut call, &route, opened);
            ask(call, route, errand, Some(request)).await
        }
        Err(refusal) => turned_away(call, errand, refusal),
    }
}

/// A stale answer in place of a refusal, or the refusal.
fn turned_away(mut call: Call, errand: Option<Errand>, refusal: Refusal) -> Response<Settled> {
    match instead(&mut call, errand, refusal) {
        Ok(answer) => conclude(call, answer),
        Err(refusal) => refuse(call, &refusal),
    }
}

/// The upstream's part: forward, remember.
async fn ask(
    mut call: Call,
    route: Rc<RoutePlan>,
    errand: Option<Errand>,
    mut request: Option<Request<RequestBody>>,
) -> Response<Settled> {
    let answer = match forward::forward(&mut call, &route, &mut request).await {
        Ok(answer) => answer,
        // 502, 503, 504; dropping the errand lets another identical call lead.
        Err(refusal) => {
            // What is left of the upload decides whether the connection goes on.
            drop(request);
            return turned_away(call, errand, refusal);
        }
    };
    let answer = if let Some(errand) = errand {
        Box::pin(remember::remember(&mut call, errand, answer)).await
    } else {
        remember::invalidate(&call, &answer);
        answer
    };
    conclude(call, answer)
}

/// First an identical call in flight, then the rest of the path.
async fn wait(mut call: Call, route: Rc<RoutePlan>, mut opened: Opened) -> Response<Settled> {
    let errand = match recall::wait(&mut call, &route, &mut opened).await {
        Ok(Recall::Answer(answer)) => {
            call.settlement.record.head_ns = call.core.now().nanos();
            return conclude(call, answer);
        }
        Ok(Recall::Meanwhile(answer, errand)) => {
            revalidate::revalidate(&call, &route, opened, errand);
            return conclude(call, answer);
        }
        Ok(Recall::Forward(errand)) => errand,
        Err(refusal) => return refuse(call, &refusal),
    };
    match admit(&mut call, &route, opened) {
        Ok(Admitted::Forward(request)) => Box::pin(ask(call, route, errand, Some(request))).await,
        Ok(Admitted::Queue(queued)) => Box::pin(queue(call, route, errand, queued)).await,
        Err(refusal) => turned_away(call, errand, refusal),
    }
}

fn refuse(mut call: Call, refusal: &Refusal) -> Response<Settled> {
    let answer = call.refuse(refusal);
    conclude(call, answer)
}

/// Hands the answer over, and with it what the call must give back.
fn conclude(mut call: Call, mut answer: Response<Body>) -> Response<Settled> {
    let record = &mut call.settlement.record;
    record.status = answer.status().as_u16();
    if record.head_ns == 0 {
        record.head_ns = call.now.nanos();
    }
    if call.tunnel.is_some() {
        forward::into_tunnel(call);
        return answer.map(|_| Settled::detached());
    }
    let ends = call.connection.ends.get() || call.core.shared.drain.is_draining();
    if ends && !call.caller.h2 {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let Call { connection, settlement, .. } = call;
    let answer = answer.map(|body| Settled::new(body, settlement));
    connection.whole.set(early::whole(&answer).is_some());
    answer
}

// === impl Refused ===

impl Refused {
    /// The answer.
    pub fn into_answer(self) -> Response<Settled> {
        refuse(self.call, &self.refusal)
    }

    /// Writes the answer as HTTP/1.1, to be sent as it is, and settles the call; or gives the answer,
    /// where there is more to say than most have to.
    pub fn write(mut self, text: &mut Vec<u8>) -> Result<(), Box<Response<Settled>>> {
        let call = &mut self.call;
        let core = &call.core;
        if call.connection.ends.get() || core.shared.drain.is_draining() {
            return Err(Box::new(self.into_answer()));
        }
        let date = core.http_date.text(core.deadlines.tick());
        let route = call.route.as_deref();
        let trace = &call.settlement.record.trace;
        let Some(length) = self.refusal.write(call.caller, route, trace, &date, text) else {
            return Err(Box::new(self.into_answer()));
        };
        call.note_refusal(&self.refusal);
        let record = &mut call.settlement.record;
        record.status = self.refusal.code.status().as_u16();
        if record.head_ns == 0 {
            record.head_ns = call.now.nanos();
        }
        record.response_bytes += length as u64;
        record.complete = true;
        call.connection.whole.set(true);
        Ok(())
    }
}

impl Future for Serving {
    type Output = Result<Response<Settled>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Later(call) => call.as_mut().poll(cx).map(Ok),
            // Polled again after its answer a future may say anything.
            Self::Now(answer) => {
                answer.take().map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer)))
            }
            Self::Refused(refused) => {
                let answer = refused.take().map(Refused::into_answer);
                answer.map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer)))
            }
        }
    }
}
