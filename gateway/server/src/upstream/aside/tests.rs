use bytes::Bytes;
use http::{HeaderMap, Method, Request};

use super::super::send::RequestBody;
use super::{is_fit, read, text};
use crate::body::Body;

/// Status, fields and body of what `bytes` are.
fn cut(bytes: &str) -> Option<(u16, String, Vec<u8>)> {
    let answer = read(&Bytes::copy_from_slice(bytes.as_bytes()), HeaderMap::new())?;
    let fields: Vec<_> = answer
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    let status = answer.status().as_u16();
    let body = match answer.into_body() {
        Body::Empty => Vec::new(),
        Body::Full(body) => body.to_vec(),
        _ => panic!("an answer that is there streams nothing"),
    };
    Some((status, fields.join(" "), body))
}

#[test]
fn a_whole_answer_is_cut_where_it_is_written_apart() {
    for (bytes, status, fields, body) in [
        (
            "HTTP/1.1 200 OK\r\nX-Tag: \t one, two \t\r\nx-tag:three\r\nX-Empty:\r\n\
             content-length: 4\r\n\r\n\r\n\r\n",
            200,
            "x-tag=one, two x-tag=three x-empty= content-length=4",
            "\r\n\r\n",
        ),
        ("HTTP/1.1 204 \r\n\r\n", 204, "", ""),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", 304, "content-length=9", ""),
        (
            "HTTP/1.1 599 A reason: of its own\r\nconnection: Keep-Alive\r\ncontent-length: 0\r\n\r\n",
            599,
            "connection=Keep-Alive content-length=0",
            "",
        ),
    ] {
        let expected = (status, fields.to_owned(), body.as_bytes().to_vec());
        assert_eq!(cut(bytes), Some(expected), "{bytes}");
    }
}

#[test]
fn whatever_needs_more_than_cutting_is_left_to_hyper() {
    for (what, bytes) in [
        ("an interim answer", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
        ("a switch", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"),
        ("HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"),
        ("chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("the end", "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"),
        (
            "an option",
            "HTTP/1.1 200 OK\r\nconnection: x-tag\r\nx-tag: 1\r\ncontent-length: 0\r\n\r\n",
        ),
        ("a wish", "HTTP/1.1 426 Upgrade\r\nupgrade: h2c\r\ncontent-length: 0\r\n\r\n"),
        ("half a head", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n"),
        ("half a line", "HTTP/1.1 200"),
        ("nothing", ""),
    ] {
        assert_eq!(cut(bytes), None, "{what}");
    }
}

#[test]
fn a_request_is_written_as_it_stands() {
    let mut request = Request::new(RequestBody::Empty);
    *request.method_mut() = Method::DELETE;
    *request.uri_mut() = "/a/b?c=%20d".parse().unwrap();
    for (name, value) in [("host", "a.example:80"), ("x-tag", "one"), ("x-tag", "two")] {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let expected =
        "DELETE /a/b?c=%20d HTTP/1.1\r\nhost: a.example:80\r\nx-tag: one\r\nx-tag: two\r\n\r\n";
    assert_eq!(String::from_utf8(text(&request, Vec::new())).unwrap(), expected);
    assert!(is_fit(&request));
    *request.method_mut() = Method::HEAD;
    assert!(!is_fit(&request), "its answer has the length of a body that it doesn't have");
    *request.method_mut() = Method::GET;
    request.headers_mut().insert("upgrade", "websocket".parse().unwrap());
    assert!(!is_fit(&request), "what comes may not be HTTP");
}
