//! `${…}` in values: the environment and files, resolved once, after parsing.
//!
//! `${VAR}` must be set; `${VAR:-default}` and `${VAR:?message}` also act where it is empty;
//! `${file:/path}` is the file's text without its last line break (at most [`FILE_BYTES_MAX`]);
//! `$${` is a literal `${`. What was put in is not looked at again, and a default ends at the first
//! closing brace.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Largest file behind `${file:…}`, bytes. A secret or a certificate's name, not a document.
pub(super) const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A value with everything put in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Resolved {
    /// The text.
    pub text: String,
    /// Whether a part came from a file and must not be shown again.
    pub secret: bool,
}

/// Why a reference could not be resolved.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unresolved {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Resolves every reference in `text`.
pub(super) fn resolve(
    text: &str,
    environment: &BTreeMap<String, String>,
) -> Result<Resolved, Unresolved> {
    let mut out = String::with_capacity(text.len());
    let mut secret = false;
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at - 1]);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let Some(end) = inside.find('}') else {
            return Err(fault("a `${` is never closed", "close it with `}`, or write `$${`"));
        };
        let reference = &inside[..end];
        if let Some(path) = reference.strip_prefix("file:") {
            out.push_str(&file(path)?);
            secret = true;
        } else {
            out.push_str(&variable(reference, environment)?);
        }
        rest = &inside[end + 1..];
    }
    out.push_str(rest);
    Ok(Resolved { text: out, secret })
}

fn variable(reference: &str, environment: &BTreeMap<String, String>) -> Result<String, Unresolved> {
    let name_end =
        reference.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(reference.len());
    let (name, modifier) = reference.split_at(name_end);
    if name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
        return Err(fault(
            format!("`${{{reference}}}` names no variable"),
            "write `${VAR}`, `${VAR:-default}`, `${VAR:?message}` or `${file:/path}`",
        ));
    }
    let value = environment.get(name);
    let filled = value.filter(|value| !value.is_empty());
    match modifier {
        "" => value.cloned().ok_or_else(|| {
            fault(
                format!("the variable {name} is not set"),
                format!("set it, or write `${{{name}:-default}}`"),
            )
        }),
        _ if modifier.starts_with(":-") => {
            Ok(filled.cloned().unwrap_or_else(|| modifier[2..].to_owned()))
        }
        _ if modifier.starts_with(":?") => filled.cloned().ok_or_else(|| {
            fault(format!("{name}: {}", &modifier[2..]), format!("set the variable {name}"))
        }),
        _ => Err(fault(
            format!("`{modifier}` is not understood after {name}"),
            "write `:-default` or `:?message`",
        )),
    }
}

fn file(path: &str) -> Result<String, Unresolved> {
    if !Path::new(path).is_absolute() {
        return Err(fault(
            format!("`${{file:{path}}}` is not an absolute path"),
            "write the path from the root, for example `${file:/run/secrets/name}`",
        ));
    }
    let unreadable = |e: &dyn std::fmt::Display| {
        fault(
            format!("{path} cannot be read: {e}"),
            "make the file readable for the user that runs the gateway",
        )
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
        .map_err(|e| unreadable(&e))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(fault(
            format!("{path} is larger than {FILE_BYTES_MAX} bytes"),
            "a value is one line; name the file that holds only it",
        ));
    }
    let kept = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(kept);
    Ok(text)
}

fn fault(message: impl Into<String>, help: impl Into<String>) -> Unresolved {
    Unresolved { message: message.into(), help: help.into() }
}

#[cfg(test)]
mod tests;
