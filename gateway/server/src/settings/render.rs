//! The effective settings as a `sumun.yaml` that says where each value came from.

use std::fmt::Write as _;

use super::Settings;
use super::keys::{KEYS, Key};
use super::load::Effective;
use super::problem::Provenance;

impl Effective {
    /// YAML: every setting, its origin, its default and why; secrets as `***`. Read back, it means
    /// the same settings (but for secrets).
    pub fn render(&self) -> String {
        let mut out = String::from(
            "# Effective settings. A flag beats the environment, the environment beats the file,\n\
             # the file beats the default. Every key is optional.\n",
        );
        let defaults = Settings::default();
        let mut group = "";
        for key in KEYS {
            let (own, name) = key.path.split_once('.').map_or(("", key.path), |(g, n)| (g, n));
            if own != group {
                if !own.is_empty() {
                    let _ = write!(out, "\n{own}:");
                }
                group = own;
            }
            let indent = if own.is_empty() { "" } else { "  " };
            let _ = write!(out, "\n{indent}# {}", key.about);
            let _ = write!(out, "\n{indent}# {}", self.origin(key, &defaults));
            let _ = write!(out, "\n{indent}{}\n", self.line(key, name));
        }
        out
    }

    fn origin(&self, key: &Key, defaults: &Settings) -> String {
        let default = (key.show)(defaults).filter(|text| !text.is_empty());
        let default = default.unwrap_or_else(|| "none".to_owned());
        match self.origins.iter().find(|origin| origin.path == key.path) {
            Some(origin) if origin.provenance != Provenance::Default => {
                format!("from {}; default {default}: {}", origin.provenance, key.reason)
            }
            _ => format!("default: {}", key.reason),
        }
    }

    fn line(&self, key: &Key, name: &str) -> String {
        let secret = self.origins.iter().any(|origin| origin.path == key.path && origin.secret);
        match (key.show)(&self.settings) {
            Some(_) if secret => format!("{name}: '***'"),
            Some(text) if key.list => format!("{name}: [{text}]"),
            Some(text) => format!("{name}: {}", scalar(&text)),
            None => format!("# {name}:"),
        }
    }
}

/// A scalar that reads back as the same text: plain where that is safe, else in quotes.
fn scalar(text: &str) -> String {
    // `$` would be resolved again when the output is used as a file.
    let text = text.replace("${", "$${");
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"./:_-".contains(&b))
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'/')
        && !text.ends_with(':')
        && !matches!(text.as_str(), "null" | "Null" | "NULL");
    if plain { text } else { format!("'{}'", text.replace('\'', "''")) }
}
