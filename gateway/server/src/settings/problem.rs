//! What is wrong with a setting, where it was written, and what to do about it.

use std::fmt::{self, Write as _};

use super::private::PrivateLines;
use super::written::Place;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// Nowhere: the default.
    Default,
    /// A file, line and column from 1.
    File {
        /// Path of the file as it was given.
        file: String,
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1.
        column: u32,
    },
    /// An environment variable.
    Environment(String),
    /// A flag, with its dashes.
    Flag(String),
}

impl Provenance {
    pub(super) fn file(file: &str, place: Place) -> Self {
        Self::File { file: file.to_owned(), line: place.line, column: place.column }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsProblem {
    /// Where it was written.
    pub place: Provenance,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
    /// The offending line of a file; empty elsewhere.
    pub(super) text: String,
    /// Whether that line may hold a secret and is not shown.
    private: bool,
}

/// Most characters of an offending line that are shown.
const EXCERPT_CHARS_MAX: usize = 160;

impl SettingsProblem {
    pub(super) fn new(
        place: Provenance,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            place,
            message: message.into(),
            help: help.into(),
            text: String::new(),
            private: false,
        }
    }

    /// Without its line: what stands there may be a secret, if in the wrong place.
    pub(super) fn private(mut self) -> Self {
        self.private = true;
        self
    }

    /// With the line of `text` that its place names, unless it is among the private ones.
    pub(super) fn with_line_of(mut self, text: &str, private: &PrivateLines) -> Self {
        if let Provenance::File { line, .. } = self.place
            && !self.private
            && !private.hold(line)
        {
            let line = text.lines().nth(line as usize - 1).unwrap_or_default();
            // A line that may hold a password is not repeated where others read.
            if !["redis", "password"].iter().any(|word| line.contains(word)) {
                line.clone_into(&mut self.text);
            }
        }
        self
    }

    /// For people: place and message, the offending line, a caret and the remedy.
    pub fn render(&self) -> String {
        let mut out = self.to_string();
        if let Provenance::File { line, column, .. } = self.place
            && !self.text.trim().is_empty()
        {
            let at = column as usize - 1;
            let skip = at.saturating_sub(EXCERPT_CHARS_MAX / 2);
            let shown = self.text.chars().skip(skip).take(EXCERPT_CHARS_MAX);
            let shown: String = shown.map(|c| if c.is_control() { ' ' } else { c }).collect();
            let blank = " ".repeat(line.to_string().len());
            let indent = " ".repeat(at - skip);
            let _ = write!(out, "\n {blank} |\n {line} | {shown}\n {blank} | {indent}^");
        }
        let _ = write!(out, "\n   help: {}", self.help);
        out
    }
}

impl fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}
