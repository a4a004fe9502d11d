//! Text that is no YAML: where, why and what to do, in the words of somebody who has to mend it.
//!
//! The parser names the token at which it gave up. What is wrong often stands a little before that, or
//! can't be seen at all, so the place and the remedy are looked for here.

use serde_saphyr::granit_parser::{ErrorKind, ScanError};

use crate::problem::is_unseen;

/// Why a text is no YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotYaml {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

// === impl NotYaml ===

impl NotYaml {
    /// What the parser's error means in `text`.
    pub fn of(text: &str, error: &ScanError) -> Self {
        let (line, column) = (error.marker().line().max(1), error.marker().col() + 1);
        let info = error.info();
        let lines: Vec<&str> = lines_of(text).take(line).collect();
        if is_about_tabs(error.kind())
            && let Some((line, column)) = tab_from(text, line)
        {
            let help = "indent with spaces, never with tabs";
            return Self::at(line, column, "a tab indents the line", help);
        }
        // The parser may have taken it for a part of the line before.
        if let Some((line, column, c)) = [line, line - 1].into_iter().find_map(|line| {
            let text = lines.get(line.checked_sub(1)?)?;
            let (column, c) = unseen_in(text)?;
            Some((line, column, c))
        }) {
            let message = format!("an invisible character, U+{:04X}, stands here", u32::from(c));
            let help = "remove it, or write a space in its place";
            return Self::at(line, column, &message, help);
        }
        if info.contains("quoted scalar") || *error.kind() == ErrorKind::UnclosedQuotedScalar {
            let (line, column) = open_quote(&lines).unwrap_or((line, column));
            return Self::at(line, column, "unclosed quote", "close the quote");
        }
        Self::at(line, column, &info, remedy(error))
    }

    fn at(line: usize, column: usize, why: &str, help: &str) -> Self {
        let int = |number: usize| u32::try_from(number).unwrap_or(u32::MAX - 1);
        let message = format!("this is not YAML: {why}");
        Self { line: int(line), column: int(column), message, help: help.to_owned() }
    }
}

fn is_about_tabs(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInPlainScalar
            | ErrorKind::TabNotAllowed
    )
}

fn remedy(error: &ScanError) -> &'static str {
    let info = error.info();
    match error.kind() {
        ErrorKind::UnclosedFlowCollection { .. } => "close the bracket",
        ErrorKind::UnknownAnchor => "define the anchor (`&name`) above, or write the value out",
        ErrorKind::DirectiveDisallowed => "remove the directive",
        _ if info.starts_with("unexpected character") => {
            "put the value in quotes: unquoted, none begins like this"
        }
        _ if info.contains("anchor or alias") => {
            "put the value in quotes: an unquoted `*` or `&` names another value"
        }
        _ if info.contains("simple key expected") => {
            "write `key: value`, with a space behind the colon"
        }
        _ if info.contains("did not find expected ','") => {
            "put a value with brackets or braces in quotes; else a comma or closing bracket is missing"
        }
        _ if info.contains("mapping values are not allowed") => {
            "put a value with `: ` in it in quotes; else check the indentation here and in the line \
             above"
        }
        _ => "check the indentation, colons, quotes and brackets here and in the line above",
    }
}

/// Lines as YAML ends them (YAML 1.2 §5.4): by CR LF, CR or LF.
fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// The first tab within the indentation of a line from this one on; line and column.
fn tab_from(text: &str, line: usize) -> Option<(usize, usize)> {
    lines_of(text).zip(1..).skip(line - 1).find_map(|(text, line)| {
        let indent = &text[..text.len() - text.trim_start_matches([' ', '\t']).len()];
        Some((line, indent.find('\t')? + 1))
    })
}

/// The first character of a line that nobody sees, and its column.
fn unseen_in(line: &str) -> Option<(usize, char)> {
    let unseen = |c: char| is_unseen(c) || (c.is_control() && c != '\t');
    (1..).zip(line.chars()).find(|(_, c)| unseen(*c))
}

/// The last line with a quote that has no partner in it; line and column of that quote.
fn open_quote(lines: &[&str]) -> Option<(usize, usize)> {
    lines.iter().enumerate().rev().find_map(|(at, text)| {
        let mut open = None;
        for (c, column) in text.chars().zip(1..) {
            match open {
                None if matches!(c, '"' | '\'') => open = Some((c, column)),
                Some((quote, _)) if quote == c => open = None,
                _ => {}
            }
        }
        open.map(|(_, column)| (at + 1, column))
    })
}

#[cfg(test)]
mod tests;
