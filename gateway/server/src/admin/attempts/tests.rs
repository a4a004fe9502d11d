use super::*;

fn address(last: u8) -> Key {
    Key::of(IpAddr::from([127, 0, 0, last]))
}

#[tokio::test(start_paused = true)]
async fn ten_at_once_then_one_every_six_seconds() {
    let attempts = Attempts::default();
    for _ in 0..BURST {
        assert_eq!(attempts.count(&[address(1)]), Ok(()));
    }
    assert_eq!(attempts.count(&[address(1)]), Err(EVERY));
    assert_eq!(attempts.count(&[address(2)]), Ok(()), "another address is not concerned");
    tokio::time::advance(EVERY).await;
    assert_eq!(attempts.count(&[address(1)]), Ok(()));
    assert_eq!(attempts.count(&[address(1)]), Err(EVERY));
}

#[tokio::test(start_paused = true)]
async fn many_addresses_do_not_help_against_one_name() {
    let attempts = Attempts::default();
    let jane = Key::Name("jane".into());
    let tries = (0..=u8::MAX).map(|n| attempts.count(&[address(n), jane.clone()]));
    assert_eq!(tries.flatten().count(), BURST as usize);
    attempts.forgive(&jane);
    assert_eq!(attempts.count(&[address(200), jane]), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_refused_attempt_is_counted_for_nobody() {
    let attempts = Attempts::default();
    let jane = Key::Name("jane".into());
    for _ in 0..BURST {
        attempts.count(std::slice::from_ref(&jane)).unwrap();
    }
    for _ in 0..100 {
        attempts.count(&[address(1), jane.clone()]).unwrap_err();
    }
    assert_eq!(attempts.count(&[address(1)]), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn neighbours_in_one_ipv6_network_are_one() {
    let key = |text: &str| Key::of(text.parse().unwrap());
    assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
    assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
    assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
}

#[tokio::test(start_paused = true)]
async fn no_more_keys_than_the_bound_are_remembered() {
    let attempts = Attempts::default();
    for n in 0..KEYS_MAX as u32 + 100 {
        attempts.count(&[Key::of(IpAddr::from(n.to_be_bytes()))]).unwrap();
    }
    assert!(attempts.0.lock().len() <= KEYS_MAX);
}
