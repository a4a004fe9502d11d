//! Connections to upstreams: one pool per worker and endpoint, on hyper's connections directly.
//!
//! The pool is ours because it must bound idle connections per endpoint, close them before the
//! upstream does, tell a reused connection that died from an upstream that failed, and never reuse
//! one whose framing is in doubt.

mod aside;
mod connect;
mod exchange;
mod pool;
mod receive;
mod send;
mod wire;

pub use self::aside::ANSWER_BYTES_MAX;
pub use self::connect::{ConnectError, connect, tls_connector};
pub use self::exchange::{Answer, Exchange, Failed};
pub use self::pool::{Pool, Pools};
pub use self::receive::UpstreamBody;
pub use self::send::{Progress, RequestBody};
