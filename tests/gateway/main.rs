//! Integration tests: the real binary between real sockets, held to its contract.
//!
//! One file per promise. Each test starts its own gateway on free ports and looks at what the
//! upstream was sent and what the client got; the gateway's own numbers are checked against those.

mod harness;
