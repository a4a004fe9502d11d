use super::is_forbidden;

#[test]
fn no_upstream_is_link_local_or_the_gateway_itself() {
    let own = ["127.0.0.1:9900".parse().unwrap(), "0.0.0.0:9902".parse().unwrap()];
    for (address, forbidden) in [
        ("169.254.169.254:80", true),
        ("[::ffff:169.254.169.254]:80", true),
        ("[fe80::1]:80", true),
        ("127.0.0.1:9900", true),
        ("[::ffff:127.0.0.1]:9900", true),
        ("0.0.0.0:9900", true),
        ("[::]:9900", true),
        ("127.0.0.1:9901", false),
        ("127.1.2.3:9902", true),
        ("[::1]:9902", true),
        ("10.1.2.3:9902", false),
        ("10.1.2.3:80", false),
    ] {
        assert_eq!(is_forbidden(&address.parse().unwrap(), &own), forbidden, "{address}");
    }
}
