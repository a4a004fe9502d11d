//! The cache through its face: each test names the section that it holds to.

mod coalescing;
mod conditions;
mod explaining;
mod invalidation;
pub(super) mod kit;
mod serving;
mod storing;
mod variants;
