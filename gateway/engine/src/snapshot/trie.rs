//! Path patterns by segment.
//!
//! Each route has a *rank*, its place in the order of specificity; a node knows the lowest rank
//! under it. The search keeps the lowest rank that matches and never enters a node that cannot
//! beat it. Its cost depends on the branches that fit the path, not on how many routes there are.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use sumun_policy::policy::{PathPattern, Segment};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::route::Route;
use crate::snapshot::specificity::Call;

/// A route as the trie knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Place in the order of specificity, lowest first.
    pub rank: u32,
    /// Place in the snapshot's routes.
    pub index: u32,
    /// Whether its route looks at more of a call than host and path: most don't, and are found
    /// without a look at them.
    pub conditional: bool,
}

/// Patterns by segment; a node for each distinct prefix.
#[derive(Debug, Default)]
pub(super) struct Trie {
    root: Node,
}

#[derive(Debug)]
struct Node {
    rank_min: u32,
    literals: HashMap<Box<str>, Node, BuildHasherDefault<SegmentHasher>>,
    any: Option<Box<Node>>,
    /// Routes whose pattern ends here, lowest rank first.
    exact: Vec<Entry>,
    /// Routes whose pattern ends here in `**`, lowest rank first.
    rest: Vec<Entry>,
}

/// Keys come from the policy and look-ups insert nothing, so nobody can fill a bucket: a fast hash
/// without a secret does.
#[derive(Debug, Default)]
struct SegmentHasher(u64);

/// The search for the most specific match of one call.
struct Search<'a> {
    call: &'a Call<'a>,
    routes: &'a [Arc<Route>],
    best: Option<Entry>,
    /// Nodes entered: what the search costs.
    entered: usize,
}

// === impl Trie ===

impl Trie {
    /// Adds a pattern; entries must come in the order of their rank.
    pub(super) fn insert(&mut self, pattern: &PathPattern, entry: Entry) {
        let mut node = &mut self.root;
        node.rank_min = node.rank_min.min(entry.rank);
        for segment in &pattern.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::Any => &mut **node.any.get_or_insert_default(),
            };
            node.rank_min = node.rank_min.min(entry.rank);
        }
        if pattern.rest { node.rest.push(entry) } else { node.exact.push(entry) }
    }

    /// The index of the most specific route; `path` begins with a slash, else nothing matches.
    pub(super) fn find(&self, path: &str, call: &Call<'_>, routes: &[Arc<Route>]) -> Option<usize> {
        self.search(path, call, routes)?.best.map(|entry| entry.index as usize)
    }

    /// Nodes that looking for a path enters.
    #[cfg(all(test, not(loom)))]
    pub(super) fn cost(&self, path: &str, call: &Call<'_>, routes: &[Arc<Route>]) -> usize {
        self.search(path, call, routes).map_or(0, |search| search.entered)
    }

    fn search<'a>(
        &self,
        path: &str,
        call: &'a Call<'a>,
        routes: &'a [Arc<Route>],
    ) -> Option<Search<'a>> {
        let path = path.strip_prefix('/')?;
        let mut search = Search { call, routes, best: None, entered: 0 };
        search.visit(&self.root, (!path.is_empty()).then_some(path));
        Some(search)
    }
}

// === impl Search ===

impl Search<'_> {
    /// Depth is bounded by the longest pattern: a node has a child only where a pattern goes on.
    fn visit(&mut self, node: &Node, rest: Option<&str>) {
        if self.best.is_some_and(|best| best.rank <= node.rank_min) {
            return;
        }
        self.entered += 1;
        match rest {
            None => self.consider(&node.exact),
            Some(path) => {
                // Segments are short: a plain loop is cheaper than a search that is set up.
                let (segment, rest) = match path.bytes().position(|byte| byte == b'/') {
                    Some(slash) => (&path[..slash], Some(&path[slash + 1..])),
                    None => (path, None),
                };
                if let Some(child) = node.literals.get(segment) {
                    self.visit(child, rest);
                }
                if let Some(child) = node.any.as_deref().filter(|_| !segment.is_empty()) {
                    self.visit(child, rest);
                }
            }
        }
        self.consider(&node.rest);
    }

    fn consider(&mut self, entries: &[Entry]) {
        let beaten = self.best.map_or(u32::MAX, |best| best.rank);
        let better = entries.iter().take_while(|entry| entry.rank < beaten);
        let mut meeting = better.filter(|entry| {
            !entry.conditional || self.call.meets(&self.routes[entry.index as usize].policy.matcher)
        });
        if let Some(found) = meeting.next() {
            self.best = Some(*found);
        }
    }
}

// === impl Node ===

impl Default for Node {
    fn default() -> Self {
        Self {
            rank_min: u32::MAX,
            literals: HashMap::default(),
            any: None,
            exact: Vec::new(),
            rest: Vec::new(),
        }
    }
}

// === impl SegmentHasher ===

impl Hasher for SegmentHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// `str` ends its bytes with 0xff; a hash of whole segments needs no terminator.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
