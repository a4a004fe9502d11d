//! What Sumun does: the gateway process.
//!
//! Policy says, engine decides, **server does**: it listens, forwards, stores, senses and reports.
//! [`path`] is the request path; everything else serves it.

pub mod admin;
pub mod body;
pub mod cli;
pub mod refusal;
pub mod reload;
pub mod settings;
pub mod telemetry;
