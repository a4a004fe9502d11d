use std::fs;

use super::Addresses;

fn addresses(listen: &str, admin: &str) -> Addresses {
    Addresses { listen: listen.parse().unwrap(), admin: admin.parse().unwrap() }
}

#[test]
fn own_addresses_are_both_listeners_and_loopback_behind_a_wildcard() {
    let own = addresses("127.0.0.1:8080", "127.0.0.1:9900").own();
    assert_eq!(own, ["127.0.0.1:8080".parse().unwrap(), "127.0.0.1:9900".parse().unwrap()]);
    let own = addresses("0.0.0.0:8080", "127.0.0.1:9900").own();
    for address in ["0.0.0.0:8080", "127.0.0.1:8080", "[::1]:8080", "127.0.0.1:9900"] {
        assert!(own.contains(&address.parse().unwrap()), "{address} in {own:?}");
    }
    assert!(!own.contains(&"[::1]:9900".parse().unwrap()));
}

#[test]
fn what_is_written_is_whole_and_replaces_what_was() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("made/on/the/way");
    for port in [1, 2] {
        addresses(&format!("127.0.0.1:{port}"), "[::1]:9900").write(&state).unwrap();
        let text = fs::read_to_string(state.join("addresses.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["listen"], format!("127.0.0.1:{port}"));
        assert_eq!(json["admin"], "[::1]:9900");
    }
    assert_eq!(fs::read_dir(&state).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_state_that_is_no_folder_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = addresses("127.0.0.1:1", "127.0.0.1:2").write(file.path()).unwrap_err();
    assert!(error.to_string().contains("addresses.json"), "{error}");
}
