//! The atomics of the exact counters: the standard ones, or those of the model checker under
//! `--cfg loom`. Only [`crate::slots`], [`crate::quota`] and the diffusion and booking of
//! [`crate::admission`] are modelled; everything else takes its atomics from `std`.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64};
