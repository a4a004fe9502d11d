//! A light HTTP/1.1 load generator: std and raw epoll, no crates. `rustc -O lg.rs`.
//!
//! `lg HOST:PORT PATH -c CONNECTIONS -d SECONDS` keeps one request in flight on each connection and
//! prints one line of JSON. 2xx and 3xx count as ok, 429 and 503 as refused, anything else as other;
//! latencies (microseconds) are of ok answers only. A connection that dies is made anew and counted.

mod epoll;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use epoll::{epoll_create1, epoll_ctl, epoll_wait, Event, EPOLLIN, EPOLL_CTL_ADD};

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
    sent_at: Option<Instant>,
}

#[derive(Default)]
struct Tally {
    ok: u64,
    refused: u64,
    other: u64,
    errors: u64,
    reconnects: u64,
    latencies_us: Vec<u32>,
}

/// The first complete answer in a buffer.
struct Answer {
    status: u16,
    bytes: usize,
    close: bool,
}

fn connect(epoll: i32, address: &str, id: usize) -> Connection {
    let stream = TcpStream::connect(address).expect("connect");
    stream.set_nodelay(true).ok();
    stream.set_nonblocking(true).expect("nonblocking");
    let mut event = Event { events: EPOLLIN, data: id as u64 };
    unsafe { epoll_ctl(epoll, EPOLL_CTL_ADD, stream.as_raw_fd(), &mut event) };
    Connection { stream, read: Vec::with_capacity(70_000), sent_at: None }
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = &bytes[..end];
    let status: u16 = std::str::from_utf8(head.get(9..12)?).ok()?.parse().ok()?;
    let (mut length, mut chunked, mut close) = (None, false, false);
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let is = |name: &str| {
            line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name.as_bytes())
        };
        let value = || {
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(0);
            String::from_utf8_lossy(&line[colon + 1..]).trim().to_ascii_lowercase()
        };
        if is("content-length:") {
            length = value().parse::<usize>().ok();
        } else if is("transfer-encoding:") {
            chunked = value().contains("chunked");
        } else if is("connection:") {
            close = value() == "close";
        }
    }
    let bodiless = status == 304 || status == 204;
    let total = match (bodiless, chunked) {
        (true, _) => end,
        (false, true) => chunks_end(bytes, end)?,
        (false, false) => end + length.unwrap_or(0),
    };
    (bytes.len() >= total).then_some(Answer { status, bytes: total, close })
}

/// Where a chunked body without trailers ends; `None` while it has not come whole.
fn chunks_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let line = bytes[at..].windows(2).position(|window| window == b"\r\n")?;
        let text = std::str::from_utf8(&bytes[at..at + line]).ok()?;
        let size = usize::from_str_radix(text.split(';').next()?.trim(), 16).ok()?;
        at += line + 2 + size + 2;
        if at > bytes.len() {
            return None;
        }
        if size == 0 {
            return Some(at);
        }
    }
}

fn send(connection: &mut Connection, request: &[u8]) -> bool {
    connection.sent_at = Some(Instant::now());
    // Far below the socket's buffer, which is empty: it is written whole or not at all.
    connection.stream.write_all(request).is_ok()
}

/// Reads what there is; false once the connection is dead. `idle` tells that an answer has ended.
fn receive(
    connection: &mut Connection,
    scratch: &mut [u8],
    tally: &mut Tally,
    idle: &mut bool,
) -> bool {
    match connection.stream.read(scratch) {
        Ok(0) => return false,
        Ok(n) => connection.read.extend_from_slice(&scratch[..n]),
        Err(error) => return error.kind() == ErrorKind::WouldBlock,
    }
    let Some(sent_at) = connection.sent_at else { return true };
    let Some(answer) = parse(&connection.read) else { return true };
    match answer.status {
        200..=399 => {
            tally.ok += 1;
            tally.latencies_us.push(sent_at.elapsed().as_micros().min(u32::MAX.into()) as u32);
        }
        429 | 503 => tally.refused += 1,
        _ => tally.other += 1,
    }
    connection.read.drain(..answer.bytes);
    connection.sent_at = None;
    *idle = true;
    !answer.close
}

fn run(address: &str, request: &[u8], count: usize, time: Duration) -> (Tally, Duration) {
    let epoll = unsafe { epoll_create1(0) };
    let mut connections: Vec<_> = (0..count).map(|id| connect(epoll, address, id)).collect();
    let mut tally = Tally { latencies_us: Vec::with_capacity(1 << 20), ..Tally::default() };
    let mut events = [Event { events: 0, data: 0 }; 256];
    let mut scratch = vec![0u8; 131_072];
    let begun = Instant::now();
    let grace = Duration::from_secs(2);
    for connection in &mut connections {
        send(connection, request);
    }
    loop {
        let elapsed = begun.elapsed();
        let waiting = connections.iter().any(|connection| connection.sent_at.is_some());
        if elapsed >= time && (!waiting || elapsed > time + grace) {
            break;
        }
        let n = unsafe { epoll_wait(epoll, events.as_mut_ptr(), events.len() as i32, 20) };
        let sending = begun.elapsed() < time;
        for event in &events[..n.max(0) as usize] {
            let id = event.data as usize;
            let mut idle = false;
            let alive = receive(&mut connections[id], &mut scratch, &mut tally, &mut idle);
            let sent = !idle || !sending || !alive || send(&mut connections[id], request);
            if !alive || !sent {
                tally.errors += u64::from(connections[id].sent_at.is_some() && !idle);
                tally.reconnects += 1;
                connections[id] = connect(epoll, address, id);
                if sending {
                    send(&mut connections[id], request);
                }
            }
        }
    }
    (tally, begun.elapsed())
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: f64| {
        let at = words.iter().position(|word| word == name);
        at.map_or(default, |at| words[at + 1].parse().expect("a number"))
    };
    let (address, path) = (&words[1], &words[2]);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: bench.local\r\nUser-Agent: lg/1\r\nAccept: */*\r\n\r\n"
    );
    let time = Duration::from_secs_f64(option("-d", 5.0));
    let (mut tally, took) = run(address, request.as_bytes(), option("-c", 64.0) as usize, time);
    tally.latencies_us.sort_unstable();
    let quantile = |share: f64| {
        let latencies = &tally.latencies_us;
        let at = (latencies.len() as f64 * share) as usize;
        latencies.get(at.min(latencies.len().saturating_sub(1))).copied().unwrap_or(0)
    };
    println!(
        "{{\"secs\":{:.3},\"ok\":{},\"refused\":{},\"other\":{},\"errors\":{},\"reconnects\":{},\
         \"p50_us\":{},\"p99_us\":{},\"p999_us\":{}}}",
        took.as_secs_f64(),
        tally.ok,
        tally.refused,
        tally.other,
        tally.errors,
        tally.reconnects,
        quantile(0.5),
        quantile(0.99),
        quantile(0.999),
    );
}
