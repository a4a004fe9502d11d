use std::time::Duration;

use super::*;

#[test]
fn a_date_field_is_kept_for_a_tick_and_is_now() {
    let date = HttpDate::default();
    let before = SystemTime::now() - Duration::from_secs(1);
    let text = date.text(1);
    let read = httpdate::parse_http_date(std::str::from_utf8(&text).unwrap()).unwrap();
    assert!(before <= read && read <= SystemTime::now());
    date.0.set(Some((7, [b'x'; HTTP_DATE_BYTES])));
    assert_eq!(date.text(7), [b'x'; HTTP_DATE_BYTES]);
    assert_ne!(date.text(8), [b'x'; HTTP_DATE_BYTES]);
}

#[test]
fn times_are_rfc_3339() {
    let at = |second| rfc3339(UNIX_EPOCH + Duration::from_secs(second));
    assert_eq!(at(0), "1970-01-01T00:00:00Z");
    assert_eq!(at(951_782_400 + 3_661), "2000-02-29T01:01:01Z");
    assert_eq!(at(4_102_444_799), "2099-12-31T23:59:59Z");
    assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00Z");
}
