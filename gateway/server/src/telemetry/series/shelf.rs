//! Tables by name: of routes, upstreams, functions.
//!
//! One begins with the first call of its name and stays over reloads, and for [`GONE_S`] after the
//! last policy that named it. Bound: `most` tables. Over it, a name that is called takes the place of
//! one that has not been for [`QUIET_S`]; where there is none such, it is not kept.

use std::collections::HashMap;

use sumun_policy::units::Name;

use super::columns::Figure;
use super::table::Table;

/// For how long a table outlives the last policy that named it: as long as a route's counters.
const GONE_S: u64 = 600;

/// A name without a call for so long may lose its table to one with calls: its seconds are gone.
const QUIET_S: u64 = 900;

/// Tables by name.
#[derive(Debug)]
pub(super) struct Shelf {
    figures: &'static [Figure],
    most: usize,
    tables: HashMap<Name, Place>,
    /// The second in which no table was quiet enough to go: it is looked for once a second.
    crowded: Option<u64>,
}

/// A table on its shelf, and when it was last of use.
#[derive(Debug)]
pub(super) struct Place {
    pub table: Table,
    /// What a counter stood at in the second before, for what has one.
    pub counted: Option<u64>,
    called: u64,
    named: u64,
}

// === impl Shelf ===

impl Shelf {
    pub(super) fn new(figures: &'static [Figure], most: usize) -> Self {
        Self { figures, most, tables: HashMap::new(), crowded: None }
    }

    /// The table of a name in this second, where it has one. Where it `is_called`, it begins one.
    pub(super) fn at(&mut self, name: &Name, second: u64, is_called: bool) -> Option<&mut Place> {
        if !self.tables.contains_key(name) {
            if !is_called || !self.has_room(second) {
                return None;
            }
            let table = Table::new(self.figures);
            let kept = Place { table, counted: None, called: second, named: second };
            self.tables.insert(name.clone(), kept);
        }
        let kept = self.tables.get_mut(name)?;
        kept.named = second;
        if is_called {
            kept.called = second;
        }
        Some(kept)
    }

    fn has_room(&mut self, second: u64) -> bool {
        if self.tables.len() < self.most {
            return true;
        }
        if self.crowded == Some(second) {
            return false;
        }
        let quiet = self.tables.iter().min_by_key(|(_, kept)| kept.called);
        let quiet = quiet.filter(|(_, kept)| kept.called + QUIET_S <= second);
        if let Some(name) = quiet.map(|(name, _)| name.clone()) {
            self.tables.remove(&name);
            return true;
        }
        self.crowded = Some(second);
        false
    }

    /// Ends a second: of those that no policy names any more nothing is known, and in the end they
    /// are forgotten.
    pub(super) fn end(&mut self, second: u64) {
        self.tables.retain(|_, kept| kept.named + GONE_S > second);
        for kept in self.tables.values_mut().filter(|kept| kept.named != second) {
            kept.table.push_unknown(second);
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Table> {
        self.tables.get(&Name::new(name)?).map(|kept| &kept.table)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&Name, &Table)> {
        self.tables.iter().map(|(name, kept)| (name, &kept.table))
    }

    /// Whether one more would find no place by right.
    pub(super) fn is_full(&self) -> bool {
        self.tables.len() >= self.most
    }
}

#[cfg(test)]
mod tests;
