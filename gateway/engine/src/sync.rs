//! The atomics of the exact counters: the standard ones, or those of the model checker under
//! `--cfg loom`. Only [`crate::slots`], [`crate::quota`] and the diffusion, booking and
//! waiting of [`crate::admission`] are modelled; everything else takes its atomics from `std`.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64};

#[cfg(not(loom))]
pub(crate) use parking_lot::Mutex;

#[cfg(loom)]
pub(crate) use self::modelled::Mutex;

#[cfg(loom)]
mod modelled {
    /// loom's mutex with the manner of `parking_lot`'s: a panic elsewhere does not poison it.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }
}
