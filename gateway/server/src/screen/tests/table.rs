//! Each case of the corpora, whole, byte by byte and cut at every place.

use std::collections::HashSet;

use super::super::INTERIM_ANSWERS_MAX;
use super::corpus::{self, Case};
use super::{HeadLimits, Malformed, Part, RequestScreen, ResponseScreen, Screen, split_points};

/// All ways to feed it lead to the same fault, and what was handed on is fine by itself.
fn check_refused(case: &Case, new: impl Fn() -> Screen) -> (Malformed, Part) {
    let bytes = case.bytes.as_slice();
    let whole = new().feed([bytes]);
    let Some((kind, part)) = whole.fault else { panic!("{} was let through", case.name) };
    assert_eq!(kind.code(), case.code, "{}", case.name);
    let single = new().feed(bytes.chunks(1));
    assert_eq!(single.fault, whole.fault, "{} byte by byte", case.name);
    for at in split_points(bytes.len()) {
        let (before, after) = bytes.split_at(at);
        let cut = new().feed([before, after]);
        assert_eq!(cut.fault, whole.fault, "{} cut at {at}", case.name);
        assert!(cut.handed_on >= whole.handed_on, "{} cut at {at}", case.name);
        assert!(cut.handed_on <= single.handed_on, "{} cut at {at}", case.name);
    }
    for handed_on in [whole.handed_on, single.handed_on] {
        assert_eq!(new().feed([&bytes[..handed_on]]).fault, None, "{}", case.name);
    }
    (kind, part)
}

fn check_passed(case: &Case, new: impl Fn() -> Screen) {
    let bytes = case.bytes.as_slice();
    assert_eq!(new().feed([bytes]).fault, None, "{}", case.name);
    assert_eq!(new().feed(bytes.chunks(1)).fault, None, "{} byte by byte", case.name);
    for at in split_points(bytes.len()) {
        let (before, after) = bytes.split_at(at);
        assert_eq!(new().feed([before, after]).fault, None, "{} cut at {at}", case.name);
    }
}

fn new_request() -> Screen {
    Screen::request(HeadLimits::default())
}

fn new_response(case: &Case) -> Screen {
    Screen::response(HeadLimits::default(), case.word)
}

#[test]
fn hostile_requests_are_refused_with_their_reason() {
    let cases = corpus::hostile_requests();
    assert!(cases.len() >= 120, "{}", cases.len());
    for case in &cases {
        let (kind, part) = check_refused(case, new_request);
        assert_eq!(kind.status().to_string(), case.word, "{}", case.name);
        let in_body = case.name.starts_with("chunk-") || case.name.starts_with("trailer-");
        assert_eq!(part, if in_body { Part::Body } else { Part::Head }, "{}", case.name);
    }
}

#[test]
fn hostile_responses_are_refused_with_their_reason() {
    let cases = corpus::hostile_responses();
    assert!(cases.len() >= 60, "{}", cases.len());
    for case in &cases {
        let (_, part) = check_refused(case, || new_response(case));
        let in_body = case.name.starts_with("chunk-");
        assert_eq!(part, if in_body { Part::Body } else { Part::Head }, "{}", case.name);
    }
}

#[test]
fn valid_requests_pass_and_stop_where_they_should() {
    for case in corpus::valid_requests() {
        check_passed(&case, new_request);
        let mut screen = RequestScreen::new(HeadLimits::default());
        screen.watch(&case.bytes).unwrap();
        assert_eq!(screen.at_message_boundary(), case.code == "boundary", "{}", case.name);
        assert_eq!(screen.in_body(), case.code == "body", "{}", case.name);
    }
}

#[test]
fn valid_responses_pass_and_tell_whether_the_connection_may_be_used_again() {
    for case in corpus::valid_responses() {
        check_passed(&case, || new_response(&case));
        let mut screen = ResponseScreen::new(HeadLimits::default());
        screen.expect(case.word == "HEAD");
        screen.watch(&case.bytes).unwrap();
        assert_eq!(screen.reusable(), case.code == "reusable", "{}", case.name);
        if screen.reusable() {
            screen.expect(false);
            assert!(!screen.reusable(), "{}", case.name);
            screen.watch(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            assert!(screen.reusable(), "{}", case.name);
        }
    }
}

#[test]
fn every_reason_has_a_case_a_code_of_its_own_and_words() {
    let cases: Vec<_> =
        corpus::hostile_requests().into_iter().chain(corpus::hostile_responses()).collect();
    let codes: HashSet<_> = Malformed::ALL.iter().map(|kind| kind.code()).collect();
    assert_eq!(codes.len(), Malformed::ALL.len());
    for kind in Malformed::ALL {
        assert!(cases.iter().any(|case| case.code == kind.code()), "no case for {kind:?}");
        assert!(kind.to_string().len() > 10);
    }
}

#[test]
fn earlier_messages_are_handed_on_and_the_bad_head_is_not() {
    let good = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd";
    let stream = [good.as_slice(), b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"].concat();
    let verdict = new_request().feed([stream.as_slice()]);
    assert_eq!(verdict.handed_on, good.len());
    assert_eq!(verdict.fault, Some((Malformed::HostInvalid, Part::Head)));
}

#[test]
fn chunk_data_before_a_fault_is_handed_on() {
    let good = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n";
    let stream = [good.as_slice(), b"x\r\n"].concat();
    let verdict = new_request().feed([stream.as_slice()]);
    assert_eq!(verdict.handed_on, good.len());
    assert_eq!(verdict.fault, Some((Malformed::ChunkSize, Part::Body)));
}

#[test]
fn an_answer_is_handed_on_whole_before_what_nobody_asked_for() {
    let good = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd";
    let stream = [good.as_slice(), b"HTTP/1.1 200 OK\r\n\r\n"].concat();
    let verdict = Screen::response(HeadLimits::default(), "GET").feed([stream.as_slice()]);
    assert_eq!(verdict.handed_on, good.len());
    assert_eq!(verdict.fault, Some((Malformed::Unsolicited, Part::Head)));
}

#[test]
fn bytes_before_the_first_request_are_unsolicited() {
    let mut screen = ResponseScreen::new(HeadLimits::default());
    assert!(screen.reusable());
    let violation = screen.watch(b"HTTP/1.1 408 Request Timeout\r\n\r\n").unwrap_err();
    assert_eq!((violation.valid, violation.kind), (0, Malformed::Unsolicited));
    assert!(!screen.reusable());
}

#[test]
fn a_request_before_the_answer_ended_spoils_the_connection() {
    let mut screen = ResponseScreen::new(HeadLimits::default());
    screen.expect(false);
    screen.expect(true);
    screen.watch(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na").unwrap();
    assert!(!screen.reusable());
}

#[test]
fn each_answer_may_have_its_interim_ones() {
    let mut screen = ResponseScreen::new(HeadLimits::default());
    for _ in 0..2 {
        screen.expect(false);
        screen.watch(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(INTERIM_ANSWERS_MAX)).unwrap();
        screen.watch(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    }
    assert!(screen.reusable());
}

#[test]
fn a_boundary_is_where_nothing_of_a_next_message_was_seen() {
    let mut screen = RequestScreen::new(HeadLimits::default());
    assert!(screen.at_message_boundary());
    for byte in b"GET / HTTP/1.1\r\nHost: a\r\n\r" {
        screen.watch(&[*byte]).unwrap();
        assert!(!screen.at_message_boundary());
    }
    screen.watch(b"\n").unwrap();
    assert!(screen.at_message_boundary());
    screen.watch(b"").unwrap();
    assert!(screen.at_message_boundary());
}

#[test]
fn a_stopped_screen_looks_at_nothing_and_a_closed_one_stays_closed() {
    let mut screen = RequestScreen::new(HeadLimits::default());
    screen.stop();
    screen.watch(b"\0\n\x81\x05hello").unwrap();
    assert!(!screen.at_message_boundary() && !screen.in_body());

    let mut screen = RequestScreen::new(HeadLimits::default());
    screen.watch(b"\n").unwrap_err();
    screen.stop();
    screen.watch(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap_err();

    let mut screen = ResponseScreen::new(HeadLimits::default());
    screen.expect(false);
    screen.stop();
    screen.watch(b"\0\n\x81\x05hello").unwrap();
    assert!(!screen.reusable());
}

#[test]
fn limits_are_exact() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n";
    let fault = |head_bytes_max, headers_max| {
        let limits = HeadLimits { head_bytes_max, headers_max };
        Screen::request(limits).feed([head.as_slice()]).fault.map(|(kind, _)| kind)
    };
    assert_eq!(fault(head.len(), 2), None);
    assert_eq!(fault(head.len() - 1, 2), Some(Malformed::HeadTooLarge));
    assert_eq!(fault(head.len(), 1), Some(Malformed::TooManyHeaders));
    assert_eq!(fault(16, 2), Some(Malformed::HeadTooLarge));
    assert_eq!(fault(15, 2), Some(Malformed::RequestLineTooLong));
    assert_eq!(fault(0, 0), Some(Malformed::RequestLineTooLong));

    let head = b"HTTP/1.1 204 \r\nX: b\r\nY: c\r\n\r\n";
    let fault = |head_bytes_max, headers_max| {
        let limits = HeadLimits { head_bytes_max, headers_max };
        Screen::response(limits, "GET").feed([head.as_slice()]).fault.map(|(kind, _)| kind)
    };
    assert_eq!(fault(head.len(), 2), None);
    assert_eq!(fault(head.len() - 1, 2), Some(Malformed::HeadTooLarge));
    assert_eq!(fault(head.len(), 1), Some(Malformed::TooManyHeaders));
    assert_eq!(fault(0, 0), Some(Malformed::HeadTooLarge));
}
