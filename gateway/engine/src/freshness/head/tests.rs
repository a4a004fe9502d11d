use http::HeaderValue;

use super::*;

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

#[test]
fn rfc9111_3_1_what_belongs_to_the_connection_is_not_stored() {
    let response = headers(&[
        ("connection", "x-hop, close"),
        ("connection", "x-hop-too"),
        ("x-hop", "1"),
        ("x-hop-too", "1"),
        ("keep-alive", "1"),
        ("proxy-authenticate", "1"),
        ("proxy-authentication-info", "1"),
        ("proxy-authorization", "1"),
        ("proxy-connection", "1"),
        ("te", "1"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "1"),
        ("x-withheld", "1"),
        ("x-end", "1"),
        ("x-end", "2"),
    ]);
    let stored = storable_head(&response, &[HeaderName::from_static("x-withheld")]);
    assert_eq!(stored, headers(&[("x-end", "1"), ("x-end", "2")]));
}

#[test]
fn rfc9111_3_2_a_304_replaces_fields_but_those_that_describe_the_body() {
    let stored = headers(&[
        ("x-a", "1"),
        ("x-a", "2"),
        ("x-kept", "1"),
        ("etag", "\"1\""),
        ("content-length", "3"),
        ("content-type", "a/b"),
        ("set-cookie", "old"),
    ]);
    let later = headers(&[
        ("x-a", "3"),
        ("x-new", "1"),
        ("etag", "\"2\""),
        ("content-length", "9"),
        ("content-encoding", "gzip"),
        ("content-range", "bytes 0-1/3"),
        ("content-type", "c/d"),
        ("set-cookie", "new"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
    ]);
    let fresh = headers(&[
        ("x-kept", "1"),
        ("x-a", "3"),
        ("x-new", "1"),
        ("etag", "\"2\""),
        ("content-length", "3"),
        ("content-type", "a/b"),
        ("set-cookie", "old"),
    ]);
    assert_eq!(refresh(&stored, &later), fresh);
}
