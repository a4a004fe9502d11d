//! A very light HTTP/1.1 origin: std and raw epoll, no crates. `rustc -O origin.rs`.
//!
//! `origin PORT` listens on 127.0.0.1 (0: a free port) and prints the port. A path that ends in
//! `64k` gets 64 KiB, `4m` 4 MiB, anything else 1 KiB, with Date, ETag and Cache-Control, so that
//! caches may store it. Under `/herd/` the answer comes 300 ms late, and is `private` where the last
//! segment begins with `own`. A request with a body (`Content-Length` only) gets an empty 200: that makes
//! it a receiver of OTLP. `/__count` tells the number of GETs and of body bytes so far: it proves
//! what was a cache hit or a refusal, and that spans arrived.

mod epoll;

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use epoll::{epoll_create1, epoll_ctl, epoll_wait, Event, EPOLLIN, EPOLL_CTL_ADD};

const EPOLLOUT: u32 = 4;
const EPOLL_CTL_MOD: i32 = 3;

/// How late answers under `/herd/` come.
const LATE: Duration = Duration::from_millis(300);

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
    unsent: Vec<u8>,
    /// An answer that is due then.
    late: Option<(Instant, Vec<u8>)>,
    sent: usize,
    body_left: usize,
    wants_out: bool,
}

/// What is answered again and again, made anew once a second for its Date.
struct Answers {
    small: Vec<u8>,
    big: Vec<u8>,
    made: Instant,
}

#[derive(Default)]
struct Counts {
    gets: u64,
    body_bytes: u64,
}

impl Answers {
    fn new() -> Self {
        Self { small: answer(1024), big: answer(64 << 10), made: Instant::now() }
    }
}

/// Now as IMF-fixdate (RFC 9110 §5.6.7); the civil date by Howard Hinnant's `civil_from_days`.
fn http_date() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let (days, second) = ((seconds / 86_400) as i64, seconds % 86_400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted - era * 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days % 7) as usize];
    let month =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
            [(month - 1) as usize];
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

fn answer(body_bytes: usize) -> Vec<u8> {
    answer_for(false, body_bytes)
}

fn answer_for(private: bool, body_bytes: usize) -> Vec<u8> {
    let whose = if private { "private" } else { "public, max-age=3600" };
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\nDate: {}\r\nContent-Type: application/json\r\nETag: W/\"1-5f3a\"\r\n\
         Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nCache-Control: {whose}\r\n\
         Content-Length: {body_bytes}\r\n\r\n",
        http_date()
    )
    .into_bytes();
    bytes.resize(bytes.len() + body_bytes, b'x');
    bytes
}

/// Sends what the socket takes; false once the connection is dead.
fn flush(epoll: i32, id: u64, connection: &mut Connection) -> bool {
    while !connection.unsent.is_empty() {
        match connection.stream.write(&connection.unsent[connection.sent..]) {
            Ok(n) if connection.sent + n == connection.unsent.len() => {
                connection.unsent.clear();
                connection.sent = 0;
            }
            Ok(n) => connection.sent += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) => return false,
        }
    }
    let wants = !connection.unsent.is_empty();
    if wants != connection.wants_out {
        connection.wants_out = wants;
        let events = if wants { EPOLLIN | EPOLLOUT } else { EPOLLIN };
        let mut event = Event { events, data: id };
        unsafe { epoll_ctl(epoll, EPOLL_CTL_MOD, connection.stream.as_raw_fd(), &mut event) };
    }
    true
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    head.split("\r\n")
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
        .unwrap_or(0)
}

/// Answers every whole request that has been read.
fn serve(connection: &mut Connection, answers: &Answers, counts: &mut Counts) {
    loop {
        let body = connection.body_left.min(connection.read.len());
        if body > 0 {
            connection.read.drain(..body);
            connection.body_left -= body;
            counts.body_bytes += body as u64;
        }
        let end = connection.read.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(end) = end else { break };
        let head = &connection.read[..end + 2];
        let line_end = head.iter().position(|byte| *byte == b'\r').unwrap_or(end);
        let line = &head[..line_end];
        let path = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        if !line.starts_with(b"GET") {
            connection.body_left = content_length(head);
            connection.unsent.extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        } else if path == b"/__count" {
            let text = format!("{} {}", counts.gets, counts.body_bytes);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
            connection.unsent.extend_from_slice(head.as_bytes());
            connection.unsent.extend_from_slice(text.as_bytes());
        } else {
            counts.gets += 1;
            if path.starts_with(b"/herd/") {
                let own = path.split(|byte| *byte == b'/').next_back().unwrap_or_default();
                let late = answer_for(own.starts_with(b"own"), 1024);
                connection.late = Some((Instant::now() + LATE, late));
            } else if path.ends_with(b"4m") {
                connection.unsent.extend_from_slice(&answer(4 << 20));
            } else if path.ends_with(b"64k") {
                connection.unsent.extend_from_slice(&answers.big);
            } else {
                connection.unsent.extend_from_slice(&answers.small);
            }
        }
        connection.read.drain(..end + 4);
    }
}

/// Reads once and answers; false once the connection is dead.
fn receive(
    connection: &mut Connection,
    scratch: &mut [u8],
    answers: &Answers,
    counts: &mut Counts,
) -> bool {
    match connection.stream.read(scratch) {
        Ok(0) => return false,
        Ok(n) => connection.read.extend_from_slice(&scratch[..n]),
        Err(error) => return error.kind() == ErrorKind::WouldBlock,
    }
    serve(connection, answers, counts);
    true
}

/// Sends what was due.
fn send_late(epoll: i32, connections: &mut HashMap<u64, Connection>) {
    let now = Instant::now();
    connections.retain(|&id, connection| match connection.late.take() {
        Some((at, late)) if at <= now => {
            connection.unsent.extend_from_slice(&late);
            flush(epoll, id, connection)
        }
        waiting => {
            connection.late = waiting;
            true
        }
    });
}

fn main() {
    let port = std::env::args().nth(1).expect("usage: origin PORT").parse::<u16>().expect("port");
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("bind");
    listener.set_nonblocking(true).expect("nonblocking");
    println!("{}", listener.local_addr().expect("bound").port());
    let epoll = unsafe { epoll_create1(0) };
    let add = |fd: i32, data: u64| {
        let mut event = Event { events: EPOLLIN, data };
        unsafe { epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &mut event) };
    };
    add(listener.as_raw_fd(), 0);
    let (mut connections, mut next_id) = (HashMap::<u64, Connection>::new(), 1u64);
    let (mut answers, mut counts) = (Answers::new(), Counts::default());
    let mut events = [Event { events: 0, data: 0 }; 256];
    let mut scratch = vec![0u8; 65_536];
    loop {
        let due = connections.values().filter_map(|connection| Some(connection.late.as_ref()?.0));
        let wait = due.min().map_or(Duration::from_secs(1), |at| at - Instant::now().min(at));
        // Rounded up: it would spin through the last millisecond.
        let wait_ms = wait.as_micros().div_ceil(1000) as i32;
        let n = unsafe { epoll_wait(epoll, events.as_mut_ptr(), events.len() as i32, wait_ms) };
        send_late(epoll, &mut connections);
        if answers.made.elapsed() > Duration::from_secs(1) {
            answers = Answers::new();
        }
        for event in &events[..n.max(0) as usize] {
            let (ready, id) = (event.events, event.data);
            if id == 0 {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true).expect("nonblocking");
                    stream.set_nodelay(true).ok();
                    add(stream.as_raw_fd(), next_id);
                    let connection = Connection {
                        stream,
                        read: vec![],
                        unsent: vec![],
                        late: None,
                        sent: 0,
                        body_left: 0,
                        wants_out: false,
                    };
                    connections.insert(next_id, connection);
                    next_id += 1;
                }
                continue;
            }
            let Some(connection) = connections.get_mut(&id) else { continue };
            let alive =
                ready & !EPOLLOUT == 0 || receive(connection, &mut scratch, &answers, &mut counts);
            if !alive || !flush(epoll, id, connection) {
                connections.remove(&id);
            }
        }
    }
}
