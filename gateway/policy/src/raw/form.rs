//! The format of a policy file: every mapping with its keys, written down once.
//!
//! The check walks files by these tables and the schema is made from them, so neither can know a
//! key, a range or a choice that the other does not. The `about` texts are the manual.

mod tables;

pub(crate) use tables::FILE;

/// A mapping of the format.
#[derive(Debug)]
pub(crate) struct Form {
    /// Its name in the schema, for example `route`.
    pub title: &'static str,
    /// What messages call it, for example `a route`.
    pub noun: &'static str,
    /// What it is, for the manual.
    pub about: &'static str,
    /// Its keys, in the order of the manual.
    pub keys: &'static [Key],
    /// Keys of which exactly one is written; empty: no such rule.
    pub exactly_one: &'static [&'static str],
}

/// A key of a mapping.
#[derive(Debug)]
pub(crate) struct Key {
    pub name: &'static str,
    /// What it does, for the manual.
    pub about: &'static str,
    pub shape: Shape,
    /// Whether it has to be written.
    pub required: bool,
    /// What holds where it is not written, as it would be written.
    pub default: Option<&'static str>,
    /// Part of the format whose behaviour is not built: checked, then refused.
    pub not_yet: bool,
}

/// What a key's value is.
#[derive(Debug)]
pub(crate) enum Shape {
    /// This whole number.
    Exactly(u32),
    /// A whole number in this range, both ends included.
    Whole { min: u32, max: u32 },
    /// A number in this range, both ends included.
    Number { min: f64, max: f64 },
    /// `true` or `false`.
    Truth,
    /// A percentage of at least this much (and at most 100 %).
    Percent { min: &'static str },
    /// A duration in this range.
    Duration { min: &'static str, max: &'static str },
    /// A size in this range.
    Bytes { min: &'static str, max: &'static str },
    /// One of these words.
    Choice(&'static [Word]),
    /// A text.
    Text(Text),
    /// A list of `min` to `max` texts.
    Texts { of: Text, min: usize, max: usize },
    /// A mapping of at most `max` names of one kind to texts.
    TextMap { names: Text, texts: Text, max: usize },
    /// A mapping of its own form.
    Form(&'static Form),
    /// Named mappings of one form, at most `max` in the folder.
    Forms { of: &'static Form, max: usize },
}

/// A word of a choice.
#[derive(Debug)]
pub(crate) struct Word {
    pub name: &'static str,
    pub about: &'static str,
}

/// What a text looks like. The check has parsers of its own; the pattern tells editors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    /// A regular expression (ECMA-262) that every accepted text matches.
    pub pattern: &'static str,
    /// Most bytes.
    pub bytes_max: usize,
}

impl Form {
    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Key {
    const fn new(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { name, about, shape, required: false, default: None, not_yet: false }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    const fn not_yet(self) -> Self {
        Self { not_yet: true, ..self }
    }
}

impl Word {
    const fn new(name: &'static str, about: &'static str) -> Self {
        Self { name, about }
    }
}
