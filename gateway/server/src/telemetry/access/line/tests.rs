use std::sync::Arc;

use http::Method;
use serde_json::Value;
use sumun_policy::policy::Mode;

use super::super::super::fixture::{MS, call, refused, route};
use super::super::super::meters::RouteMeters;
use super::super::super::record::CacheResult;
use super::*;
use crate::refusal::Code;

fn writer() -> LineWriter {
    LineWriter::new(Wall::from_zero(0))
}

fn json(record: &CallRecord) -> Value {
    let mut line = Vec::new();
    writer().json(&mut line, record);
    let line = String::from_utf8(line).unwrap();
    assert_eq!(line.lines().count(), 1, "one call, one line");
    serde_json::from_str(&line).expect("a line is one JSON object")
}

fn common(record: &CallRecord) -> String {
    let mut line = Vec::new();
    writer().common(&mut line, record);
    String::from_utf8(line).expect("ASCII")
}

#[test]
fn a_json_line_says_everything() {
    let meters = Arc::new(RouteMeters::new(Some(&route("mail", Mode::Enforce)), 1));
    let record = CallRecord { cache: Some(CacheResult::Miss), ..call(Some(&meters)) };
    let expected = serde_json::json!({
        "time": "1970-01-01T00:00:01.000Z",
        "method": "GET",
        "path": "/mail/list/7?page=2",
        "route": "mail",
        "class": "batch",
        "status": 200,
        "duration_ms": 12.0,
        "upstream": "127.0.0.1:9101",
        "attempts": 1,
        "cache": "miss",
        "bytes_in": 0,
        "bytes_out": 1024,
        "peer": "127.0.0.1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "revision": 7,
    });
    assert_eq!(json(&record), expected);
}

#[test]
fn a_refusal_names_its_code_and_no_upstream() {
    let line = json(&refused(None, Code::WorkersOver));
    assert_eq!(line["code"], "workers_over");
    assert_eq!(line["status"], 429);
    assert_eq!(line["duration_ms"], 0.02);
    assert!(line.get("upstream").is_none() && line.get("route").is_none());
    assert_eq!(json(&CallRecord { complete: false, ..call(None) })["complete"], false);
}

#[test]
fn a_common_line_is_what_its_readers_know() {
    assert_eq!(
        common(&call(None)),
        "127.0.0.1 - - [01/Jan/1970:00:00:01 +0000] \"GET /mail/list/7?page=2 HTTP/1.1\" 200 1024 0.012000\n"
    );
}

#[test]
fn what_a_client_sends_cannot_forge_a_line() {
    let evil = "a\"b\\c\nd\re\tf\u{1}g\u{7f}h\u{2028}é";
    let mut out = Vec::new();
    escape_json(&mut out, evil);
    let quoted = format!("\"{}\"", String::from_utf8(out).unwrap());
    assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), evil, "it reads back the same");
    assert!(quoted.chars().all(|c| !c.is_control()), "{quoted}");

    let mut out = Vec::new();
    escape_common(&mut out, evil);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text, "a\\x22b\\x5cc\\x0ad\\x0de\\x09f\\x01g\\x7fh\\xe2\\x80\\xa8\\xc3\\xa9");
}

#[test]
fn a_path_with_quotes_stays_within_its_field() {
    let path = "/a\"b}";
    let record = CallRecord { path: path.parse().unwrap(), ..call(None) };
    assert_eq!(json(&record)["path"], path);
    assert!(common(&record).contains("\"GET /a\\x22b} HTTP/1.1\""));
}

#[test]
fn a_long_path_is_cut() {
    let path = format!("/{}", "a".repeat(10_000));
    let record = CallRecord { path: path.parse().unwrap(), ..call(None) };
    assert_eq!(json(&record)["path"].as_str().unwrap().len(), PATH_BYTES_MAX);
    assert!(common(&record).len() < PATH_BYTES_MAX + 200);
}

#[test]
fn a_method_of_any_name_is_logged_as_it_is() {
    let method = Method::from_bytes(b"PROPFIND").unwrap();
    assert_eq!(json(&CallRecord { method, ..call(None) })["method"], "PROPFIND");
}

#[test]
fn days_are_counted_by_the_calendar() {
    // Against the formatter of HTTP dates, over four centuries and the odd days of each.
    for day in (0..150_000).step_by(13).chain([59, 60, 365, 11_016, 11_017, 47_541]) {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(day * 86_400);
        let http = httpdate::fmt_http_date(time); // Thu, 01 Jan 1970 00:00:00 GMT
        let (year, month, of_month) = civil(day);
        assert_eq!(http[12..16].parse::<u64>().unwrap(), year, "{http}");
        assert_eq!(http[5..7].parse::<u64>().unwrap(), of_month, "{http}");
        let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
        assert_eq!(months.find(&http[8..11]).unwrap() as u64 / 3 + 1, month, "{http}");
    }
}

#[test]
fn the_second_turns() {
    let mut writer = writer();
    let mut at = |ns: u64| {
        let mut line = Vec::new();
        writer.json(&mut line, &CallRecord { started_ns: ns, ended_ns: ns, ..call(None) });
        let line: Value = serde_json::from_slice(&line).unwrap();
        line["time"].as_str().unwrap().to_owned()
    };
    assert_eq!(at(59_999 * MS), "1970-01-01T00:00:59.999Z");
    assert_eq!(at(60_000 * MS), "1970-01-01T00:01:00.000Z");
    assert_eq!(at(59_001 * MS), "1970-01-01T00:00:59.001Z", "calls end out of order");
    assert_eq!(at(1_795_311_360_123 * MS), "2026-11-22T01:36:00.123Z");
}
