//! Skeleton.

pub mod screen;
