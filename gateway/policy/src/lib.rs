//! What operators write: policy files, parsed, checked and meant.
//!
//! Pure data, no IO. A folder of YAML texts goes in; either a [`Policy`] whose types cannot hold
//! an invalid one comes out, or every [`Problem`] found in it, each with its place and its remedy.

#![forbid(unsafe_code)]

pub mod policy;
pub mod units;

pub use policy::Policy;
