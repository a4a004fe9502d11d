//! A trie of paths for each host pattern: exact hosts, suffixes from the longest, any host.

use std::collections::HashMap;
use std::sync::Arc;

use sumun_policy::policy::HostPattern;

use crate::route::Route;
use crate::snapshot::specificity::{self, Call};
use crate::snapshot::trie::{Entry, Trie};

/// Paths by host.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    exact: HashMap<Box<str>, Trie>,
    /// By suffix, with its leading dot.
    suffix: HashMap<Box<str>, Trie>,
    pub(super) any: Trie,
}

impl Hosts {
    pub(super) fn new(routes: &[Arc<Route>]) -> Self {
        let mut by_rank: Vec<&Arc<Route>> = routes.iter().collect();
        by_rank.sort_by(|a, b| specificity::order(a, b));
        let mut hosts = Self::default();
        for (rank, route) in by_rank.into_iter().enumerate() {
            let trie = match &route.policy.matcher.host {
                Some(HostPattern::Exact(host)) => hosts.exact.entry(host.clone()).or_default(),
                Some(HostPattern::Suffix(suffix)) => {
                    hosts.suffix.entry(suffix.clone()).or_default()
                }
                None => &mut hosts.any,
            };
            let matcher = &route.policy.matcher;
            let conditional = !matcher.methods.is_empty() || !matcher.headers.is_empty();
            let entry = Entry { rank: rank as u32, index: route.index as u32, conditional };
            trie.insert(&matcher.path, entry);
        }
        hosts
    }

    /// The index of the most specific route. A more specific host whose paths do not match gives
    /// way to a less specific one.
    pub(super) fn find(
        &self,
        host: &str,
        path: &str,
        call: &Call<'_>,
        routes: &[Arc<Route>],
    ) -> Option<usize> {
        let search = |trie: &Trie| trie.find(path, call, routes);
        let exact = || self.exact.get(host).and_then(search);
        let suffixes = || self.suffixes_of(host).find_map(search);
        exact().or_else(suffixes).or_else(|| search(&self.any))
    }

    /// The tries of a host's suffixes, the longest first; `*.a` does not match `a` or `.a`.
    fn suffixes_of<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Trie> {
        let dots = host.match_indices('.').map(|(dot, _)| dot).filter(|dot| *dot > 0);
        let used = if self.suffix.is_empty() { 0 } else { usize::MAX };
        dots.take(used).filter_map(|dot| self.suffix.get(&host[dot..]))
    }
}
