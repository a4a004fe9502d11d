//! RFC 9211 §2.8: for every reason a call that has it, and the same words in `Cache-Status` and trace.

use http::{Method, Response};
use sumun_engine::freshness::{NotStored, Stale};
use sumun_policy::policy;

use super::kit::{Chunks, Got, Kit, asked, headers, response, rules};
use crate::body::Body;
use crate::store::{Cache, Outcome, Recalled};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

/// What the field says: `fwd`, and `detail` or `stored`.
fn field(status: &str) -> (Option<&str>, Option<&str>) {
    let value = |name: &str| status.split("; ").find_map(|member| member.strip_prefix(name));
    let stored = status.split("; ").find(|member| *member == "stored");
    (value("fwd="), value("detail=").or(stored))
}

fn check(got: &Got, fwd: Option<&str>, detail: Option<&str>) {
    assert_eq!(got.told, (fwd, detail), "the trace of {got:?}");
    assert_eq!(field(got.cache_status()), (fwd, detail), "the field of {got:?}");
}

fn with_body(lines: &[(&str, &str)], body: Chunks) -> Response<Body> {
    let mut response = Response::new(body.body());
    *response.headers_mut() = headers(lines);
    response
}

/// The cache's rules, the request's fields and the origin's answer that lead to a refusal to store.
fn refused(
    why: NotStored,
) -> (policy::Cache, &'static [(&'static str, &'static str)], Response<Body>) {
    let plain = |lines: &[(&str, &str)]| (rules(), &[][..], response(200, lines, "ab"));
    match why {
        NotStored::NoStore => plain(&[("cache-control", "no-store")]),
        NotStored::Private => plain(&[("cache-control", "private")]),
        NotStored::Authorization => {
            (rules(), &[("authorization", "Basic eA==")], response(200, &[FRESH], "ab"))
        }
        NotStored::SetCookie => plain(&[FRESH, ("set-cookie", "a=1")]),
        NotStored::NotPublic => {
            let rules = policy::Cache { require_public: true, ..rules() };
            (rules, &[], response(200, &[FRESH], "ab"))
        }
        NotStored::VaryAny => plain(&[FRESH, ("vary", "*")]),
        NotStored::Status => (rules(), &[], response(412, &[FRESH], "ab")),
        NotStored::NoFreshness => plain(&[]),
        NotStored::Stale => plain(&[("cache-control", "max-age=0")]),
        NotStored::Stream => plain(&[FRESH, ("content-type", "text/event-stream")]),
        NotStored::TooLarge => {
            let rules = policy::Cache { object_bytes_max: 1, ..rules() };
            (rules, &[], response(200, &[FRESH], "ab"))
        }
        NotStored::Trailers => plain(&[FRESH, ("trailer", "x-sum")]),
        // Larger than the room for all bodies, and small enough to be read first.
        NotStored::Busy => (rules(), &[], response(200, &[FRESH], "x".repeat(40_000).leak())),
        NotStored::Incomplete => {
            let lines = [FRESH, ("content-length", "2")];
            (rules(), &[], with_body(&lines, Chunks::of(&["a"]).with_length()))
        }
    }
}

#[tokio::test]
async fn every_reason_not_to_store() {
    for why in NotStored::ALL {
        let (rules, request, origin) = refused(why);
        let kit = Kit { cache: Cache::new(64 << 10), ..Kit::with(rules) };
        let got = kit.get(request, origin).await;
        check(&got, Some("uri-miss"), Some(why.as_str()));
        assert_eq!(kit.cache.view().entries, 0, "{why:?}");
    }
}

#[tokio::test]
async fn what_is_stored_served_and_confirmed() {
    let kit = Kit::new();
    let tagged = [FRESH, ("etag", "\"1\"")];
    check(&kit.get(&[], response(200, &tagged, "a")).await, Some("uri-miss"), Some("stored"));
    check(&kit.hit(&[]).await, None, None);
    kit.pass(61);
    check(&kit.get(&[], response(304, &tagged, "")).await, Some("stale"), Some("stored"));
    kit.pass(61);
    let other = [FRESH, ("etag", "\"2\"")];
    check(&kit.get(&[], response(304, &other, "")).await, Some("stale"), Some("other-tag"));
    let private = [("cache-control", "private"), ("etag", "\"1\"")];
    check(&kit.get(&[], response(304, &private, "")).await, Some("stale"), Some("private"));
    assert_eq!(kit.cache.view().entries, 0, "what became private is gone");
}

#[tokio::test]
async fn what_is_none_of_the_stores_business() {
    let kit = Kit::new();
    let fresh = || response(200, &[FRESH], "a");
    let condition = [("if-match", "\"1\"")];
    check(&kit.get(&condition, fresh()).await, Some("bypass"), Some("precondition"));
    let range = [("range", "bytes=0-0")];
    check(&kit.get(&range, fresh()).await, Some("partial"), None);
    for method in [Method::POST, Method::OPTIONS] {
        check(&kit.call(&method, "/", &[], fresh()).await, Some("method"), None);
    }
    check(&kit.call(&Method::HEAD, "/", &[], fresh()).await, Some("uri-miss"), Some("head"));

    let head = headers(&[]);
    let asked = crate::store::Asked { has_body: true, ..asked(&Method::GET, "/", &head) };
    let recalled = kit.cache.recall(&asked, &kit.rules, &kit.route, kit.now()).await;
    let Recalled::Forward(errand) = recalled else { panic!("served") };
    let (response, Outcome { fwd, detail, .. }) = errand.remember(fresh(), kit.now()).await;
    let said = response.headers()["cache-status"].to_str().expect("ASCII");
    assert_eq!((fwd, detail), (Some("bypass"), Some("body")));
    assert_eq!(field(said), (fwd, detail));
}

#[tokio::test]
async fn what_is_served_stale() {
    let window = Some(std::time::Duration::from_mins(1));
    let stale = async |rules: policy::Cache| {
        let kit = Kit::with(rules);
        kit.get(&[], response(200, &[FRESH], "a")).await;
        kit.pass(70);
        kit
    };
    let kit = stale(policy::Cache { stale_while_revalidate: window, ..rules() }).await;
    check(&kit.hit(&[]).await, None, Some("stale-while-revalidate"));

    let kit = stale(policy::Cache { stale_if_error: window, ..rules() }).await;
    let failed = kit.get(&[], response(503, &[], "no")).await;
    check(&failed, Some("stale"), Some("stale-if-error"));

    let kit = stale(policy::Cache { stale_if_shed: window, ..rules() }).await;
    let errand = kit.errand("/", &[]).await;
    let shed = errand.stand_in(Stale::Shed, kit.now()).expect("a stale answer");
    let said = shed.response.headers()["cache-status"].to_str().expect("ASCII");
    assert_eq!((shed.outcome.fwd, shed.outcome.detail), (None, Some("stale-if-shed")));
    assert_eq!(field(said), (None, Some("stale-if-shed")));
}
