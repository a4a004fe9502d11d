//! What the gateway decides: which route a call takes, whether it may enter, and where it goes.
//!
//! No async, no IO, no globals, and no clock: `now` is a parameter ([`time::Moment`]). The fast
//! loop ([`admission`], [`quota`], [`rate`]) is a handful of compare-and-swaps per call and never
//! waits or allocates; the slow loop ([`snapshot::Snapshot::tick`], [`endpoint`] readings) turns
//! signals into the limits that the fast loop enforces.

#![forbid(unsafe_code)]

pub mod admission;
pub mod endpoint;
pub mod freshness;
mod journal;
pub mod live;
pub mod order;
pub mod quota;
pub mod rate;
pub mod replay;
pub mod route;
pub mod signals;
pub mod slots;
pub mod snapshot;
mod sync;
pub mod time;
pub mod upstream;
pub mod validator;

#[cfg(all(test, not(loom)))]
mod fixture;
#[cfg(all(test, not(loom)))]
mod simulation;

pub use admission::{Ask, Decision, Reason, Shed, Slot, ThresholdView};
pub use endpoint::{Endpoint, EndpointView, Load};
pub use live::Live;
pub use order::Turn;
pub use quota::{Function, FunctionView, Permit, PoolView, QuotaFull};
pub use route::Route;
pub use signals::{Reading, SignalState, SignalView};
pub use snapshot::Snapshot;
pub use time::Moment;
pub use upstream::Upstream;
