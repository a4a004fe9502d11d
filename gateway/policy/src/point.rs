//! A place in policy files that are fine: for what turns out to be wrong only later, elsewhere.

use std::sync::Arc;

use crate::problem::Problem;
use crate::raw::{self, Findings, Place, Source, Value};

/// A problem at the key that `path` leads to (`["upstreams", "mailbox", "signals"]`), in the first of
/// the files that has it. `None`: none has it.
pub fn problem_at(
    files: &[(String, String)],
    path: &[&str],
    message: impl Into<String>,
    help: impl Into<String>,
) -> Option<Problem> {
    let place = files.iter().enumerate().find_map(|(index, (name, text))| {
        let source = Arc::new(Source::new(name, index, text.clone()));
        let mut node = raw::read(&source, &Findings::default())?;
        let mut place = None;
        for key in path {
            let Value::Map(entries) = node.value else { return None };
            let entry = entries.into_iter().find(|entry| entry.name == *key)?;
            place = Some(Place::new(&source, entry.at));
            node = entry.node;
        }
        place
    })?;
    Some(place.problem(message.into(), help.into()))
}

#[cfg(test)]
mod tests;
