//! What the files say, before references are looked up.

use std::collections::BTreeMap;

use crate::policy::{Pool, Upstream};
use crate::problem::quoted;
use crate::raw::form::{FILE, Shape};
use crate::raw::{Fields, Findings, Located, Place};
use crate::units::Name;

use super::function::{self, FunctionDraft};
use super::route::{self, RouteDraft};
use super::upstream;

/// The parts of all files so far.
#[derive(Default)]
pub(super) struct Draft {
    pub pool: Option<Located<Pool>>,
    pub upstreams: Section<Upstream>,
    pub functions: Section<FunctionDraft>,
    pub routes: Section<RouteDraft>,
    /// Whether something of the folder could not be read at all: a name that is missing may then
    /// stand there, so it is no problem of its own.
    pub partial: bool,
}

/// Named entries of one kind by their names as written.
pub(super) struct Section<T>(pub BTreeMap<String, Entry<T>>);

/// One named entry; without an item where it has problems.
pub(super) struct Entry<T> {
    pub place: Place,
    pub item: Option<T>,
    /// Whether it was drafted without a problem: what it does not say, it does not mean.
    pub sound: bool,
}

impl Draft {
    /// Adds what a file says.
    pub fn take(&mut self, file: &Fields<'_>) {
        // A wrong version is a problem; the rest is checked by the version that this is.
        let _ = file.whole("version");
        self.take_pool(file);
        self.upstreams.take(file, "upstreams", upstream::draft);
        self.functions.take(file, "functions", function::draft);
        self.routes.take(file, "routes", route::draft);
    }

    fn take_pool(&mut self, file: &Fields<'_>) {
        let Some(place) = file.place_of("pool") else { return };
        if let Some(first) = &self.pool {
            let message = format!("the pool is defined twice; the first is at {}", first.place);
            file.findings.add(&place, message, "keep one of the two");
        }
        let Some(pool) = file.form("pool").and_then(|fields| function::pool(&fields)) else {
            return;
        };
        self.pool.get_or_insert(Located { value: pool, place });
    }
}

impl<T> Default for Section<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Section<T> {
    /// The entry's item, if it has one.
    pub fn item(&self, name: &str) -> Option<&T> {
        self.0.get(name)?.item.as_ref()
    }

    fn take(
        &mut self,
        file: &Fields<'_>,
        key: &str,
        draft: fn(Name, &Place, &Fields<'_>) -> Option<T>,
    ) {
        let max = match FILE.key(key).map(|key| &key.shape) {
            Some(Shape::Forms { max, .. }) => *max,
            _ => 0,
        };
        for (name, fields) in file.forms(key) {
            let Located { value: text, place } = name;
            if let Some(first) = self.0.get(text) {
                let message = format!(
                    "{} is defined twice in `{key}`; the first is at {}",
                    quoted(text),
                    first.place
                );
                file.findings.add(&place, message, "give one of the two another name");
                // Its own problems are still worth saying.
                let _ =
                    fields.zip(Name::new(text)).map(|(fields, name)| draft(name, &place, &fields));
                continue;
            }
            if self.0.len() == max {
                let message = format!("the folder has more than {max} `{key}`");
                return file.findings.add(&place, message, "split the gateway, or join entries");
            }
            let name = Name::new(text).or_else(|| refuse_name(text, &place, file.findings));
            let clean = fields.as_ref().is_some_and(|fields| fields.clean);
            let before = file.findings.count();
            let item = fields.zip(name).and_then(|(fields, name)| draft(name, &place, &fields));
            let sound = clean && file.findings.count() == before;
            self.0.insert(text.to_owned(), Entry { place, item, sound });
        }
    }
}

fn refuse_name(text: &str, place: &Place, findings: &Findings) -> Option<Name> {
    let help = "write at most 63 lower-case letters, digits, `.`, `_` and `-`, \
                beginning with a letter or digit";
    findings.add(place, format!("{} cannot be a name", quoted(text)), help);
    None
}
