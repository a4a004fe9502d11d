//! May a stored answer be served to this request without asking the origin, or in place of an answer
//! that can't be had? (RFC 9111 §4, §5.2.1; RFC 5861)

use std::time::Duration;

use sumun_policy::policy::Cache;

use super::SECOND_NS;
use super::directives::{Delta, Wishes};
use super::storing::Terms;

/// What to do with a stored answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Serve it.
    Serve,
    /// Serve it stale, and ask the origin meanwhile (RFC 5861 §3).
    ServeAsking,
    /// Ask the origin first.
    Ask(Reason),
}

/// Why the origin is asked (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The stored answer is too old, or the origin wants to be asked each time.
    Stale,
    /// The request wants it.
    Request,
}

/// Why a stale answer is all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// The origin can't be reached, or was too slow.
    Unreachable,
    /// It answered 500, 502, 503 or 504.
    Failed,
    /// The call would be refused before the origin is asked.
    Shed,
}

/// For how long after its freshness an answer stands in for an origin that can't be reached, where
/// neither the origin nor the policy says so (RFC 9111 §4.2.4 allows it to a cache that is
/// disconnected): an outage over a night is bridged, last week's answer is none.
const DISCONNECTED: Duration = Duration::from_hours(24);

impl Terms {
    /// Current age (RFC 9111 §4.2.3) after `resident_ns` in the store, in nanoseconds.
    pub fn age_ns(&self, resident_ns: u64) -> u64 {
        self.initial_age_ns.saturating_add(resident_ns)
    }

    /// Seconds of freshness left; negative: for how long it has been stale.
    pub fn ttl_seconds(&self, age_ns: u64) -> i64 {
        (self.lifetime_ns / SECOND_NS).cast_signed() - (age_ns / SECOND_NS).cast_signed()
    }

    /// Whether it may be reused without asking, by its own terms alone.
    pub fn is_fresh(&self, age_ns: u64) -> bool {
        !self.ask_always && self.lifetime_ns > age_ns
    }

    /// Whether it may be reused stale by its own terms and some rule.
    pub(super) fn may_be_stale(&self, rules: &Cache) -> bool {
        let some = |delta: Option<Delta>| delta.is_some_and(|delta| delta > Delta::ZERO);
        let windows = some(self.while_revalidate) || some(self.if_error);
        let policy = rules.stale_while_revalidate.is_some()
            || rules.stale_if_error.is_some()
            || rules.stale_if_shed.is_some();
        !self.ask_always && !self.ask_stale && (windows || policy)
    }

    /// For how long after its freshness an answer may be served, in nanoseconds, by the longest of the
    /// windows that the origin and the policy give; of the origin's at most `said_ns_max` counts. The day
    /// of an unreachable origin that nobody has asked for is none of them.
    pub fn stale_for_ns(&self, rules: &Cache, said_ns_max: u64) -> u64 {
        if self.ask_always || self.ask_stale {
            return 0;
        }
        let window = |said: Option<Delta>, policy| match said {
            Some(said) => ns(said).min(said_ns_max),
            None => window_ns(None, policy),
        };
        window(self.while_revalidate, rules.stale_while_revalidate)
            .max(window(self.if_error, rules.stale_if_error))
            .max(window_ns(None, rules.stale_if_shed))
    }

    /// Whether a stored answer of this age serves a request with these wishes.
    pub fn judge(&self, age_ns: u64, wishes: &Wishes, rules: &Cache) -> Verdict {
        if self.ask_always {
            return Verdict::Ask(Reason::Stale);
        }
        let fresh = self.lifetime_ns > age_ns;
        // RFC 8246 §2: asking for a younger one of what can't have changed yields the same.
        let too_old = !(self.immutable && fresh) && is_older(age_ns, wishes.max_age);
        if wishes.no_cache || too_old {
            return Verdict::Ask(Reason::Request);
        }
        if wishes.min_fresh.is_some_and(|least| self.lifetime_ns < age_ns.saturating_add(ns(least)))
        {
            return Verdict::Ask(Reason::Request);
        }
        if fresh {
            return Verdict::Serve;
        }
        let staleness_ns = age_ns - self.lifetime_ns;
        if self.ask_stale {
            return Verdict::Ask(Reason::Stale);
        }
        let window = window_ns(self.while_revalidate, rules.stale_while_revalidate);
        if staleness_ns < window && tolerates(wishes, age_ns, staleness_ns) {
            return Verdict::ServeAsking;
        }
        match wishes.max_stale {
            Some(most) if staleness_ns <= ns(most) => Verdict::Serve,
            _ => Verdict::Ask(Reason::Stale),
        }
    }

    /// Whether a stored answer of this age may stand in for one that can't be had. Never against
    /// `no-cache`, `must-revalidate`, `proxy-revalidate` or `s-maxage` (RFC 9111 §4.2.4), nor against
    /// what the request says.
    pub fn stands_in(&self, why: Stale, age_ns: u64, wishes: &Wishes, rules: &Cache) -> bool {
        if self.ask_always || self.ask_stale {
            return false;
        }
        // Of the origin's and the client's word the stricter counts.
        let said = match (self.if_error, wishes.stale_if_error) {
            (Some(origin), Some(client)) => Some(origin.min(client)),
            (origin, client) => origin.or(client),
        };
        let window = match why {
            Stale::Shed => window_ns(None, rules.stale_if_shed),
            Stale::Failed => window_ns(said, rules.stale_if_error),
            Stale::Unreachable => window_ns(said, rules.stale_if_error.or(Some(DISCONNECTED))),
        };
        let staleness_ns = age_ns.saturating_sub(self.lifetime_ns);
        staleness_ns < window && tolerates(wishes, age_ns, staleness_ns)
    }
}

/// Whether a client with these wishes takes an answer that is so stale (RFC 9111 §5.2.1): one that
/// says how old it may be wants none, unless it says also how stale.
fn tolerates(wishes: &Wishes, age_ns: u64, staleness_ns: u64) -> bool {
    let young = match wishes.max_age {
        Some(_) if wishes.max_stale.is_none() && staleness_ns > 0 => false,
        most => !is_older(age_ns, most),
    };
    let within = wishes.max_stale.is_none_or(|most| staleness_ns <= ns(most));
    young && within && !wishes.no_cache && wishes.min_fresh.is_none()
}

/// "No older than now" can only be an answer made for this very request.
fn is_older(age_ns: u64, most: Option<Delta>) -> bool {
    most.is_some_and(|most| most == Delta::ZERO || age_ns > ns(most))
}

/// A window that the origin gives, else the policy's; 0: none.
fn window_ns(said: Option<Delta>, policy: Option<Duration>) -> u64 {
    match (said, policy) {
        (Some(said), _) => ns(said),
        (None, Some(policy)) => u64::try_from(policy.as_nanos()).unwrap_or(u64::MAX),
        (None, None) => 0,
    }
}

fn ns(delta: Delta) -> u64 {
    delta.seconds() * SECOND_NS
}

#[cfg(test)]
mod tests;
