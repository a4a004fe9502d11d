//! A raw HTTP/1.1 client: sends any bytes, reads answers with a parser that repairs nothing.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::eventually::DEADLINE;
use crate::wire::{BodyDecoder, Head, response_framing};

/// Why there is no (whole) answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The connection could not be made.
    Refused,
    /// The peer closed in order before the first byte.
    Closed,
    /// The peer reset the connection.
    Reset,
    /// The peer closed in order in the middle of the answer.
    Cut,
    /// The bytes are not an HTTP/1.1 answer.
    Malformed(String),
    /// Nothing within the client's deadline.
    Late,
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// Its status code.
    pub status: u16,
    /// Its head.
    pub head: Head,
    /// Its body without chunk framing.
    pub body: Vec<u8>,
    /// Its trailer section.
    pub trailers: Vec<(String, String)>,
    /// The 1xx answers before it.
    pub interim: Vec<Head>,
}

// === impl Response ===

impl Response {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// Every value of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.head.all(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// Where it is not JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("no JSON ({why}) in {self}"))
    }

    /// Asserts an answer that the gateway makes itself, with this `code`; see [`Response::own`].
    ///
    /// # Panics
    /// Where it is another.
    pub fn problem(&self, status: u16, code: &str) -> serde_json::Value {
        let problem = self.own(status);
        assert_eq!(problem["code"], code, "{self}");
        problem
    }

    /// Asserts an answer that the gateway makes itself, looks at everything that each of them has
    /// (RFC 9457, RFC 9209), and returns its problem object.
    ///
    /// # Panics
    /// Where anything is missing.
    pub fn own(&self, status: u16) -> serde_json::Value {
        assert_eq!(self.status, status, "status of {self}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self}");
        let proxy_status = self.header("proxy-status").unwrap_or_default();
        assert!(proxy_status.starts_with("sumun"), "Proxy-Status of {self}");
        let problem = self.json();
        for field in ["type", "title", "detail", "code", "trace_id"] {
            assert!(problem[field].is_string(), "field {field} of {self}");
        }
        assert_eq!(problem["status"], status, "{self}");
        let trace_id = problem["trace_id"].as_str().unwrap_or_default();
        let is_hex = trace_id.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(trace_id.len() == 32 && is_hex, "trace_id {trace_id:?}");
        problem
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = &self.body[..self.body.len().min(2000)];
        let head = String::from_utf8_lossy(&self.head.raw);
        write!(f, "\n{head}{}", String::from_utf8_lossy(body))
    }
}

/// One client connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    buffer: BytesMut,
    deadline: Duration,
}

// === impl Client ===

impl Client {
    /// A connection.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).await.unwrap_or_else(|why| panic!("connect {address}: {why}"))
    }

    /// A connection, or why there is none.
    pub async fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = tokio::time::timeout(DEADLINE, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    /// A connection with a small receive buffer, for a client that means to read slowly.
    pub async fn connect_narrow(address: SocketAddr, buffer_bytes: u32) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(buffer_bytes).expect("SO_RCVBUF");
        Self::over(socket.connect(address).await.expect("connect"))
    }

    /// A client over a connection that exists.
    pub fn over(stream: TcpStream) -> Self {
        Self { stream, buffer: BytesMut::new(), deadline: DEADLINE }
    }

    /// The same with another deadline for each answer.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The client's own address.
    pub fn local_address(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// Sends exactly these bytes. A peer that has closed is no error here: what it answered,
    /// or that it did not, is for the reading side to say.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.ok();
    }

    /// Sends, and says whether the peer took it.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        tokio::time::timeout(self.deadline, self.stream.write_all(bytes.as_ref())).await?
    }

    /// The next answer, to a request that was not HEAD.
    pub async fn response(&mut self) -> Result<Response, Broken> {
        self.response_to("GET").await
    }

    /// The next answer, to a request with `method`.
    pub async fn response_to(&mut self, method: &str) -> Result<Response, Broken> {
        let deadline = self.deadline;
        match tokio::time::timeout(deadline, self.read_response(method)).await {
            Ok(read) => read,
            Err(_) => Err(Broken::Late),
        }
    }

    /// The next answer.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn answer(&mut self) -> Response {
        self.response().await.unwrap_or_else(|why| panic!("no answer: {why:?}"))
    }

    /// Sends a request and returns its answer.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn exchange(&mut self, request: impl AsRef<[u8]>) -> Response {
        let request = request.as_ref();
        let method = if request.starts_with(b"HEAD ") { "HEAD" } else { "GET" };
        self.send(request).await;
        let text = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
        let answer = self.response_to(method).await;
        answer.unwrap_or_else(|why| panic!("no answer to {text:?}: {why:?}"))
    }

    /// The head of the next final answer; its body stays unread.
    pub async fn head(&mut self) -> Result<Head, Broken> {
        match tokio::time::timeout(self.deadline, self.read_head()).await {
            Ok(read) => read,
            Err(_) => Err(Broken::Late),
        }
    }

    /// Exactly `length` raw bytes.
    pub async fn take(&mut self, length: usize) -> Result<Vec<u8>, Broken> {
        let deadline = self.deadline;
        let reading = async {
            while self.buffer.len() < length {
                self.read_more().await?;
            }
            Ok(self.buffer.split_to(length).to_vec())
        };
        tokio::time::timeout(deadline, reading).await.unwrap_or(Err(Broken::Late))
    }

    /// Everything until the peer's end, and how it ended ([`Broken::Closed`], `Reset`, `Late`).
    pub async fn rest(&mut self) -> (Vec<u8>, Broken) {
        let deadline = self.deadline;
        let end = tokio::time::timeout(deadline, async {
            loop {
                if let Err(end) = self.read_more().await {
                    return if end == Broken::Cut { Broken::Closed } else { end };
                }
            }
        });
        let end = end.await.unwrap_or(Broken::Late);
        (self.buffer.split().to_vec(), end)
    }

    /// Whether the peer has sent anything or closed, without waiting.
    pub fn has_heard(&mut self) -> bool {
        if !self.buffer.is_empty() {
            return true;
        }
        match self.stream.try_read_buf(&mut self.buffer) {
            Ok(_) => true,
            Err(why) => why.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Ends the sending side only.
    pub async fn half_close(&mut self) {
        self.stream.shutdown().await.ok();
    }

    /// Leaves with a reset.
    pub fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).ok();
    }

    async fn read_more(&mut self) -> Result<(), Broken> {
        self.buffer.reserve(64 * 1024);
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) if self.buffer.is_empty() => Err(Broken::Closed),
            Ok(0) => Err(Broken::Cut),
            Ok(_) => Ok(()),
            Err(_) => Err(Broken::Reset),
        }
    }

    async fn read_head(&mut self) -> Result<Head, Broken> {
        loop {
            let parsed = Head::parse(&self.buffer);
            if let Some(head) = parsed.map_err(|why| Broken::Malformed(why.to_string()))? {
                self.buffer.advance(head.raw.len());
                status_of(&head)?;
                return Ok(head);
            }
            self.read_more().await?;
        }
    }

    async fn read_response(&mut self, method: &str) -> Result<Response, Broken> {
        let mut interim = Vec::new();
        let (head, status) = loop {
            let head = self.read_head().await?;
            match status_of(&head)? {
                100..=199 if head.word(1) != "101" => interim.push(head),
                status => break (head, status),
            }
        };
        let malformed = |why: crate::wire::Malformed| Broken::Malformed(why.to_string());
        let framing = response_framing(&head, method, status).map_err(malformed)?;
        let mut decoder = BodyDecoder::new(framing);
        loop {
            let used = decoder.decode(&self.buffer).map_err(malformed)?;
            self.buffer.advance(used);
            if decoder.is_done() {
                break;
            }
            match self.read_more().await {
                Ok(()) => {}
                Err(Broken::Closed | Broken::Cut) if decoder.ends_with_connection() => break,
                Err(Broken::Closed) => return Err(Broken::Cut),
                Err(other) => return Err(other),
            }
        }
        Ok(Response { status, head, body: decoder.body, trailers: decoder.trailers, interim })
    }
}

fn status_of(head: &Head) -> Result<u16, Broken> {
    let is_http = matches!(head.word(0), "HTTP/1.1" | "HTTP/1.0");
    match head.word(1).parse() {
        Ok(status) if is_http && (100..=999).contains(&status) => Ok(status),
        _ => Err(Broken::Malformed(format!("status line {:?}", head.start_line))),
    }
}

/// GET on a connection of its own.
pub async fn get(address: SocketAddr, path: &str) -> Response {
    call(address, "GET", path, &[], b"").await
}

/// One call on a connection of its own. `Host` is `gateway.test` unless `headers` has one.
pub async fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let mut request = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
    let mut lines = headers.to_vec();
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        lines.insert(0, ("host", "gateway.test"));
    }
    let length = body.len().to_string();
    if !body.is_empty() {
        lines.push(("content-length", &length));
    }
    for (name, value) in lines {
        request.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    Client::connect(address).await.exchange(request).await
}
