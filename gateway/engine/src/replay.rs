//! What a policy would have done with calls that were recorded.
//!
//! A [`Recording`] holds calls as they asked for admission, waited for it and ended, and the turns of
//! the slow loop with what these saw, in the order in which they happened ([`crate::order`]). [`play`]
//! builds a fresh engine and takes it through them in virtual time: the same
//! [`crate::Route::decide_or_wait`], the same line of those who wait, the same quotas, the same slow
//! loop as live. No clock, no IO.
//!
//! - Under the policies that it was recorded under, each call meets the state that it met live and
//!   is decided alike. A recording that begins in the middle (the older part was forgotten) starts
//!   with an engine that has learned nothing; it catches up within seconds.
//! - Under a draft, a call that ran live holds its slot as long as it did live; one that was refused
//!   live and is admitted by the draft, as long as the median of its route. A call that waits does so
//!   as long as the draft lets it. What upstreams reported busy is corrected by how many more or fewer
//!   calls of ours they would have had.
//!
//! Not played: how callers would have reacted, and how much slower the service would have become.
//!
//! Bounds: memory in proportion to the recording, about 100 bytes a call.

mod assemble;
mod matching;
mod pending;
mod player;

use std::collections::HashMap;
use std::sync::Arc;

use sumun_policy::Policy;
use sumun_policy::policy::Class;
use sumun_policy::units::Name;

use crate::admission::Reason;
use crate::journal::{Read, TurnNote};
use crate::time::Moment;

pub use self::assemble::Tape;
pub use self::player::{Ended, play};

/// Most routes that a recording can tell apart.
pub const ROUTES_MAX: usize = 1 << 15;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It ran.
    Admitted,
    /// A threshold refused it.
    Refused(Reason),
    /// Its function had no slot left.
    QuotaFull,
}

/// A call's admission, decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    /// When it asked, or its wait ended.
    pub at: Moment,
    /// The stamp of its turn, the lower half.
    pub order: u32,
    /// Its route, a place in [`Tape::routes`].
    pub route: u16,
    /// The compilation that decided, the lower half of [`crate::Snapshot::generation`].
    pub generation: u16,
    /// The class that it asked for.
    pub class: Class,
    /// Who asked, as a hash.
    pub caller: Option<u64>,
    /// What became of it.
    pub verdict: Verdict,
    /// In shadow mode: what would have refused it.
    pub shadow: Option<Reason>,
}

/// A call that asked, found all slots taken, and waits for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// When it asked.
    pub at: Moment,
    /// The stamp of its turn, the lower half.
    pub order: u32,
    /// Its route, a place in [`Tape::routes`].
    pub route: u16,
    /// The compilation that decides, the lower half of [`crate::Snapshot::generation`].
    pub generation: u16,
    /// The class that it asked for.
    pub class: Class,
    /// Who asked, as a hash.
    pub caller: Option<u64>,
}

/// The end of a call that ran, or of a wait without a decision: its client has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// When.
    pub at: Moment,
    /// The stamp of its turn, the lower half.
    pub order: u32,
    /// Its route, a place in [`Tape::routes`].
    pub route: u16,
}

/// Which policy decides.
#[derive(Clone, Copy, Debug)]
pub enum Under<'a> {
    /// Those that decided live, each in its time.
    Recorded,
    /// One from the beginning to the end.
    Draft(&'a Policy),
}

/// What becomes of a call in a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Played {
    /// What became of it, or why that cannot be said.
    pub verdict: Result<Verdict, Skipped>,
    /// In shadow mode: what would have refused it.
    pub shadow: Option<Reason>,
}

/// Why a call is not played: which route it would take, nobody can tell from the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Skipped {
    /// The draft has no route of this name.
    RouteRemoved,
    /// The draft's route of this name matches other calls.
    MatchChanged,
    /// Another route of the draft, new or changed, may take it.
    MatchedElsewhere,
}

/// Calls and turns in the order in which they happened; made by [`Tape::assemble`].
#[derive(Clone, Debug)]
pub struct Recording {
    policies: Vec<(u16, Arc<Policy>)>,
    routes: Vec<Name>,
    upstreams: Vec<Name>,
    calls: Vec<Asked>,
    /// Calls that waited.
    waits: Vec<Wait>,
    /// Of each call its place in `waits`, where it waited.
    waited: HashMap<u32, u32>,
    /// Of each call: how long it held its slot, where its end is known.
    held_ns: Vec<Option<u64>>,
    /// Calls before this place were in flight when the recording begins.
    carried: usize,
    events: Vec<Event>,
    whole: bool,
    /// Callers that were remembered of a route.
    callers_max: usize,
}

/// A call in the line.
#[derive(Clone, Copy, Debug)]
struct Wait {
    joined: Joined,
    /// The call that it became; `None`: its client left, or it still waits.
    call: Option<u32>,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
struct Event {
    at: Moment,
    /// Place in [`Recording::upstreams`].
    upstream: u16,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// The wait at this place begins.
    Join(u32),
    /// It ends without a decision.
    Abandon(u32),
    /// The call at this place is decided, which ends its wait where it has waited.
    Ask(u32),
    /// The call at this place ends.
    Leave(u32),
    /// A gauge is read, by the compilation `.1`.
    Read(Read, u16),
    Turn(TurnNote),
}

// === impl Recording ===

impl Recording {
    /// The calls that asked while it was recorded, in order.
    pub fn calls(&self) -> &[Asked] {
        &self.calls[self.carried..]
    }

    /// The name of a call's route.
    pub fn route(&self, asked: &Asked) -> Option<&Name> {
        self.routes.get(usize::from(asked.route))
    }

    /// From the first to the last call; `None` without calls.
    pub fn span(&self) -> Option<(Moment, Moment)> {
        let at = || self.calls().iter().map(|asked| asked.at);
        Some((at().min()?, at().max()?))
    }

    /// Whether it goes back to the first policy: then its start is known exactly.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// The policy of a compilation.
    fn policy(&self, generation: u16) -> Option<&Arc<Policy>> {
        self.policies.iter().find(|(known, _)| *known == generation).map(|(_, policy)| policy)
    }
}

// === impl Event ===

impl Event {
    /// The compilation under which a call is decided with it.
    fn decides(&self, recording: &Recording) -> Option<u16> {
        match self.what {
            What::Ask(_) | What::Join(_) => self.generation(recording),
            _ => None,
        }
    }

    /// The compilation that decides.
    fn generation(&self, recording: &Recording) -> Option<u16> {
        match &self.what {
            What::Ask(place) => Some(recording.calls[*place as usize].generation),
            What::Join(place) => Some(recording.waits[*place as usize].joined.generation),
            What::Read(_, generation) => Some(*generation),
            What::Turn(turn) => Some(turn.generation),
            What::Leave(_) | What::Abandon(_) => None,
        }
    }
}

// === impl Skipped ===

impl Skipped {
    /// As the admin API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RouteRemoved => "route_removed",
            Self::MatchChanged => "match_changed",
            Self::MatchedElsewhere => "matched_elsewhere",
        }
    }
}

// === impl Verdict ===

impl Verdict {
    /// The code of a refusal, as callers see it; `None`: it ran.
    pub const fn code(self) -> Option<&'static str> {
        match self {
            Self::Admitted => None,
            Self::Refused(reason) => Some(reason.code()),
            Self::QuotaFull => Some("quota_full"),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
