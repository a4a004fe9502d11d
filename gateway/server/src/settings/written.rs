//! YAML text as written: a tree in which every node knows its place and its bytes.
//!
//! Used for `sumun.yaml`, and to find the one token that a write-back may change in a policy file.
//! Values stay text: their kind is decided by the key they stand under. Bounds: depth
//! [`DEPTH_MAX`]; nodes by the length of the text, which callers bound.

use std::ops::Range;

use serde_saphyr::granit_parser::{Event, Options, Parser, ScanError, Span, StructureStyle};
use sumun_policy::NotYaml;

/// Deepest nesting. Ours are four levels deep; the recursion over the tree must stay shallow.
pub(crate) const DEPTH_MAX: usize = 32;

/// One node of the tree.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// What it is.
    pub value: Value,
    /// Where it begins.
    pub place: Place,
    /// Its bytes in the text; of a block collection only where it begins is exact.
    pub range: Range<usize>,
    /// Whether an anchor (`&name`) stands on it: other places may share it.
    pub anchored: bool,
}

/// A line and column, each from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A scalar after YAML's escapes; `plain`: written without quotes.
    Scalar { text: String, plain: bool },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order of the text; `flow`: written in braces.
    Map { entries: Vec<(Node, Node)>, flow: bool },
    /// `*name`: the same as an earlier node.
    Alias,
}

/// Why a text is no tree, and where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unreadable {
    /// Where.
    pub place: Place,
    /// Why.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// Reads one document; `None` where the text holds none.
pub(crate) fn read(text: &str) -> Result<Option<Node>, Unreadable> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.block_nesting_limit = DEPTH_MAX;
    options.flow_nesting_limit = DEPTH_MAX;
    let mut events = Parser::new_from_str_with_options(text, options)
        .map(|next| next.map_err(|error| unreadable(&error, text)));
    let mut root = None;
    while let Some(next) = events.next() {
        let (event, span) = next?;
        match event {
            Event::DocumentStart(..) if root.is_some() => {
                let message = "a second document begins here; one file is one document".to_owned();
                let help = "put it into a file of its own, or remove it".to_owned();
                return Err(Unreadable { place: place(&span), message, help });
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd => {}
            event => root = Some(node(event, &span, &mut events, 0)?),
        }
    }
    Ok(root.filter(|node| !node.is_null()))
}

/// Events until one node is whole.
fn node<'t, E>(
    event: Event<'t>,
    span: &Span,
    events: &mut E,
    depth: usize,
) -> Result<Node, Unreadable>
where
    E: Iterator<Item = Result<(Event<'t>, Span), Unreadable>>,
{
    let fail = |message: &str| Unreadable {
        place: place(span),
        message: message.to_owned(),
        help: "check the brackets and the indentation".to_owned(),
    };
    if depth > DEPTH_MAX {
        return Err(fail("nested too deeply"));
    }
    let mut range = bytes(span);
    let (value, anchor) = match event {
        Event::Scalar(text, style, anchor, _) => {
            let plain = style == serde_saphyr::granit_parser::ScalarStyle::Plain;
            (Value::Scalar { text: text.into_owned(), plain }, anchor)
        }
        Event::Alias(_) => (Value::Alias, 0),
        Event::SequenceStart(_, anchor, _) => {
            let mut items = Vec::new();
            while let Some((event, span)) = child(events)? {
                if event == Event::SequenceEnd {
                    range.end = bytes(&span).end;
                    break;
                }
                items.push(node(event, &span, events, depth + 1)?);
            }
            (Value::List(items), anchor)
        }
        Event::MappingStart(style, anchor, _) => {
            let mut entries = Vec::new();
            while let Some((event, span)) = child(events)? {
                if event == Event::MappingEnd {
                    range.end = bytes(&span).end;
                    break;
                }
                let key = node(event, &span, events, depth + 1)?;
                let Some((event, span)) = child(events)? else { break };
                entries.push((key, node(event, &span, events, depth + 1)?));
            }
            (Value::Map { entries, flow: style == StructureStyle::Flow }, anchor)
        }
        _ => return Err(fail("is not a value")),
    };
    Ok(Node { value, place: place(span), range, anchored: anchor != 0 })
}

fn child<'t, E>(events: &mut E) -> Result<Option<(Event<'t>, Span)>, Unreadable>
where
    E: Iterator<Item = Result<(Event<'t>, Span), Unreadable>>,
{
    events.next().transpose()
}

fn place(span: &Span) -> Place {
    let of = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place { line: of(span.start.line().max(1)), column: of(span.start.col() + 1) }
}

fn bytes(span: &Span) -> Range<usize> {
    // Byte offsets are always known for a parser over a `str`.
    span.byte_range().unwrap_or(0..0)
}

fn unreadable(error: &ScanError, text: &str) -> Unreadable {
    let NotYaml { line, column, message, help } = NotYaml::of(text, error);
    Unreadable { place: Place { line, column }, message, help }
}

// === impl Node ===

impl Node {
    /// The text of a scalar.
    pub fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether nothing is written here: empty, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The entry of a mapping, key and value.
    pub fn entry(&self, name: &str) -> Option<(&Node, &Node)> {
        let Value::Map { entries, .. } = &self.value else { return None };
        entries.iter().find(|(key, _)| key.scalar() == Some(name)).map(|(k, v)| (k, v))
    }
}

#[cfg(test)]
mod tests;
