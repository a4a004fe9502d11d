use super::*;

#[test]
fn a_line_is_handed_out_whole_however_it_came() {
    let mut lines = Lines::default();
    assert_eq!(lines.cut(b"ab", 6), Cut::Partial);
    assert_eq!((lines.is_empty(), lines.kept_bytes()), (false, 2));
    assert_eq!(lines.cut(b"cd\r", 6), Cut::Partial);
    assert_eq!(lines.cut(b"\nef\r\n", 6), Cut::Text(b"abcd", 1));
    assert_eq!((lines.is_empty(), lines.kept_bytes()), (true, 0));
    assert_eq!(lines.cut(b"ef\r\n", 6), Cut::Text(b"ef", 4));
    assert_eq!(lines.cut(b"gh", 6), Cut::Partial);
    assert_eq!(lines.cut(b"\n", 6), Cut::Broken(Malformed::BareLf));
}

#[test]
fn room_counts_the_end_of_the_line() {
    assert_eq!(Lines::default().cut(b"ab\r\n", 4), Cut::Text(b"ab", 4));
    assert_eq!(Lines::default().cut(b"ab\r\n", 3), Cut::TooLong);
    assert_eq!(Lines::default().cut(b"abcd", 4), Cut::Partial);
    assert_eq!(Lines::default().cut(b"abcde", 4), Cut::TooLong);
}

#[test]
fn a_big_carry_is_given_back_at_the_end_of_a_message() {
    let mut lines = Lines::default();
    assert_eq!(lines.cut(&[b'a'; 9000], 10_000), Cut::Partial);
    lines.rest();
    assert_eq!(lines.kept_bytes(), 9000);
    assert_eq!(lines.cut(b"\r\n", 10_000), Cut::Text(&[b'a'; 9000], 2));
    assert_eq!(lines.cut(b"\r\n", 2), Cut::Text(b"", 2));
    lines.rest();
    assert_eq!(lines.carry.capacity(), 0);
}
