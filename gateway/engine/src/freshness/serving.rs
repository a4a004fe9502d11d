//! May a stored answer be served to this request without asking the origin? (RFC 9111 §4, §5.2.1)

use super::SECOND_NS;
use super::directives::{Delta, Wishes};
use super::storing::Terms;

/// What to do with a stored answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Serve it.
    Serve,
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

    /// Whether a stored answer of this age serves a request with these wishes.
    pub fn judge(&self, age_ns: u64, wishes: &Wishes) -> Verdict {
        let ns = |delta: Delta| delta.seconds() * SECOND_NS;
        if self.ask_always {
            return Verdict::Ask(Reason::Stale);
        }
        if wishes.no_cache || wishes.max_age.is_some_and(|most| age_ns > ns(most)) {
            return Verdict::Ask(Reason::Request);
        }
        if wishes.max_age == Some(Delta::ZERO) {
            // "No older than now": only an answer made for this very request is that young.
            return Verdict::Ask(Reason::Request);
        }
        if wishes.min_fresh.is_some_and(|least| self.lifetime_ns < age_ns.saturating_add(ns(least)))
        {
            return Verdict::Ask(Reason::Request);
        }
        if self.lifetime_ns > age_ns {
            return Verdict::Serve;
        }
        match wishes.max_stale {
            Some(most) if !self.ask_stale && age_ns - self.lifetime_ns <= ns(most) => {
                Verdict::Serve
            }
            _ => Verdict::Ask(Reason::Stale),
        }
    }
}

#[cfg(test)]
mod tests;
