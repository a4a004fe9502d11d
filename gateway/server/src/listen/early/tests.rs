use bytes::Bytes;
use http::HeaderMap;

use super::read;

#[test]
fn a_lone_head_without_body_is_read_as_it_is_written() {
    let head = b"POST /a/b?c=%20d HTTP/1.1\r\nHost: a.example:80\r\nX-Tag: \t one, two \t\r\n\
                 x-tag:three\r\nX-Empty:\r\ncontent-length: 0\r\nx-far: \xfc\r\n\r\n";
    let mut room = HeaderMap::with_capacity(8);
    room.clear();
    let request = read(&Bytes::from_static(head), room).unwrap();
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "/a/b?c=%20d");
    assert_eq!(request.version(), http::Version::HTTP_11);
    assert!(request.body().is_none());
    let fields: Vec<_> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let expected: [(&str, &[u8]); 6] = [
        ("host", b"a.example:80"),
        ("x-tag", b"one, two"),
        ("x-tag", b"three"),
        ("x-empty", b""),
        ("content-length", b"0"),
        ("x-far", b"\xfc"),
    ];
    assert_eq!(fields, expected);
}

#[test]
fn whatever_needs_more_than_an_answer_is_left_to_hyper() {
    for (what, head) in [
        ("HEAD", "HEAD / HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("CONNECT", "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("an asterisk", "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("an absolute target", "GET http://a/ HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("HTTP/1.0", "GET / HTTP/1.0\r\nhost: a\r\n\r\n"),
        ("an end of the connection", "GET / HTTP/1.1\r\nhost: a\r\nConnection: close\r\n\r\n"),
        ("an upgrade", "GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\r\n"),
        ("an expectation", "PUT / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n\r\n"),
        ("chunks", "PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("a body", "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc"),
        (
            "a body that looks like an end",
            "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n\r\n",
        ),
        ("a pipeline", "GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("an empty line before it", "\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("half a head", "GET / HTTP/1.1\r\nhost: a\r\n"),
        ("half a line", "GET / HTTP/1.1\r\nhost: a"),
        ("nothing", ""),
    ] {
        assert!(read(&Bytes::from_static(head.as_bytes()), HeaderMap::new()).is_none(), "{what}");
    }
}
