use http::HeaderValue;

use super::Authority;

fn host_of(text: &str) -> Option<String> {
    let value = HeaderValue::from_str(text).unwrap();
    Authority::parse(value).map(|authority| authority.host().to_owned())
}

#[test]
fn a_host_and_perhaps_a_port() {
    for (text, host) in [
        ("example.internal", "example.internal"),
        ("Example.Internal:8080", "example.internal"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("a_b.internal", "a_b.internal"),
    ] {
        assert_eq!(host_of(text).as_deref(), Some(host), "{text}");
    }
}

#[test]
fn as_keys_hold_it() {
    for (tls, text, keyed) in [
        (false, "example.internal", "example.internal"),
        (false, "Example.Internal:80", "example.internal"),
        (false, "example.internal:443", "example.internal:443"),
        (true, "example.internal:443", "example.internal"),
        (true, "[::1]:443", "[::1]"),
        (true, "EXAMPLE:80", "example:80"),
    ] {
        let mut authority = Authority::parse(HeaderValue::from_str(text).unwrap()).unwrap();
        authority.normalise(tls);
        assert_eq!((authority.text(), authority.value().to_str().unwrap()), (keyed, keyed));
        assert_eq!(super::keyed(tls, authority.text()), keyed);
    }
}

#[test]
fn nothing_else() {
    for text in [
        "",
        ":80",
        "user@host",
        "host/path",
        "host name",
        "host:80:81",
        "host:port",
        "host:123456",
        "[::1",
        "[]:80",
        "[::1]x",
        "ho\tst",
        "host?q",
        "host#f",
        "[fe80::1%25eth0]",
        "ho%73t",
        "host:",
        "host:99999",
        "a,b",
        "a;b",
        "[::g]",
    ] {
        assert_eq!(host_of(text), None, "{text}");
    }
}
