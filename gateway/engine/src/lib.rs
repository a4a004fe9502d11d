//! Skeleton.

pub mod freshness;
pub mod validator;
