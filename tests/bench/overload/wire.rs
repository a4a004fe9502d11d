//! The least of an HTTP/1.1 client: one connection, one call at a time, bodies by Content-Length.
//!
//! An answer without a Content-Length is taken for a broken one: neither the service nor any
//! gateway here sends such.

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Largest answer, head and body: more is an error.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// A connection that stays open from call to call.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
    /// Where the last answer's body begins and ends in `read`.
    body: (usize, usize),
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    pub status: u16,
    /// Seconds.
    pub retry_after_s: Option<u32>,
    /// The other side closes the connection.
    pub close: bool,
}

/// A GET of a path.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench.local\r\nuser-agent: overload\r\n\r\n").into_bytes()
}

impl Connection {
    /// Connects to a port of this machine.
    pub async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(1024), body: (0, 0) })
    }

    /// Sends a request and waits for its answer.
    pub async fn call(&mut self, request: &[u8]) -> Result<Answer> {
        self.read.clear();
        self.stream.write_all(request).await?;
        let end = loop {
            self.more().await?;
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
        };
        let (answer, length) = head(&self.read[..end + 2])?;
        self.body = (end + 4, end + 4 + length);
        while self.read.len() < self.body.1 {
            self.more().await?;
        }
        Ok(answer)
    }

    async fn more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if self.read.len() > ANSWER_BYTES_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(())
    }

    /// The last answer's body.
    pub fn body(&self) -> &[u8] {
        &self.read[self.body.0..self.body.1]
    }
}

/// What the lines of a head say, and the length of the body.
fn head(lines: &[u8]) -> Result<(Answer, usize)> {
    let invalid = || Error::from(ErrorKind::InvalidData);
    let number = |text: &[u8]| {
        let digits = text.trim_ascii();
        std::str::from_utf8(digits).ok()?.parse::<u32>().ok()
    };
    let status = lines.get(9..12).and_then(number).ok_or_else(invalid)?;
    let mut answer = Answer { status: status as u16, retry_after_s: None, close: false };
    let mut length = None;
    for line in lines.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.eq_ignore_ascii_case(b"content-length") {
            length = number(value).map(|length| length as usize);
        } else if name.eq_ignore_ascii_case(b"retry-after") {
            answer.retry_after_s = number(value);
        } else if name.eq_ignore_ascii_case(b"connection") {
            answer.close = value.trim_ascii().eq_ignore_ascii_case(b"close");
        }
    }
    let length = length.filter(|length| *length <= ANSWER_BYTES_MAX).ok_or_else(invalid)?;
    Ok((answer, length))
}
