//! Integration tests: the real binary between real sockets, held to its contract.
//!
//! One file per promise. Each test starts its own gateway on free ports and looks at what the
//! upstream was sent and what the client got; the gateway's own numbers are checked against those.

mod policies;

mod harness;

mod demo;
mod deploy;
mod docs;
mod readme;
mod tidy;

mod admin;
mod admission;
mod aside;
mod at_once;
mod cache;
mod cache_stale;
mod callers;
mod classes;
mod cli;
mod conformance;
mod corpora;
mod doctor;
mod drain;
mod failure;
mod forwarded;
mod framing;
mod http2;
mod leak;
mod limits;
mod log;
mod meaning;
mod memory;
mod openapi;
mod path;
mod preview;
mod purge;
mod quota;
mod redis;
mod reload;
mod saves;
mod series;
mod signals;
mod tls;
mod traces;
mod upgrade;
