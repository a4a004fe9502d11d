//! **revalidate**: a stale answer has been served; is it still right? (RFC 5861 §3)
//!
//! One call of the gateway's own, of which no client knows. It passes admission and the quota like any
//! other, so while its route sheds there is none, and it holds its slot to its end.

use std::rc::Rc;

use http::header::{IF_RANGE, RANGE};
use http::{Method, Response};
use http_body_util::BodyExt as _;

use super::Admitted;
use super::call::{Call, Opened};
use super::recall::prepare;
use super::settle::Settled;
use crate::core::Core;
use crate::plan::RoutePlan;
use crate::store::Errand;

/// Revalidations under way on one core, at most: what routes without a limit of their own may add to
/// the calls of clients. Over it a stale answer is served and a later call asks again.
const REVALIDATIONS_MAX: u32 = 64;

/// Asks the upstream in the background, where it may be asked.
pub fn revalidate(call: &Call, route: &Rc<RoutePlan>, mut opened: Opened, errand: Errand) {
    let Some(place) = Place::take(&call.core) else { return };
    let mut own = call.meanwhile();
    opened.head.method = Method::GET;
    // The whole answer is stored, whatever part this client wanted.
    opened.head.headers.remove(RANGE);
    opened.head.headers.remove(IF_RANGE);
    prepare(&mut opened, &errand);
    // Refused, or all slots are taken: dropping the errand lets a later call try again.
    let Ok(Admitted::Forward(request)) = super::admit(&mut own, route, opened) else { return };
    let asked = super::ask(own, Rc::clone(route), Some(errand), Some(request));
    let object_bytes_max =
        route.route.policy.cache.as_ref().map_or(0, |rules| rules.object_bytes_max);
    tokio::task::spawn_local(async move {
        read(asked.await, object_bytes_max).await;
        drop(place);
    });
}

/// Reads an answer to its end, or as far as one could be stored.
async fn read(answer: Response<Settled>, bytes_max: u64) {
    let mut body = answer.into_body();
    let mut read_bytes = 0;
    while let Some(Ok(frame)) = body.frame().await
        && read_bytes <= bytes_max
    {
        read_bytes += frame.data_ref().map_or(0, |chunk| chunk.len() as u64);
    }
}

/// One of the core's places for revalidations; given back on Drop.
struct Place(Rc<Core>);

impl Place {
    fn take(core: &Rc<Core>) -> Option<Self> {
        let taken = core.revalidations.get();
        (taken < REVALIDATIONS_MAX).then(|| {
            core.revalidations.set(taken + 1);
            Self(Rc::clone(core))
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.revalidations.set(self.0.revalidations.get() - 1);
    }
}
