//! The bounds of the data listener.

use sumun_policy::units::{show_bytes, show_duration};

use super::super::values::{bytes, count, duration};
use super::{GIB, HOUR, Key, MIB, SECOND, put};

pub(super) const HEADER_TIME: Key = Key {
    path: "limits.header_time",
    flag: "limits-header-time",
    value: "DURATION",
    about: "Longest time from the first byte of a request head to its last",
    reason: "a slow network needs a second; who needs longer holds a connection on purpose",
    list: false,
    set: |d, text| {
        put(&mut d.settings.limits.header_time, duration(text, SECOND / 10, 5 * 60 * SECOND))
    },
    show: |s| Some(show_duration(s.limits.header_time)),
};

pub(super) const HEADER_BYTES: Key = Key {
    path: "limits.header_bytes",
    flag: "limits-header-bytes",
    value: "BYTES",
    about: "Largest request head",
    reason: "what Tomcat and nginx take with large cookies, and room; bounds the read buffer",
    list: false,
    set: |d, text| {
        let size = bytes(text, 8 << 10, MIB).map(|n| n as usize);
        put(&mut d.settings.limits.header_bytes, size)
    },
    show: |s| Some(show_bytes(s.limits.header_bytes as u64)),
};

pub(super) const HEADERS: Key = Key {
    path: "limits.headers",
    flag: "limits-headers",
    value: "N",
    about: "Most fields of a request head",
    reason: "browsers send 20, meshes 60",
    list: false,
    set: |d, text| put(&mut d.settings.limits.headers, count(text, 16, 1024).map(|n| n as usize)),
    show: |s| Some(s.limits.headers.to_string()),
};

pub(super) const MAX_BODY: Key = Key {
    path: "limits.max_body",
    flag: "limits-max-body",
    value: "BYTES",
    about: "Largest request body",
    reason: "bodies are streamed, so this only stops what never ends",
    list: false,
    set: |d, text| put(&mut d.settings.limits.body_bytes_max, bytes(text, 1, 1024 * GIB)),
    show: |s| Some(show_bytes(s.limits.body_bytes_max)),
};

pub(super) const BODY_RATE: Key = Key {
    path: "limits.body_rate",
    flag: "limits-body-rate",
    value: "BYTES",
    about: "Least bytes a second of a request body, after 5 s; 0B: any",
    reason: "slower than any modem: such a body only holds an upstream's thread",
    list: false,
    set: |d, text| put(&mut d.settings.limits.body_rate_min, bytes(text, 0, GIB)),
    show: |s| Some(show_bytes(s.limits.body_rate_min)),
};

pub(super) const IDLE: Key = Key {
    path: "limits.idle",
    flag: "limits-idle",
    value: "DURATION",
    about: "Longest time of a connection without a call, or without taking a byte",
    reason: "longer than the pause between a person's clicks",
    list: false,
    set: |d, text| put(&mut d.settings.limits.idle, duration(text, SECOND, HOUR)),
    show: |s| Some(show_duration(s.limits.idle)),
};

pub(super) const CONNECTIONS: Key = Key {
    path: "limits.connections",
    flag: "limits-connections",
    value: "N",
    about: "Most connections over all workers",
    reason: "1 GiB at 20 KiB for an idle one",
    list: false,
    set: |d, text| {
        let most = count(text, 1, 1_000_000).map(|n| n as usize);
        put(&mut d.settings.limits.connections, most)
    },
    show: |s| Some(s.limits.connections.to_string()),
};

pub(super) const H2_STREAMS: Key = Key {
    path: "limits.h2_streams",
    flag: "limits-h2-streams",
    value: "N",
    about: "Most concurrent streams of one HTTP/2 connection",
    reason: "the least that RFC 9113 section 6.5.2 recommends",
    list: false,
    set: |d, text| {
        let most = count(text, 1, 1000).map(|n| n as u32);
        put(&mut d.settings.limits.h2_streams, most)
    },
    show: |s| Some(s.limits.h2_streams.to_string()),
};
