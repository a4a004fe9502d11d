//! The harness of the black-box tests: everything around the gateway, and the gateway itself.
//!
//! - [`Sumun`] is the real binary as a child process with its own folders and free ports.
//! - [`Upstream`] and [`H2Upstream`] are scripted services that misbehave on demand and keep the
//!   exact bytes (or frames) they were sent; [`Actuator`] serves a Prometheus text.
//! - [`Redis`] and [`RedisCluster`] are real servers that can be killed, frozen and restarted.
//! - [`Rotel`] is a real receiver of OTLP, which prints what it gets.
//! - [`FaultProxy`] is a TCP proxy that drops, delays, stalls and resets.
//! - [`Client`] and [`H2Client`] send what they are told, well-formed or not; [`Load`] sends much.
//! - [`eventually`] waits for a condition with a deadline. Nothing here sleeps for a fixed time
//!   in the hope that something will have happened.
//!
//! The harness reports by panicking: it lives in tests only. Every wait in it has a deadline, so
//! that a gateway that hangs fails a test instead of stopping the run. It speaks to the gateway
//! over sockets alone and shares no code with it, so that it can't share its mistakes.

mod actuator;
mod binary;
mod client;
mod eventually;
mod fault;
pub mod frame;
mod h2_client;
mod h2_upstream;
mod launch;
mod load;
mod metrics;
mod procfs;
mod redis;
mod rotel;
mod script;
mod sumun;
mod upstream;
pub mod wire;

pub use actuator::{Actuator, Scrape};
pub use binary::path as binary_path;
pub use client::{Broken, Client, Response, call, get};
pub use eventually::{DEADLINE, eventually, within};
pub use fault::{FaultProxy, Mode};
pub use h2_client::{H2Client, H2Response, collect, read_all};
pub use h2_upstream::{H2Reply, H2Request, H2Upstream};
pub use load::{Load, Tally};
pub use metrics::Metrics;
pub use redis::{Redis, RedisCluster};
pub use rotel::Rotel;
pub use script::{Gate, Reply, Step};
pub use sumun::{Starting, Sumun};
pub use upstream::{Recorded, Upstream};
