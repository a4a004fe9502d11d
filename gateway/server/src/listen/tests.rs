use std::net::SocketAddr;
use std::rc::Rc;

use tokio::net::TcpStream;

use super::{over_the_bound, serve};
use crate::core::Core;

/// What a function's future takes, bytes.
fn future_bytes<F: Future>(_: impl Fn(Rc<Core>, TcpStream, SocketAddr) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn a_connection_that_idles_has_a_small_task() {
    let bytes = future_bytes(serve);
    assert!(bytes <= 1024, "{bytes}");
}

#[test]
fn what_a_client_over_the_bound_gets_is_whole() {
    let text = String::from_utf8(over_the_bound(0xabc)).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.ends_with(&format!("\r\ncontent-length: {}", body.len())), "{head}");
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["code"], "gateway_overloaded");
    assert_eq!(problem["trace_id"], "00000000000000000000000000000abc");
}
