//! May this answer be stored, and for how long is it fresh? (RFC 9111 §3, §4.2)

use http::header::{
    AUTHORIZATION, CONTENT_TYPE, DATE, ETAG, EXPIRES, LAST_MODIFIED, SET_COOKIE, TRAILER,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sumun_policy::policy::Cache;

use super::SECOND_NS;
use super::directives::{Delta, Qualified, ResponseDirectives, Wishes};
use super::targeted;
use super::time::{Dated, age_field, date_field};
use super::vary::Vary;

/// When an answer came, and how long it took.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// Wall time of the answer's head, seconds since 1970.
    pub wall_s: u64,
    /// From the request sent to the answer's head (`response_delay`), nanoseconds.
    pub delay_ns: u64,
}

/// On what terms a stored answer may be reused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one clause of the RFCs")]
pub struct Terms {
    /// How old it may get, nanoseconds (RFC 9111 §4.2.1).
    pub lifetime_ns: u64,
    /// How old it already was when it came, nanoseconds (`corrected_initial_age`, §4.2.3).
    pub initial_age_ns: u64,
    /// Its `Date`, or when it came, seconds since 1970.
    pub date_s: u64,
    /// `no-cache`: never reused without asking.
    pub ask_always: bool,
    /// Never reused stale (`must-revalidate`, `proxy-revalidate`, `s-maxage`).
    pub ask_stale: bool,
    /// May serve requests with `Authorization` (§3.5).
    pub authorized: bool,
    /// So long after its freshness it may be served while it is revalidated (RFC 5861 §3).
    pub while_revalidate: Option<Delta>,
    /// So long after its freshness it may be served where the origin fails (RFC 5861 §4).
    pub if_error: Option<Delta>,
    /// While it is fresh nobody needs to ask whether it has changed (RFC 8246).
    pub immutable: bool,
    /// Fields that are not stored (`no-cache="…"`, `private="…"`).
    pub withheld: Vec<HeaderName>,
}

/// Why an answer is not stored; the text goes into `Cache-Status` as `detail` (RFC 9211 §2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotStored {
    /// `no-store` in the request or the answer.
    NoStore,
    /// `private`.
    Private,
    /// The request had `Authorization` and the answer does not say it may be shared (§3.5).
    Authorization,
    /// `Set-Cookie` without the policy's leave.
    SetCookie,
    /// Not marked `public` on a route that requires it.
    NotPublic,
    /// `Vary: *`.
    VaryAny,
    /// A status that is never stored, or `must-understand` with one that is not understood.
    Status,
    /// Neither the origin nor the policy says how long it is fresh.
    NoFreshness,
    /// Stale on arrival and nothing to revalidate it with.
    Stale,
    /// An event stream: it has no end, and those who wait for one wait in vain.
    Stream,
    /// Over `max_object`.
    TooLarge,
    /// Trailers: they would be lost.
    Trailers,
    /// No room for bodies that are being stored.
    Busy,
    /// The body ended before its announced end.
    Incomplete,
}

impl NotStored {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::NoStore,
        Self::Private,
        Self::Authorization,
        Self::SetCookie,
        Self::NotPublic,
        Self::VaryAny,
        Self::Status,
        Self::NoFreshness,
        Self::Stale,
        Self::Stream,
        Self::TooLarge,
        Self::Trailers,
        Self::Busy,
        Self::Incomplete,
    ];

    /// As a token for `Cache-Status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::SetCookie => "set-cookie",
            Self::NotPublic => "not-public",
            Self::VaryAny => "vary",
            Self::Status => "status",
            Self::NoFreshness => "no-freshness",
            Self::Stale => "stale",
            Self::Stream => "stream",
            Self::TooLarge => "too-large",
            Self::Trailers => "trailers",
            Self::Busy => "busy",
            Self::Incomplete => "incomplete",
        }
    }
}

/// The terms on which the answer may be stored, or why it may not.
///
/// `request` is the head as the client sent it. The answer's body is not looked at: bounds on it are
/// the store's business.
pub fn assess(
    request: &HeaderMap,
    status: StatusCode,
    response: &HeaderMap,
    rules: &Cache,
    received: Received,
) -> Result<Terms, NotStored> {
    let targeted = targeted::read(response);
    // RFC 9213 §2.2: a targeted field stands for Cache-Control and for Expires.
    let expires = match &targeted {
        Some(_) => Dated::Absent,
        None => date_field(response, EXPIRES, received.wall_s),
    };
    let said = targeted.unwrap_or_else(|| ResponseDirectives::read(response));
    forbidden(request, status, response, rules, &said)?;

    let date = match date_field(response, DATE, received.wall_s) {
        Dated::At(seconds) => seconds,
        Dated::Absent | Dated::Invalid => received.wall_s,
    };
    let terms = Terms {
        lifetime_ns: lifetime_ns(Answer { status, response, expires, date }, rules, &said)?,
        initial_age_ns: initial_age_ns(response, date, received),
        date_s: date,
        ask_always: said.no_cache == Qualified::Whole,
        ask_stale: said.must_revalidate || said.proxy_revalidate || said.s_maxage.is_some(),
        authorized: shareable(&said),
        while_revalidate: said.stale_while_revalidate,
        if_error: said.stale_if_error,
        immutable: said.immutable,
        withheld: [said.no_cache, said.private]
            .into_iter()
            .flat_map(|directive| match directive {
                Qualified::Fields(fields) => fields,
                Qualified::Absent | Qualified::Whole => Vec::new(),
            })
            .collect(),
    };
    let has_validator = response.contains_key(ETAG) || response.contains_key(LAST_MODIFIED);
    if has_validator || terms.is_fresh(terms.initial_age_ns) || terms.may_be_stale(rules) {
        Ok(terms)
    } else {
        Err(NotStored::Stale)
    }
}

/// Everything that forbids storing regardless of freshness (RFC 9111 §3).
fn forbidden(
    request: &HeaderMap,
    status: StatusCode,
    response: &HeaderMap,
    rules: &Cache,
    said: &ResponseDirectives,
) -> Result<(), NotStored> {
    if status.is_informational() || NEVER.contains(&status.as_u16()) {
        return Err(NotStored::Status);
    }
    if said.must_understand && !UNDERSTOOD.contains(&status.as_u16()) {
        return Err(NotStored::Status);
    }
    // §5.2.2.3: with must-understand, no-store is for caches that don't know the directive.
    if Wishes::read(request).no_store || (said.no_store && !said.must_understand) {
        return Err(NotStored::NoStore);
    }
    if said.private == Qualified::Whole {
        return Err(NotStored::Private);
    }
    if request.contains_key(AUTHORIZATION) && !shareable(said) {
        return Err(NotStored::Authorization);
    }
    if response.contains_key(SET_COOKIE) && !rules.store_set_cookie {
        return Err(NotStored::SetCookie);
    }
    if rules.require_public && !said.public {
        return Err(NotStored::NotPublic);
    }
    if Vary::read(response) == Vary::Anything {
        return Err(NotStored::VaryAny);
    }
    if is_event_stream(response) {
        return Err(NotStored::Stream);
    }
    if response.contains_key(TRAILER) {
        return Err(NotStored::Trailers);
    }
    Ok(())
}

/// Server-sent events (WHATWG HTML §9.2).
fn is_event_stream(response: &HeaderMap) -> bool {
    const EVENTS: &[u8] = b"text/event-stream";
    let media_type = response.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    media_type.get(..EVENTS.len()).is_some_and(|start| start.eq_ignore_ascii_case(EVENTS))
}

/// Whether the answer to one authorised request may serve others (RFC 9111 §3.5).
fn shareable(said: &ResponseDirectives) -> bool {
    said.public || said.must_revalidate || said.s_maxage.is_some()
}

/// What its lifetime is read from.
#[derive(Clone, Copy)]
struct Answer<'a> {
    status: StatusCode,
    response: &'a HeaderMap,
    /// As far as it counts.
    expires: Dated,
    /// Its `Date`, or when it came.
    date: u64,
}

/// How old the answer may get (RFC 9111 §4.2.1), in the order of the clauses; then, where the origin
/// says nothing, what the policy's `heuristic` makes of it, then the policy's `fresh_for`.
fn lifetime_ns(
    answer: Answer<'_>,
    rules: &Cache,
    said: &ResponseDirectives,
) -> Result<u64, NotStored> {
    if let Some(delta) = said.s_maxage.or(said.max_age) {
        return Ok(delta.seconds() * SECOND_NS);
    }
    match answer.expires {
        Dated::At(expires) => {
            let lifetime = expires.saturating_sub(answer.date);
            return Ok(lifetime.min(Delta::MAX.seconds()) * SECOND_NS);
        }
        // §5.3: an invalid date means already expired.
        Dated::Invalid => return Ok(0),
        Dated::Absent => {}
    }
    if said.no_cache == Qualified::Whole {
        return Ok(0);
    }
    if let Some(guessed_ns) = heuristic_ns(answer, rules, said) {
        return Ok(guessed_ns);
    }
    match rules.fresh_for {
        Some(fresh_for) if POLICY_MAY.contains(&answer.status.as_u16()) => {
            Ok(u64::try_from(fresh_for.as_nanos()).unwrap_or(u64::MAX))
        }
        _ => Err(NotStored::NoFreshness),
    }
}

/// The policy's share of the time since the last change (RFC 9111 §4.2.2): only for the statuses
/// that are cacheable without being told so, and for whatever is `public`.
fn heuristic_ns(answer: Answer<'_>, rules: &Cache, said: &ResponseDirectives) -> Option<u64> {
    let share = rules.heuristic?;
    if !said.public && !HEURISTICALLY.contains(&answer.status.as_u16()) {
        return None;
    }
    let Dated::At(modified) = date_field(answer.response, LAST_MODIFIED, answer.date) else {
        return None;
    };
    let unchanged_s = answer.date.saturating_sub(modified).min(Delta::MAX.seconds());
    Some((unchanged_s as f64 * share.ratio()) as u64 * SECOND_NS)
}

/// `corrected_initial_age` (RFC 9111 §4.2.3).
fn initial_age_ns(response: &HeaderMap, date: u64, received: Received) -> u64 {
    let apparent_ns = received.wall_s.saturating_sub(date).min(Delta::MAX.seconds()) * SECOND_NS;
    let corrected_ns =
        (age_field(response).seconds() * SECOND_NS).saturating_add(received.delay_ns);
    apparent_ns.max(corrected_ns)
}

/// Never stored: parts (206), 304, and errors about the request's own head, which another request
/// for the same resource would not get (cache poisoning by malformed or oversized headers).
const NEVER: &[u16] = &[206, 304, 412, 413, 416, 417, 431];

/// Statuses whose caching rules are known here (RFC 9110 §15), for `must-understand`.
const UNDERSTOOD: &[u16] = &[
    200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 406,
    408, 409, 410, 411, 414, 415, 421, 422, 426, 428, 429, 500, 501, 502, 503, 504, 505,
];

/// The heuristically cacheable statuses (RFC 9110 §15.1) but 206, which is not stored.
const HEURISTICALLY: &[u16] = &[200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];

/// Statuses that the policy's `fresh_for` applies to: the heuristically cacheable ones (RFC 9110
/// §15.1) that are no errors. Whether an error may be reused is for the origin to say.
const POLICY_MAY: &[u16] = &[200, 203, 204, 300, 301, 308];

#[cfg(test)]
mod tests;
