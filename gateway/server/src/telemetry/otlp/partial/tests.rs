use super::*;

fn partial(rejected: u64, text: &str) -> Partial {
    Partial { rejected, text: text.to_owned() }
}

fn protobuf(rejected: i64, error_message: &str) -> Vec<u8> {
    let error_message = error_message.to_owned();
    Response { partial_success: Some(PartialSuccess { rejected, error_message }) }.encode_to_vec()
}

#[test]
fn what_was_refused_is_read_in_both_forms() {
    assert_eq!(Partial::read(false, &protobuf(3, "over quota")), partial(3, "over quota"));
    for body in [
        r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"over quota"}}"#,
        r#"{"partialSuccess":{"rejectedSpans":3,"errorMessage":"over quota"}}"#,
        r#"{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"over quota"}}"#,
    ] {
        assert_eq!(Partial::read(true, body.as_bytes()), partial(3, "over quota"), "{body}");
    }
}

#[test]
fn the_messages_are_those_of_the_protocol() {
    use opentelemetry_proto::tonic::collector::metrics::v1::{
        ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
    };
    use opentelemetry_proto::tonic::collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceResponse,
    };
    let error_message = "why".to_owned();
    let spans = ExportTracePartialSuccess { rejected_spans: 7, error_message };
    let spans = ExportTraceServiceResponse { partial_success: Some(spans) };
    assert_eq!(Partial::read(false, &spans.encode_to_vec()), partial(7, "why"));
    let points = ExportMetricsPartialSuccess { rejected_data_points: 8, ..Default::default() };
    let points = ExportMetricsServiceResponse { partial_success: Some(points) };
    assert_eq!(Partial::read(false, &points.encode_to_vec()), partial(8, ""));
}

#[test]
fn a_receiver_that_took_all_or_talks_nonsense_has_refused_nothing() {
    for body in [&b""[..], b"\xff\xff\xff", &protobuf(0, ""), &protobuf(-5, "")] {
        assert!(Partial::read(false, body).is_whole(), "{body:?}");
    }
    for body in ["", "{}", "[]", "null", "<html>", r#"{"partialSuccess":{"rejectedSpans":"many"}}"#]
    {
        assert!(Partial::read(true, body.as_bytes()).is_whole(), "{body}");
    }
}

#[test]
fn what_a_receiver_says_is_bounded_and_plain() {
    let long = format!("\u{1b}[31m{}", "x".repeat(10_000));
    let read = Partial::read(false, &protobuf(1, &long));
    assert_eq!(read.text.chars().count(), TEXT_CHARS_MAX);
    assert!(!read.text.contains('\u{1b}'));
}

#[test]
fn it_is_said_once_a_minute_with_all_that_was_refused() {
    let (start, mut rejections) = (Instant::now(), Rejections::default());
    let at = |seconds| start + Duration::from_secs(seconds);
    assert_eq!(rejections.note(&Partial::default(), at(0)), None);
    assert_eq!(rejections.note(&partial(2, "over quota"), at(1)), Some(2));
    assert_eq!(rejections.note(&partial(3, "over quota"), at(2)), None);
    assert_eq!(rejections.note(&partial(4, "over quota"), at(60)), None);
    assert_eq!(rejections.note(&Partial::default(), at(61)), None);
    assert_eq!(rejections.note(&partial(0, "take care"), at(62)), Some(7));
    assert_eq!(rejections.note(&partial(0, "take care"), at(200)), Some(0));
}
