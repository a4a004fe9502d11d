//! The `Cache-Status` field of an answer (RFC 9211).

use http::{HeaderMap, HeaderValue, StatusCode};
use sumun_engine::freshness::NotStored;

use super::entry::CACHE_STATUS;

/// The words of `detail` that say by which rule a stored answer was served.
pub(crate) const WHILE_REVALIDATE: &str = "stale-while-revalidate";
/// In place of an error of the origin.
pub(crate) const IF_ERROR: &str = "stale-if-error";
/// In place of a refusal.
pub(crate) const IF_SHED: &str = "stale-if-shed";
/// From the store that gateways share.
pub(crate) const SHARED: &str = "redis";

/// Why a call went to the origin (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forwarded {
    /// The cache was not asked: a body on a GET, a precondition that only the origin can judge.
    Bypass,
    /// Not GET or HEAD.
    Method,
    /// Nothing stored for the URL.
    UriMiss,
    /// Something stored for the URL, but for other request fields.
    VaryMiss,
    /// The request wanted it.
    Request,
    /// What is stored is too old.
    Stale,
    /// Part of an answer was asked for, and the whole is not stored.
    Partial,
}

impl Forwarded {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

/// How an answer came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// From the store, with this many seconds of freshness left (negative: stale).
    Hit {
        /// Seconds.
        ttl: i64,
    },
    /// From the store and stale, while the origin is asked by another call.
    Stale {
        /// Seconds, not positive.
        ttl: i64,
        /// By which rule.
        detail: &'static str,
    },
    /// From the store and stale, after the origin was asked in vain.
    StandIn {
        /// Seconds, not positive.
        ttl: i64,
        /// The origin's status, where it answered at all.
        failed: Option<StatusCode>,
        /// Whether another call asked.
        collapsed: bool,
    },
    /// From the store that gateways share, with this many seconds of freshness left.
    SharedHit {
        /// Seconds.
        ttl: i64,
    },
    /// Another call's answer, waited for.
    Collapsed(Forwarded),
    /// The origin's answer.
    Forwarded(Forwarded),
    /// The origin's answer, being stored.
    Stored(Forwarded),
    /// The origin's answer, not stored.
    NotStored(Forwarded, NotStored),
    /// A stored answer that the origin confirmed with 304.
    Validated(Forwarded),
}

impl Status {
    /// As a field value.
    pub(crate) fn value(self) -> HeaderValue {
        let text = match self {
            Self::Hit { ttl } => format!("sumun; hit; ttl={ttl}"),
            Self::Stale { ttl, detail } => format!("sumun; hit; ttl={ttl}; detail={detail}"),
            Self::StandIn { ttl, failed, collapsed } => {
                let failed = failed
                    .map_or(String::new(), |failed| format!("; fwd-status={}", failed.as_u16()));
                let collapsed = if collapsed { "; collapsed" } else { "" };
                format!("sumun; fwd=stale{failed}{collapsed}; ttl={ttl}; detail={IF_ERROR}")
            }
            Self::SharedHit { ttl } => format!("sumun; hit; ttl={ttl}; detail={SHARED}"),
            Self::Collapsed(why) => format!("sumun; fwd={}; collapsed", why.as_str()),
            Self::Forwarded(why) => format!("sumun; fwd={}", why.as_str()),
            Self::Stored(why) => format!("sumun; fwd={}; stored", why.as_str()),
            Self::NotStored(why, detail) => {
                format!("sumun; fwd={}; detail={}", why.as_str(), detail.as_str())
            }
            Self::Validated(why) => {
                format!("sumun; fwd={}; fwd-status=304; stored", why.as_str())
            }
        };
        HeaderValue::try_from(text).expect("letters, digits, '=', ';' and '-' are valid in a value")
    }

    /// As a field value, where the origin's status is not the answer's (RFC 9211 §2.3).
    pub(crate) fn value_after(self, forwarded: StatusCode) -> HeaderValue {
        let value = self.value();
        let text =
            format!("{}; fwd-status={}", value.to_str().unwrap_or_default(), forwarded.as_u16());
        HeaderValue::try_from(text).unwrap_or(value)
    }

    /// Appended to what caches nearer to the origin have said (RFC 9211 §2).
    pub(crate) fn append_to(self, head: &mut HeaderMap) {
        head.append(CACHE_STATUS, self.value());
    }
}
