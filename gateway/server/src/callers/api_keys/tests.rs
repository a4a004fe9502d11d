use super::*;

fn parse(text: &str) -> Result<ApiKeys, String> {
    ApiKeys::parse(Path::new("keys"), text).map_err(|e| e.to_string())
}

#[test]
fn a_known_key_has_its_callers_name() {
    // SHA-256 of "abc" (FIPS 180-2, appendix B.1).
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let keys = parse(&format!("# ours\n\norders  k-1\nbilling sha256:{abc}\n")).unwrap();
    assert_eq!(keys.find(b"k-1"), CallerName::new("orders"));
    assert_eq!(keys.find(b"abc"), CallerName::new("billing"));
    for unknown in ["", "k-2", "k-1 ", abc] {
        assert_eq!(keys.find(unknown.as_bytes()), None, "{unknown}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_never_with_the_key() {
    for (text, line, message) in [
        ("orders", 1, "a space between them"),
        ("# x\norders sha256:canary", 2, "64 hexadecimal digits"),
        ("a b\nc canary d", 2, "no space in it"),
        ("caf\u{e9} canary", 1, "visible ASCII"),
        ("a canary\nb canary", 2, "twice"),
    ] {
        let error = parse(text).map(drop).unwrap_err();
        assert!(error.contains(&format!("keys:{line}: ")) && error.contains(message), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
}
