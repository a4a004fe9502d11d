//! What is told about calls: metrics, traces, the access log.

pub mod meters;
pub mod record;
