//! The request path.
//!
//! Each stage is one file with one verb; this is their only caller and the order of the `mod` lines
//! is the order of a call. A stage returns `Result<_, Refusal>`; `?` is nearly the only branch.

mod call;

mod admit;
mod forward;
mod open;
mod recall;
mod remember;
mod reserve;
mod route;
pub mod settle;

use std::rc::Rc;

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;

use self::call::Call;
pub use self::call::Caller;
use self::settle::Settled;
use crate::body::Body;
use crate::core::Core;
use crate::listen::connection::Connection;
use crate::refusal::Refusal;

/// Serves one call.
pub async fn serve(
    core: Rc<Core>,
    connection: Rc<Connection>,
    request: Request<Incoming>,
) -> Response<Settled> {
    let mut call = Call::begin(core, connection, &request);
    let mut answer = match run(&mut call, request).await {
        Ok(answer) => answer,
        Err(refusal) => call.refuse(&refusal),
    };
    call.settlement.record.status = answer.status().as_u16();
    call.settlement.record.head_ns = call.core.now().nanos();
    if call.tunnel.is_some() {
        forward::into_tunnel(call);
        return answer.map(|_| Settled::detached());
    }
    if call.core.shared.drain.is_draining() && !call.caller.h2 {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let settlement = call.settlement;
    answer.map(|body| Settled::new(body, settlement))
}

async fn run(call: &mut Call, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    let mut opened = open::open(call, request)?; //          400: ambiguous, malformed; 508
    let route = route::route(call, &opened)?; //             404: nobody's call
    let errand = match recall::recall(call, &route, &mut opened).await? {
        recall::Recall::Answer(answer) => return Ok(answer), // fresh: 200 or 304, no upstream
        recall::Recall::Forward(errand) => errand,
    };
    admit::admit(call, &route)?; //                          429 by threshold
    reserve::reserve(call, &route)?; //                      429 by quota
    let answer = forward::forward(call, &route, opened).await?; // 502, 503, 504
    Ok(remember::remember(call, errand, answer).await)
}
