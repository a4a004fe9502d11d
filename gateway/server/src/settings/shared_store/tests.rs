use super::*;

fn parse(text: &str) -> StoreAddress {
    StoreAddress::parse(text).unwrap_or_else(|wrong| panic!("{text}: {}", wrong.message))
}

#[test]
fn a_url_says_all_of_the_address() {
    let plain = parse("redis://cache.internal");
    assert_eq!(plain.nodes, [("cache.internal".to_owned(), 6379)]);
    assert_eq!((plain.tls, plain.database, plain.topology), (false, 0, Topology::Single));

    let full = parse("rediss://me:p%40ss:w@[::1]:7000/3");
    assert_eq!(full.nodes, [("::1".to_owned(), 7000)]);
    assert_eq!((full.tls, full.database), (true, 3));
    assert_eq!(full.user.as_deref(), Some("me"));
    assert_eq!(full.password.as_ref().map(Secret::reveal), Some("p@ss:w"));
}

#[test]
fn several_hosts_are_a_cluster_or_sentinels() {
    let cluster = parse("redis+cluster://a:1,b");
    assert_eq!(cluster.topology, Topology::Cluster);
    assert_eq!(cluster.nodes, [("a".to_owned(), 1), ("b".to_owned(), 6379)]);

    let sentinel = parse("redis+sentinel://:pw@a,b:2/mail/4");
    assert_eq!(sentinel.topology, Topology::Sentinel { master: "mail".to_owned() });
    assert_eq!(sentinel.nodes, [("a".to_owned(), 26379), ("b".to_owned(), 2)]);
    assert_eq!((sentinel.database, sentinel.user.as_deref()), (4, None));
}

#[test]
fn what_is_shown_is_read_back_but_for_the_password() {
    for text in [
        "redis://127.0.0.1:6379",
        "rediss://[::1]:7000/3",
        "redis+cluster://a:1,b:2",
        "redis+sentinel://a:26379,b:2/mail/4",
        "redis://me@host:1",
    ] {
        assert_eq!(parse(text).show(), text);
    }
    assert_eq!(parse("redis://me:secret@host").show(), "redis://me:***@host:6379");
    assert_eq!(parse("redis://:secret@host").show(), "redis://:***@host:6379");
}

#[test]
fn no_message_quotes_a_url() {
    for text in [
        "canary",
        "http://:canary@host",
        "redis://:canary@",
        "redis://:canary@a,b",
        "redis://:canary@host:0",
        "redis://:canary@host:port",
        "redis://:canary@host/x",
        "redis://:canary@host/65536",
        "redis://:canary%zz@host",
        "redis://:canary%ff@host",
        "redis://:canary@[::1",
        "redis://:canary@ho st",
        "redis+cluster://:canary@host/1",
        "redis+sentinel://:canary@host",
    ] {
        let wrong = StoreAddress::parse(text).expect_err(text);
        assert!(!wrong.message.contains("canary"), "{}", wrong.message);
        assert!(!wrong.help.contains("canary"), "{}", wrong.help);
    }
}

#[test]
fn secrets_have_no_debug() {
    let settings = SharedStoreSettings {
        address: parse("redis://me:canary@host"),
        password: Some(Secret::new("canary")),
        ..SharedStoreSettings::default()
    };
    let shown = format!("{settings:?}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn a_prefix_is_one_that_any_tool_can_name() {
    assert_eq!(prefix("mail:").as_deref(), Ok("mail:"));
    for text in ["", "a{b}", "a b", "a*", &"x".repeat(65)] {
        assert!(prefix(text).is_err(), "{text}");
    }
}
