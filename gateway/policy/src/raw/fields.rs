//! Walks one mapping by its form: unknown and missing keys, types, ranges and choices are problems.
//!
//! Every getter takes the key's bounds from the form, adds a problem where the value is none, and
//! then answers `None`, so that the caller goes on with the rest.

use std::fmt::{Display, Write as _};
use std::sync::Arc;
use std::time::Duration;

use super::form::{Form, Key, Shape, Text};
use super::node::{Entry, Findings, Node, Place, Source, Spot, Value};
use crate::problem::quoted;
use crate::units::{Misread, Percent, parse_bytes, parse_duration};

/// A value and the place it was written at.
#[derive(Clone, Debug)]
pub(crate) struct Located<T> {
    pub value: T,
    pub place: Place,
}

impl Located<&str> {
    /// The same with a text of its own, to outlive the file's tree.
    pub fn owned(self) -> Located<String> {
        Located { value: self.value.to_owned(), place: self.place }
    }
}

/// One mapping and the form that it follows.
pub(crate) struct Fields<'a> {
    form: &'static Form,
    entries: &'a [Entry],
    /// The key that the mapping is the value of (the file's start for the whole file).
    pub place: Place,
    source: &'a Arc<Source>,
    pub findings: &'a Findings,
    /// Whether opening it found no problem.
    pub clean: bool,
}

/// The word of `words` that was probably meant by `word`.
pub(crate) fn closest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    // Nothing in the format is longer; the distance costs length × length.
    const LETTERS_MAX: usize = 64;
    // Of thousands of names, the first are looked at.
    const WORDS_MAX: usize = 1_000;
    if word.len() > LETTERS_MAX {
        return None;
    }
    let folded = word.to_lowercase().replace('_', "-");
    words
        .into_iter()
        .take(WORDS_MAX)
        .map(|candidate| {
            let other = candidate.to_lowercase().replace('_', "-");
            (strsim::damerau_levenshtein(&folded, &other), candidate)
        })
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(word.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

impl<'a> Fields<'a> {
    /// Opens a mapping: its unknown, missing and contradicting keys become problems. `None` where
    /// `node` is no mapping.
    pub fn open(
        node: &'a Node,
        form: &'static Form,
        at: Spot,
        source: &'a Arc<Source>,
        findings: &'a Findings,
    ) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            // Nothing has no place of its own.
            let spot = if matches!(node.value, Value::Null) { at } else { node.spot };
            let message = format!("{} is a mapping, this is {}", form.noun, node.value.kind());
            let help = format!("its keys are {}", listing(form.keys.iter().map(|k| k.name)));
            findings.add(&Place::new(source, spot), message, help);
            return None;
        };
        let place = Place::new(source, at);
        let mut fields = Self { form, entries, place, source, findings, clean: true };
        let before = findings.count();
        fields.refuse_unknown();
        fields.refuse_missing();
        fields.refuse_contradicting();
        fields.clean = findings.count() == before;
        Some(fields)
    }

    /// Where a key stands, if it is written.
    pub fn place_of(&self, name: &str) -> Option<Place> {
        self.entry(name).map(|entry| Place::new(self.source, entry.at))
    }

    /// The mapping below a key.
    pub fn form(&self, name: &str) -> Option<Fields<'a>> {
        let (key, entry) = self.written(name)?;
        let Shape::Form(form) = key.shape else { return mistaken(name) };
        Fields::open(&entry.node, form, entry.at, self.source, self.findings)
    }

    /// The named mappings below a key, each with its name as written; `None` for those that are no
    /// mappings (and are problems).
    pub fn forms(&self, name: &str) -> Vec<(Located<&'a str>, Option<Fields<'a>>)> {
        let Some((key, entry)) = self.written(name) else { return Vec::new() };
        let Shape::Forms { of, .. } = key.shape else { return mistaken(name).unwrap_or_default() };
        let Value::Map(entries) = &entry.node.value else {
            let message = format!(
                "`{name}` maps names to {}s, this is {}",
                of.title,
                entry.node.value.kind()
            );
            let help = format!("write a name, a colon, and below it the {}'s keys", of.title);
            self.refuse(entry.node.spot, message, help);
            return Vec::new();
        };
        entries
            .iter()
            .map(|entry| {
                let place = Place::new(self.source, entry.at);
                let fields = Fields::open(&entry.node, of, entry.at, self.source, self.findings);
                (Located { value: entry.name.as_str(), place }, fields)
            })
            .collect()
    }

    /// A whole number.
    pub fn whole(&self, name: &str) -> Option<Located<u32>> {
        let (key, entry) = self.written(name)?;
        let (min, max) = match key.shape {
            Shape::Whole { min, max } => (min, max),
            Shape::Exactly(number) => (number, number),
            _ => return mistaken(name),
        };
        let example = if min == max { format!("`{min}`") } else { "for example `10`".to_owned() };
        let Value::Text { text, plain: true } = &entry.node.value else {
            return self.refuse_type(name, entry, "a whole number", &example);
        };
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return self.refuse_type(name, entry, "a whole number", &example);
        }
        match text.parse::<u32>() {
            Ok(number) if (min..=max).contains(&number) => self.found(entry, number),
            _ => self.refuse_range(name, entry, text, &min, &max),
        }
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<Located<f64>> {
        let (key, entry) = self.written(name)?;
        let Shape::Number { min, max } = key.shape else { return mistaken(name) };
        let Value::Text { text, plain: true } = &entry.node.value else {
            return self.refuse_type(name, entry, "a number", "for example `10` or `0.5`");
        };
        // Neither `inf` and `nan` nor `1e9`: figures that a person reads.
        let figures = |b: u8| b.is_ascii_digit() || b == b'.';
        let digits = text.strip_prefix('-').unwrap_or(text);
        match (digits.bytes().all(figures), text.parse::<f64>()) {
            (true, Ok(number)) if (min..=max).contains(&number) => self.found(entry, number),
            (true, Ok(_)) => self.refuse_range(name, entry, text, &min, &max),
            _ => self.refuse_type(name, entry, "a number", "for example `10` or `0.5`"),
        }
    }

    /// `true` or `false`; the form's default where it is not written.
    pub fn truth(&self, name: &str) -> bool {
        let default = self.form.key(name).is_some_and(|key| key.default == Some("true"));
        let Some((_, entry)) = self.written(name) else { return default };
        let written = match &entry.node.value {
            Value::Text { text, plain: true } if text == "true" => Some(true),
            Value::Text { text, plain: true } if text == "false" => Some(false),
            _ => self.refuse_type(name, entry, "a truth value", "`true` or `false`"),
        };
        written.and_then(|truth| self.found(entry, truth)).map_or(default, |l| l.value)
    }

    /// A percentage.
    pub fn percent(&self, name: &str) -> Option<Located<Percent>> {
        let (key, entry) = self.written(name)?;
        let Shape::Percent { min } = key.shape else { return mistaken(name) };
        self.quantity(key, entry, Percent::parse, min, "100%")
    }

    /// A duration.
    pub fn duration(&self, name: &str) -> Option<Located<Duration>> {
        let (key, entry) = self.written(name)?;
        let Shape::Duration { min, max } = key.shape else { return mistaken(name) };
        self.quantity(key, entry, parse_duration, min, max)
    }

    /// A size in bytes.
    pub fn bytes(&self, name: &str) -> Option<Located<u64>> {
        let (key, entry) = self.written(name)?;
        let Shape::Bytes { min, max } = key.shape else { return mistaken(name) };
        self.quantity(key, entry, parse_bytes, min, max)
    }

    /// One of the form's words, as the form spells it.
    pub fn choice(&self, name: &str) -> Option<Located<&'static str>> {
        let (key, entry) = self.written(name)?;
        let Shape::Choice(words) = key.shape else { return mistaken(name) };
        let all = || words.iter().map(|word| word.name);
        let Value::Text { text, .. } = &entry.node.value else {
            let help = format!("one of {}", listing(all()));
            return self.refuse_type(name, entry, "a word", &help);
        };
        let Some(word) = words.iter().find(|word| word.name == text) else {
            let help = match closest(text, all()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("it is one of {}", listing(all())),
            };
            self.refuse(entry.node.spot, format!("{} is no `{name}`", quoted(text)), help);
            return None;
        };
        self.found(entry, word.name)
    }

    /// A text, not empty and within the form's length.
    pub fn text(&self, name: &str) -> Option<Located<&'a str>> {
        let (key, entry) = self.written(name)?;
        let Shape::Text(text) = key.shape else { return mistaken(name) };
        let value = self.short_text(name, &entry.node, text)?;
        self.found(entry, value)
    }

    /// A list of texts; those that are none are left out (and are problems).
    pub fn texts(&self, name: &str) -> Option<Vec<Located<&'a str>>> {
        let (key, entry) = self.written(name)?;
        let Shape::Texts { of, min, max } = key.shape else { return mistaken(name) };
        let Value::List(items) = &entry.node.value else {
            let example = match &entry.node.value {
                Value::Text { text, .. } => quoted(text).trim_matches('`').to_owned(),
                _ => "a, b".to_owned(),
            };
            let help = format!("it in brackets, for example `[{example}]`");
            return self.refuse_type(name, entry, "a list", &help);
        };
        if items.len() < min || items.len() > max {
            let message =
                format!("`{name}` has {} entries; it may have {min} to {max}", items.len());
            let help = match items.len() {
                0 => "add an entry".to_owned(),
                count => format!("remove {} of them", count.saturating_sub(max)),
            };
            self.refuse(entry.at, message, help);
            return None;
        }
        let located = |node: &'a Node| {
            let value = self.short_text(name, node, of)?;
            Some(Located { value, place: Place::new(self.source, node.spot) })
        };
        Some(items.iter().filter_map(located).collect())
    }

    /// A mapping of names to texts; entries that are none are left out (and are problems).
    pub fn text_map(&self, name: &str) -> Vec<(Located<&'a str>, Located<&'a str>)> {
        let Some((key, entry)) = self.written(name) else { return Vec::new() };
        let Shape::TextMap { texts, max, .. } = key.shape else {
            return mistaken(name).unwrap_or_default();
        };
        let Value::Map(entries) = &entry.node.value else {
            let example = "for example `{ x-tenant: a }`";
            return self.refuse_type(name, entry, "a mapping", example).unwrap_or_default();
        };
        if entries.len() > max {
            let message = format!("`{name}` has {} entries; it may have {max}", entries.len());
            self.refuse(entry.at, message, format!("remove {} of them", entries.len() - max));
            return Vec::new();
        }
        let located = |entry: &'a Entry| {
            let value = self.short_text(&entry.name, &entry.node, texts)?;
            let name =
                Located { value: entry.name.as_str(), place: Place::new(self.source, entry.at) };
            Some((name, Located { value, place: Place::new(self.source, entry.node.spot) }))
        };
        entries.iter().filter_map(located).collect()
    }
}

impl<'a> Fields<'a> {
    fn entry(&self, name: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The key of the form and what is written for it; a key without a value is a problem.
    fn written(&self, name: &str) -> Option<(&'static Key, &'a Entry)> {
        let Some(key) = self.form.key(name) else { return mistaken(name) };
        let entry = self.entry(name)?;
        if matches!(entry.node.value, Value::Null) {
            let help = match key.shape {
                Shape::Form(_) | Shape::Forms { .. } => "write its keys below it, or remove it",
                _ => "write a value, or remove the key",
            };
            self.refuse(entry.at, format!("`{name}` has no value"), help.to_owned());
            return None;
        }
        Some((key, entry))
    }

    /// The value and where it stands.
    #[expect(clippy::unnecessary_wraps, reason = "ends what reads a key")]
    fn found<T>(&self, entry: &Entry, value: T) -> Option<Located<T>> {
        Some(Located { value, place: Place::new(self.source, entry.node.spot) })
    }

    /// A quantity with a unit, between two others of its kind.
    fn quantity<T: PartialOrd>(
        &self,
        key: &'static Key,
        entry: &Entry,
        parse: fn(&str) -> Result<T, Misread>,
        min: &str,
        max: &str,
    ) -> Option<Located<T>> {
        let Value::Text { text, .. } = &entry.node.value else {
            return self.refuse_type(key.name, entry, "a quantity", &format!("{min} to {max}"));
        };
        let value = match parse(text) {
            Ok(value) => value,
            Err(error) => {
                self.refuse(entry.node.spot, error.message, error.help);
                return None;
            }
        };
        match (parse(min), parse(max)) {
            (Ok(low), Ok(high)) if low <= value && value <= high => self.found(entry, value),
            _ => self.refuse_range(key.name, entry, text, &min, &max),
        }
    }

    fn short_text(&self, name: &str, node: &'a Node, text: Text) -> Option<&'a str> {
        let Value::Text { text: value, .. } = &node.value else {
            let message = format!("`{name}` must be text, this is {}", node.value.kind());
            self.refuse(node.spot, message, "write one text".to_owned());
            return None;
        };
        if value.len() > text.bytes_max {
            let message = format!(
                "this is {} bytes long, at most {} are allowed",
                value.len(),
                text.bytes_max
            );
            self.refuse(node.spot, message, "shorten it".to_owned());
            return None;
        }
        Some(value)
    }

    fn refuse(&self, spot: Spot, message: String, help: String) {
        self.findings.add(&Place::new(self.source, spot), message, help);
    }

    fn refuse_type<T>(&self, name: &str, entry: &Entry, wanted: &str, help: &str) -> Option<T> {
        let found = match &entry.node.value {
            Value::Text { text, plain: true } => quoted(text),
            // What stands in quotes may look right, and is a text all the same.
            Value::Text { text, plain: false } => format!("the text {}", quoted(text)),
            other => other.kind().to_owned(),
        };
        let message = format!("`{name}` must be {wanted}, this is {found}");
        self.refuse(entry.node.spot, message, format!("write {help}"));
        None
    }

    fn refuse_range<T>(
        &self,
        name: &str,
        entry: &Entry,
        text: &str,
        min: &dyn Display,
        max: &dyn Display,
    ) -> Option<T> {
        let (min, max) = (min.to_string(), max.to_string());
        let (message, help) = if min == max {
            (format!("`{name}` is {}, it must be {min}", quoted(text)), format!("write `{min}`"))
        } else {
            let message = format!("`{name}` is {}, out of range", quoted(text));
            (message, format!("write {min} to {max}"))
        };
        self.refuse(entry.node.spot, message, help);
        None
    }

    fn refuse_unknown(&self) {
        let names = || self.form.keys.iter().map(|key| key.name);
        for entry in self.entries {
            if self.findings.is_full() {
                return;
            }
            if self.form.key(&entry.name).is_some() {
                continue;
            }
            let mut message = format!("{} has no key {}", self.form.noun, quoted(&entry.name));
            // A letter of another alphabet may look like ours.
            if let Some(other) = entry.name.chars().find(|c| c.is_alphabetic() && !c.is_ascii()) {
                let _ = write!(message, ", with the letter `{other}` (U+{:04X})", u32::from(other));
            }
            let help = match closest(&entry.name, names()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("its keys are {}", listing(names())),
            };
            self.refuse(entry.at, message, help);
        }
    }

    /// Whether a key that there is not was probably meant to be this one: a mistake is one problem.
    fn is_misspelt(&self, name: &str) -> bool {
        let names = || self.form.keys.iter().map(|key| key.name);
        let unknown = self.entries.iter().filter(|entry| self.form.key(&entry.name).is_none());
        // As many as are looked at for one name.
        unknown.take(64).any(|entry| closest(&entry.name, names()) == Some(name))
    }

    fn refuse_missing(&self) {
        for key in self.form.keys.iter().filter(|key| key.required) {
            if self.entry(key.name).is_some() || self.is_misspelt(key.name) {
                continue;
            }
            let message = format!("{} needs `{}`", self.form.noun, key.name);
            let help = match key.shape {
                Shape::Exactly(number) => format!("add `{}: {number}`", key.name),
                _ => format!("add `{}`. {}", key.name, key.about),
            };
            self.findings.add(&self.place, message, help);
        }
    }

    fn refuse_contradicting(&self) {
        let names = self.form.exactly_one;
        let written: Vec<_> = names.iter().filter_map(|name| self.entry(name)).collect();
        if names.is_empty() || written.len() == 1 {
            return;
        }
        let one_of = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
        match written.iter().max_by_key(|entry| entry.at) {
            None if names.iter().any(|name| self.is_misspelt(name)) => {}
            None => {
                let message = format!("{} needs {one_of}", self.form.noun);
                self.findings.add(&self.place, message, format!("add {one_of}"));
            }
            Some(last) => {
                let message = format!("{} has {one_of}, not both", self.form.noun);
                self.refuse(last.at, message, format!("remove `{}` or the other", last.name));
            }
        }
    }
}

/// A getter that does not fit the form: a mistake in this crate, found by every test that comes
/// by; in a release the key counts as not written.
fn mistaken<T>(name: &str) -> Option<T> {
    debug_assert!(false, "the form has no such key or another shape: {name}");
    None
}

/// Words for a message: "`a`, `b`, `c`".
fn listing<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
