//! The eight-bytes-at-a-time checks against the plain ones.

use super::super::octets::{check_text, clean_line, is_target_text};
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
fn a_clean_line_is_text_and_ends_with_cr_lf() {
    each_byte_at_each_place(|_, text| {
        let expected = check_text(text).is_ok().then_some(text.len());
        for rest in [b"\r\n".as_slice(), b"\r\nX: y\r\n\r\n"] {
            assert_eq!(clean_line(&[text, rest].concat()), expected, "{text:?}");
        }
        for rest in [b"".as_slice(), b"\r", b"aaaaaaaa\r", b"\ra\r\naaaaaaa"] {
            assert_eq!(clean_line(&[text, rest].concat()), None, "{text:?} {rest:?}");
        }
    });
    assert_eq!(clean_line(b"\r\n"), Some(0));
    assert_eq!(clean_line(b"\r\nX: y\r\n\r\n"), Some(0));
    assert_eq!(clean_line(b""), None);
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
        for begin in ["/", "/?", "/long/enough?"] {
            let target = [begin.as_bytes(), text].concat();
            // The parser behind the screen takes the rest, so that all that is refused is refused here.
            let parsed = http::uri::PathAndQuery::try_from(target.as_slice());
            let whole = parsed.is_ok_and(|parsed| parsed.as_str().as_bytes() == target);
            let expected = whole && byte.is_ascii_graphic();
            assert_eq!(is_target_text(&target), expected, "{}", target.escape_ascii());
        }
    });
}
