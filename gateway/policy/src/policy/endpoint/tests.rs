use proptest::prelude::*;

use super::*;

#[test]
fn endpoints_are_scheme_host_and_port() {
    for (url, shown) in [
        ("http://127.0.0.1:9101", "http://127.0.0.1:9101"),
        ("http://mail.internal", "http://mail.internal:80"),
        ("https://Mail.Internal", "https://mail.internal:443"),
        ("http://mail-0.mail_svc:8080", "http://mail-0.mail_svc:8080"),
        ("http://[::1]:9101", "http://[::1]:9101"),
        ("http://[2001:DB8:0:0::1]", "http://[2001:db8::1]:80"),
        ("https://10.0.0.7:8443", "https://10.0.0.7:8443"),
        ("http://1.example", "http://1.example:80"),
    ] {
        let endpoint = Endpoint::parse(url).expect(url);
        assert_eq!(endpoint.to_string(), shown, "{url}");
        assert_eq!(Endpoint::parse(shown), Ok(endpoint), "{url}");
    }
}

#[test]
fn everything_else_is_refused_with_its_reason() {
    for (url, why) in [
        ("127.0.0.1:9101", "no scheme"),
        ("", "no scheme"),
        ("ftp://a", "neither http nor https"),
        ("HTTP://a", "neither http nor https"),
        ("http://", "bad host"),
        ("http://:80", "bad host"),
        ("http://a b", "bad host"),
        ("http://ä.example", "bad host"),
        ("http://a..b", "bad host"),
        ("http://a.", "bad host"),
        ("http://-a", "bad host"),
        ("http://user@a", "user name"),
        ("http://user:pw@a:80", "user name"),
        ("http://a/", "path or query"),
        ("http://a/b", "path or query"),
        ("http://a?b", "path or query"),
        ("http://a#b", "path or query"),
        ("http://a:0", "bad port"),
        ("http://a:", "bad port"),
        ("http://a:65536", "bad port"),
        ("http://a:080", "bad port"),
        ("http://a:+80", "bad port"),
        ("http://a:80:90", "more than one colon"),
        ("http://0x7f.1", "odd spelling"),
        ("http://0x7f000001", "odd spelling"),
        ("http://127.1", "odd spelling"),
        ("http://2130706433", "odd spelling"),
        ("http://0177.0.0.1", "odd spelling"),
        ("http://127.0.0.256", "odd spelling"),
        ("http://1.2.3.4.5", "odd spelling"),
        ("http://169.254.169.254", "link-local"),
        ("http://0.0.0.0:80", "unspecified"),
        ("http://0.1.2.3", "unspecified"),
        ("http://224.0.0.1", "multicast"),
        ("http://255.255.255.255", "multicast"),
        ("http://[fe80::1]", "link-local"),
        ("http://[febf::1]:80", "link-local"),
        ("http://[::]", "unspecified"),
        ("http://[ff02::1]", "multicast"),
        ("http://[::ffff:169.254.169.254]", "link-local"),
        ("http://[::169.254.169.254]", "link-local"),
        ("http://[64:ff9b::a9fe:a9fe]", "link-local"),
        ("http://[fe80::1%eth0]", "bad IPv6"),
        ("http://[::1", "bad IPv6"),
        ("http://[]", "bad IPv6"),
        ("http://::1", "more than one colon"),
    ] {
        let error = Endpoint::parse(url).expect_err(url);
        assert!(error.message.contains(why), "{url}: {error}");
        assert!(!error.help.is_empty(), "{url}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_what_is_read_reads_back(text in "(https?://)?[\\[\\]0-9a-z:.@/\\PC]{0,30}") {
        if let Ok(endpoint) = Endpoint::parse(&text) {
            prop_assert_eq!(Endpoint::parse(&endpoint.to_string()), Ok(endpoint));
        }
    }
}
