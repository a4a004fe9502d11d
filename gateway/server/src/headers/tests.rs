use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::{Present, asks_websocket, clean_trailers, join_cookies, strip_hop_by_hop};

fn fields(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn what_concerns_one_connection_ends_here() {
    let mut headers = fields(&[
        ("accept", "*/*"),
        ("connection", "close, X-Secret"),
        ("connection", "x-other"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("proxy-authorization", "Basic x"),
        ("te", "gzip"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("http2-settings", "x"),
        ("expect", "100-continue"),
        ("proxy", "http://evil"),
        ("x-secret", "1"),
        ("x-other", "2"),
        ("x-kept", "3"),
    ]);
    strip_hop_by_hop(&mut headers);
    assert_eq!(names(&headers), ["accept", "x-kept"]);
}

#[test]
fn however_many_fields_connection_names_none_of_them_passes() {
    let many: Vec<String> = (0..200).map(|n| format!("x-{n}")).collect();
    let mut headers =
        fields(&[("connection", &format!("{}, x-secret", many.join(", "))), ("x-secret", "1")]);
    strip_hop_by_hop(&mut headers);
    assert!(headers.is_empty(), "{headers:?}");
}

#[test]
fn connection_does_not_name_framing_or_host_away() {
    let mut headers = fields(&[
        ("host", "a"),
        ("content-length", "3"),
        ("connection", "host, content-length, authorization"),
        ("authorization", "Bearer x"),
    ]);
    strip_hop_by_hop(&mut headers);
    assert_eq!(names(&headers), ["content-length", "host"]);
}

#[test]
fn te_trailers_stays_for_grpc() {
    let mut headers = fields(&[("te", "gzip, Trailers")]);
    strip_hop_by_hop(&mut headers);
    assert_eq!(headers["te"], "trailers");
}

#[test]
fn only_a_whole_websocket_upgrade_is_one() {
    let ask = |lines: &[(&str, &str)]| asks_websocket(&fields(lines));
    assert!(ask(&[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")]));
    assert!(!ask(&[("upgrade", "websocket")]));
    assert!(!ask(&[("connection", "upgrade"), ("upgrade", "h2c")]));
    assert!(!ask(&[("connection", "upgrade"), ("upgrade", "websocket, h2c")]));
    assert!(!ask(&[("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "h2c")]));
}

#[test]
fn trailers_never_become_headers() {
    let mut trailers = fields(&[
        ("grpc-status", "0"),
        ("host", "evil"),
        ("content-length", "1"),
        ("transfer-encoding", "chunked"),
        ("authorization", "x"),
        ("set-cookie", "a=b"),
        ("x-forwarded-for", "1.2.3.4"),
    ]);
    clean_trailers(&mut trailers);
    assert_eq!(names(&trailers), ["grpc-status"]);
}

#[test]
fn cookie_crumbs_become_one_line() {
    let mut headers = fields(&[("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")]);
    join_cookies(&mut headers);
    assert_eq!(headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2; c=3"]);
}

#[test]
fn one_look_tells_what_is_there() {
    for (name, present) in [
        ("via", Present::VIA),
        ("content-type", Present::CONTENT_TYPE),
        ("traceparent", Present::TRACEPARENT),
        ("upgrade", Present::UPGRADE),
    ] {
        assert!(Present::of(&fields(&[("accept", "a"), (name, "b")])).has(present), "{name}");
        assert!(!Present::of(&fields(&[("accept", "a"), ("host", "b")])).has(present), "{name}");
    }
}

#[test]
fn what_is_stripped_is_seen() {
    for name in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "proxy-authenticate",
        "te",
        "transfer-encoding",
        "upgrade",
        "expect",
        "proxy",
        "http2-settings",
        "host",
        "accept",
        "x-proxy",
    ] {
        let mut headers = fields(&[(name, "x")]);
        let present = Present::of(&headers);
        strip_hop_by_hop(&mut headers);
        assert_eq!(present.has(Present::HOP_BY_HOP), headers.is_empty(), "{name}");
    }
}
