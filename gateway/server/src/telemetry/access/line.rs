//! One line of the access log: a JSON object, or NCSA common log format with the duration appended.
//!
//! What a client sends can't forge a line: JSON strings are escaped by RFC 8259, in the common
//! format every control character, quote, backslash and byte above ASCII becomes `\xHH`.

use sumun_engine::freshness::date::civil;

use super::super::labels::cache_label;
use super::super::record::CallRecord;
use super::super::wall::Wall;
use crate::hex;

/// Bytes kept of a path in a line; longer ones are cut.
const PATH_BYTES_MAX: usize = 2048;

/// Writes lines; keeps the text of the current second, the same for thousands of lines.
#[derive(Debug)]
pub(super) struct LineWriter {
    wall: Wall,
    second: u64,
    /// `2026-11-22T01:36:00`
    iso: [u8; 19],
    /// `22/Nov/2026:01:36:00 +0000`
    ncsa: [u8; 26],
}

// === impl LineWriter ===

impl LineWriter {
    pub(super) fn new(wall: Wall) -> Self {
        Self { wall, second: u64::MAX, iso: [b'0'; 19], ncsa: [b'0'; 26] }
    }

    /// One JSON object. Fields that have no value are left out.
    pub(super) fn json(&mut self, out: &mut Vec<u8>, record: &CallRecord) {
        let millis = self.turn_to(self.wall.unix_ns(record.started_ns));
        out.extend_from_slice(b"{\"time\":\"");
        out.extend_from_slice(&self.iso);
        out.push(b'.');
        digits(out, millis, 3);
        out.extend_from_slice(b"Z\"");
        field(out, "method", record.method.as_str());
        field(out, "path", path(record));
        if let Some(route) = &record.route {
            field(out, "route", route.name());
            field(out, "class", record.class.as_str());
        }
        if let Some(caller) = &record.caller {
            field(out, "caller", caller.as_str());
        }
        number(out, "status", u64::from(record.status));
        if let Some(code) = record.refusal {
            field(out, "code", code.as_str());
        }
        name(out, "duration_ms");
        duration_ms(out, record);
        let attempts = record.attempts.iter().flatten();
        if let Some(last) = attempts.clone().last() {
            field(out, "upstream", &last.endpoint);
            number(out, "attempts", attempts.count() as u64);
        }
        if let Some(result) = record.cache {
            field(out, "cache", cache_label(result));
        }
        number(out, "bytes_in", record.request_bytes);
        number(out, "bytes_out", record.response_bytes);
        name(out, "peer");
        out.push(b'"');
        display(out, record.peer);
        out.extend_from_slice(b"\",\"trace_id\":\"");
        out.extend_from_slice(&hex::of_u128(record.trace.trace_id));
        out.push(b'"');
        number(out, "revision", record.revision);
        if !record.complete {
            out.extend_from_slice(b",\"complete\":false");
        }
        out.extend_from_slice(b"}\n");
    }

    /// `peer - caller [time] "request line" status bytes seconds`
    pub(super) fn common(&mut self, out: &mut Vec<u8>, record: &CallRecord) {
        self.turn_to(self.wall.unix_ns(record.started_ns));
        display(out, record.peer);
        out.extend_from_slice(b" - ");
        match &record.caller {
            Some(caller) => escape_word(out, caller.as_str()),
            None => out.push(b'-'),
        }
        out.extend_from_slice(b" [");
        out.extend_from_slice(&self.ncsa);
        out.extend_from_slice(b"] \"");
        escape_common(out, record.method.as_str());
        out.push(b' ');
        escape_common(out, path(record));
        out.push(b' ');
        display(out, format_args!("{:?}", record.version));
        out.extend_from_slice(b"\" ");
        digits(out, u64::from(record.status), 3);
        out.push(b' ');
        integer(out, record.response_bytes);
        out.push(b' ');
        let micros = record.ended_ns.saturating_sub(record.started_ns) / 1000;
        integer(out, micros / 1_000_000);
        out.push(b'.');
        digits(out, micros % 1_000_000, 6);
        out.push(b'\n');
    }

    /// Makes the two texts those of this second; gives the milliseconds within it.
    fn turn_to(&mut self, unix_ns: u64) -> u64 {
        let second = unix_ns / 1_000_000_000;
        if second != self.second {
            self.second = second;
            self.write_second();
        }
        unix_ns % 1_000_000_000 / 1_000_000
    }

    fn write_second(&mut self) {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (year, month, day) = civil(self.second / 86_400);
        let (hour, minute, second) =
            (self.second / 3600 % 24, self.second / 60 % 60, self.second % 60);
        let iso = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        let month = MONTHS[month as usize - 1];
        let ncsa = format!("{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000");
        // The year has four digits until 9999.
        self.iso.copy_from_slice(&iso.as_bytes()[..19]);
        self.ncsa.copy_from_slice(&ncsa.as_bytes()[..26]);
    }
}

fn path(record: &CallRecord) -> &str {
    let path = record.path.as_str();
    &path[..path.floor_char_boundary(PATH_BYTES_MAX)]
}

fn name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn field(out: &mut Vec<u8>, key: &str, value: &str) {
    name(out, key);
    out.push(b'"');
    escape_json(out, value);
    out.push(b'"');
}

fn number(out: &mut Vec<u8>, key: &str, value: u64) {
    name(out, key);
    integer(out, value);
}

fn integer(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The last `width` digits of `value`, with zeros in front.
fn digits(out: &mut Vec<u8>, value: u64, width: u32) {
    out.extend((0..width).rev().map(|place| b'0' + (value / 10_u64.pow(place) % 10) as u8));
}

fn duration_ms(out: &mut Vec<u8>, record: &CallRecord) {
    let micros = record.ended_ns.saturating_sub(record.started_ns) / 1000;
    integer(out, micros / 1000);
    out.push(b'.');
    digits(out, micros % 1000, 3);
}

fn display(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    use std::io::Write;
    let _ = write!(out, "{value}"); // Writing to a Vec cannot fail.
}

fn hex_digit(nibble: u8) -> u8 {
    b"0123456789abcdef"[usize::from(nibble & 15)]
}

/// RFC 8259 section 7: quote, backslash and control characters; DEL and the rest may stand, DEL is
/// escaped for the terminals that logs end up on.
fn escape_json(out: &mut Vec<u8>, text: &str) {
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\' && byte != 0x7f;
    if text.bytes().all(plain) {
        return out.extend_from_slice(text.as_bytes());
    }
    for byte in text.bytes() {
        match byte {
            byte if plain(byte) => out.push(byte),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            byte => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[hex_digit(byte >> 4), hex_digit(byte)]);
            }
        }
    }
}

/// A word of the common format: a space would begin the next one.
fn escape_word(out: &mut Vec<u8>, text: &str) {
    for word in text.split_inclusive(' ') {
        match word.strip_suffix(' ') {
            Some(word) => {
                escape_common(out, word);
                out.extend_from_slice(b"\\x20");
            }
            None => escape_common(out, word),
        }
    }
}

fn escape_common(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' | 0..b' ' | 0x7f.. => {
                out.extend_from_slice(&[b'\\', b'x', hex_digit(byte >> 4), hex_digit(byte)]);
            }
            byte => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests;
