//! How long a client says it waits.

use super::*;

fn timeout(text: &str) -> Option<Duration> {
    let mut headers = HeaderMap::new();
    headers.insert("grpc-timeout", text.parse().unwrap());
    grpc_timeout(&headers)
}

#[test]
fn a_grpc_timeout_is_read_in_all_its_units() {
    for (text, wanted) in [
        ("2H", Duration::from_hours(2)),
        ("3M", Duration::from_mins(3)),
        ("4S", Duration::from_secs(4)),
        ("250m", Duration::from_millis(250)),
        ("7u", Duration::from_micros(7)),
        ("99999999n", Duration::from_nanos(99_999_999)),
    ] {
        assert_eq!(timeout(text), Some(wanted), "{text}");
    }
}

#[test]
fn what_is_no_grpc_timeout_is_none() {
    for text in ["", "S", "5", "5s", "123456789S", "-1S", "1.5S", "+1S", "1 S", "5\u{e9}"] {
        assert_eq!(timeout(text), None, "{text:?}");
    }
    assert_eq!(grpc_timeout(&HeaderMap::new()), None);
}
