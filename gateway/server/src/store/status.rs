//! The `Cache-Status` field of an answer (RFC 9211).

use http::{HeaderMap, HeaderValue};
use sumun_engine::freshness::NotStored;

use super::entry::CACHE_STATUS;

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
    fn as_str(self) -> &'static str {
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
            Self::SharedHit { ttl } => format!("sumun; hit; ttl={ttl}; detail=redis"),
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

    /// Appended to what caches nearer to the origin have said (RFC 9211 §2).
    pub(crate) fn append_to(self, head: &mut HeaderMap) {
        head.append(CACHE_STATUS, self.value());
    }
}
