use proptest::prelude::*;

use super::{of_u64, of_u128, read};

#[test]
fn what_is_no_digit_is_no_number() {
    for text in ["g", "A", "0x", " 1", "00000000000000001"] {
        assert_eq!(read(text.as_bytes()), None, "{text}");
    }
    assert_eq!((read(b"0f"), read(b"")), (Some(15), Some(0)));
}

proptest! {
    #[test]
    fn ids_are_written_padded(id in any::<u128>()) {
        let text = of_u128(id);
        prop_assert_eq!(str::from_utf8(&text).unwrap(), format!("{id:032x}"));
    }

    #[test]
    fn what_was_written_is_read(id in any::<u64>()) {
        prop_assert_eq!(read(&of_u64(id)), Some(id));
    }

    #[test]
    fn reading_agrees_with_the_standard_library(text in "[0-9a-fg]{1,16}") {
        prop_assert_eq!(read(text.as_bytes()), u64::from_str_radix(&text, 16).ok());
    }
}
