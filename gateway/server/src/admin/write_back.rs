//! One value of a policy file changes; every other byte stays.
//!
//! The file is parsed only to find bytes: of a function's `reserved` the value's token is replaced,
//! or the entry is put in or taken out where it stands, in block or flow style. What a person wrote
//! in a way that can't be edited without touching more is refused, and so is an edit after which
//! the file would say anything else than before.

use crate::settings::written::{Node, Value, read};

/// Why a file can't be edited without changing more than one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CannotEdit {
    /// The function isn't defined here.
    #[error("the function is not defined in this file")]
    NotHere,
    /// Anchors, aliases, odd layout.
    #[error("the function is written in a way that only a person can change")]
    Shared,
}

/// Whether the file defines the function.
pub(super) fn defines(text: &str, function: &str) -> bool {
    read(text).ok().flatten().is_some_and(|root| mapping(&root, function).is_some())
}

/// The text with `reserved` of the function set, or taken out.
pub(super) fn reserve(
    text: &str,
    function: &str,
    reserved: Option<u32>,
) -> Result<String, CannotEdit> {
    let root = read(text).ok().flatten().ok_or(CannotEdit::NotHere)?;
    let mapping = mapping(&root, function).ok_or(CannotEdit::NotHere)?;
    let Value::Map { entries, flow } = &mapping.value else { return Err(CannotEdit::Shared) };
    if mapping.anchored || entries.is_empty() {
        return Err(CannotEdit::Shared);
    }
    let at = entries.iter().position(|(key, _)| key.scalar() == Some("reserved"));
    let edited = match (at, reserved) {
        (Some(at), Some(n)) => replaced(text, &entries[at], n)?,
        (Some(at), None) if *flow => taken_from_flow(text, entries, at)?,
        (Some(at), None) => taken_from_block(text, entries, at)?,
        (None, Some(n)) if *flow => put_into_flow(text, entries, n)?,
        (None, Some(n)) => put_into_block(text, entries, n)?,
        (None, None) => text.to_owned(),
    };
    if says_the_same(&root, &edited, function, reserved) {
        Ok(edited)
    } else {
        Err(CannotEdit::Shared)
    }
}

fn mapping<'n>(root: &'n Node, function: &str) -> Option<&'n Node> {
    let (_, functions) = root.entry("functions")?;
    functions.entry(function).map(|(_, mapping)| mapping)
}

type Entry = (Node, Node);

fn replaced(text: &str, (key, value): &Entry, n: u32) -> Result<String, CannotEdit> {
    if value.anchored || key.anchored {
        return Err(CannotEdit::Shared);
    }
    if value.range.is_empty() {
        // `reserved:` with nothing behind it: the value goes right after the colon.
        let colon = key.range.end + text[key.range.end..].find(':').ok_or(CannotEdit::Shared)?;
        return Ok(spliced(text, colon + 1..colon + 1, &format!(" {n}")));
    }
    Ok(spliced(text, value.range.clone(), &n.to_string()))
}

/// After the first entry whose value ends on the line it began on: there a line can be put in
/// without looking into anything.
fn put_into_block(text: &str, entries: &[Entry], n: u32) -> Result<String, CannotEdit> {
    let first = &entries[0].0;
    let line_start = text[..first.range.start].rfind('\n').map_or(0, |at| at + 1);
    let indent = &text[line_start..first.range.start];
    if !indent.bytes().all(|b| b == b' ') {
        return Err(CannotEdit::Shared);
    }
    let simple = |(_, value): &&Entry| {
        value.scalar().is_some()
            && !value.range.is_empty()
            && !text[value.range.clone()].contains('\n')
    };
    let (_, value) = entries.iter().find(simple).ok_or(CannotEdit::Shared)?;
    let line = format!("{indent}reserved: {n}");
    let rest = &text[value.range.end..];
    Ok(match rest.find('\n') {
        Some(at) => {
            let ending = if rest[..at].ends_with('\r') { "\r\n" } else { "\n" };
            let at = value.range.end + at + 1;
            spliced(text, at..at, &format!("{line}{ending}"))
        }
        None => format!("{text}\n{line}"),
    })
}

fn put_into_flow(text: &str, entries: &[Entry], n: u32) -> Result<String, CannotEdit> {
    let (_, last) = entries.last().ok_or(CannotEdit::Shared)?;
    if last.range.is_empty() {
        return Err(CannotEdit::Shared);
    }
    let at = last.range.end;
    Ok(spliced(text, at..at, &format!(", reserved: {n}")))
}

/// The whole line goes; a comment behind the value stays, at its column or left of it.
fn taken_from_block(text: &str, entries: &[Entry], at: usize) -> Result<String, CannotEdit> {
    let (key, value) = &entries[at];
    let line_start = text[..key.range.start].rfind('\n').map_or(0, |at| at + 1);
    if !text[line_start..key.range.start].bytes().all(|b| b == b' ') {
        return Err(CannotEdit::Shared);
    }
    let end = value.range.end.max(key.range.end);
    let rest = &text[end..];
    let line_end = rest.find('\n').map_or(text.len(), |at| end + at + 1);
    let behind = text[end..line_end].trim_matches([' ', '\t', '\r', '\n', ':']);
    if behind.starts_with('#') {
        let comment = end + rest.find('#').unwrap_or(0);
        return Ok(spliced(text, key.range.start..comment, ""));
    }
    if !behind.is_empty() {
        return Err(CannotEdit::Shared);
    }
    Ok(spliced(text, line_start..line_end, ""))
}

/// The entry goes with one comma: the one behind it, or where it is the last the one before.
fn taken_from_flow(text: &str, entries: &[Entry], at: usize) -> Result<String, CannotEdit> {
    let (key, value) = &entries[at];
    let end = value.range.end.max(key.range.end);
    let behind = text[end..].trim_start_matches([' ', '\t']);
    if let Some(after) = behind.strip_prefix(',') {
        let spaces = after.len() - after.trim_start_matches(' ').len();
        let end = text.len() - after.len() + spaces;
        return Ok(spliced(text, key.range.start..end, ""));
    }
    let before = at.checked_sub(1).map(|at| entries[at].1.range.end).ok_or(CannotEdit::Shared)?;
    let between = &text[before..key.range.start];
    let start = if between.trim() == "," {
        before + between.find(',').unwrap_or(0)
    } else {
        // A comment stands between: its comma stays, which flow style allows before the brace.
        key.range.start
    };
    Ok(spliced(text, start..end, ""))
}

fn spliced(text: &str, range: std::ops::Range<usize>, new: &str) -> String {
    let mut out = String::with_capacity(text.len() + new.len());
    out.push_str(&text[..range.start]);
    out.push_str(new);
    out.push_str(&text[range.end..]);
    out
}

/// Whether the edited text says what the old one said, but for this one value.
fn says_the_same(root: &Node, edited: &str, function: &str, reserved: Option<u32>) -> bool {
    let Ok(Some(new)) = read(edited) else { return false };
    let found = mapping(&new, function).and_then(|mapping| mapping.entry("reserved"));
    let wanted = reserved.map(|n| n.to_string());
    let as_wanted = match (found, &wanted) {
        (Some((_, value)), Some(wanted)) => value.scalar() == Some(wanted.as_str()),
        (None, None) => true,
        _ => false,
    };
    let strip = |root: &Node| {
        let mut said = Vec::new();
        say(root, &mut vec![], function, &mut said);
        said
    };
    as_wanted && strip(root) == strip(&new)
}

/// Every scalar with the way to it, but for the one that changes.
fn say(node: &Node, way: &mut Vec<String>, function: &str, said: &mut Vec<(Vec<String>, String)>) {
    if *way == ["functions", function, "reserved"] {
        return;
    }
    match &node.value {
        Value::Scalar { text, .. } => said.push((way.clone(), text.clone())),
        Value::Alias => said.push((way.clone(), "*".to_owned())),
        Value::List(items) => {
            for (at, item) in items.iter().enumerate() {
                way.push(at.to_string());
                say(item, way, function, said);
                way.pop();
            }
        }
        Value::Map { entries, .. } => {
            for (key, value) in entries {
                way.push(key.scalar().unwrap_or("?").to_owned());
                say(value, way, function, said);
                way.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests;
