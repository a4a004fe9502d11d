//! What Sumun does: the gateway process.
//!
//! Policy says, engine decides, **server does**: it listens, forwards, stores, senses and reports.
//! [`path`] is the request path; everything else serves it.

pub mod body;
pub mod refusal;
pub mod settings;
pub mod store;
pub mod telemetry;
