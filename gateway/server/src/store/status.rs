//! How the cache took part in an answer: for its `Cache-Status` field (RFC 9211), and in the same words
//! for the call's trace.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue, StatusCode};
use sumun_engine::freshness::NotStored;

use super::Outcome;
use super::entry::CACHE_STATUS;
use crate::telemetry::record::CacheResult;

/// The words of `detail` that say by which rule a stored answer was served.
pub(crate) const WHILE_REVALIDATE: &str = "stale-while-revalidate";
/// In place of an error of the origin.
pub(crate) const IF_ERROR: &str = "stale-if-error";
/// In place of a refusal.
pub(crate) const IF_SHED: &str = "stale-if-shed";
/// From the store that gateways share.
pub(crate) const SHARED: &str = "redis";

/// The words of `detail` that say why an answer is not stored, besides those of [`NotStored`]: it is one
/// to HEAD.
const HEAD: &str = "head";
/// A 304 that is about another answer than the stored one (RFC 9111 §4.3.4).
pub(crate) const OTHER_TAG: &str = "other-tag";

/// It streams into the store, and may outgrow its bound or have trailers.
const STORING: &str = "storing";

/// What the trace says where `Cache-Status` has the parameter of this name.
const STORED: &str = "stored";

/// Why a call went to the origin (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forwarded {
    /// The cache was not asked.
    Bypass(Bypassed),
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

/// Why the cache has nothing to do with a GET or HEAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bypassed {
    /// It has a body, which no key holds.
    Body,
    /// `If-Match` or `If-Unmodified-Since`: only the origin can judge it.
    Precondition,
}

impl Bypassed {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Precondition => "precondition",
        }
    }
}

impl Forwarded {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bypass(_) => "bypass",
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
    /// The origin's answer, which is none of the store's business.
    Forwarded(Forwarded),
    /// The origin's answer to HEAD.
    Head(Forwarded),
    /// The origin's answer, being stored. A body that is cut off ends that, and what its client gets is
    /// no answer either; and so does a lack of room for bodies, which may show when this has been said.
    Stored(Forwarded),
    /// The same with a body of unknown length: whether it is stored is known at its end.
    Storing(Forwarded),
    /// The origin's answer, not stored.
    NotStored(Forwarded, NotStored),
    /// A stored answer that the origin confirmed with 304; and why that is not stored, where it is not.
    Validated(Forwarded, Option<&'static str>),
}

impl Status {
    /// Why the origin was asked; `None`: it was not (RFC 9211 §2.1, §2.2).
    fn fwd(self) -> Option<&'static str> {
        match self {
            Self::Hit { .. } | Self::Stale { .. } | Self::SharedHit { .. } => None,
            Self::StandIn { .. } => Some(Forwarded::Stale.as_str()),
            Self::Collapsed(why)
            | Self::Forwarded(why)
            | Self::Head(why)
            | Self::Stored(why)
            | Self::Storing(why)
            | Self::NotStored(why, _)
            | Self::Validated(why, _) => Some(why.as_str()),
        }
    }

    /// By which rule it was served, or why it is not stored (RFC 9211 §2.8).
    fn detail(self) -> Option<&'static str> {
        match self {
            Self::Stale { detail, .. } => Some(detail),
            Self::StandIn { .. } => Some(IF_ERROR),
            Self::SharedHit { .. } => Some(SHARED),
            Self::Forwarded(Forwarded::Bypass(why)) => Some(why.as_str()),
            Self::Head(_) => Some(HEAD),
            Self::Storing(_) => Some(STORING),
            Self::NotStored(_, why) => Some(why.as_str()),
            Self::Validated(_, why) => why,
            Self::Hit { .. } | Self::Stored(_) | Self::Collapsed(_) | Self::Forwarded(_) => None,
        }
    }

    /// Whether the answer is stored (RFC 9211 §2.5).
    fn is_stored(self) -> bool {
        matches!(self, Self::Stored(_) | Self::Validated(_, None))
    }

    /// The same for telemetry.
    pub(crate) fn outcome(self, result: CacheResult) -> Outcome {
        let detail = self.detail().or_else(|| self.is_stored().then_some(STORED));
        Outcome { result, fwd: self.fwd(), detail }
    }

    /// As a field value.
    pub(crate) fn value(self) -> HeaderValue {
        let text = if let Self::Hit { ttl } = self {
            // Most answers by far, and in one go.
            format!("sumun; hit; ttl={ttl}")
        } else {
            let mut text = String::with_capacity(64);
            let written = self.write(&mut text);
            debug_assert!(written.is_ok(), "a String takes everything");
            text
        };
        HeaderValue::try_from(text).expect("letters, digits, '=', ';' and '-' are valid in a value")
    }

    fn write(self, text: &mut String) -> std::fmt::Result {
        match self.fwd() {
            None => text.push_str("sumun; hit"),
            Some(why) => write!(text, "sumun; fwd={why}")?,
        }
        let (ttl, fwd_status, collapsed) = match self {
            Self::Hit { ttl } | Self::Stale { ttl, .. } | Self::SharedHit { ttl } => {
                (Some(ttl), None, false)
            }
            Self::StandIn { ttl, failed, collapsed } => (Some(ttl), failed, collapsed),
            Self::Collapsed(_) => (None, None, true),
            Self::Validated(..) => (None, Some(StatusCode::NOT_MODIFIED), false),
            _ => (None, None, false),
        };
        if let Some(status) = fwd_status {
            write!(text, "; fwd-status={}", status.as_u16())?;
        }
        if collapsed {
            text.push_str("; collapsed");
        }
        if self.is_stored() {
            text.push_str("; stored");
        }
        if let Some(ttl) = ttl {
            write!(text, "; ttl={ttl}")?;
        }
        match self.detail() {
            Some(detail) => write!(text, "; detail={detail}"),
            None => Ok(()),
        }
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

#[cfg(test)]
mod tests;
