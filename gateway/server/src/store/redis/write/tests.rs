use super::*;

#[test]
fn an_entry_is_kept_until_it_can_be_of_no_more_use() {
    const S: u64 = 1_000_000_000;
    let day_s = 24 * 60 * 60;
    for (fresh_ns, stale_for_ns, validated, kept_s) in [
        (60 * S, 0, false, 60),
        (60 * S, 0, true, 120),
        (60 * S, 10 * S, true, 120),
        (60 * S, 300 * S, true, 360),
        (0, 300 * S, false, 300),
        (1000 * day_s * S, 0, false, day_s),
        (1000 * day_s * S, 7 * day_s * S, true, 8 * day_s),
    ] {
        let kept = kept_ms(fresh_ns, stale_for_ns, validated);
        assert_eq!(kept, kept_s * 1000, "{fresh_ns} {stale_for_ns} {validated}");
    }
    // Redis refuses 0, and the last moment of a window belongs to it.
    assert_eq!((kept_ms(0, 0, false), kept_ms(0, 1_000_001, false)), (1, 2));
}
