use super::link;

#[test]
fn a_link_is_a_url_with_room_for_the_id() {
    for good in [
        "http://jaeger:16686/trace/{trace_id}",
        "https://grafana/explore?left=%7B%22query%22:%22{trace_id}%22%7D",
    ] {
        assert_eq!(link(good).unwrap(), good);
    }
    for bad in ["", "jaeger/{trace_id}", "javascript:alert({trace_id})", "http://jaeger/trace/"] {
        assert!(link(bad).unwrap_err().help.contains("{trace_id}"), "{bad}");
    }
}
