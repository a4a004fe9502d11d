//! The file as written: YAML text → a tree in which every key and value knows its line and column.
//!
//! A tree rather than typed deserialisation, because a value of the wrong type must not hide the
//! problems behind it: [`read`] fails only where the text is no YAML, everything else is found by
//! walking the tree. [`form`] says which keys there are (once, for the check and the schema) and
//! [`Fields`] walks one mapping by its form.
//!
//! Bounds: [`FILE_BYTES_MAX`] per file; nodes, depth and aliases as in [`read`].

mod fields;
pub(crate) mod form;
mod node;
mod read;
mod syntax;

pub(crate) use fields::{Fields, Located, closest};
pub(crate) use node::{Findings, Place, Source, Spot, Value};
pub(crate) use read::read;
pub use syntax::NotYaml;

/// Largest policy file, bytes. A policy of a thousand routes is about 300 KiB.
pub const FILE_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests;
