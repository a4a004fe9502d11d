//! The engine in virtual time: one upstream, a pool of workers behind it, and more calls than it
//! can take.
//!
//! Calls arrive as a Poisson process per lane; an admitted one goes to the upstream, which serves
//! as many as it has workers, first come first served, each for a time drawn anew. Once a
//! simulated second the upstream is scraped (the answer takes a while to come back), ten times a
//! second the slow loop turns. Nothing here knows the real time; the seed is fixed.

#![allow(clippy::print_stdout)] // the figures, with --nocapture

mod herd;
mod overload;
mod scenario;
mod scenarios;
mod world;

pub(crate) use scenario::{Herd, HerdOutcome, Outcome, Scenario, Service, Source, Tally};
