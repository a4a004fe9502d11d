use super::*;

const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_valid_header_is_read() {
    let parent = Parent::parse(GOOD.as_bytes()).unwrap();
    assert_eq!(parent.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
    assert_eq!(parent.span_id, 0x00f0_67aa_0ba9_02b7);
    assert!(parent.sampled);
}

#[test]
fn the_table_of_section_3_2_2() {
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let span = "00f067aa0ba902b7";
    let cases = [
        (format!("00-{trace}-{span}-00"), Some(false), "not sampled"),
        (format!("00-{trace}-{span}-03"), Some(true), "unknown flags are ignored"),
        (format!("00-{trace}-{span}-fe"), Some(false), "only the lowest bit is sampled"),
        (format!("cc-{trace}-{span}-01"), Some(true), "a later version"),
        (format!("cc-{trace}-{span}-01-what-ever"), Some(true), "a later version with more"),
        (format!("cc-{trace}-{span}-01.what"), None, "a later version, no dash"),
        (format!("00-{trace}-{span}-01-what"), None, "version 00 has no more"),
        (format!("ff-{trace}-{span}-01"), None, "version ff is forbidden"),
        (format!("00-{}-{span}-01", "0".repeat(32)), None, "trace id all zero"),
        (format!("00-{trace}-{}-01", "0".repeat(16)), None, "parent id all zero"),
        (format!("00-{}-{span}-01", trace.to_uppercase()), None, "upper case"),
        (format!("00-{trace}-{span}-0"), None, "flags too short"),
        (format!("00-{trace}-{span}"), None, "no flags"),
        (format!("00-{trace}-{span}-0x"), None, "flags not hex"),
        (format!("0-{trace}-{span}-001"), None, "dashes out of place"),
        (format!("00_{trace}_{span}_01"), None, "no dashes"),
        (format!(" 00-{trace}-{span}-01"), None, "leading space"),
        (String::new(), None, "empty"),
    ];
    for (text, sampled, why) in cases {
        assert_eq!(Parent::parse(text.as_bytes()).map(|p| p.sampled), sampled, "{why}: {text}");
    }
}

#[test]
fn two_headers_are_none() {
    let mut headers = HeaderMap::new();
    assert_eq!(Parent::of(&headers), None);
    headers.append(TRACEPARENT, HeaderValue::from_static(GOOD));
    assert!(Parent::of(&headers).is_some());
    headers.append(TRACEPARENT, HeaderValue::from_static(GOOD));
    assert_eq!(Parent::of(&headers), None);
}

#[test]
fn what_is_written_is_read_again() {
    let trace = Trace { trace_id: 1, span_id: 2, parent_id: None, sampled: true };
    let value = header(&trace, u64::MAX);
    assert_eq!(value, "00-00000000000000000000000000000001-ffffffffffffffff-01");
    let parent = Parent::parse(value.as_bytes()).unwrap();
    assert_eq!(parent, Parent { trace_id: 1, span_id: u64::MAX, sampled: true });
}
