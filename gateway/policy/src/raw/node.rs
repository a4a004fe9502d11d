//! The tree of one file, places in it, and where problems are gathered.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use crate::policy::Origin;
use crate::problem::{Excerpt, Problem, printable};

/// A token's place in its file: line and column from 1, width in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub line: u32,
    pub column: u32,
    pub width: u32,
}

impl Spot {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1, width: 1 };
}

/// One file's name and text.
#[derive(Debug)]
pub(crate) struct Source {
    /// Name within the folder, safe to print.
    pub name: Arc<str>,
    /// Position of the file among those that are checked together.
    pub index: usize,
    text: String,
    /// Byte offset of each line's first character.
    line_starts: Vec<usize>,
}

/// A spot in a certain file.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub source: Arc<Source>,
    pub spot: Spot,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub spot: Spot,
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A scalar; `plain` where it stands without quotes and may therefore be a number.
    Text { text: String, plain: bool },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order written; no key twice.
    Map(Vec<Entry>),
}

/// One key of a mapping and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub name: String,
    pub at: Spot,
    pub node: Node,
}

/// Where problems are gathered while a policy is checked; never more than [`Self::MAX`].
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: RefCell<Vec<Found>>,
}

/// A problem with its file's position, for sorting.
#[derive(Debug)]
struct Found {
    file_index: usize,
    problem: Problem,
}

// === impl Source ===

impl Source {
    pub fn new(name: &str, index: usize, text: String) -> Self {
        let mut line_starts = vec![0];
        let bytes = text.as_bytes();
        for (at, &byte) in bytes.iter().enumerate() {
            // YAML 1.2 §5.4: a line ends with CR LF, CR or LF.
            let ends = byte == b'\n' || (byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
            if ends {
                line_starts.push(at + 1);
            }
        }
        Self { name: printable(name).into(), index, text, line_starts }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a line without its break; empty where there is no such line.
    fn line(&self, line: u32) -> &str {
        let at = (line.max(1) - 1) as usize;
        let Some(&start) = self.line_starts.get(at) else { return "" };
        let end = self.line_starts.get(at + 1).copied().unwrap_or(self.text.len());
        self.text.get(start..end).unwrap_or("").trim_end_matches(['\r', '\n'])
    }
}

// === impl Place ===

impl Place {
    pub fn new(source: &Arc<Source>, spot: Spot) -> Self {
        Self { source: Arc::clone(source), spot }
    }

    /// Where the entry was written, as the meant policy keeps it.
    pub fn origin(&self) -> Origin {
        Origin { file: Arc::clone(&self.source.name), line: self.spot.line }
    }

    /// What is wrong here.
    pub fn problem(&self, message: String, help: String) -> Problem {
        Problem {
            line: self.spot.line,
            column: self.spot.column,
            excerpt: Excerpt::new(self.source.line(self.spot.line), self.spot.column),
            width: self.spot.width,
            ..Problem::whole_file(&self.source.name, message, help)
        }
    }
}

impl fmt::Display for Place {
    /// `file:line:col`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source.name, self.spot.line, self.spot.column)
    }
}

// === impl Value ===

impl Value {
    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Text { plain: true, text } if text.parse::<f64>().is_ok() => "a number",
            Self::Text { .. } => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

// === impl Findings ===

impl Findings {
    /// Most problems that are reported. Nobody reads more, and a generated file must not cost
    /// more memory than it has text.
    pub const MAX: usize = 1_000;

    pub fn add(&self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.add_ready(place.source.index, || place.problem(message.into(), help.into()));
    }

    /// Adds a problem that has its place already.
    pub fn add_ready(&self, file_index: usize, problem: impl FnOnce() -> Problem) {
        let mut found = self.found.borrow_mut();
        if found.len() < Self::MAX {
            found.push(Found { file_index, problem: problem() });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// Whether there are so many that no more are reported.
    pub fn is_full(&self) -> bool {
        self.count() >= Self::MAX
    }

    /// How many there are; does not grow over [`Self::MAX`].
    pub fn count(&self) -> usize {
        self.found.borrow().len()
    }

    /// All problems, by file, line and column.
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|f| (f.file_index, f.problem.line, f.problem.column));
        found.into_iter().map(|f| f.problem).collect()
    }
}
