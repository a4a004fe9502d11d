//! The eight-bytes-at-a-time checks against the plain ones.

use super::super::octets::{check_text, is_target_text};
use super::Malformed;

/// Each byte at each place of texts of each length around one and two words.
fn each_byte_at_each_place(mut check: impl FnMut(u8, &[u8])) {
    for len in 1..=25 {
        for at in 0..len {
            for byte in 0..=u8::MAX {
                let mut text = vec![b'a'; len];
                text[at] = byte;
                check(byte, &text);
            }
        }
    }
}

#[test]
fn text_has_no_controls_but_tab() {
    each_byte_at_each_place(|byte, text| {
        let expected = match byte {
            b'\t' | b' '..=b'~' | 0x80.. => Ok(()),
            b'\r' => Err(Malformed::BareCr),
            b'\n' => Err(Malformed::BareLf),
            0 => Err(Malformed::Nul),
            _ => Err(Malformed::Control),
        };
        assert_eq!(check_text(text), expected, "{text:?}");
    });
}

#[test]
fn the_first_fault_of_a_text_is_named() {
    assert_eq!(check_text(b"\t\t\t\t\t\t\t\x01\0"), Err(Malformed::Control));
    assert_eq!(check_text(b"aaaaaaaaa\0\r"), Err(Malformed::Nul));
    assert_eq!(check_text(b"\xff\x80\x81\x8a\x8d\xa0\xad\xff\xff"), Ok(()));
}

#[test]
fn a_target_is_visible_ascii_without_fragment() {
    each_byte_at_each_place(|byte, text| {
        let expected = byte.is_ascii_graphic() && byte != b'#';
        assert_eq!(is_target_text(text), expected, "{text:?}");
    });
}
