//! Which traces are asked for.

use super::{Kept, Kind};
use crate::telemetry::labels::cache_label;

/// Which traces are asked for; what is `None` asks for nothing in particular.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Why they are kept.
    pub kind: Option<Kind>,
    /// Name of their route.
    pub route: Option<String>,
    /// What was decided.
    pub decision: Option<Decision>,
    /// What they were answered.
    pub status: Option<StatusWanted>,
    /// Least duration, ns.
    pub least_ns: u64,
    /// Who called.
    pub caller: Option<String>,
    /// How the cache took part, as the metrics have it.
    pub cache: Option<String>,
    /// Only those kept before this one.
    pub before: Option<u64>,
    /// How many.
    pub limit: usize,
}

/// What was decided of a call; in shadow mode, what would have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Let through.
    Admit,
    /// Refused.
    Refuse,
    /// Refused, but answered from a stale stored answer.
    Stale,
    /// Nothing was asked.
    None,
}

/// A status or a class of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusWanted {
    /// `429`
    Exactly(u16),
    /// `4xx`: its first digit.
    Class(u16),
}

// === impl Wanted ===

impl Wanted {
    /// Whether a call is one of them.
    pub(super) fn takes(&self, kept: &Kept) -> bool {
        let record = &kept.record;
        let is = |wanted: &Option<String>, value: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| value == Some(wanted))
        };
        self.before.is_none_or(|before| kept.number < before)
            && self.kind.is_none_or(|kind| kept.kind == kind)
            && self.status.is_none_or(|status| status.takes(record.status))
            && record.ended_ns.saturating_sub(record.started_ns) >= self.least_ns
            && self.decision.is_none_or(|decision| record.told().decision == decision.as_str())
            && is(&self.route, record.route_name())
            && is(&self.caller, record.caller.as_deref())
            && is(&self.cache, record.cache.map(cache_label))
    }
}

// === impl Decision ===

impl Decision {
    fn as_str(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Refuse => "refuse",
            Self::Stale => "stale",
            Self::None => "none",
        }
    }
}

// === impl StatusWanted ===

impl StatusWanted {
    /// `429` or `4xx`; `None`: neither.
    pub fn parse(text: &str) -> Option<Self> {
        let known = |status: &u16| (100..600).contains(status);
        match text.strip_suffix("xx") {
            Some(class) => {
                let class: u16 = class.parse().ok()?;
                (1..=5).contains(&class).then_some(Self::Class(class))
            }
            None => text.parse().ok().filter(known).map(Self::Exactly),
        }
    }

    fn takes(self, status: u16) -> bool {
        match self {
            Self::Exactly(wanted) => status == wanted,
            Self::Class(class) => status / 100 == class,
        }
    }
}
