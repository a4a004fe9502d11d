//! Skeleton.

pub mod demo;
