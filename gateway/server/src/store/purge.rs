//! Purges by an operator: what they cover, how, and what they would find.
//!
//! A purge holds at once, also for what is being fetched, and on every gateway that shares the store
//! within a second. A hard one removes; a soft one makes stale from now on, so that the stale rules and
//! a revalidation decide. Both walk the whole store to say what they found: not for the request path.

use std::collections::BTreeMap;

use sumun_engine::freshness::Labels;
use sumun_policy::policy::CacheKey;
use sumun_policy::units::Name;

use super::Cache;
use super::key::{Key, Resource};
use super::memory::{Holdings, Scope};
use super::redis::soft;

/// What is purged.
#[derive(Clone, Copy, Debug)]
pub enum What<'a> {
    /// All variants of a URL, under the key rules of the route that serves it.
    Url(Resource<'a>, &'a CacheKey),
    /// All that a route stored.
    Route(&'a Name),
    /// All that carries a tag (`Surrogate-Key`, `Cache-Tag`).
    Tag(&'a str),
    /// All that belongs to a group of an origin (RFC 9875).
    Group {
        /// `http` or `https`.
        scheme: &'a str,
        /// Host and port, lower case, the scheme's default port removed.
        authority: &'a str,
        /// The group's name.
        name: &'a str,
    },
    /// Everything.
    All,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Removed.
    Hard,
    /// Stale from this moment on (monotonic ns).
    Soft(u64),
    /// Nothing: it is only looked for.
    Preview,
}

impl Cache {
    /// Purges, and says what of the first tier that was, by route. The second tier's part can't be
    /// counted without an index of it, which it does not have.
    pub fn purge(&self, what: What<'_>, manner: Manner) -> Holdings {
        match what {
            What::Url(resource, rules) => {
                self.purge_scope(Scope::Url(&Key::of_url(resource, rules)), manner)
            }
            What::Route(route) => self.purge_scope(Scope::Route(route), manner),
            What::Tag(tag) => {
                self.purge_scope(Scope::Label(Labels::of_tag(tag.as_bytes())), manner)
            }
            What::Group { scheme, authority, name } => {
                let origin = [scheme, "\n", authority].concat();
                let label = Labels::of_group(name.as_bytes(), origin.as_bytes());
                self.purge_scope(Scope::Label(label), manner)
            }
            What::All => self.purge_scope(Scope::All, manner),
        }
    }

    /// What is stored, by route. Walks the whole store: not for the request path.
    pub fn holdings(&self) -> Holdings {
        self.inner.memory.survey(Scope::All)
    }

    /// How many answers each route has lost for want of room.
    pub fn evictions(&self) -> BTreeMap<Name, u64> {
        self.inner.memory.evictions()
    }

    fn purge_scope(&self, scope: Scope<'_>, manner: Manner) -> Holdings {
        let memory = &self.inner.memory;
        let found = memory.survey(scope);
        match manner {
            Manner::Hard => {
                memory.purge(scope);
                self.inner.tell(scope.slot());
            }
            Manner::Soft(now_ns) => {
                memory.soften(scope.slot(), now_ns);
                self.inner.tell(soft(scope.slot()));
            }
            Manner::Preview => {}
        }
        found
    }
}
