//! One diagnostic: what is wrong, exactly where, and what to do about it.
//!
//! A [`Problem`] is made while a policy is checked and outlives the text it was found in: it
//! carries its own copy of the offending line. Rendering never emits terminal escapes, not even
//! those a file contains, and crops long lines to [`Problem::EXCERPT_CHARS_MAX`].

use std::fmt;
use std::fmt::Write as _;

use serde::Serialize;

/// One thing that is wrong with a policy file.
///
/// Serialised as `{file, line, column, message, help}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Name of the file within its folder.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it; never empty.
    pub help: String,
    /// What is shown of the offending line.
    #[serde(skip)]
    pub(crate) excerpt: Excerpt,
    /// Width of the offending token on that line, in characters, at least 1.
    #[serde(skip)]
    pub(crate) width: u32,
}

/// A line as far as it is shown: at most [`Problem::EXCERPT_CHARS_MAX`] characters around a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Excerpt {
    text: String,
    /// Characters of `text` before the token.
    before: usize,
}

impl Excerpt {
    /// Cuts out of `line` what surrounds `column` (from 1).
    pub fn new(line: &str, column: u32) -> Self {
        const CHARS_MAX: usize = Problem::EXCERPT_CHARS_MAX;
        let at = (column.max(1) - 1) as usize;
        // A long line is shown from a little before the token on.
        let long = line.chars().nth(CHARS_MAX).is_some();
        let skip = if long { at.saturating_sub(CHARS_MAX / 4) } else { 0 };
        let shown: String = line.chars().skip(skip).take(CHARS_MAX).collect();
        Self { text: printable(&shown), before: at - skip }
    }
}

impl Problem {
    /// Most characters of the offending line that are shown. Enough for any line written by a
    /// person; a generated line of a mebibyte must not fill a terminal or a log.
    pub const EXCERPT_CHARS_MAX: usize = 160;

    /// A problem with a file as a whole, shown at its first character.
    pub fn whole_file(file: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            file: printable(file),
            line: 1,
            column: 1,
            message: message.into(),
            help: help.into(),
            excerpt: Excerpt::default(),
            width: 1,
        }
    }

    /// A file that is there but could not be read; `reason` is what the operating system said.
    pub fn unreadable(file: &str, reason: &str) -> Self {
        Self::whole_file(
            file,
            format!("cannot be read: {}", printable(reason)),
            "make the file readable for the user that runs the gateway",
        )
    }

    /// A file whose bytes are no UTF-8 text; the place is that of the first bad byte.
    ///
    /// On valid UTF-8 the place is the end of the text.
    pub fn not_utf8(file: &str, bytes: &[u8]) -> Self {
        let end = match std::str::from_utf8(bytes) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let before = String::from_utf8_lossy(&bytes[..end]);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = &bytes[start.min(end)..];
        let stop = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
        let byte = bytes.get(end).copied().unwrap_or_default();
        let column = u32::try_from(before[start..].chars().count() + 1).unwrap_or(u32::MAX);
        Self {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column,
            excerpt: Excerpt::new(&String::from_utf8_lossy(&rest[..stop]), column),
            ..Self::whole_file(
                file,
                format!("is not UTF-8: the byte 0x{byte:02x} does not belong here"),
                "save the file as UTF-8",
            )
        }
    }

    /// The diagnostic for people: place and message, the offending line, a caret below the
    /// token, and the remedy. Several lines, the last without a line break.
    pub fn render(&self) -> String {
        let mut out = self.to_string();
        let Excerpt { text, before } = &self.excerpt;
        if !text.trim().is_empty() {
            let gutter = self.line.to_string();
            let blank = " ".repeat(gutter.len());
            let room = text.chars().count().saturating_sub(*before).max(1);
            let carets = (self.width.max(1) as usize).min(room);
            let _ = write!(out, "\n {blank} |\n {gutter} | {text}\n {blank} | ");
            let _ = write!(out, "{}{}", " ".repeat(*before), "^".repeat(carets));
        }
        let _ = write!(out, "\n   help: {}", self.help);
        out
    }
}

impl fmt::Display for Problem {
    /// `file:line:col: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// Text that is safe on a terminal: each control character becomes one visible stand-in, so that
/// columns stay what they were.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() || is_unseen(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// Whether a character is there and nobody sees it, or takes it for another: what comes along when text
/// is copied from a page or a chat, and what turns the reading order (UTS #39 and #55).
pub(crate) fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{1680}'
            | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2000}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Text of a file as part of a message: in backticks, safe, and at most 64 characters, those that
/// nobody would see by their numbers.
pub fn quoted(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 64;
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    let mut named = String::with_capacity(shown.len());
    for c in shown.chars() {
        if is_unseen(c) || c.is_control() {
            let _ = write!(named, "<U+{:04X}>", u32::from(c));
        } else {
            named.push(c);
        }
    }
    format!("`{named}`")
}

#[cfg(test)]
mod tests;
