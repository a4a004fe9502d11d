//! The body of an answer that is stored: streamed on, or read first where its head depends on it.

use http::header::{CONTENT_LENGTH, ETAG};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use sumun_engine::freshness::{NotStored, seconds_of};
use sumun_engine::validator::{Validators, not_modified, tag_from_modified};

use super::super::entry::make_tag;
use super::super::filling::Collected;
use super::super::replay::Replay;
use super::super::tee::Tee;
use super::super::{Now, SMALL_BODY_BYTES_MAX};
use super::Deposit;
use crate::body::Body;

/// What is known of an answer's storing when its head goes on.
pub(super) enum Storing {
    /// It is stored, or will be once its promised bytes are there.
    Sure,
    /// Its end is not known.
    Open,
    /// It isn't.
    GivenUp(NotStored),
}

/// Streams the answer on while it is stored; reads it first where its tag is made from it.
pub(super) async fn collect(
    mut response: Response<Body>,
    collected: Collected,
    mut deposit: Deposit,
) -> (Response<Body>, Storing) {
    let promised = response.body().size_hint().exact();
    let head = response.headers();
    let untagged = response.status() == StatusCode::OK && !head.contains_key(ETAG);
    let modified_s = Validators::of(head, 0).last_modified_s;
    match (untagged, modified_s, promised) {
        (true, Some(modified_s), Some(length)) => {
            let tag = tag_from_modified(modified_s, length);
            deposit.tag(&tag);
            response.headers_mut().insert(ETAG, tag);
        }
        (true, None, Some(length)) if length <= SMALL_BODY_BYTES_MAX => {
            return collect_whole(response, collected, deposit).await;
        }
        _ => {}
    }
    let (parts, body) = response.into_parts();
    if body.is_end_stream() {
        let storing = finish(collected, deposit);
        return (Response::from_parts(parts, body), storing);
    }
    let storing = if collected.has_promise() { Storing::Sure } else { Storing::Open };
    let tee = Tee::new(body, collected, deposit);
    (Response::from_parts(parts, Body::Stream(Box::pin(tee))), storing)
}

/// Reads a small body, makes its tag, stores it, and answers with it. Where it can't be read to its
/// end, the client gets what came and then the same failure.
async fn collect_whole(
    response: Response<Body>,
    mut collected: Collected,
    deposit: Deposit,
) -> (Response<Body>, Storing) {
    let replayed = |parts, frames, rest, why| {
        let replay = Replay::new(frames, rest);
        (Response::from_parts(parts, Body::Stream(Box::pin(replay))), Storing::GivenUp(why))
    };
    let (mut parts, mut body) = response.into_parts();
    let mut frames = Vec::new();
    loop {
        match body.frame().await {
            None => break,
            Some(Ok(frame)) => {
                let taken = match frame.data_ref() {
                    // Nothing to keep; any number of them may come.
                    Some(chunk) if chunk.is_empty() => continue,
                    Some(chunk) => collected.push(chunk),
                    None => Err(NotStored::Trailers),
                };
                frames.push(Ok(frame));
                if let Err(why) = taken {
                    deposit.give_up(why);
                    return replayed(parts, frames, body, why);
                }
            }
            Some(Err(error)) => {
                // The deposit goes, and with it the lead: a follower asks again.
                frames.push(Err(error));
                return replayed(parts, frames, Body::Empty, NotStored::Incomplete);
            }
        }
    }
    let Some(whole) = collected.complete() else {
        return replayed(parts, frames, body, NotStored::Incomplete);
    };
    parts.headers.insert(ETAG, make_tag(&parts.headers, &whole));
    deposit.store(whole.clone());
    (Response::from_parts(parts, Body::Full(whole)), Storing::Sure)
}

fn finish(collected: Collected, deposit: Deposit) -> Storing {
    let Some(body) = collected.complete() else { return Storing::GivenUp(NotStored::Incomplete) };
    deposit.store(body);
    Storing::Sure
}

impl Deposit {
    fn tag(&mut self, tag: &HeaderValue) {
        self.draft.head.insert(ETAG, tag.clone());
        self.draft.own_tag = true;
    }
}

/// A forwarded 200 whose client asked under a condition that we took off: 304 where it holds.
///
/// The body has to be read all the same, so that it is stored and the upstream's connection can be
/// used again. That is done for bodies of known length up to 64 KiB; with a larger one the client
/// gets the 200, which is always right.
pub(super) async fn conditional(
    response: Response<Body>,
    request: &HeaderMap,
    now: Now,
) -> Response<Body> {
    let holds = not_modified(request, Validators::of(response.headers(), seconds_of(now.wall)));
    let length = response.body().size_hint().exact();
    if !holds || length.is_none_or(|length| length > SMALL_BODY_BYTES_MAX) {
        return response;
    }
    let (mut parts, mut body) = response.into_parts();
    while let Some(Ok(_)) = body.frame().await {}
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::Empty)
}
