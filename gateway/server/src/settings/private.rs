//! Lines of `sumun.yaml` that may hold a secret: no message repeats them.
//!
//! Passwords and hashes stand under a few groups. What a mistaken key there holds may be one too
//! (`pasword:`), and in a file that is no YAML nobody knows what is what.

use std::ops::RangeInclusive;

use super::keys::{KEYS, PRIVATE};
use super::written::{Node, Value};

/// The lines, from 1.
pub(super) struct PrivateLines(Vec<RangeInclusive<u32>>);

// === impl PrivateLines ===

impl PrivateLines {
    /// Of a file that was read: what stands at a private key, or at one that there is not beside it.
    pub(super) fn of(root: &Node, text: &str) -> Self {
        let Value::Map { entries, .. } = &root.value else { return Self(vec![1..=u32::MAX]) };
        let mut lines = Vec::new();
        for (key, value) in entries {
            let Some(group) = key.scalar().filter(|name| is_group(name)) else { continue };
            let Value::Map { entries, .. } = &value.value else {
                lines.push(lines_of(key, value, text));
                continue;
            };
            let private = entries.iter().filter(|(key, _)| {
                let path = format!("{group}.{}", key.scalar().unwrap_or_default());
                PRIVATE.contains(&path.as_str()) || !KEYS.iter().any(|known| known.path == path)
            });
            lines.extend(private.map(|(key, value)| lines_of(key, value, text)));
        }
        Self(lines)
    }

    /// Of a file that is no YAML: everything under a group with a private key.
    pub(super) fn guessed(text: &str) -> Self {
        let mut lines = Vec::new();
        let mut private = text.trim_start().starts_with('{');
        for (line, number) in text.lines().zip(1..) {
            if line.starts_with(|c: char| c.is_alphabetic() || "\"'".contains(c)) {
                let name = line.split(':').next().unwrap_or_default();
                private = is_group(name.trim().trim_matches(['"', '\'']));
            }
            if private {
                lines.push(number..=number);
            }
        }
        Self(lines)
    }

    /// Whether a line may hold a secret.
    pub(super) fn hold(&self, line: u32) -> bool {
        self.0.iter().any(|lines| lines.contains(&line))
    }
}

/// Whether a private key stands under this name.
fn is_group(name: &str) -> bool {
    PRIVATE.iter().any(|path| path.split('.').next() == Some(name))
}

fn lines_of(key: &Node, value: &Node, text: &str) -> RangeInclusive<u32> {
    // A block collection ends where the next key begins.
    let text = text.get(value.range.clone()).unwrap_or_default().trim_end();
    let breaks = text.matches('\n').count();
    let last = value.place.line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
    key.place.line..=last
}

#[cfg(test)]
mod tests;
