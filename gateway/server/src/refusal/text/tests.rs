use proptest::prelude::*;

use super::Text;

fn shown(text: Text) -> String {
    String::from_utf8(text.into_bytes().to_vec()).unwrap()
}

#[test]
fn figures_have_four_decimals_at_most() {
    for (value, text) in [
        (0.0, "0"),
        (1.0, "1"),
        (0.85, "0.85"),
        (0.912_345, "0.9123"),
        (0.000_04, "0"),
        (0.000_05, "0.0001"),
        (-0.5, "-0.5"),
        (300.05, "300.05"),
        (f64::NAN, "0"),
        (f64::INFINITY, "0"),
    ] {
        assert_eq!(shown(Text::with_capacity(8).figure(value)), text, "{value}");
    }
}

#[test]
fn ids_are_padded() {
    assert_eq!(shown(Text::with_capacity(32).hex(0xabc)), format!("{:032x}", 0xabc));
}

proptest! {
    #[test]
    fn a_figure_is_the_number(value in -1e9..1e9) {
        let text = shown(Text::with_capacity(16).figure(value));
        let back: f64 = text.parse().unwrap();
        prop_assert!((back - value).abs() <= 0.000_051, "{} for {}", text, value);
    }
}
