//! What Sumun does: the gateway process.
//!
//! Policy says, engine decides, **server does**: it listens, forwards, stores, senses and reports.
//! [`path`] is the request path; everything else serves it.

// The path, in the order of a call.
pub mod listen;
pub mod path;
pub mod refusal;
pub mod screen;
pub mod upstream;

// What it passes along.
pub mod authority;
pub mod body;
pub mod forwarded;
pub mod headers;
pub mod hex;

// What it stands on.
pub mod callers;
pub mod clock;
pub mod core;
mod date;
pub mod deadline;
pub mod drain;
mod files;
pub mod plan;
pub mod recording;
pub mod sense;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod worker;

// What operators touch.
pub mod admin;
pub mod cli;
pub mod demo;
pub mod gateway;
pub mod reload;
